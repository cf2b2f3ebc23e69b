"""Operations of keras.ops and functions of TensorFlow as layers of a graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from scripts.keras.lowering import arithmetic, shapes
from scripts.keras.lowering.layers import linear, relu, softmax, window
from scripts.keras.lowering.network import Network, UnsupportedError, Value, Weight
from scripts.keras.lowering.shapes import max_pool_input
from scripts.keras.tracing.calls import Call
from scripts.keras.tracing.keras2_activation import is_of_keras2
from scripts.keras.tracing.tracer import function_name

Arguments = dict[str, Any]
Rule = Callable[[Network, Call, Arguments], None]


def arguments_of(call: Call) -> tuple[str, Arguments]:
    """The name of an operation or function, and its arguments by name with those that have their default."""
    target = call.target
    if hasattr(target, "compute_output_spec"):
        bound = inspect.signature(target.call).bind(*call.args, **call.kwargs)
        bound.apply_defaults()
        public = {name: value for name, value in vars(target).items() if not name.startswith("_")}
        return type(target).__name__, {**public, **bound.arguments}
    bound = inspect.signature(target).bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    return f"tf.{function_name(target)}", dict(bound.arguments)


def only(arguments: Arguments, names: tuple[str, ...]) -> Any:
    """The argument of the first of these names that is given: TensorFlow has old names beside the new."""
    return next((arguments[name] for name in names if arguments.get(name) is not None), None)


INPUT = ("x", "features", "input", "input_tensor", "logits", "tensor", "value", "a", "inputs", "input_", "t")


def tensor(network: Network, arguments: Arguments) -> Value:
    return network.value(only(arguments, INPUT))


def same(op: str, **attributes: Any) -> Rule:
    """An operation without arguments."""

    def rule(network: Network, call: Call, arguments: Arguments) -> None:
        network.layer(call, op, [tensor(network, arguments)], **attributes)

    return rule


def vanishing(network: Network, call: Call, arguments: Arguments) -> None:
    """What hands on its input: a change of precision, a name."""
    given = only(arguments, INPUT)
    kind = str(call.outputs[0].dtype)
    if "float" not in kind and kind != str(getattr(given, "dtype", None)):
        raise UnsupportedError(f"a cast to {kind}")
    if network.constant(given) is not None:
        raise UnsupportedError("of a constant")
    network.alias(call.outputs[0], network.value(given))


def binary(compute: arithmetic.Binary) -> Rule:
    def rule(network: Network, call: Call, arguments: Arguments) -> None:
        first, second = two(arguments)
        arithmetic.binary(network, call, first, second, compute)

    return rule


def two(arguments: Arguments) -> tuple[Any, Any]:
    names = ("x1", "x2") if "x1" in arguments else ("x", "y")
    return arguments[names[0]], arguments[names[1]]


def subtract(network: Network, call: Call, arguments: Arguments) -> None:
    arithmetic.subtract(network, call, *two(arguments))


def divide(network: Network, call: Call, arguments: Arguments) -> None:
    arithmetic.divide(network, call, *two(arguments))


def negative(network: Network, call: Call, arguments: Arguments) -> None:
    network.layer(call, "multiply", [tensor(network, arguments)], factor=-1.0)


def add_all(network: Network, call: Call, arguments: Arguments) -> None:
    arithmetic.chain(network, call, arguments["inputs"], arithmetic.add)


def mean(network: Network, call: Call, arguments: Arguments) -> None:
    shapes.mean(network, call, tensor(network, arguments), arguments["axis"], arguments["keepdims"])


def largest(network: Network, call: Call, arguments: Arguments) -> None:
    shapes.maximum_over(network, call, tensor(network, arguments), arguments["axis"], arguments["keepdims"])


def reshape(network: Network, call: Call, arguments: Arguments) -> None:
    shapes.reshape(network, call, shapes.any_value(network, only(arguments, INPUT)))


def transpose(network: Network, call: Call, arguments: Arguments) -> None:
    axes = arguments["axes"] if "axes" in arguments else arguments["perm"]
    shapes.transpose(network, call, shapes.any_value(network, only(arguments, INPUT)), axes)


def swapaxes(network: Network, call: Call, arguments: Arguments) -> None:
    x = shapes.any_value(network, only(arguments, INPUT))
    axes = list(range(len(x.shape)))
    first, second = arguments["axis1"], arguments["axis2"]
    axes[first], axes[second] = axes[second], axes[first]
    shapes.transpose(network, call, x, axes)


def concatenate(network: Network, call: Call, arguments: Arguments) -> None:
    inputs = arguments["values"] if "values" in arguments else arguments["xs"]
    arithmetic.concatenate(network, call, inputs, arguments["axis"])


def softmax_rule(network: Network, call: Call, arguments: Arguments) -> None:
    axis = -1 if arguments["axis"] is None else arguments["axis"]
    softmax(network, call, tensor(network, arguments), axis)


def hard_sigmoid(network: Network, call: Call, arguments: Arguments) -> None:
    if is_of_keras2():
        raise UnsupportedError(
            "hard_sigmoid of Keras 3 with weights of Keras 2, where it was 0.2 x + 0.5: keras.activations.hard_sigmoid "
            "is taken for that of the weights"
        )
    network.layer(call, "hard_sigmoid", [tensor(network, arguments)])


def gelu(network: Network, call: Call, arguments: Arguments) -> None:
    network.layer(call, "gelu_tanh" if arguments["approximate"] else "gelu", [tensor(network, arguments)])


def leaky_relu(network: Network, call: Call, arguments: Arguments) -> None:
    slope = arguments["negative_slope"] if "negative_slope" in arguments else arguments["alpha"]
    network.layer(call, "leaky_relu", [tensor(network, arguments)], slope=float(slope))


def relu_with_limits(network: Network, call: Call, arguments: Arguments) -> None:
    """`ReLU` of keras.activations."""
    limits = (arguments["max_value"], arguments["negative_slope"], arguments["threshold"])
    relu(network, call, tensor(network, arguments), *limits)


def maximum(network: Network, call: Call, arguments: Arguments) -> None:
    first, second = two(arguments)
    x, limit = (second, first) if network.constant(first) is not None else (first, second)
    constant = network.constant(limit)
    if constant is None or constant.shape != () or constant != 0:
        raise UnsupportedError("the larger of two tensors; of a tensor and 0 it is a ReLU")
    network.layer(call, "relu", [network.value(x)])


def clip(network: Network, call: Call, arguments: Arguments) -> None:
    low = only(arguments, ("x_min", "clip_value_min"))
    high = only(arguments, ("x_max", "clip_value_max"))
    limits = [network.constant(each) for each in (low, high)]
    if any(each is None or each.shape != () for each in limits) or [float(each) for each in limits] != [0.0, 6.0]:  # type: ignore[arg-type]
        raise UnsupportedError(f"clipping to {low} and {high}; there is 0 and 6")
    network.layer(call, "relu6", [tensor(network, arguments)])


def take(network: Network, call: Call, arguments: Arguments) -> None:
    """Brackets."""
    key = arguments["key"] if "key" in arguments else arguments["slice_spec"]
    shapes.part(network, call, network.value(only(arguments, ("x", "tensor"))), key)


def slice_rule(network: Network, call: Call, arguments: Arguments) -> None:
    """`tf.slice`, and that of Keras."""
    x = network.value(only(arguments, ("input_", "inputs")))
    begin = network.wholes(only(arguments, ("begin", "start_indices")))
    size = network.wholes(arguments["size"] if "size" in arguments else arguments["shape"])
    ends = [whole if each == -1 else first + each for first, each, whole in zip(begin, size, x.shape, strict=True)]
    shapes.take(network, call, x, [range(*each) for each in zip(begin, ends, strict=True)])


def split(network: Network, call: Call, arguments: Arguments) -> None:
    shapes.split(network, call, network.value(only(arguments, ("x", "value"))), arguments["axis"])


def pad(network: Network, call: Call, arguments: Arguments) -> None:
    widths = only(arguments, ("pad_width", "paddings"))
    value = only(arguments, ("constant_values",)) if "constant_values" in arguments else None
    pairs = network.constant(widths)
    every = widths if pairs is None else pairs.tolist()
    shapes.pad_all_axes(network, call, tensor(network, arguments), every, arguments["mode"], value)


def matmul(network: Network, call: Call, arguments: Arguments) -> None:
    first, second = two(arguments) if "x1" in arguments else (arguments["a"], arguments["b"])
    if any(arguments.get(name) for name in ("transpose_a", "transpose_b", "adjoint_a", "adjoint_b")):
        raise UnsupportedError("a product of transposed matrices")
    matrix = network.constant(second)
    if matrix is None or matrix.ndim != 2:
        raise UnsupportedError("a matrix product of two tensors")
    linear(network, call, network.value(first), matrix, second if hasattr(second, "assign") else None, None)


def bias_add(network: Network, call: Call, arguments: Arguments) -> None:
    arithmetic.binary(network, call, arguments["value"], arguments["bias"], arithmetic.add)


def ints(network: Network, given: Any, count: int = 2) -> list[int]:
    """Strides and the like, of two axes, as one number, two, or four with those of batch and channels."""
    if given is None:
        return [1] * count
    if isinstance(given, int):
        return [given] * count
    found = network.wholes(given)
    if len(found) == 4:
        spatial = network.spatial_axes()
        found = [found[axis] for axis in spatial]
    return found * count if len(found) == 1 else found


def convolution(depthwise: bool) -> Rule:
    def rule(network: Network, call: Call, arguments: Arguments) -> None:
        x = tensor(network, arguments)
        given = only(arguments, ("kernel", "filters", "filter"))
        kernel = network.constant(given)
        network.check_map(x)
        if kernel is None or kernel.ndim != 4:
            raise UnsupportedError("a convolution with what is computed from the image")
        padding = arguments["padding"]
        said = [network.wholes(each) for each in padding] if isinstance(padding, list | tuple) else padding.lower()
        if isinstance(said, list):
            said = [said[axis] for axis in network.spatial_axes()]
        height, width, inputs, outputs = kernel.shape
        if depthwise:
            weight = kernel.transpose(2, 3, 0, 1).reshape(inputs * outputs, 1, height, width)
            groups = inputs
        else:
            weight = kernel.transpose(3, 2, 0, 1)
            groups = network.channels(x) // inputs
        dilation = only(arguments, ("dilation_rate", "dilations"))
        network.add(
            call.path,
            "conv",
            [x],
            {"weight": Weight(weight, (id(given),) if hasattr(given, "assign") else None)},
            out_channels=weight.shape[0],
            kernel=[height, width],
            strides=ints(network, arguments["strides"]),
            dilation=ints(network, dilation),
            groups=groups,
            padding=said,
            bias=False,
        )
        network.bind(call.outputs[0], call.path)

    return rule


def pool(op: str) -> Rule:
    def rule(network: Network, call: Call, arguments: Arguments) -> None:
        size = ints(network, only(arguments, ("pool_size", "ksize")))
        strides = size if arguments["strides"] is None else ints(network, arguments["strides"])
        if not isinstance(arguments["padding"], str):
            raise UnsupportedError(f"a pool with padding {arguments['padding']}")
        x, padding = max_pool_input(network, only(arguments, INPUT), arguments["padding"].lower())
        network.check_map(x)
        if op == "average_pool" and padding not in ("valid", "same"):
            raise UnsupportedError("an average of what is padded with minus infinity")
        window(network, call, op, x, size, strides, padding)

    return rule


def batch_normalization(network: Network, call: Call, arguments: Arguments) -> None:
    x = tensor(network, arguments)
    if "axis" in arguments and not network.is_channel_axis(arguments["axis"], len(x.shape)):
        raise UnsupportedError(f"over axis {arguments['axis']} of a tensor of shape {list(x.shape)}")
    given = {"running_mean": arguments["mean"], "running_var": arguments["variance"]}
    given |= {"weight": arguments.get("scale"), "bias": arguments.get("offset")}
    if any(each is not None and network.constant(each) is None for each in given.values()):
        raise UnsupportedError("a normalization by statistics of the image")
    weights = {
        role: network.per_channel(x, each, None if hasattr(each, "assign") else np.asarray(each))
        for role, each in given.items()
        if each is not None
    }
    weights.setdefault("bias", Weight(np.zeros(network.channels(x))))
    epsilon = only(arguments, ("epsilon", "variance_epsilon"))
    network.layer(call, "batch_norm", [x], weights, epsilon=float(epsilon), weight="weight" in weights)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Relu", "tf.nn.relu"), same("relu")),
    **dict.fromkeys(("Relu6", "tf.nn.relu6"), same("relu6")),
    **dict.fromkeys(("Sigmoid", "tf.math.sigmoid", "tf.nn.sigmoid"), same("sigmoid")),
    **dict.fromkeys(("Silu", "tf.nn.silu"), same("silu")),
    "HardSilu": same("hard_swish"),
    "HardSigmoid": hard_sigmoid,
    "HardSigmoidKeras2": same("hard_sigmoid_keras2"),
    **dict.fromkeys(("Gelu", "tf.nn.gelu"), gelu),
    **dict.fromkeys(("LeakyRelu", "tf.nn.leaky_relu"), leaky_relu),
    "ReLU": relu_with_limits,
    **dict.fromkeys(("Softmax", "tf.nn.softmax"), softmax_rule),
    **dict.fromkeys(("Maximum", "tf.math.maximum"), maximum),
    **dict.fromkeys(("Clip", "tf.clip_by_value"), clip),
    **dict.fromkeys(
        ("Cast", "ConvertToTensor", "StopGradient", "Copy", "Identity", "tf.cast", "tf.identity", "tf.stop_gradient"),
        vanishing,
    ),
    **dict.fromkeys(("Add", "tf.math.add"), binary(arithmetic.add)),
    **dict.fromkeys(("Multiply", "tf.math.multiply"), binary(arithmetic.multiply)),
    **dict.fromkeys(("Subtract", "tf.math.subtract"), subtract),
    **dict.fromkeys(("Divide", "TrueDivide", "tf.math.divide", "tf.math.truediv", "tf.realdiv", "tf.RealDiv"), divide),
    **dict.fromkeys(("Negative", "tf.math.negative"), negative),
    "tf.math.add_n": add_all,
    **dict.fromkeys(("Mean", "tf.math.reduce_mean"), mean),
    **dict.fromkeys(("Max", "tf.math.reduce_max"), largest),
    **dict.fromkeys(
        ("Reshape", "ExpandDims", "Squeeze", "Ravel", "tf.reshape", "tf.expand_dims", "tf.squeeze"), reshape
    ),
    **dict.fromkeys(("Transpose", "tf.transpose"), transpose),
    "Swapaxes": swapaxes,
    **dict.fromkeys(("Concatenate", "tf.concat"), concatenate),
    **dict.fromkeys(("GetItem", "tf.__operators__.getitem"), take),
    **dict.fromkeys(("Slice", "tf.slice"), slice_rule),
    **dict.fromkeys(("Split", "tf.split"), split),
    **dict.fromkeys(("Pad", "tf.pad"), pad),
    **dict.fromkeys(("Matmul", "Dot", "tf.linalg.matmul"), matmul),
    "tf.nn.bias_add": bias_add,
    **dict.fromkeys(("Conv", "tf.nn.conv2d", "tf.nn.convolution"), convolution(depthwise=False)),
    **dict.fromkeys(("DepthwiseConv", "tf.nn.depthwise_conv2d"), convolution(depthwise=True)),
    **dict.fromkeys(("MaxPool", "tf.nn.max_pool2d", "tf.nn.max_pool"), pool("max_pool")),
    **dict.fromkeys(("AveragePool", "tf.nn.avg_pool2d", "tf.nn.avg_pool"), pool("average_pool")),
    **dict.fromkeys(("BatchNorm", "BatchNormalization", "tf.nn.batch_normalization"), batch_normalization),
}
