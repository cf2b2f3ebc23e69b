"""Joining channels, taking them apart, and sums over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from scripts.pytorch.lowering.axes import Axis, View, aligned
from scripts.pytorch.lowering.call import Call, UnsupportedError, lowers, plain, whole_axis
from scripts.pytorch.lowering.draft import Constant, Value
from scripts.pytorch.lowering.statistics import Statistic
from scripts.pytorch.lowering.views import cut, settled


@lowers("cat", "concat")
def cat(call: Call) -> Value:
    values = list(call["tensors"])
    rank = len(call.sizes)
    dim = call["dim"] % rank
    last = values[-1]
    if isinstance(last, Constant) and len(values) == 2 and dim == 1 and not torch.any(last.value):
        value = plain(values[0])
        if not value.view.is_whole():
            raise UnsupportedError("channels of zeros behind a view")
        return call.layer("pad_channels", [value], call.sizes[1:], channels=last.value.shape[1])
    values = [plain(value) for value in values]
    if len(values) == 1:
        return values[0]
    if len({value.shape[1:] for value in values}) != 1 or any(
        value.view.dims[dim] not in ((), (whole_axis(value.view, "C"),)) for value in values
    ):
        raise UnsupportedError("a concatenation along another dimension than the channels")
    rests = {value.view.dims[:dim] + value.view.dims[dim + 1 :] for value in values}
    if len(rests) != 1:
        raise UnsupportedError("a concatenation of tensors whose dimensions are not the same")
    channels = sum(value.shape[0] for value in values)
    shape = (channels, *values[0].shape[1:])
    dims = values[0].view.dims
    view = View(shape, (*dims[:dim], (Axis("C", channels),), *dims[dim + 1 :]))
    return call.layer("concat", values, shape, view=view)


@lowers("stack")
def stack(call: Call) -> Value:
    """A concatenation whose parts stay apart in a dimension of their own."""
    values = [plain(value) for value in call["tensors"]]
    dim = call["dim"] % len(call.sizes)
    if len({value.view for value in values}) != 1 or not values[0].shape:
        raise UnsupportedError("a stack of tensors whose dimensions are not the same")
    view, count = values[0].view, len(values)
    channels = view.shape[0]
    shape = (channels * count, *view.shape[1:])
    dims = (*view.dims[:dim], (Axis("C", count, channels),), *view.dims[dim:])
    return call.layer("concat", values, shape, view=View(shape, dims))


@lowers("chunk", "split", "split_with_sizes", "unbind", "tensor_split")
def taken_apart(call: Call) -> list[Any]:
    """Parts, each a layer only where it is used: the layer is that of `getitem`."""
    value = call.value()
    dim = (call["dim"] or 0) % len(value.view.dims)
    size = value.view.sizes()[dim]
    if call.word == "unbind":
        sizes = [1] * size
    elif call.word == "split_with_sizes":
        sizes = list(call["split_sizes"])
    elif call.word == "split" and not isinstance(call["split_size"], int):
        sizes = list(call["split_size"])
    elif call.word == "tensor_split":
        raise UnsupportedError("tensor_split")
    else:
        each = call["split_size"] if call.word == "split" else -(-size // call["chunks"])
        sizes = [min(each, size - first) for first in range(0, size, each)]
    firsts = [sum(sizes[:index]) for index in range(len(sizes))]
    gone = call.word == "unbind"
    return [Part(value, dim, first, first + count, gone) for first, count in zip(firsts, sizes, strict=True)]


class Part:
    """Some positions of a dimension."""

    said = "a part of a tensor"

    def __init__(self, value: Value, dim: int, first: int, end: int, gone: bool) -> None:
        self.value, self.dim, self.first, self.end, self.gone = value, dim, first, end, gone

    def taken(self, call: Call) -> Value:
        return cut(call, self.value, self.dim, self.first, self.end, gone=self.gone)


def over_channels(call: Call, value: Value, dims: Sequence[int]) -> Any:
    """A sum or mean of groups of channels, or what a layer norm is made of.

    Raises:
        UnsupportedError: it is over something else.
    """
    if len(dims) != 1 or call.word == "amax":
        raise UnsupportedError(f"{call.word} over {'channels' if len(dims) == 1 else 'several dimensions'}")
    (dim,) = dims
    view = value.view
    axes = view.dims[dim]
    if axes == (whole_axis(view, "C"),):
        if call.word == "mean" and call["keepdim"]:
            return Statistic("mean", value)
        raise UnsupportedError(f"{call.word} over all channels")
    if len(axes) != 1 or axes[0].of != "C" or axes[0].size * axes[0].stride != value.shape[0]:
        raise UnsupportedError(f"{call.word} over a dimension that is neither pixels nor groups of channels")
    count, channels = axes[0].size, axes[0].stride
    shape = (channels, *value.shape[1:])
    left = view.dims[:dim] + (((),) if call["keepdim"] else ()) + view.dims[dim + 1 :]
    result = View(shape, left)
    parts = [
        call.layer(
            "slice",
            [value],
            shape,
            view=result,
            part=f"slice{index}",
            shown=False,
            first=index * channels,
            channels=channels,
        )
        for index in range(count)
    ]
    total = parts[0]
    for index, each in enumerate(parts[1:], start=1):
        ends = index == count - 1 and call.word == "sum"
        total = call.layer("add", [total, each], shape, view=result, part="" if ends else f"sum{index}", shown=ends)
    return settled(call, call.scaled(total, 1.0 / count) if call.word == "mean" else total)


def broadcast(one: Value, other: Value) -> tuple[Value, Value, View, bool]:
    """Two values, the larger first, how the result is shown, and whether the second is one number a channel.

    Raises:
        UnsupportedError: their dimensions are of different axes.
    """
    both = aligned(one.view, other.view)
    if both is None:
        raise UnsupportedError("two tensors whose dimensions are not the same")
    dims = tuple(first or second for first, second in zip(*both, strict=True))
    if both[0] == both[1] and one.shape == other.shape:
        return one, other, View(one.shape, dims), False
    if both[1] == dims:
        one, other, both = other, one, (both[1], both[0])
    if both[0] != dims:
        raise UnsupportedError("two tensors of which neither broadcasts to the other")
    missing = {axis.of for first, second in zip(*both, strict=True) if first and not second for axis in first}
    if missing - {"H", "W"}:
        raise UnsupportedError(
            "one number a pixel for all channels" if missing == {"C"} else "a tensor that broadcasts over images"
        )
    if missing and (len(other.shape) == 3 and other.shape[1:] != (1, 1)):
        raise UnsupportedError("a tensor that broadcasts over rows or columns alone")
    return one, other, View(one.shape, dims), one.shape != other.shape
