"""Views: other dimensions, another order, parts. They compute nothing, and few of them are layers."""

from __future__ import annotations

import math
from typing import Any

import torch

from scripts.pytorch.lowering.axes import Axis, View, joined
from scripts.pytorch.lowering.call import Call, UnsupportedError, lowers, whole_axis
from scripts.pytorch.lowering.draft import Constant, Value


def settled(call: Call, value: Value) -> Value:
    """The view as a value of the graph, where an operation of the graph makes it; else the view."""
    view = value.view
    dims, shape = view.dims, view.shape
    if view.is_whole() or len(dims) not in (2, 4) or dims[0] != (whole_axis(view, "N"),):
        return value
    channels = shape[0]
    if len(shape) == 1 and len(dims) == 4:
        if dims[1:] == View.whole(view.batch, (channels, 1, 1)).dims[1:]:
            return call.layer("unflatten", [value], (channels, 1, 1))
        return value
    if len(shape) != 3:
        return value
    pixels = tuple(axis for axis in (Axis("H", shape[1]), Axis("W", shape[2])) if axis.size > 1)
    if len(dims) == 4 and dims[2:] == View.whole(view.batch, shape).dims[2:]:
        if groups := shuffled(dims[1], channels):
            return call.layer("shuffle_channels", [value], shape, groups=groups)
    elif len(dims) == 4 and (block := space_to_depth(view)):
        first, size = block
        to = (channels * size * size, shape[1] // size, shape[2] // size)
        made = call.layer("space_to_depth", [value], to, part="" if first else "blocks", block=size)
        return made if first else call.layer("shuffle_channels", [made], to, groups=size * size)
    elif len(dims) == 2:
        own = whole_axis(view, "C")
        length = math.prod(shape)
        if dims[1] == ((own, *pixels) if channels > 1 else pixels):
            return call.layer("flatten", [value], (length,))
        if not pixels and (groups := shuffled(dims[1], channels)):
            value = call.layer("shuffle_channels", [value], shape, part="shuffle", groups=groups)
            return call.layer("flatten", [value], (length,))
    return value


def shuffled(dim: tuple[Axis, ...], channels: int) -> int | None:
    """Groups of a shuffle that the dimension is of so many channels: its two factors in the other order."""
    if len(dim) == 2 and all(axis.of == "C" for axis in dim):
        inner, groups = dim
        if inner.stride == 1 and groups.stride == inner.size and groups.size * inner.size == channels:
            return groups.size
    return None


def space_to_depth(view: View) -> tuple[bool, int] | None:
    """The block of a space-to-depth, and whether its pixels come before the channels, where the view is one."""
    channels, height, width = view.shape
    outer = list(view.dims[2:])
    blocks = {height // math.prod(axis.size for axis in outer[0]), width // math.prod(axis.size for axis in outer[1])}
    if len(blocks) != 1:
        return None
    (size,) = blocks
    if size < 2 or height % size or width % size:
        return None
    pixels = (Axis("H", size), Axis("W", size))
    own = (Axis("C", channels),) if channels > 1 else ()
    rows, columns = height // size, width // size
    expected = (
        (Axis("H", rows, size),) if rows > 1 else (),
        (Axis("W", columns, size),) if columns > 1 else (),
    )
    if tuple(outer) != expected:
        return None
    if view.dims[1] == (*pixels, *own):
        return True, size
    if view.dims[1] == (*own, *pixels):
        return False, size
    return None


def viewed(call: Call, view: View | None, value: Value) -> Value:
    if view is None:
        raise UnsupportedError(f"a view as {call.sizes} that mixes dimensions")
    return settled(call, Value(value.draft, view))


@lowers("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as")
def reshape(call: Call) -> Value:
    value = call.value()
    return viewed(call, value.view.reshaped(call.sizes), value)


@lowers("permute", "transpose", "t", "movedim", "numpy_T")
def permute(call: Call) -> Value:
    value = call.value()
    rank = len(value.view.dims)
    if call.word == "permute":
        order = [dim % rank for dim in call["dims"]]
    elif call.word in ("t", "numpy_T"):
        order = list(range(rank))[::-1]
    elif call.word == "transpose":
        order = list(range(rank))
        one, other = call["dim0"] % rank, call["dim1"] % rank
        order[one], order[other] = order[other], order[one]
    else:
        raise UnsupportedError("movedim")
    return viewed(call, value.view.permuted(order), value)


@lowers("expand", "expand_as")
def expand(call: Call) -> Value:
    value = call.value()
    rank = len(call.sizes)
    dims = ((),) * (rank - len(value.view.dims)) + value.view.dims
    sizes = [math.prod(axis.size for axis in dim) for dim in dims]
    if sizes == call.sizes:
        return viewed(call, View(value.shape, dims), value)
    # To rows and columns: what is multiplied or added broadcasts by itself.
    return Value(value.draft, View(value.shape, dims))


@lowers("slice", "narrow", "select")
def part(call: Call) -> Value:
    value = call.value()
    dim = call["dim"] % len(value.view.dims)
    size = value.view.sizes()[dim]
    step = 1
    if call.word == "slice":
        start, end, step = call["start"] or 0, call["end"], call["step"]
        start, end = (min(max(at + size if at < 0 else at, 0), size) for at in (start, size if end is None else end))
    elif call.word == "narrow":
        start = call["start"] % size
        end = start + call["length"]
    else:
        start = call["index"] % size
        end = start + 1
    return cut(call, value, dim, start, end, step, gone=call.word == "select")


def cut(call: Call, value: Value, dim: int, start: int, end: int, step: int = 1, *, gone: bool = False) -> Value:
    """Positions of one dimension; it is `gone` afterwards where that is one position."""
    view = value.view
    axes = view.dims[dim]
    whole = start == 0 and end >= view.sizes()[dim] and step == 1
    if whole or not axes:
        dims = view.dims[:dim] + view.dims[dim + 1 :] if gone else view.dims
        return viewed(call, View(value.shape, dims), value)
    if len(axes) != 1:
        raise UnsupportedError("a part of a dimension that mixes several")
    (axis,) = axes
    count = -(-(end - start) // step)

    def shows(shape: tuple[int, ...], changed: Axis) -> View:
        """The view of what is cut out: the axis is smaller."""
        now = [tuple(changed if each == axis else each for each in other) for other in view.dims]
        kept = [tuple(each for each in other if each.size > 1) for other in now]
        return View(shape, tuple(joined(other) for index, other in enumerate(kept) if not (gone and index == dim)))

    if axis.of == "C" and axis.size * axis.stride == value.shape[0] and step == 1:
        shape = (count * axis.stride, *value.shape[1:])
        made = call.layer(
            "slice",
            [value],
            shape,
            view=shows(shape, Axis("C", count, axis.stride)),
            first=start * axis.stride,
            channels=shape[0],
        )
        return settled(call, made) if not made.view.is_whole() else made
    if axis.of in "HW" and axis == whole_axis(view, axis.of):
        return cut_pixels(call, value, axis, start, end, step, shows)
    if axis.of == "N":
        raise UnsupportedError("some of the images alone")
    raise UnsupportedError("channels that do not follow each other")


def cut_pixels(call: Call, value: Value, axis: Axis, start: int, end: int, step: int, shows: Any) -> Value:
    """Some rows or columns: a crop, then a pool of one pixel where some in between are left out."""
    shape = list(value.shape)
    place = "CHW".index(axis.of)
    size = shape[place]
    strides = [step if axis.of == each else 1 for each in "HW"]
    if start or end < size:
        shape[place] = end - start
        cropping = [[start, size - end] if axis.of == each else [0, 0] for each in "HW"]
        view = shows(tuple(shape), Axis(axis.of, end - start))
        value = call.layer(
            "crop", [value], shape, view=view, part="crop" if step > 1 else "", shown=step == 1, cropping=cropping
        )
    if step > 1:
        shape[place] = -(-(end - start) // step)
        view = shows(tuple(shape), Axis(axis.of, shape[place]))
        value = call.layer("max_pool", [value], shape, view=view, kernel=[1, 1], strides=strides)
    return value


FILLED = {"zeros_like": 0.0, "new_zeros": 0.0, "ones_like": 1.0, "new_ones": 1.0}


@lowers(*FILLED, "full_like", "new_full")
def filled(call: Call) -> Constant:
    """A constant of which only the shape is another tensor's."""
    number = FILLED.get(call.word, call["fill_value"])
    if not isinstance(number, int | float):
        raise UnsupportedError("a tensor filled with what is no number")
    return Constant(torch.full(call.sizes, float(number), dtype=torch.float64))


@lowers("pixel_unshuffle")
def pixel_unshuffle(call: Call) -> Value:
    value = call.map()
    size = call["downscale_factor"]
    made = call.layer("space_to_depth", [value], call.sizes[1:], part="blocks", block=size)
    return call.layer("shuffle_channels", [made], call.sizes[1:], groups=size * size)


@lowers("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(call: Call) -> Value:
    value = call.map()
    return call.layer("shuffle_channels", [value], value.shape, groups=call["groups"])
