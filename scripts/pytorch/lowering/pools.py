"""Pools, borders and other sizes of feature maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scripts.pytorch.lowering.axes import Axis, View
from scripts.pytorch.lowering.call import Call, UnsupportedError, as_map, bordered, lowers, plain, whole_axis
from scripts.pytorch.lowering.channels import over_channels
from scripts.pytorch.lowering.convolutions import both_sides, pair, with_border, without_zeros
from scripts.pytorch.lowering.draft import Value
from scripts.pytorch.lowering.statistics import Statistic
from scripts.pytorch.lowering.views import settled


def window(call: Call) -> tuple[list[int], dict[str, Any]]:
    """Kernel and padding, and what more a pool says, of either kind."""
    kernel = pair(call["kernel_size"])
    strides = pair(call["stride"]) if call["stride"] else kernel
    more: dict[str, Any] = {"kernel": kernel, "strides": strides}
    if call["ceil_mode"]:
        more["rounding"] = "ceil"
    return pair(call["padding"]), more


@lowers("max_pool2d")
def max_pool2d(call: Call) -> Value:
    if pair(call["dilation"]) != [1, 1]:
        raise UnsupportedError("a dilated max pool")
    value: Value = call["self"]
    border = value.border if isinstance(value, Value) and value.border and value.border.kind == "lowest" else None
    value = as_map(Value(value.draft, value.view) if border else plain(value))
    padding, more = window(call)
    if call.scope.kind == "MaxPool2dSame":
        return call.layer("max_pool", [value], call.sizes[1:], padding="same", **more)
    return call.layer("max_pool", [value], call.sizes[1:], padding=with_border(padding, border), **more)


@lowers("avg_pool2d")
def avg_pool2d(call: Call) -> Value:
    if call["divisor_override"] is not None:
        raise UnsupportedError("an average pool with a divisor of its own")
    padding, more = window(call)
    value = call.map()
    if call.scope.kind == "AvgPool2dSame" and padding == [0, 0]:
        # timm's, computed in Python for any size; it counts the zeros that it puts around.
        value = without_zeros(call, value)
        return call.layer("average_pool", [value], call.sizes[1:], padding="same", padding_counts=True, **more)
    if padding != [0, 0]:
        more["padding_counts"] = bool(call["count_include_pad"])
    return call.layer("average_pool", [value], call.sizes[1:], padding=both_sides(padding), **more)


@lowers("adaptive_avg_pool2d")
def adaptive_avg_pool2d(call: Call) -> Value:
    value = call.map()
    if call.sizes[2:] == [1, 1]:
        return call.layer("global_average_pool", [value], call.sizes[1:])
    return call.layer("adaptive_average_pool", [value], call.sizes[1:], size=call.sizes[2:])


@lowers("adaptive_max_pool2d")
def adaptive_max_pool2d(call: Call) -> list[Any]:
    """The largest, and their places, which are no value of a graph."""
    value = call.map()
    if pair(call["output_size"]) != [1, 1]:
        raise UnsupportedError("an adaptive max pool to more than one pixel")
    return [call.layer("global_max_pool", [value], (value.shape[0], 1, 1)), None]


def reduced(value: Value, dims: Sequence[int] | None) -> list[int]:
    """The dimensions that are reduced, counted from the first."""
    rank = len(value.view.dims)
    return sorted(dim % rank for dim in (dims if dims else range(rank)))


def of_pixels(value: Value, dims: Sequence[int]) -> list[int] | None:
    """Rows and columns of what is reduced, where that is whole axes of the image and no more."""
    axes = [axis for dim in dims for axis in value.view.dims[dim]]
    if len(value.shape) != 3 or any(axis.of not in "HW" for axis in axes):
        return None
    height, width = value.shape[1:]
    kernel = [height if Axis("H", height) in axes else 1, width if Axis("W", width) in axes else 1]
    return kernel if math.prod(kernel) == math.prod(axis.size for axis in axes) else None


def over_pixels(call: Call, value: Value, dims: Sequence[int], kernel: list[int], op: str, factor: float) -> Value:
    """A reduction of rows, columns or both, then viewed without them unless they are kept."""
    channels, height, width = value.shape
    shape = (channels, height // kernel[0], width // kernel[1])
    left = [() if index in dims else dim for index, dim in enumerate(value.view.dims)]
    kept = bool(call["keepdim"])
    view = View(shape, tuple(left if kept else [dim for index, dim in enumerate(left) if index not in dims]))
    more: dict[str, Any] = {} if op.startswith("global") else {"kernel": kernel}
    flat = shape[1:] == (1, 1) and len(view.dims) == 2
    made = call.layer(
        op, [value], shape, view=view, part="pool" if flat or factor != 1.0 else "", shown=factor == 1.0, **more
    )
    if factor != 1.0:
        made = call.scaled(made, factor, "times" if flat else "")
    return settled(call, made)


@lowers("mean", "sum", "amax")
def reduction(call: Call) -> Any:
    if isinstance(call["self"], Statistic):
        return mean_of_squares(call, call["self"])
    value = call.value()
    dims = reduced(value, call["dim"])
    kernel = of_pixels(value, dims)
    if kernel:
        whole = kernel == list(value.shape[1:])
        if call.word == "amax":
            return over_pixels(call, value, dims, kernel, "global_max_pool" if whole else "max_pool", 1.0)
        factor = float(math.prod(kernel)) if call.word == "sum" else 1.0
        return over_pixels(call, value, dims, kernel, "global_average_pool" if whole else "average_pool", factor)
    return over_channels(call, value, dims)


def mean_of_squares(call: Call, statistic: Statistic) -> Statistic:
    view = statistic.value.view
    over = [view.dims[dim] for dim in reduced(statistic.value, call["dim"])]
    if statistic.kind == "squared" and call.word == "mean" and call["keepdim"] and over == [(whole_axis(view, "C"),)]:
        return statistic.to("variance")
    raise UnsupportedError(statistic.said)


@lowers("max")
def max_of_dim(call: Call) -> Any:
    """The largest of rows or columns, and their places, which are no value of a graph."""
    if call["dim"] is None:
        raise UnsupportedError("a maximum of all or of two values")
    value = call.value()
    dims = reduced(value, [call["dim"]])
    kernel = of_pixels(value, dims)
    if not kernel:
        raise UnsupportedError("a maximum over channels")
    return [over_pixels(call, value, dims, kernel, "max_pool", 1.0), None]


@lowers("pad", "constant_pad_nd", "reflection_pad2d")
def pad(call: Call) -> Value:
    value = call.map()
    pads = list(call["pad"] if call["pad"] is not None else call["padding"])
    pads += [0] * (8 - len(pads))
    left, right, top, bottom, before, after, *batch = pads
    mode = "reflect" if call.word == "reflection_pad2d" else call["mode"] or "constant"
    if any(batch) or before < 0 or after < 0:
        raise UnsupportedError("padding of images or by fewer channels")
    channels, height, width = value.shape
    inner = (top, bottom, left, right)
    if mode == "reflect":
        return bordered(value, inner, "reflect")
    if mode != "constant":
        raise UnsupportedError(f"padding of the mode `{mode}`")
    number = float(call["value"] or 0.0)
    if number == -math.inf and not before and not after and min(inner) >= 0:
        return bordered(value, inner, "lowest")
    if number != 0.0:
        raise UnsupportedError(f"padding by {number:g}")
    if before:
        raise UnsupportedError("padding by channels before the others")
    cropping = [[max(-top, 0), max(-bottom, 0)], [max(-left, 0), max(-right, 0)]]
    padding = [[max(top, 0), max(bottom, 0)], [max(left, 0), max(right, 0)]]
    steps: list[tuple[str, tuple[int, ...], dict[str, Any]]] = []
    if any(map(sum, cropping)):
        height, width = height - sum(cropping[0]), width - sum(cropping[1])
        steps.append(("crop", (channels, height, width), {"cropping": cropping}))
    if any(map(sum, padding)):
        height, width = height + sum(padding[0]), width + sum(padding[1])
        steps.append(("zero_pad", (channels, height, width), {"padding": padding}))
    if after:
        steps.append(("pad_channels", (channels + after, height, width), {"channels": after}))
    for index, (op, shape, more) in enumerate(steps):
        value = call.layer(op, [value], shape, part="" if index == len(steps) - 1 else op, **more)
    return value


@lowers("upsample_nearest2d")
def upsample_nearest2d(call: Call) -> Value:
    value = call.map()
    channels, height, width = value.shape
    rows, columns = call.sizes[2:]
    shape = (channels, rows, columns)
    by_size = not call["scale_factors"]
    if by_size and (like := value_of_size(call, shape)):
        return call.layer("upsample_like", [value, like], shape)
    if rows % height or columns % width:
        raise UnsupportedError(f"an interpolation from {height}x{width} to {rows}x{columns}")
    return call.layer("upsample", [value], shape, factors=[rows // height, columns // width])


def value_of_size(call: Call, shape: tuple[int, ...]) -> Value | None:
    """The latest feature map as high and wide: what the size was asked of, or as good as that."""
    for draft in (*reversed(call.drafts), call.image):
        view = draft.view
        if view and len(view.shape) == 3 and view.shape[1:] == shape[1:]:
            return Value(draft, View.whole(call.batch, view.shape))
    return None
