"""What a graph computes, layer by layer in float64: the document read again, apart from what made it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from scripts.graph_file import Graph, Layer

Tensors = dict[str, torch.Tensor]

Function = Callable[[Layer, list[torch.Tensor], Tensors], torch.Tensor]
"""A layer of its inputs' values and its tensors by role."""


class Interpreter:
    """A graph's layers, computed as far as their values are asked for, and kept no longer than they are needed."""

    def __init__(
        self, graph: Graph, tensors: Mapping[str, torch.Tensor], images: torch.Tensor, asked: Iterable[str]
    ) -> None:
        """For NCHW images; each name in `asked` is taken as often as it is there."""
        self.tensors = tensors
        self.left = Counter(asked)
        self.left.update(name for layer in graph.layers for name in layer.inputs)
        self.values: Tensors = {graph.input_name: images.double()}
        self.layers = iter(graph.layers)

    @torch.no_grad()
    def take(self, name: str) -> torch.Tensor:
        """A layer's value."""
        while name not in self.values:
            layer = next(self.layers)
            own = {role: self.tensors[tensor].double() for role, tensor in layer.tensors.items()}
            inputs = [self.values[each] for each in layer.inputs]
            self.values[layer.name] = FUNCTIONS[layer.op](layer, inputs, own)
            for each in layer.inputs:
                self.used(each)
        value = self.values[name]
        self.used(name)
        return value

    def used(self, name: str) -> None:
        self.left[name] -= 1
        if self.left[name] == 0:
            del self.values[name]


def sides(x: torch.Tensor, layer: Layer) -> tuple[int, int, int, int]:
    """Left, right, above and below: what a window's padding comes to."""
    padding = layer.attribute("padding")
    if padding == "valid":
        return 0, 0, 0, 0
    if padding == "same":
        kernel, strides = layer.attributes["kernel"], layer.attribute("strides")
        dilation = layer.attributes.get("dilation", [1, 1])
        pads = []
        for size, window, step, spread in zip(x.shape[2:], kernel, strides, dilation, strict=True):
            total = max((math.ceil(size / step) - 1) * step + (window - 1) * spread + 1 - size, 0)
            pads.append((total // 2, total - total // 2))
        return (*pads[1], *pads[0])
    (top, bottom), (left, right) = padding
    return left, right, top, bottom


def conv(layer: Layer, inputs: list[torch.Tensor], own: Tensors) -> torch.Tensor:
    if layer.attribute("rounding") != "floor":
        raise ValueError(f"`{layer.name}`, a convolution, rounds up, which none of PyTorch does")
    x = F.pad(inputs[0], sides(inputs[0], layer))
    groups = layer.attribute("groups")
    return F.conv2d(
        x, own["weight"], own.get("bias"), layer.attribute("strides"), 0, layer.attribute("dilation"), groups
    )


def rounded_up(x: torch.Tensor, layer: Layer, pads: tuple[int, int, int, int]) -> tuple[int, int]:
    """Rows and columns that windows reach beyond the padded image, where their number is rounded up."""
    if layer.attribute("rounding") == "floor":
        return 0, 0
    more = []
    before = (pads[2], pads[0])
    after = (pads[3], pads[1])
    kernel, strides = layer.attributes["kernel"], layer.attribute("strides")
    for axis in (0, 1):
        size = x.shape[2 + axis]
        room = size + before[axis] + after[axis] - kernel[axis]
        count = -(-room // strides[axis])
        if count * strides[axis] >= size + before[axis]:
            # No window begins in the padding after the image.
            count -= 1
        more.append(max(count * strides[axis] - room, 0))
    return more[0], more[1]


def max_pool(layer: Layer, inputs: list[torch.Tensor], _own: Tensors) -> torch.Tensor:
    left, right, top, bottom = pads = sides(inputs[0], layer)
    down, across = rounded_up(inputs[0], layer, pads)
    x = F.pad(inputs[0], (left, right + across, top, bottom + down), value=-math.inf)
    return F.max_pool2d(x, layer.attributes["kernel"], layer.attribute("strides"))


def average_pool(layer: Layer, inputs: list[torch.Tensor], _own: Tensors) -> torch.Tensor:
    left, right, top, bottom = pads = sides(inputs[0], layer)
    down, across = rounded_up(inputs[0], layer, pads)
    outer = (0, across, 0, down)
    # The divisor: image, padding where it counts, never what is beyond the padding.
    counted = F.pad(
        torch.ones_like(inputs[0]), (left, right, top, bottom), value=float(layer.attribute("padding_counts") or 0)
    )
    x = F.pad(inputs[0], (left, right, top, bottom))
    kernel, strides = layer.attributes["kernel"], layer.attribute("strides")
    return F.avg_pool2d(F.pad(x, outer), kernel, strides) / F.avg_pool2d(F.pad(counted, outer), kernel, strides)


def per_pixel(vector: torch.Tensor | None, like: torch.Tensor, absent: float) -> torch.Tensor:
    if vector is None:
        return torch.full((), absent, dtype=like.dtype)
    return vector.reshape([1, -1] + [1] * (like.dim() - 2))


def affine(_layer: Layer, inputs: list[torch.Tensor], own: Tensors) -> torch.Tensor:
    (x,) = inputs
    return x * per_pixel(own.get("weight"), x, 1.0) + per_pixel(own.get("bias"), x, 0.0)


def batch_norm(layer: Layer, inputs: list[torch.Tensor], own: Tensors) -> torch.Tensor:
    (x,) = inputs
    centred = x - per_pixel(own["running_mean"], x, 0.0)
    return affine(
        layer, [centred / torch.sqrt(per_pixel(own["running_var"], x, 1.0) + layer.attributes["epsilon"])], own
    )


def layer_norm(layer: Layer, inputs: list[torch.Tensor], own: Tensors) -> torch.Tensor:
    (x,) = inputs
    centred = x - x.mean(1, keepdim=True)
    variance = centred.square().mean(1, keepdim=True)
    return affine(layer, [centred / torch.sqrt(variance + layer.attributes["epsilon"])], own)


def group_norm(layer: Layer, inputs: list[torch.Tensor], own: Tensors) -> torch.Tensor:
    (x,) = inputs
    parts = x.reshape(x.shape[0], layer.attributes["groups"], -1)
    centred = parts - parts.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    return affine(layer, [(centred / torch.sqrt(variance + layer.attributes["epsilon"])).reshape(x.shape)], own)


def blur_pool(layer: Layer, inputs: list[torch.Tensor], _own: Tensors) -> torch.Tensor:
    (x,) = inputs
    size, stride = layer.attributes["size"], layer.attributes["stride"]
    row = torch.tensor([math.comb(size - 1, place) for place in range(size)], dtype=x.dtype) / 2 ** (size - 1)
    pad = (stride - 1 + size - 1) // 2
    filters = (row[:, None] * row).expand(x.shape[1], 1, size, size)
    return F.conv2d(F.pad(x, (pad,) * 4, mode="reflect"), filters, stride=stride, groups=x.shape[1])


def shuffle_channels(layer: Layer, inputs: list[torch.Tensor], _own: Tensors) -> torch.Tensor:
    (x,) = inputs
    groups = layer.attributes["groups"]
    return x.reshape(x.shape[0], groups, -1, *x.shape[2:]).transpose(1, 2).flatten(1, 2)


def space_to_depth(layer: Layer, inputs: list[torch.Tensor], _own: Tensors) -> torch.Tensor:
    (x,) = inputs
    block = layer.attributes["block"]
    return torch.cat([x[:, :, row::block, column::block] for row in range(block) for column in range(block)], dim=1)


def crop(layer: Layer, inputs: list[torch.Tensor], _own: Tensors) -> torch.Tensor:
    (x,) = inputs
    (top, bottom), (left, right) = layer.attributes["cropping"]
    return x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]


def zero_pad(layer: Layer, inputs: list[torch.Tensor], _own: Tensors) -> torch.Tensor:
    (top, bottom), (left, right) = layer.attributes["padding"]
    return F.pad(inputs[0], (left, right, top, bottom))


def upsample(layer: Layer, inputs: list[torch.Tensor], _own: Tensors) -> torch.Tensor:
    rows, columns = layer.attributes["factors"]
    return inputs[0].repeat_interleave(rows, 2).repeat_interleave(columns, 3)


def upsample_like(_layer: Layer, inputs: list[torch.Tensor], _own: Tensors) -> torch.Tensor:
    x, like = inputs
    places = [
        torch.arange(size, device=x.device) * source // size
        for size, source in zip(like.shape[2:], x.shape[2:], strict=True)
    ]
    return x[:, :, places[0]][:, :, :, places[1]]


def gated(_layer: Layer, inputs: list[torch.Tensor], _own: Tensors) -> torch.Tensor:
    x, gate = inputs
    if gate.shape != (*x.shape[:2], 1, 1):
        raise ValueError(f"a gate of {list(gate.shape)} for {list(x.shape)}")
    return x * gate


def of_one_shape(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Function:
    def compute(layer: Layer, inputs: list[torch.Tensor], _own: Tensors) -> torch.Tensor:
        one, other = inputs
        if one.shape != other.shape:
            raise ValueError(f"`{layer.name}` of {list(one.shape)} and {list(other.shape)}")
        return function(one, other)

    return compute


def each(function: Callable[[torch.Tensor], torch.Tensor]) -> Function:
    return lambda _layer, inputs, _own: function(inputs[0])


def said(function: Callable[[torch.Tensor, Mapping[str, Any]], torch.Tensor]) -> Function:
    return lambda layer, inputs, _own: function(inputs[0], layer.attributes)


FUNCTIONS: dict[str, Function] = {
    "conv": conv,
    "linear": lambda _layer, inputs, own: F.linear(inputs[0], own["weight"], own.get("bias")),
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "affine": affine,
    "relu": each(lambda x: x.clamp(min=0.0)),
    "relu6": each(lambda x: x.clamp(0.0, 6.0)),
    "leaky_relu": said(lambda x, layer: torch.where(x > 0, x, layer["slope"] * x)),
    "silu": each(lambda x: x * torch.sigmoid(x)),
    "hard_swish": each(lambda x: x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
    "gelu": each(lambda x: 0.5 * x * (1.0 + torch.erf(x / math.sqrt(2.0)))),
    "gelu_tanh": each(lambda x: 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))),
    "sigmoid": each(torch.sigmoid),
    "hard_sigmoid": each(lambda x: (x + 3.0).clamp(0.0, 6.0) / 6.0),
    "softmax": each(lambda x: torch.softmax(x, 1)),
    "max_pool": max_pool,
    "average_pool": average_pool,
    "adaptive_average_pool": said(lambda x, layer: F.adaptive_avg_pool2d(x, layer["size"])),
    "global_average_pool": each(lambda x: x.mean((2, 3), keepdim=True)),
    "global_max_pool": each(lambda x: x.amax((2, 3), keepdim=True)),
    "blur_pool": blur_pool,
    "flatten": each(lambda x: x.flatten(1)),
    "unflatten": each(lambda x: x[:, :, None, None]),
    "scale": gated,
    "product": of_one_shape(torch.mul),
    "add": of_one_shape(torch.add),
    "concat": lambda _layer, inputs, _own: torch.cat(inputs, 1),
    "multiply": said(lambda x, layer: x * layer["factor"]),
    "learnt_factor": lambda _layer, inputs, own: inputs[0] * own["factor"],
    "slice": said(lambda x, layer: x[:, layer["first"] : layer["first"] + layer["channels"]]),
    "pad_channels": said(lambda x, layer: F.pad(x, (0, 0, 0, 0, 0, layer["channels"]))),
    "shuffle_channels": shuffle_channels,
    "space_to_depth": space_to_depth,
    "zero_pad": zero_pad,
    "crop": crop,
    "upsample": upsample,
    "upsample_like": upsample_like,
}
"""Those that this exporter makes: all but what only Keras has."""
