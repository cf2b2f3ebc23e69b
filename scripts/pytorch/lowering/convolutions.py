"""Convolutions, dense layers and what is a special case of them."""

from __future__ import annotations

import math
from typing import Any

import torch

from scripts.pytorch.lowering.axes import Axis, Dim, View
from scripts.pytorch.lowering.call import Call, UnsupportedError, as_map, lowers, plain, whole_axis
from scripts.pytorch.lowering.draft import Border, Constant, Value

SAME_BY_CLASS = ("Conv2dSame", "StdConv2dSame", "ScaledStdConv2dSame", "Conv2dSameExport")
"""Modules of timm's whose padding is TensorFlow's SAME at any size, computed in Python."""


def pair(value: Any) -> list[int]:
    """What PyTorch gives for both dimensions, or once for either."""
    values = [value] if isinstance(value, int) else list(value)
    return [int(values[0]), int(values[-1])]


def both_sides(padding: list[int]) -> str | list[list[int]]:
    """A symmetric padding as the graph says it."""
    rows, columns = padding
    return "valid" if rows == columns == 0 else [[rows, rows], [columns, columns]]


def with_border(padding: list[int], border: Border | None) -> str | list[list[int]]:
    """The same with a border that is still to be put around."""
    if border is None:
        return both_sides(padding)
    top, bottom, left, right = border.pads
    rows, columns = padding
    return [[top + rows, bottom + rows], [left + columns, right + columns]]


@lowers("conv2d")
def conv2d(call: Call) -> Value:
    weight = call.constant("weight")
    assert weight is not None
    value: Value = call["input"]
    strides, dilation = pair(call["stride"]), pair(call["dilation"])
    kernel = list(weight.value.shape[2:])
    if isinstance(value, Value) and value.border and value.border.kind == "reflect":
        return blur_pool(call, value, weight, strides)
    value = as_map(plain(value))
    if isinstance(call["padding"], str):
        padding = same_as_pytorch(kernel, dilation) if call["padding"] == "same" else "valid"
    else:
        padding = both_sides(pair(call["padding"]))
    if call.scope.kind in SAME_BY_CLASS and padding == "valid":
        value, padding = without_zeros(call, value), "same"
    return call.layer(
        "conv",
        [value],
        call.sizes[1:],
        {"weight": weight, "bias": call.constant("bias")},
        out_channels=weight.value.shape[0],
        kernel=kernel,
        strides=strides,
        dilation=dilation,
        groups=call["groups"],
        padding=padding,
        bias=call["bias"] is not None,
    )


def without_zeros(call: Call, value: Value) -> Value:
    """What the module was given before it put zeros around it, which are the window's own padding."""
    pad = value.draft
    if pad.op != "zero_pad" or pad.scope.key != call.scope.key:
        return value
    call.drafts.remove(pad)
    rows, columns = pad.attributes["padding"]
    channels, height, width = value.shape
    return Value(pad.inputs[0], View.whole(call.batch, (channels, height - sum(rows), width - sum(columns))))


def same_as_pytorch(kernel: list[int], dilation: list[int]) -> str | list[list[int]]:
    """What `padding="same"` of a convolution without stride comes to: the odd pixel below and right."""
    total = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
    pads = [[each // 2, each - each // 2] for each in total]
    return "valid" if total == [0, 0] else pads


def binomial(size: int) -> torch.Tensor:
    row = torch.tensor([math.comb(size - 1, k) for k in range(size)], dtype=torch.float64)
    row = row / row.sum()
    return row[:, None] * row[None, :]


def blur_pool(call: Call, value: Value, weight: Constant, strides: list[int]) -> Value:
    """A binomial filter over an image whose border is reflected, as timm's `BlurPool2d` has it."""
    channels, size = value.shape[0], weight.value.shape[2]
    stride = strides[0]
    pad = (stride - 1 + size - 1) // 2
    assert value.border is not None
    filters = weight.value.double()
    binomially = filters.shape == (channels, 1, size, size) and torch.allclose(
        filters, binomial(size).expand_as(filters), rtol=1e-6
    )
    usual = call["groups"] == channels and pair(call["padding"]) == [0, 0] and strides == [stride, stride]
    if not (binomially and usual and value.border.pads == (pad,) * 4 and call["bias"] is None):
        raise UnsupportedError("a reflected border, but for a binomial filter's (blur pool)")
    inside = as_map(Value(value.draft, value.view))
    return call.layer("blur_pool", [inside], call.sizes[1:], size=size, stride=stride)


@lowers("linear", "addmm", "matmul", "mm")
def linear(call: Call) -> Value:
    if call.word == "linear":
        value, weight, bias = call.value("input"), call.constant("weight"), call.constant("bias")
    else:
        names = ("mat1", "mat2") if call.word == "addmm" else ("self", "other" if call.word == "matmul" else "mat2")
        value, weight = call.value(names[0]), call.constant(names[1])
        bias = call.constant("self") if call.word == "addmm" else None
        if weight is None or weight.value.dim() != 2:
            raise UnsupportedError("a product of matrices that is no dense layer")
        weight = Constant(weight.value.T)
    assert weight is not None
    if value.view.dims[-1] not in ((), (whole_axis(value.view, "C"),)) or weight.value.shape[1] != value.shape[0]:
        raise UnsupportedError("a dense layer over another dimension than the channels")
    outputs = weight.value.shape[0]
    dims = (*value.view.dims[:-1], (Axis("C", outputs),) if outputs > 1 else ())
    return dense(call, value, weight, bias, dims)


def dense(call: Call, value: Value, weight: Constant, bias: Constant | None, dims: tuple[Dim, ...]) -> Value:
    """A dense layer over the channels: of a vector, or of each pixel."""
    outputs = weight.value.shape[0]
    shape = (outputs, *value.shape[1:])
    more: dict[str, Any] = {"out_channels": outputs, "bias": bias is not None}
    if len(shape) == 3:
        more["kernel"] = [1, 1]
        weight = Constant(weight.value[:, :, None, None], weight.name, weight.learnt)
    tensors = {"weight": weight, "bias": bias}
    return call.layer("conv" if len(shape) == 3 else "linear", [value], shape, tensors, view=View(shape, dims), **more)


@lowers("conv1d")
def conv1d(call: Call) -> Value:
    """A convolution along the channels, as ECA has it: a dense layer whose weights are a band."""
    value, weight = call.value("input"), call.constant("weight")
    assert weight is not None
    channels = value.shape[0]
    along = value.view.dims[-1:] == ((Axis("C", channels),),) and value.view.dims[1] == () and len(value.view.dims) == 3
    size = weight.value.shape[-1]
    kept = call["stride"] == [1] and call["dilation"] == [1] and call["padding"] == [size // 2] and size % 2 == 1
    if not along or weight.value.shape[:2] != (1, 1) or not kept:
        raise UnsupportedError("a convolution in one dimension, but for one along the channels that keeps their number")
    band = torch.zeros(channels, channels, dtype=torch.float64)
    for offset, number in enumerate(weight.value[0, 0].double(), start=-(size // 2)):
        band += torch.diag(torch.full((channels - abs(offset),), 1.0, dtype=torch.float64), offset) * number
    bias = call.constant("bias")
    all_biases = None if bias is None else Constant(bias.value.expand(channels))
    return dense(call, value, Constant(band), all_biases, value.view.dims)
