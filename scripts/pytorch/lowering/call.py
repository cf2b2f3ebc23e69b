"""One of PyTorch's operations, about to become layers, and which function does that."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from scripts.pytorch.lowering.axes import Axis, View
from scripts.pytorch.lowering.draft import Border, Constant, Draft, Value
from scripts.pytorch.tracing import Scope, word


class UnsupportedError(ValueError):
    """What an operation does that the graph has no word for."""


Result = Any
"""A `Value`, a `Constant`, a list of such, or what another function of this package makes of it."""

Lowering = Callable[["Call"], Result]

LOWERINGS: dict[str, Lowering] = {}


def lowers(*words: str) -> Callable[[Lowering], Lowering]:
    """Register what makes layers of these operations."""

    def register(function: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(words, function))
        return function

    return register


@dataclass
class Call:
    """An operation with its arguments as they are known."""

    node: fx.Node
    scope: Scope
    arguments: dict[str, Any]
    """By the schema's names, with its defaults."""
    drafts: list[Draft]
    """All layers so far."""
    image: Draft
    """The network's input."""
    batch: int

    @property
    def word(self) -> str:
        return word(self.node)

    @property
    def sizes(self) -> list[int]:
        """Of the result's dimensions."""
        return list(self.node.meta["val"].shape)

    def __getitem__(self, name: str) -> Any:
        return self.arguments.get(name)

    def value(self, name: str = "self") -> Value:
        """An argument that depends on the input, without border."""
        value = self.arguments.get(name, self.arguments.get("input"))
        return plain(value)

    def constant(self, name: str) -> Constant | None:
        """An argument that must not depend on the input."""
        value = self.arguments.get(name)
        if value is not None and not isinstance(value, Constant):
            raise UnsupportedError(f"`{self.word}` whose `{name}` depends on the input")
        return value

    def layer(
        self,
        op: str,
        inputs: Sequence[Value],
        shape: Sequence[int],
        tensors: dict[str, Constant | None] | None = None,
        *,
        view: View | None = None,
        part: str = "",
        shown: bool | None = None,
        **attributes: Any,
    ) -> Value:
        """A layer, and its value: as it is, or as `view` shows it.

        A `part` comes before the last layer of an operation; it is `shown` where PyTorch's result has its numbers.
        """
        view = view or View.whole(self.batch, shape)
        used = {role: tensor for role, tensor in (tensors or {}).items() if tensor is not None}
        shows = view if (not part if shown is None else shown) else None
        result = self.node.meta["val"]
        if isinstance(result, torch.Tensor) and math.prod(view.sizes()) != result.numel():
            # PyTorch has written out what broadcasts.
            shows = None
        draft = Draft(op, [value.draft for value in inputs], self.node, self.scope, part, attributes, used, None, shows)
        self.drafts.append(draft)
        return Value(draft, view)

    def each(self, op: str, value: Value, part: str = "", **attributes: Any) -> Value:
        """A layer that computes each element, or channel, by itself."""
        return self.layer(op, [value], value.shape, view=value.view, part=part, **attributes)

    def scaled(self, value: Value, factor: float, part: str = "") -> Value:
        return value if factor == 1.0 else self.each("multiply", value, part, factor=factor)

    def shifted(self, value: Value, number: float, part: str = "") -> Value:
        """Every element plus a number."""
        if number == 0.0:
            return value
        bias = Constant(torch.full((value.shape[0],), number, dtype=torch.float64))
        shifted = self.layer("affine", [value], value.shape, {"bias": bias}, view=value.view, part=part, weight=False)
        shifted.draft.number = number
        return shifted

    def map(self, name: str = "self") -> Value:
        """An argument that has to be a feature map as it is."""
        return as_map(self.value(name))


def plain(value: Any) -> Value:
    """What depends on the input, has no border left to put around and is no statistic."""
    if isinstance(value, Constant):
        raise UnsupportedError("an input that is constant")
    if not isinstance(value, Value):
        raise UnsupportedError(f"an input that is {describe(value)}")
    if value.border:
        raise UnsupportedError(f"padding that is not of zeros ({value.border.kind})")
    return value


def describe(value: object) -> str:
    said = getattr(value, "said", None)
    return str(said) if said else type(value).__name__


def as_map(value: Value) -> Value:
    if len(value.shape) != 3 or not value.view.is_whole():
        raise UnsupportedError(f"a tensor of {shown(value)} where a feature map [N, C, H, W] is expected")
    return value


def shown(value: Value) -> str:
    """How a tensor is laid out, for people."""
    names = {"N": "N", "C": "C", "H": "H", "W": "W"}
    dims = []
    for dim in value.view.dims:
        factors = [
            names[axis.of] if axis == whole_axis(value.view, axis.of) else f"{axis.size} of {axis.of}" for axis in dim
        ]
        dims.append(" x ".join(factors) or "1")
    return f"[{', '.join(dims)}]"


def whole_axis(view: View, of: str) -> Axis:
    place = "NCHW".index(of)
    return Axis(of, view.batch if of == "N" else view.shape[place - 1])


def per_channel(constant: Constant, view: View) -> Constant:
    """A constant that broadcasts over a tensor, as a number a channel.

    Raises:
        UnsupportedError: it differs from pixel to pixel.
    """
    value = constant.value
    rank = len(view.dims)
    if value.dim() > rank:
        value = value.reshape(value.shape[value.dim() - rank :])
    value = value.reshape([1] * (rank - value.dim()) + list(value.shape))
    for place, dim in enumerate(view.dims):
        if value.shape[place] == 1:
            continue
        if any(axis.of != "C" for axis in dim):
            # The same for all images or pixels, though written out.
            if not torch.equal(value, value.narrow(place, 0, 1).expand_as(value)):
                raise UnsupportedError("a constant that differs from pixel to pixel")
            value = value.narrow(place, 0, 1)
    sizes = [
        math.prod(axis.size for axis in dim) if dim and all(axis.of == "C" for axis in dim) else 1 for dim in view.dims
    ]
    axes = [axis for dim in view.dims for axis in dim if axis.of == "C" and all(other.of == "C" for other in dim)]
    order = sorted(range(len(axes)), key=lambda index: -axes[index].stride)
    channels = view.shape[0]
    vector = value.expand(sizes).reshape([axis.size for axis in axes]).permute(order).reshape(channels)
    same = constant.value.numel() == channels and order == list(range(len(axes)))
    return Constant(vector, constant.name if same else None, constant.learnt)


def bordered(value: Value, pads: tuple[int, int, int, int], kind: str) -> Value:
    return Value(value.draft, value.view, Border(pads, kind))
