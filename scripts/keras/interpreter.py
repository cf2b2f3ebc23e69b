"""What a graph computes, by its document alone: the check of an export.

It knows no layer of Keras, so that what an exporter has understood wrongly shows. In float64; maps are NHWC within,
since TensorFlow convolves nothing else on a CPU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from scripts.graph_file import Graph, Layer

Array = npt.NDArray[np.float64]


class Reader:
    """A layer with its tensors, in float64."""

    def __init__(self, layer: Layer, tensors: dict[str, Any]) -> None:
        self.layer = layer
        self.tensors = tensors

    def __getitem__(self, attribute: str) -> Any:
        return self.layer.attribute(attribute)

    def tensor(self, role: str, default: float | None = None) -> Array:
        if default is not None and role not in self.layer.tensors:
            return np.float64(default)  # type: ignore[return-value]
        return np.asarray(self.tensors[self.layer.tensors[role]], np.float64)


Operation = Callable[..., Array]


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """TensorFlow's: as much as makes ceil(size / stride) places, the odd pixel behind."""
    span = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2


def sides(layer: Reader, x: Array, dilation: tuple[int, int] = (1, 1)) -> list[tuple[int, int]]:
    """What is padded above and below, left and right."""
    if layer["rounding"] != "floor":
        raise ValueError(f"layer `{layer.layer.name}` rounds up, which no model of Keras does")
    padding = layer["padding"]
    if padding == "valid":
        return [(0, 0), (0, 0)]
    if padding == "same":
        sizes = zip(x.shape[1:3], layer["kernel"], layer["strides"], dilation, strict=True)
        return [same_padding(*each) for each in sizes]
    return [tuple(each) for each in padding]


def padded(x: Array, pads: list[tuple[int, int]], value: float = 0.0) -> Array:
    return np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=value)


def conv(layer: Reader, x: Array) -> Array:
    weight = layer.tensor("weight")
    groups, dilation = layer["groups"], layer["dilation"]
    x = padded(x, sides(layer, x, tuple(dilation)))
    outputs = weight.shape[0] // groups
    if weight.shape[1] == 1 and groups == x.shape[-1] and groups > 1:
        y = depthwise(x, weight, layer["strides"], dilation)
    else:
        parts = zip(np.split(x, groups, axis=-1), np.split(weight, groups), strict=True)
        y = np.concatenate(
            [
                tf.nn.conv2d(each, kernel.transpose(2, 3, 1, 0), layer["strides"], "VALID", dilations=dilation).numpy()
                for each, kernel in parts
            ],
            axis=-1,
        )
    assert y.shape[-1] == groups * outputs
    return y + layer.tensor("bias", 0.0)


def depthwise(x: Array, weight: Array, strides: list[int], dilation: list[int]) -> Array:
    """Every channel with its own kernels, tap by tap."""
    height, width = weight.shape[2:]
    multiplier = weight.shape[0] // x.shape[-1]
    rows, columns = (
        (size - (kernel - 1) * gap - 1) // stride + 1
        for size, kernel, gap, stride in zip(x.shape[1:3], (height, width), dilation, strides, strict=True)
    )
    x = np.repeat(x, multiplier, axis=-1)
    y = np.zeros((x.shape[0], rows, columns, x.shape[-1]))
    for row in range(height):
        for column in range(width):
            top, left = row * dilation[0], column * dilation[1]
            seen = x[:, top : top + (rows - 1) * strides[0] + 1 : strides[0]]
            seen = seen[:, :, left : left + (columns - 1) * strides[1] + 1 : strides[1]]
            y += seen * weight[:, 0, row, column]
    return y


def linear(layer: Reader, x: Array) -> Array:
    return x.reshape(len(x), -1) @ layer.tensor("weight").T + layer.tensor("bias", 0.0)


def batch_norm(layer: Reader, x: Array) -> Array:
    scale = layer.tensor("weight", 1.0) / np.sqrt(layer.tensor("running_var") + layer["epsilon"])
    return (x - layer.tensor("running_mean")) * scale + layer.tensor("bias")


def normalised(layer: Reader, x: Array, axes: tuple[int, ...]) -> Array:
    mean = x.mean(axis=axes, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + layer["epsilon"])


def layer_norm(layer: Reader, x: Array) -> Array:
    return normalised(layer, x, (-1,)) * layer.tensor("weight", 1.0) + layer.tensor("bias", 0.0)


def group_norm(layer: Reader, x: Array) -> Array:
    grouped = x.reshape(*x.shape[:-1], layer["groups"], -1)
    y = normalised(layer, grouped, (1, 2, 4)).reshape(x.shape)
    return y * layer.tensor("weight", 1.0) + layer.tensor("bias", 0.0)


def affine(layer: Reader, x: Array) -> Array:
    return x * layer.tensor("weight", 1.0) + layer.tensor("bias", 0.0)


def softmax(_layer: Reader, x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(_layer: Reader, x: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def gelu(_layer: Reader, x: Array) -> Array:
    return 0.5 * x * (1.0 + tf.math.erf(x / np.sqrt(2.0)).numpy())


def gelu_tanh(_layer: Reader, x: Array) -> Array:
    return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))


def windows(layer: Reader, x: Array, outside: float) -> tuple[list[Array], Array]:
    """Every place of a pool's window over all its positions, and how many pixels of the image each window has."""
    pads = sides(layer, x)
    inside = padded(np.ones_like(x[:1, :, :, :1]), pads)
    x = padded(x, pads, outside)
    (height, width), strides = layer["kernel"], layer["strides"]
    rows, columns = ((x.shape[at + 1] - layer["kernel"][at]) // strides[at] + 1 for at in (0, 1))

    def places(of: Array) -> list[Array]:
        seen = []
        for row in range(height):
            for column in range(width):
                part = of[:, row : row + (rows - 1) * strides[0] + 1 : strides[0]]
                seen.append(part[:, :, column : column + (columns - 1) * strides[1] + 1 : strides[1]])
        return seen

    return places(x), np.sum(places(inside), axis=0)


def max_pool(layer: Reader, x: Array) -> Array:
    return np.max(windows(layer, x, -np.inf)[0], axis=0)


def average_pool(layer: Reader, x: Array) -> Array:
    seen, count = windows(layer, x, 0.0)
    whole = layer["padding"] == "valid" or layer["padding_counts"]
    return np.sum(seen, axis=0) / (len(seen) if whole else count)


def adaptive_average_pool(layer: Reader, x: Array) -> Array:
    for axis, size in zip((1, 2), layer["size"], strict=True):
        whole = x.shape[axis]
        edges = [(index * whole // size, -(-(index + 1) * whole // size)) for index in range(size)]
        parts = [np.take(x, range(*each), axis=axis).mean(axis=axis, keepdims=True) for each in edges]
        x = np.concatenate(parts, axis=axis)
    return x


def pad_channels(layer: Reader, x: Array) -> Array:
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, layer["channels"])])


def shuffle_channels(layer: Reader, x: Array) -> Array:
    grouped = x.reshape(*x.shape[:-1], layer["groups"], -1)
    return np.swapaxes(grouped, -1, -2).reshape(x.shape)


def crop(layer: Reader, x: Array) -> Array:
    (top, bottom), (left, right) = layer["cropping"]
    return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]


def upsample(layer: Reader, x: Array) -> Array:
    rows, columns = layer["factors"]
    return x.repeat(rows, axis=1).repeat(columns, axis=2)


def upsample_like(_layer: Reader, x: Array, like: Array) -> Array:
    for axis in (1, 2):
        size, wanted = x.shape[axis], like.shape[axis]
        x = np.take(x, [place * size // wanted for place in range(wanted)], axis=axis)
    return x


def hard_sigmoid(_layer: Reader, x: Array) -> Array:
    return np.clip(x + 3.0, 0.0, 6.0) / 6.0


OPERATIONS: dict[str, Operation] = {
    "conv": conv,
    "linear": linear,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "affine": affine,
    "relu": lambda _, x: np.maximum(x, 0.0),
    "relu6": lambda _, x: np.clip(x, 0.0, 6.0),
    "leaky_relu": lambda layer, x: np.where(x < 0.0, layer["slope"] * x, x),
    "silu": lambda layer, x: x * sigmoid(layer, x),
    "hard_swish": lambda layer, x: x * hard_sigmoid(layer, x),
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "sigmoid": sigmoid,
    "hard_sigmoid": hard_sigmoid,
    "hard_sigmoid_keras2": lambda _, x: np.clip(0.2 * x + 0.5, 0.0, 1.0),
    "softmax": softmax,
    "max_pool": max_pool,
    "average_pool": average_pool,
    "adaptive_average_pool": adaptive_average_pool,
    "global_average_pool": lambda _, x: x.mean(axis=(1, 2), keepdims=True),
    "global_max_pool": lambda _, x: x.max(axis=(1, 2), keepdims=True),
    "flatten": lambda _, x: x.transpose(0, 3, 1, 2).reshape(len(x), -1),
    "unflatten": lambda _, x: x[:, None, None, :],
    "scale": lambda _, x, gate: x * gate,
    "product": lambda _, x, y: x * y,
    "add": lambda _, x, y: x + y,
    "concat": lambda _, *x: np.concatenate(x, axis=-1),
    "multiply": lambda layer, x: x * layer["factor"],
    "learnt_factor": lambda layer, x: x * layer.tensor("factor"),
    "slice": lambda layer, x: x[..., layer["first"] : layer["first"] + layer["channels"]],
    "pad_channels": pad_channels,
    "shuffle_channels": shuffle_channels,
    "zero_pad": lambda layer, x: padded(x, [tuple(each) for each in layer["padding"]]),
    "crop": crop,
    "upsample": upsample,
    "upsample_like": upsample_like,
}
"""What the exporter of Keras makes."""


class Interpreter:
    """Computes the layers of a graph one by one, and drops what is read no more."""

    def __init__(self, graph: Graph, x: Array) -> None:
        self.graph = graph
        self.uses = Counter(name for layer in graph.layers for name in layer.inputs)
        self.uses.update(graph.outputs)
        first = np.asarray(x, np.float64)
        if graph.layout == "chw":
            first = first.transpose(0, 2, 3, 1)
        self.values: dict[str, Array] = {graph.input_name: first}

    def step(self, layer: Layer) -> Array:
        """The value of the layer that comes next."""
        inputs = [self.values[name] for name in layer.inputs]
        value = OPERATIONS[layer.op](Reader(layer, self.graph.tensors), *inputs)
        self.values[layer.name] = value
        for name in layer.inputs:
            self.uses[name] -= 1
            if not self.uses[name]:
                self.values.pop(name, None)
        return value

    def replace(self, name: str, value: Array) -> None:
        """Go on with another value of a layer that was computed."""
        if name in self.values:
            self.values[name] = value
