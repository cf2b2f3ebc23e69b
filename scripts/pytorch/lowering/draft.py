"""Layers before they have names, and the names that they get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from scripts.pytorch.lowering.axes import View
from scripts.pytorch.tracing import Scope, word


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that does not depend on the input."""

    value: torch.Tensor
    name: str | None = None
    """What the model calls the tensor that has these numbers in this order."""
    learnt: bool = False
    """Whether that is a parameter."""

    def number(self) -> float | None:
        """The one number that it is."""
        return float(self.value.item()) if self.value.numel() == 1 else None


@dataclass(eq=False)
class Draft:
    """A layer to be, or the network's input."""

    op: str
    inputs: list[Draft]
    origin: fx.Node
    """The operation of PyTorch's that it computes, or helps to."""
    scope: Scope
    part: str = ""
    """What it is called besides, where one of PyTorch's operations becomes several layers and this is not the last."""
    attributes: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Constant] = field(default_factory=dict)
    number: float | None = None
    """What an `affine` adds, where that is one number and all it does."""
    view: View | None = None
    """How the result of `origin` shows the layer's value; None where PyTorch has no such value."""


@dataclass(frozen=True)
class Border:
    """Pixels still to be put around a value, by whatever reads it."""

    pads: tuple[int, int, int, int]
    """Above, below, left, right."""
    kind: str
    """`reflect`, or `lowest` for minus infinity."""


@dataclass(frozen=True)
class Value:
    """A tensor that depends on the input."""

    draft: Draft
    view: View
    border: Border | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.view.shape


class Names:
    """Names that are each given once: `name`, then `name#2`."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)

    def give(self, name: str) -> str:
        count, given = 1, name
        while given in self.taken:
            count += 1
            given = f"{name}#{count}"
        self.taken.add(given)
        return given


RESERVED = ("input", "output")
"""What a dump calls other things than layers."""


def names_of(drafts: list[Draft], input_name: str) -> dict[Draft, str]:
    """What each layer is called.

    What a module without modules computes last is called as the module is: that is what it returns. Whatever else is
    computed is called by its module and the function: `layer1.0/add`.
    """
    last = {draft.scope.key: draft.origin for draft in drafts if draft.scope.leaf}
    names = Names((*RESERVED, input_name))
    bases: dict[fx.Node, str] = {}
    for draft in drafts:
        if draft.scope.leaf and last[draft.scope.key] is draft.origin and draft.origin not in bases:
            bases[draft.origin] = names.give(draft.scope.name)
    result = {}
    for draft in drafts:
        if draft.origin not in bases:
            called = word(draft.origin)
            bases[draft.origin] = names.give(f"{draft.scope.name}/{called}" if draft.scope.name else called)
        base = bases[draft.origin]
        result[draft] = names.give(f"{base}/{draft.part}") if draft.part else base
    return result


def blocks_of(drafts: list[Draft], names: Mapping[Draft, str]) -> list[str]:
    """The modules that add up or concatenate what is computed in them."""
    found: dict[str, None] = {}
    for draft in drafts:
        name = draft.scope.name
        if draft.op in ("add", "concat") and name and not draft.scope.leaf:
            found[name] = None
    return [name for name in found if any(other.startswith((f"{name}.", f"{name}/")) for other in names.values())]
