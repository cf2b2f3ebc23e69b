"""Layers of Keras as layers of a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from scripts.keras.lowering.arithmetic import add, chain, concatenate, multiply_stretching, subtract
from scripts.keras.lowering.network import Network, UnsupportedError, Value, Weight
from scripts.keras.lowering.shapes import crop, flatten, global_pool, max_pool_input, pad, reshape
from scripts.keras.tracing.calls import Call

Handler = Callable[[Network, Call, Any, Value], None]


def padding_of(layer: Any) -> Any:
    if layer.padding not in ("valid", "same"):
        raise UnsupportedError(f"padding `{layer.padding}`")
    return layer.padding


def pair(value: Any) -> list[int]:
    return [int(value)] * 2 if isinstance(value, int) else [int(each) for each in value]


def convolution(network: Network, call: Call, layer: Any, x: Value) -> None:
    network.check_map(x)
    kernel = np.asarray(layer.kernel).transpose(3, 2, 0, 1)
    conv(network, call, call.path, x, layer, layer.kernel, kernel, layer.groups, layer.bias)


def depthwise(network: Network, call: Call, layer: Any, x: Value) -> None:
    network.check_map(x)
    kernel = depthwise_kernel(np.asarray(layer.kernel))
    conv(network, call, call.path, x, layer, layer.kernel, kernel, network.channels(x), layer.bias)


def depthwise_kernel(kernel: Any) -> Any:
    """[h, w, channels, multiplier] as [channels * multiplier, 1, h, w]."""
    height, width, channels, multiplier = kernel.shape
    return kernel.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)


def conv(
    network: Network, call: Call, name: str, x: Value, layer: Any, origin: Any, kernel: Any, groups: int, bias: Any
) -> None:
    """A convolution of a layer, whose output is the call's where it has its name."""
    weights = {"weight": Weight(kernel, (id(origin),))}
    if bias is not None:
        weights["bias"] = Weight(np.asarray(bias), (id(bias),))
    network.add(
        name,
        "conv",
        [x],
        weights,
        out_channels=kernel.shape[0],
        kernel=list(kernel.shape[2:]),
        strides=pair(layer.strides),
        dilation=pair(layer.dilation_rate),
        groups=groups,
        padding=padding_of(layer),
        bias=bias is not None,
    )
    if name == call.path:
        network.bind(call.outputs[0], name)


def separable(network: Network, call: Call, layer: Any, x: Value) -> None:
    network.check_map(x)
    name = f"{call.path}/depthwise"
    kernel = depthwise_kernel(np.asarray(layer.depthwise_kernel))
    conv(network, call, name, x, layer, layer.depthwise_kernel, kernel, network.channels(x), None)
    pointwise = np.asarray(layer.pointwise_kernel).transpose(3, 2, 0, 1)
    weights = {"weight": Weight(pointwise, (id(layer.pointwise_kernel),))}
    if layer.bias is not None:
        weights["bias"] = Weight(np.asarray(layer.bias), (id(layer.bias),))
    between = Value(name, x.shape)
    size = {"out_channels": pointwise.shape[0], "kernel": [1, 1]}
    network.add(call.path, "conv", [between], weights, **size, bias=layer.bias is not None)
    network.bind(call.outputs[0], call.path)


def dense(network: Network, call: Call, layer: Any, x: Value) -> None:
    bias = None if layer.bias is None else Weight(np.asarray(layer.bias), (id(layer.bias),))
    linear(network, call, x, np.asarray(layer.kernel), layer.kernel, bias)


def linear(network: Network, call: Call, x: Value, kernel: Any, origin: Any, bias: Weight | None) -> None:
    """Every vector, or every pixel, times a matrix [in, out]."""
    if not x.is_vector and (not x.is_map or network.channels_first):
        raise UnsupportedError(f"on a tensor of shape {list(x.shape)}")
    outputs = kernel.shape[1]
    weight = kernel
    if x.order:
        weight = kernel.reshape(*x.order, outputs).transpose(2, 0, 1, 3).reshape(-1, outputs)
    weight = weight.T if x.is_vector else weight.T[:, :, None, None]
    identity = (id(origin), x.order, x.is_map) if origin is not None else None
    weights = {"weight": Weight(weight, identity)} | ({} if bias is None else {"bias": bias})
    more = {} if x.is_vector else {"kernel": [1, 1]}
    op = "linear" if x.is_vector else "conv"
    network.add(call.path, op, [x], weights, out_channels=outputs, **more, bias=bias is not None)
    network.bind(call.outputs[0], call.path)


def check_not_training(call: Call) -> None:
    if call.argument("training"):
        raise UnsupportedError("called with training=True")


def batch_norm(network: Network, call: Call, layer: Any, x: Value) -> None:
    check_not_training(call)
    if not (x.is_map or x.is_vector) or not network.is_channel_axis(layer.axis, len(x.shape)):
        raise UnsupportedError(f"over axis {layer.axis} of a tensor of shape {list(x.shape)}")
    weights = {
        "running_mean": network.per_channel(x, layer.moving_mean),
        "running_var": network.per_channel(x, layer.moving_variance),
        "bias": Weight(np.zeros(network.channels(x))) if layer.beta is None else network.per_channel(x, layer.beta),
    }
    if layer.gamma is not None:
        weights["weight"] = network.per_channel(x, layer.gamma)
    network.layer(call, "batch_norm", [x], weights, epsilon=layer.epsilon, weight=layer.gamma is not None)


def affine_weights(network: Network, layer: Any, x: Value) -> tuple[dict[str, Weight], dict[str, bool]]:
    """Gamma and beta of a norm, where it has them."""
    given = {"weight": layer.gamma, "bias": layer.beta}
    weights = {role: network.per_channel(x, each) for role, each in given.items() if each is not None}
    return weights, {role: each is not None for role, each in given.items()}


def layer_norm(network: Network, call: Call, layer: Any, x: Value) -> None:
    if not (x.is_map or x.is_vector) or not network.is_channel_axis(layer.axis, len(x.shape)):
        raise UnsupportedError(f"over axis {layer.axis} of a tensor of shape {list(x.shape)}")
    if getattr(layer, "rms_scaling", False):
        raise UnsupportedError("with rms_scaling")
    weights, present = affine_weights(network, layer, x)
    more: dict[str, Any] = {"epsilon": layer.epsilon, **present}
    network.layer(call, "layer_norm", [x], weights, **more)


def group_norm(network: Network, call: Call, layer: Any, x: Value) -> None:
    if not x.is_map or not network.is_channel_axis(layer.axis, 4):
        raise UnsupportedError(f"over axis {layer.axis} of a tensor of shape {list(x.shape)}")
    groups = network.channels(x) if layer.groups == -1 else layer.groups
    weights, present = affine_weights(network, layer, x)
    more: dict[str, Any] = {"groups": groups, "epsilon": layer.epsilon, **present}
    network.layer(call, "group_norm", [x], weights, **more)


def affine(network: Network, call: Call, x: Value, weight: Any, bias: Any) -> None:
    """Every channel times a weight plus a bias, given as numbers or arrays that broadcast over channels alone."""
    axis, rank = network.channel_axis(len(x.shape)), len(x.shape)
    arrays = []
    for each in (weight, bias):
        array = np.asarray(each, np.float64)
        aligned = array.reshape((1,) * (rank - array.ndim) + array.shape)
        if aligned.ndim > rank or any(size != 1 for at, size in enumerate(aligned.shape) if at != axis):
            raise UnsupportedError(f"a constant of shape {list(array.shape)}, which is not one number a channel")
        arrays.append(network.per_channel(x, None, array))
    network.layer(call, "affine", [x], {"weight": arrays[0], "bias": arrays[1]})


def rescaling(network: Network, call: Call, layer: Any, x: Value) -> None:
    scale, offset = np.asarray(layer.scale, np.float32), np.asarray(layer.offset, np.float32)
    if scale.ndim == 0 and not offset.any():
        network.layer(call, "multiply", [x], factor=float(scale))
        return
    affine(network, call, x, scale, offset)


def normalization(network: Network, call: Call, layer: Any, x: Value) -> None:
    mean = np.asarray(layer.mean, np.float64)
    deviation = np.maximum(np.sqrt(np.asarray(layer.variance, np.float64)), keras.config.epsilon())
    if layer.invert:
        affine(network, call, x, deviation, mean)
    else:
        affine(network, call, x, 1 / deviation, -mean / deviation)


def activation_layer(network: Network, call: Call, layer: Any, x: Value) -> None:
    activation(network, call, layer.activation, x)


ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "leaky_relu": ("leaky_relu", {"slope": 0.2}),
    "silu": ("silu", {}),
    "hard_silu": ("hard_swish", {}),
    "hard_sigmoid": ("hard_sigmoid", {}),
    "hard_sigmoid_keras2": ("hard_sigmoid_keras2", {}),
    "sigmoid": ("sigmoid", {}),
    "gelu": ("gelu", {}),
}
"""Keras's activations, by name, with their default arguments."""


def activation(network: Network, call: Call, function: Any, x: Value) -> None:
    """Keras's function `activation`, with its default arguments."""
    name = function.__name__
    if name == "linear":
        network.alias(call.outputs[0], x)
    elif name == "softmax":
        softmax(network, call, x, -1)
    elif name in ACTIVATIONS:
        op, attributes = ACTIVATIONS[name]
        network.layer(call, op, [x], **attributes)
    else:
        raise UnsupportedError(f"activation {name}")


def softmax(network: Network, call: Call, x: Value, axis: Any) -> None:
    if not (x.is_map or x.is_vector) or not network.is_channel_axis(axis, len(x.shape)):
        raise UnsupportedError(f"softmax over axis {axis} of a tensor of shape {list(x.shape)}")
    network.layer(call, "softmax", [x])


def softmax_layer(network: Network, call: Call, layer: Any, x: Value) -> None:
    softmax(network, call, x, layer.axis)


def relu_layer(network: Network, call: Call, layer: Any, x: Value) -> None:
    relu(network, call, x, layer.max_value, layer.negative_slope, layer.threshold)


def relu(network: Network, call: Call, x: Value, max_value: Any, slope: Any, threshold: Any) -> None:
    if threshold or max_value not in (None, 6) or (slope and max_value is not None):
        said = f"max_value={max_value}, negative_slope={slope}, threshold={threshold}"
        raise UnsupportedError(f"a ReLU with {said}")
    if slope:
        network.layer(call, "leaky_relu", [x], slope=float(slope))
    else:
        network.layer(call, "relu" if max_value is None else "relu6", [x])


def leaky_relu_layer(network: Network, call: Call, layer: Any, x: Value) -> None:
    network.layer(call, "leaky_relu", [x], slope=float(layer.negative_slope))


def identity(network: Network, call: Call, _layer: Any, x: Value) -> None:
    check_not_training(call)
    network.alias(call.outputs[0], x)


def pool(op: str) -> Handler:
    def handler(network: Network, call: Call, layer: Any, x: Value) -> None:
        padding = padding_of(layer)
        if op == "max_pool":
            x, padding = max_pool_input(network, call.tensors()[0], padding)
        network.check_map(x)
        window(network, call, op, x, layer.pool_size, layer.strides, padding)

    return handler


def window(network: Network, call: Call, op: str, x: Value, size: Any, strides: Any, padding: Any) -> None:
    """A pool. TensorFlow's averages leave what is padded out of the divisor."""
    more: dict[str, Any] = {"padding_counts": False} if op == "average_pool" and padding == "same" else {}
    network.layer(call, op, [x], kernel=pair(size), strides=pair(strides), padding=padding, **more)


def global_pool_layer(op: str) -> Handler:
    def handler(network: Network, call: Call, layer: Any, x: Value) -> None:
        global_pool(network, call, op, x, layer.keepdims)

    return handler


def adaptive_pool(network: Network, call: Call, layer: Any, x: Value) -> None:
    network.check_map(x)
    network.layer(call, "adaptive_average_pool", [x], size=pair(layer.output_size))


def flatten_layer(network: Network, call: Call, _layer: Any, x: Value) -> None:
    # Of channels first too, Keras flattens pixel by pixel.
    flatten(network, call, x, True)


def reshape_layer(network: Network, call: Call, _layer: Any, x: Value) -> None:
    reshape(network, call, x)


def zero_padding(network: Network, call: Call, layer: Any, x: Value) -> None:
    pad(network, call, x, [list(each) for each in layer.padding])


def cropping(network: Network, call: Call, layer: Any, x: Value) -> None:
    crop(network, call, x, [list(each) for each in layer.cropping])


def center_crop(network: Network, call: Call, layer: Any, x: Value) -> None:
    network.check_map(x)
    height, width = network.size(x)
    rows, columns = height - layer.height, width - layer.width
    if rows < 0 or columns < 0:
        raise UnsupportedError("of an image that is smaller: it is resized")
    crop(network, call, x, [[each // 2, each - each // 2] for each in (rows, columns)])


def up_sampling(network: Network, call: Call, layer: Any, x: Value) -> None:
    network.check_map(x)
    if layer.interpolation != "nearest":
        raise UnsupportedError(f"interpolation `{layer.interpolation}`; there is `nearest`")
    network.layer(call, "upsample", [x], factors=pair(layer.size))


def merged(network: Network, call: Call) -> list[Any]:
    inputs = call.args[0] if call.args else call.kwargs["inputs"]
    ranks = {len(each.shape) for each in inputs}
    if ranks == {2, 4} and network.channels_first:
        raise UnsupportedError("a vector that is stretched over rows, not channels")
    return list(inputs)


def add_layer(network: Network, call: Call, _layer: Any, _x: Value) -> None:
    chain(network, call, merged(network, call), add)


def multiply_layer(network: Network, call: Call, _layer: Any, _x: Value) -> None:
    chain(network, call, merged(network, call), multiply_stretching)


def subtract_layer(network: Network, call: Call, _layer: Any, _x: Value) -> None:
    subtract(network, call, *merged(network, call))


def average_layer(network: Network, call: Call, _layer: Any, _x: Value) -> None:
    inputs = merged(network, call)
    last = chain(network, call, inputs, add, path=f"{call.path}/add")
    network.layer(call, "multiply", [last], factor=1 / len(inputs))


def concatenate_layer(network: Network, call: Call, layer: Any, _x: Value) -> None:
    concatenate(network, call, merged(network, call), layer.axis)


LAYERS: dict[type, Handler] = {
    layers.Conv2D: convolution,
    layers.DepthwiseConv2D: depthwise,
    layers.SeparableConv2D: separable,
    layers.Dense: dense,
    layers.BatchNormalization: batch_norm,
    layers.LayerNormalization: layer_norm,
    layers.GroupNormalization: group_norm,
    layers.Rescaling: rescaling,
    layers.Normalization: normalization,
    layers.Activation: activation_layer,
    layers.ReLU: relu_layer,
    layers.LeakyReLU: leaky_relu_layer,
    layers.Softmax: softmax_layer,
    layers.MaxPooling2D: pool("max_pool"),
    layers.AveragePooling2D: pool("average_pool"),
    layers.GlobalAveragePooling2D: global_pool_layer("global_average_pool"),
    layers.GlobalMaxPooling2D: global_pool_layer("global_max_pool"),
    layers.AdaptiveAveragePooling2D: adaptive_pool,
    layers.Flatten: flatten_layer,
    layers.Reshape: reshape_layer,
    layers.ZeroPadding2D: zero_padding,
    layers.Cropping2D: cropping,
    layers.CenterCrop: center_crop,
    layers.UpSampling2D: up_sampling,
    layers.Add: add_layer,
    layers.Multiply: multiply_layer,
    layers.Subtract: subtract_layer,
    layers.Average: average_layer,
    layers.Concatenate: concatenate_layer,
    **dict.fromkeys(
        (
            *(layers.Identity, layers.Dropout, layers.SpatialDropout2D, layers.GaussianDropout, layers.AlphaDropout),
            *(layers.GaussianNoise, layers.ActivityRegularization),
            *(layers.RandomBrightness, layers.RandomColorDegeneration, layers.RandomColorJitter),
            *(layers.RandomContrast, layers.RandomErasing, layers.RandomFlip, layers.RandomGaussianBlur),
            *(layers.RandomGrayscale, layers.RandomHue, layers.RandomInvert, layers.RandomPerspective),
            *(layers.RandomPosterization, layers.RandomRotation, layers.RandomSaturation, layers.RandomSharpness),
            *(layers.RandomShear, layers.RandomTranslation, layers.RandomZoom),
            *(layers.AugMix, layers.CutMix, layers.MixUp, layers.RandAugment),
        ),
        identity,
    ),
}
"""Layers that compute nothing outside of training vanish: what reads them reads what they read."""
