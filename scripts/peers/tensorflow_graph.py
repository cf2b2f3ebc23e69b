"""An ONNX network as TensorFlow computes it best on a CPU: images and maps NHWC, the weights constants of one graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import tensorflow as tf
from onnx import numpy_helper

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Node:
    """A layer, its inputs resolved: arrays where they are constants, else tensors, maps NHWC."""

    kind: str
    inputs: Sequence[Any]
    attributes: dict[str, Any]

    def pads(self) -> list[list[int]]:
        """Rows above and below, columns before and after."""
        if self.attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
            raise ValueError(f"{self.kind}: expected explicit pads, found {self.attributes['auto_pad']}")
        if any(dilation != 1 for dilation in self.attributes.get("dilations", [])):
            raise ValueError(f"{self.kind}: dilation is not translated")
        top, left, bottom, right = self.attributes.get("pads", [0, 0, 0, 0])
        return [[top, bottom], [left, right]]

    def strides(self) -> list[int]:
        return list(self.attributes.get("strides", [1, 1]))


def padding_of(node: Node, size: Sequence[int], kernel: Sequence[int]) -> Any:
    """The pads as a convolution takes them: by their name where they have one, so that LiteRT needs no layer more."""
    pads, strides = node.pads(), node.strides()
    if not np.any(pads):
        return "VALID"
    needed = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(size, strides, kernel, strict=True)]
    if pads == [[total // 2, total - total // 2] for total in needed]:
        return "SAME"
    return [[0, 0], *pads, [0, 0]]


def conv(node: Node) -> Any:
    x, weights = node.inputs[0], node.inputs[1]
    outputs, inputs, *kernel = weights.shape
    padding = padding_of(node, x.shape[1:3], kernel)
    rows, columns = node.strides()
    if inputs == 1 and node.attributes.get("group", 1) == outputs:
        filters = tf.constant(weights.transpose(2, 3, 0, 1))
        y = tf.nn.depthwise_conv2d(x, filters, [1, rows, columns, 1], padding)
    else:
        y = tf.nn.conv2d(x, tf.constant(weights.transpose(2, 3, 1, 0)), [rows, columns], padding)
    return tf.nn.bias_add(y, tf.constant(node.inputs[2])) if len(node.inputs) > 2 else y


def pads_of_pool(node: Node) -> list[list[int]]:
    """The pads, and in ceil mode what the last window reaches beyond them."""
    pads = node.pads()
    if node.attributes.get("ceil_mode", 0):
        sides = zip(node.inputs[0].shape[1:3], node.attributes["kernel_shape"], node.strides(), strict=True)
        for pad, (size, kernel, stride) in zip(pads, sides, strict=True):
            windows = -(-(size + sum(pad) - kernel) // stride)
            # A window that would begin beyond the image and the pad before it is none.
            windows -= windows * stride >= size + pad[0]
            pad[1] += max(windows * stride + kernel - size - sum(pad), 0)
    return pads


def max_pool(node: Node) -> Any:
    x, pads = node.inputs[0], pads_of_pool(node)
    if np.any(pads):
        x = tf.pad(x, [[0, 0], *pads, [0, 0]], constant_values=x.dtype.min)
    return tf.nn.max_pool2d(x, node.attributes["kernel_shape"], node.strides(), "VALID")


def average_pool(node: Node) -> Any:
    x, pads, kernel = node.inputs[0], pads_of_pool(node), node.attributes["kernel_shape"]
    if np.any(pads):
        x = tf.pad(x, [[0, 0], *pads, [0, 0]])
    y = tf.nn.avg_pool2d(x, kernel, node.strides(), "VALID")
    if not np.any(pads):
        return y
    # What counts in each window: the image, and the pads if they are said to, but nothing beyond.
    counted = node.pads() if node.attributes.get("count_include_pad", 0) else [[0, 0], [0, 0]]
    size = node.inputs[0].shape[1:3]
    inside = np.ones([before + side + after for side, (before, after) in zip(size, counted, strict=True)])
    beyond = [(all_[0] - some[0], all_[1] - some[1]) for all_, some in zip(pads, counted, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(inside, beyond), kernel)
    rows, columns = node.strides()
    share = windows[::rows, ::columns].mean((-2, -1))
    return y / tf.constant(share[None, :, :, None].astype(np.float32))


def reduce_mean(node: Node) -> Any:
    x = node.inputs[0]
    axes = node.inputs[1].tolist() if len(node.inputs) > 1 else node.attributes["axes"]
    if sorted(axis % 4 for axis in axes) != [2, 3]:
        raise ValueError(f"ReduceMean: expected height and width, found {axes}")
    return tf.reduce_mean(x, [1, 2], keepdims=bool(node.attributes.get("keepdims", 1)))


def flat(x: Any) -> Any:
    """[N, C * H * W], in the order of NCHW."""
    if len(x.shape) == 4:
        alone = x.shape[1:3] == [1, 1]
        x = x if alone else tf.transpose(x, [0, 3, 1, 2])
    return tf.reshape(x, [x.shape[0], -1])


def reshape(node: Node) -> Any:
    target = node.inputs[1].tolist() if node.kind == "Reshape" else [0, -1]
    if len(target) != 2:
        raise ValueError(f"Reshape: expected a flat row for each image, found {target}")
    return flat(node.inputs[0])


def gemm(node: Node) -> Any:
    x, weights = node.inputs[0], node.inputs[1]
    scales = (node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0), node.attributes.get("transA", 0))
    if scales != (1.0, 1.0, 0):
        raise ValueError(f"Gemm: expected a plain product, found {node.attributes}")
    weights = weights.T if node.attributes.get("transB", 0) else weights
    return tf.nn.bias_add(tf.matmul(x, tf.constant(weights)), tf.constant(node.inputs[2]))


def pad(node: Node) -> Any:
    if node.attributes.get("mode", b"constant") != b"constant":
        raise ValueError(f"Pad: expected zeros, found {node.attributes['mode']}")
    sides = node.inputs[1].reshape(2, 4).T[[0, 2, 3, 1]]
    value = float(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else 0.0
    return tf.pad(node.inputs[0], sides, constant_values=value)


def both(node: Node) -> tuple[Any, Any]:
    """Two operands that broadcast; a constant one of maps is turned to NHWC."""
    one, other = (
        tf.constant(x.transpose(0, 2, 3, 1) if x.ndim == 4 else x) if isinstance(x, np.ndarray) else x
        for x in node.inputs
    )
    return one, other


def concat(node: Node) -> Any:
    if node.attributes["axis"] % 4 != 1:
        raise ValueError(f"Concat: expected the channels, found axis {node.attributes['axis']}")
    return tf.concat(list(node.inputs), 3)


def clip(node: Node) -> Any:
    low, high = ((float(bound) if bound is not None else None) for bound in (*node.inputs[1:3], None, None)[:2])
    if (low, high) == (0.0, 6.0):
        return tf.nn.relu6(node.inputs[0])
    raise ValueError(f"Clip: expected from 0 to 6, found from {low} to {high}")


def hard_sigmoid(node: Node) -> Any:
    """relu6(x + 3) / 6, as Keras has it, of which converters make one layer where it multiplies x."""
    alpha, beta = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
    if not np.isclose(alpha, 1 / 6) or beta != 0.5:
        raise ValueError(f"HardSigmoid: expected x / 6 + 1 / 2, found {alpha} x + {beta}")
    return sixth_of_relu6(node.inputs[0])


def sixth_of_relu6(x: Any) -> Any:
    return tf.nn.relu6(x + 3.0) * (1 / 6)


LAYERS: dict[str, Callable[[Node], Any]] = {
    "Conv": conv,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda node: tf.reduce_mean(node.inputs[0], [1, 2], keepdims=True),
    "ReduceMean": reduce_mean,
    "Relu": lambda node: tf.nn.relu(node.inputs[0]),
    "Sigmoid": lambda node: tf.nn.sigmoid(node.inputs[0]),
    "Clip": clip,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": lambda node: node.inputs[0] * sixth_of_relu6(node.inputs[0]),
    "Add": lambda node: tf.add(*both(node)),
    "Mul": lambda node: tf.multiply(*both(node)),
    "Concat": concat,
    "Pad": pad,
    "Reshape": reshape,
    "Flatten": reshape,
    "Gemm": gemm,
    "Identity": lambda node: node.inputs[0],
}


def translate(file: Path) -> Callable[[Any], Any]:
    """What an ONNX file computes, as a function of NHWC images to be traced with `tf.function`.

    Raises:
        ValueError: it has a layer that no network of the catalogue needs.
    """
    graph = onnx.load(file).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}

    def compute(images: Any) -> Any:
        values: dict[str, Any] = {"": None, **constants, graph.input[0].name: images}
        for part in graph.node:
            if part.op_type not in LAYERS:
                raise ValueError(f"`{part.name}` is a {part.op_type}, which is not translated")
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in part.attribute}
            node = Node(part.op_type, [values[name] for name in part.input], attributes)
            values[part.output[0]] = LAYERS[part.op_type](node)
        return values[graph.output[0].name]

    return compute
