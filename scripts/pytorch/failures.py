"""Why and where a model cannot be traced, in one line and nothing beside it."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr

from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook


@contextmanager
def innermost_module(model: nn.Module) -> Iterator[Callable[[], str]]:
    """Tells, where a run ended with an exception, which module it was in."""
    names = {id(module): name for name, module in model.named_modules()}
    running: list[str] = []

    def enter(module: nn.Module, _inputs: object) -> None:
        running.append(names.get(id(module), type(module).__name__))

    def leave(_module: nn.Module, _inputs: object, _output: object) -> None:
        running.pop()

    hooks = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave)]
    try:
        yield lambda: running[-1] if running else ""
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def failing_quietly() -> Iterator[None]:
    """Drop what PyTorch logs and prints beside the exception that it raises; a model may print what it likes."""
    log = logging.getLogger("torch.fx.experimental.symbolic_shapes")
    level = log.level
    log.setLevel(logging.ERROR)
    printed = io.StringIO()
    try:
        with redirect_stderr(printed):
            yield
        sys.stderr.write(printed.getvalue())
    finally:
        log.setLevel(level)


DEPENDS = re.compile(r"data-dependent|GuardOnDataDependent|unbacked|\.item\(\)|numpy\(\)|DataDependent", re.IGNORECASE)


def explained(error: Exception, path: str) -> str:
    """Why a model cannot be traced, in one line."""
    where = f"`{path}`" if path else "the model's `forward`"
    text = f"{type(error).__name__}: {error}"
    if DEPENDS.search(text):
        return (
            f"{where}: what is computed depends on the numbers in the input (an `if` on a value, `.item()`, "
            f"`.numpy()`), which no graph can say"
        )
    return f"{where}: {first_line(error)}"


def first_line(error: BaseException) -> str:
    """What an exception says, or its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
