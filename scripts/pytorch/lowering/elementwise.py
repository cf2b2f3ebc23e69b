"""Functions of each element, arithmetic, and norms."""

from __future__ import annotations

from typing import Any

import torch

from scripts.pytorch.lowering.axes import Axis
from scripts.pytorch.lowering.call import Call, UnsupportedError, as_map, lowers, per_channel, plain, whole_axis
from scripts.pytorch.lowering.channels import broadcast
from scripts.pytorch.lowering.draft import Constant, Value
from scripts.pytorch.lowering.statistics import Statistic, same

FUNCTIONS = {
    "relu": "relu",
    "relu6": "relu6",
    "silu": "silu",
    "hardswish": "hard_swish",
    "sigmoid": "sigmoid",
    "hardsigmoid": "hard_sigmoid",
}


@lowers(*FUNCTIONS)
def function(call: Call) -> Value:
    return call.each(FUNCTIONS[call.word], call.value())


@lowers("gelu")
def gelu(call: Call) -> Value:
    return call.each("gelu_tanh" if call["approximate"] == "tanh" else "gelu", call.value())


@lowers("leaky_relu")
def leaky_relu(call: Call) -> Value:
    return call.each("leaky_relu", call.value(), slope=float(call["negative_slope"]))


@lowers("clamp", "hardtanh", "clamp_min", "clip")
def clamp(call: Call) -> Value:
    low = call["min_val"] if call.word == "hardtanh" else call["min"]
    high = call["max_val"] if call.word == "hardtanh" else call["max"]
    bounds = tuple(value.number() if isinstance(value, Constant) else value for value in (low, high))
    if bounds == (0, None):
        return call.each("relu", call.value())
    if bounds == (0, 6):
        return call.each("relu6", call.value())
    if bounds == (0, 1):
        # relu6(6 x) / 6, which is exact but for rounding.
        value = call.scaled(call.value(), 6.0, "times")
        return call.scaled(call.each("relu6", value, "relu6"), 1.0 / 6.0)
    raise UnsupportedError(f"a clamp to {bounds[0]}..{bounds[1]}")


@lowers("prelu")
def prelu(call: Call) -> Value:
    """relu(x) - w relu(-x); one slope for all channels is a leaky ReLU."""
    value, weight = call.value(), call.constant("weight")
    assert weight is not None
    if weight.value.numel() == 1:
        return call.each("leaky_relu", value, slope=float(weight.value.item()))
    if value.view.dims[1:2] != ((whole_axis(value.view, "C"),),):
        raise UnsupportedError("a slope for each of something else than channels")
    negative = call.each("relu", call.scaled(value, -1.0, "minus"), "negative")
    slope = Constant(-weight.value)
    below = call.layer("affine", [negative], value.shape, {"weight": slope}, view=value.view, part="slope", bias=False)
    above = call.each("relu", value, "positive")
    return call.layer("add", [above, below], value.shape, view=value.view)


@lowers("glu")
def glu(call: Call) -> Value:
    """The first half of the channels times the sigmoid of the second."""
    value = as_map(call.value()) if len(call.value().shape) == 3 else call.value()
    if call["dim"] % len(value.view.dims) != 1:
        raise UnsupportedError("a GLU over another dimension than the channels")
    channels = value.shape[0] // 2
    shape = (channels, *value.shape[1:])

    def half(first: int, part: str) -> Value:
        return call.layer("slice", [value], shape, part=part, shown=False, first=first, channels=channels)

    gate = call.layer("sigmoid", [half(channels, "second")], shape, part="gate", shown=False)
    return call.layer("product", [half(0, "first"), gate], shape)


@lowers("tanh")
def tanh(call: Call) -> Value:
    """2 sigmoid(2 x) - 1."""
    value = call.each("sigmoid", call.scaled(call.value(), 2.0, "twice"), "sigmoid")
    return call.shifted(call.scaled(value, 2.0, "doubled"), -1.0)


@lowers("softmax")
def softmax(call: Call) -> Value:
    value = call.value()
    dim = call["dim"] % len(value.view.dims)
    if value.view.dims[dim] != (whole_axis(value.view, "C"),):
        raise UnsupportedError("a softmax over another dimension than the channels")
    return call.each("softmax", value)


def negated(call: Call, value: Value, part: str = "minus") -> Value:
    return call.scaled(value, -1.0, part)


def factor_of(call: Call, constant: Constant | float, value: Value, part: str = "") -> Value:
    """A value times a constant."""
    if not isinstance(constant, Constant):
        return call.scaled(value, float(constant), part)
    number = constant.number()
    if number is not None and constant.learnt and constant.name:
        factor = Constant(constant.value.reshape(()), constant.name, True)
        return call.layer("learnt_factor", [value], value.shape, {"factor": factor}, view=value.view, part=part)
    if number is not None:
        return call.scaled(value, number, part)
    weight = per_channel(constant, value.view)
    return call.layer("affine", [value], value.shape, {"weight": weight}, view=value.view, part=part, bias=False)


def term_of(call: Call, constant: Constant | float, value: Value, sign: float = 1.0) -> Value:
    """A value plus a constant."""
    if not isinstance(constant, Constant):
        return call.shifted(value, sign * float(constant))
    number = constant.number()
    if number is not None and not constant.learnt:
        return call.shifted(value, sign * number)
    bias = per_channel(constant, value.view) if number is None else Constant(constant.value.expand(value.shape[0]))
    if sign != 1.0:
        bias = Constant(sign * bias.value)
    return call.layer("affine", [value], value.shape, {"bias": bias}, view=value.view, weight=False)


def is_constant(value: object) -> bool:
    return isinstance(value, Constant | int | float)


@lowers("add", "sub", "rsub")
def add(call: Call) -> Any:
    one, other, alpha = call["self"], call["other"], float(call["alpha"] if call["alpha"] is not None else 1.0)
    if call.word == "rsub":
        one, other = other, one
    sign = 1.0 if call.word == "add" else -1.0
    if isinstance(one, Statistic) or isinstance(other, Statistic):
        return of_statistics(one, other, sign * alpha)
    if is_constant(other):
        if alpha != 1.0:
            sign *= alpha
        return term_of(call, other, plain(one), sign)
    if is_constant(one):
        value = call.scaled(plain(other), sign * alpha, "times")
        return term_of(call, one, value)
    first, second = plain(one), call.scaled(plain(other), sign * alpha, "times")
    larger, smaller, view, gate = broadcast(first, second)
    if gate:
        smaller = as_gate(call, smaller)
        smaller = call.layer("upsample_like", [smaller, larger], larger.shape, view=view, part="spread", shown=False)
    return call.layer("add", [larger, smaller], view.shape, view=view)


def of_statistics(one: Any, other: Any, sign: float) -> Statistic:
    if isinstance(other, Statistic) and other.kind == "mean" and same(one, other) and sign == -1.0:
        return other.to("centred")
    statistic, number = (one, other) if isinstance(one, Statistic) else (other, one)
    if statistic.kind == "variance" and statistic.epsilon is None and sign == 1.0 and is_constant(number):
        epsilon = number.number() if isinstance(number, Constant) else float(number)
        if epsilon is not None:
            return statistic.to("variance", epsilon)
    raise UnsupportedError(statistic.said)


def as_gate(call: Call, value: Value) -> Value:
    """One number a channel, as a feature map of one pixel."""
    if len(value.shape) == 3:
        return value
    return call.layer("unflatten", [value], (value.shape[0], 1, 1), part="gate", shown=False)


@lowers("mul")
def mul(call: Call) -> Any:
    one, other = call["self"], call["other"]
    if isinstance(one, Statistic) or isinstance(other, Statistic):
        return product_of_statistics(call, one, other)
    if is_constant(other):
        return factor_of(call, other, plain(one))
    if is_constant(one):
        return factor_of(call, one, plain(other))
    larger, smaller, view, gate = broadcast(plain(one), plain(other))
    if gate:
        return call.layer("scale", [larger, as_gate(call, smaller)], larger.shape, view=view)
    return call.layer("product", [larger, smaller], view.shape, view=view)


def product_of_statistics(call: Call, one: Any, other: Any) -> Any:
    kinds = {each.kind for each in (one, other) if isinstance(each, Statistic)}
    if isinstance(one, Statistic) and isinstance(other, Statistic) and same(one, other):
        if kinds == {"centred"}:
            return one.to("squared")
        if kinds == {"centred", "inverse"}:
            inverse = one if one.kind == "inverse" else other
            return normalized(call, inverse)
    raise UnsupportedError(next(each.said for each in (one, other) if isinstance(each, Statistic)))


def refused(statistic: Statistic) -> Any:
    raise UnsupportedError(statistic.said)


def normalized(call: Call, statistic: Statistic) -> Value:
    epsilon = statistic.epsilon or 0.0
    value = statistic.value
    return call.each("layer_norm", value, epsilon=epsilon, weight=False, bias=False)


@lowers("div")
def div(call: Call) -> Any:
    one, other = call["self"], call["other"]
    if call["rounding_mode"] is not None:
        raise UnsupportedError("a division that rounds")
    if isinstance(one, Statistic) and isinstance(other, Statistic) and same(one, other):
        kinds = (one.kind, other.kind)
        return normalized(call, other) if kinds == ("centred", "deviation") else refused(one)
    if is_constant(other):
        value = Constant(1.0 / other.value.double()) if isinstance(other, Constant) else 1.0 / float(other)
        return factor_of(call, value, plain(one))
    raise UnsupportedError("a division by what depends on the input")


@lowers("neg")
def neg(call: Call) -> Value:
    return negated(call, call.value(), "")


@lowers("pow", "square")
def power(call: Call) -> Any:
    value = call["self"]
    if call.word == "pow" and call["exponent"] != 2:
        if isinstance(value, Statistic) and value.kind == "variance" and call["exponent"] in (0.5, -0.5):
            return value.to("deviation" if call["exponent"] == 0.5 else "inverse")
        raise UnsupportedError(f"a power of {call['exponent']}")
    if isinstance(value, Statistic) and value.kind == "centred":
        return value.to("squared")
    value = plain(value)
    return call.layer("product", [value, value], value.shape, view=value.view)


@lowers("sqrt", "rsqrt")
def root(call: Call) -> Statistic:
    value = call["self"]
    if isinstance(value, Statistic) and value.kind == "variance":
        return value.to("deviation" if call.word == "sqrt" else "inverse")
    raise UnsupportedError("a square root")


@lowers("var")
def variance(call: Call) -> Statistic:
    value = call.value()
    dims = call["dim"] if isinstance(call["dim"], list | tuple) else [call["dim"]]
    biased = call["unbiased"] is False or call["correction"] == 0
    if len(dims) == 1 and value.view.dims[dims[0]] == (whole_axis(value.view, "C"),) and call["keepdim"] and biased:
        return Statistic("variance", value)
    raise UnsupportedError("a variance")


@lowers("batch_norm")
def batch_norm(call: Call) -> Value:
    if call["training"] or call["running_mean"] is None:
        raise UnsupportedError("a batch norm by the statistics of the batch itself")
    value = call.value("input")
    if value.view.dims[1:2] != ((whole_axis(value.view, "C"),),):
        raise UnsupportedError("a batch norm of another dimension than the channels")
    weight, bias = call.constant("weight"), call.constant("bias")
    tensors = {
        "running_mean": call.constant("running_mean"),
        "running_var": call.constant("running_var"),
        "weight": weight,
        "bias": bias or Constant(torch.zeros(value.shape[0])),
    }
    more = {"epsilon": call["eps"], "weight": weight is not None}
    return call.layer("batch_norm", [value], value.shape, tensors, view=value.view, **more)


def scaling(call: Call) -> tuple[dict[str, Constant | None], dict[str, Any]]:
    weight, bias = call.constant("weight"), call.constant("bias")
    return {"weight": weight, "bias": bias}, {"weight": weight is not None, "bias": bias is not None}


@lowers("layer_norm")
def layer_norm(call: Call) -> Value:
    value = call.value("input")
    tensors, more = scaling(call)
    view = value.view
    if len(call["normalized_shape"]) == 1 and view.dims[-1] == (Axis("C", value.shape[0]),):
        return call.layer("layer_norm", [value], value.shape, tensors, view=view, epsilon=call["eps"], **more)
    raise UnsupportedError("a layer norm over more than the channels")


@lowers("group_norm", "instance_norm")
def group_norm(call: Call) -> Value:
    name = "input"
    value = as_map(call.value(name))
    tensors, more = scaling(call)
    groups = call["num_groups"] if call.word == "group_norm" else value.shape[0]
    if call.word == "instance_norm" and not call["use_input_stats"]:
        raise UnsupportedError("an instance norm by running statistics")
    return call.layer("group_norm", [value], value.shape, tensors, groups=groups, epsilon=call["eps"], **more)
