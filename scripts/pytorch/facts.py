"""What PyTorch says a network costs, and what its publishers say."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

ROUNDING = 0.005e9
"""Published figures have two decimals of a billion."""

NORM_COST = 2
"""What the publishers of timm's figures count for each output of a batch norm.

They count with fvcore, to which a batch norm with scale and shift is two
operations an output (`batchnorm_flop_jit`), an average pool in a gate less than
shows in two decimals. Here only convolutions and linear layers count, as in the
paper, which makes all of these networks 0.2 to 0.8 % cheaper.
"""


KEEP_SHAPES = frozenset(
    {
        nn.functional.batch_norm,
        nn.init.kaiming_uniform_,
        nn.init.normal_,
        nn.init.uniform_,
        torch.Tensor.normal_,
        torch.Tensor.uniform_,
    }
)


class ShapesAlone(TorchFunctionMode):
    """Leaves out what keeps the shape of a tensor that has nothing but a shape, on the meta device.

    What PyTorch makes of these it says in Python, operation by operation, which was half of the time
    that a network took.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        words = kwargs or {}
        if func in KEEP_SHAPES:
            # Initialisers hand theirs on by name.
            tensor = args[0] if args else words["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **words)


@dataclass(frozen=True)
class Cost:
    """Of one image."""

    parameters: int
    macs: int
    """Multiplies of convolutions and linear layers."""
    normalised: int
    """Outputs of batch norms."""

    @property
    def as_published(self) -> int:
        """MACs as the publishers of timm's figures count them."""
        return self.macs + NORM_COST * self.normalised


@torch.no_grad()
def cost(model: nn.Module, height: int, width: int) -> Cost:
    """What a network costs for an image of this size; on the meta device it takes no time.

    A module that does not run costs nothing: torchvision's Inception-v3 has a
    second classifier for training alone.
    """
    parameters, macs, normalised = 0, 0, 0

    def count(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal parameters, macs, normalised
        parameters += sum(parameter.numel() for parameter in module.parameters(recurse=False))
        if isinstance(module, nn.Conv2d | nn.Linear):
            macs += output.numel() * module.weight[0].numel()
        elif isinstance(module, _BatchNorm):
            normalised += output.numel()

    hooks = [module.register_forward_hook(count) for module in model.modules()]
    with ShapesAlone():
        model(torch.zeros(1, 3, height, width, device=next(model.parameters()).device))
    for hook in hooks:
        hook.remove()
    return Cost(parameters, macs, normalised)


@dataclass(frozen=True)
class Published:
    """A row of the publishers' table."""

    parameters: int
    macs: float
    size: int
    """Height and width that `macs` is for."""


def read_published(table: Path) -> dict[str, Published]:
    """The publishers' table by network.

    Raises:
        ValueError: it lacks a column or has something else in it.
    """
    try:
        with table.open(newline="") as file:
            return {
                row["name"]: Published(
                    int(row["parameters"]), float(row["published_gmacs"]) * 1e9, int(row["published_gmacs_size"])
                )
                for row in csv.DictReader(file)
            }
    except (KeyError, TypeError) as error:
        raise ValueError(f"`{table}` lacks a column: {error}") from error
