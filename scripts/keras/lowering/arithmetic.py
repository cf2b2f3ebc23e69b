"""Sums and products of values of the graph, and of values and constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from keras import KerasTensor
from keras.src.backend.common.variables import Variable

from scripts.keras.lowering.network import ANOTHER_ORDER, Array, Network, UnsupportedError, Value, Weight
from scripts.keras.tracing.calls import Call


@dataclass(frozen=True)
class Constant:
    """An operand that is the same for every image."""

    array: Array
    variable: Any = None


Operand = Value | Constant

Binary = Callable[[Network, str, Operand, Operand], Value]


def operand(network: Network, given: Any) -> Operand:
    """What an argument is: a value of the graph or a constant."""
    constant = network.constant(given)
    if constant is not None:
        return Constant(constant, given if isinstance(given, Variable) else None)
    if isinstance(given, KerasTensor):
        return network.value(given)
    raise UnsupportedError(f"an operand of type {type(given).__name__}")


def bound(network: Network, call: Call, value: Value) -> None:
    """Let the output of a call be a value, of a layer of the call's own or of another."""
    if value.name == call.path:
        network.bind(call.outputs[0], value.name, value.order)
    else:
        network.alias(call.outputs[0], value)


def binary(network: Network, call: Call, a: Any, b: Any, compute: Binary) -> None:
    bound(network, call, compute(network, call.path, operand(network, a), operand(network, b)))


def chain(network: Network, call: Call, inputs: Sequence[Any], compute: Binary, path: str | None = None) -> Value:
    """The operands combined from the first to the last; the last step has the call's name, or `path`."""
    path = path or call.path
    values = [operand(network, each) for each in inputs]
    last: Operand = values[0]
    for index, each in enumerate(values[1:], 1):
        name = path if index == len(values) - 1 else f"{path}/{index}"
        last = compute(network, name, last, each)
    if isinstance(last, Constant):
        raise UnsupportedError("of constants alone")
    if path == call.path:
        bound(network, call, last)
    return last


def made(network: Network, name: str, op: str, inputs: Sequence[Value], **more: Any) -> Value:
    """The value of a new layer, of the shape and order of its first input."""
    weights = more.pop("weights", None)
    network.add(name, op, inputs, weights, **more)
    return replace(inputs[0], name=name)


def add(network: Network, name: str, a: Operand, b: Operand) -> Value:
    if isinstance(a, Constant):
        a, b = b, a
    if isinstance(a, Constant):
        raise UnsupportedError("of constants alone")
    if isinstance(b, Constant):
        return made(network, name, "affine", [a], weights={"bias": channel_weight(network, a, b)}, weight=False)
    if a.shape == b.shape and a.order == b.order:
        return made(network, name, "add", [a, b])
    check_order(a, b, "sum")
    if is_pixel(network, a):
        a, b = b, a
    if a.is_map and is_pixel(network, b) and network.channels(a) == network.channels(b):
        return made(network, name, "add", [a, made_like(network, f"{name}/like", b, a)])
    raise UnsupportedError(f"a sum of tensors of shapes {list(a.shape)} and {list(b.shape)}")


def check_order(a: Value, b: Value, what: str) -> None:
    if a.shape == b.shape and a.order != b.order:
        raise UnsupportedError(f"a {what} of a flattened map and a vector, which are {ANOTHER_ORDER}")


def made_like(network: Network, name: str, pixel: Value, like: Value) -> Value:
    network.add(name, "upsample_like", [pixel, like])
    return replace(like, name=name)


def subtract(network: Network, call: Call, a: Any, b: Any) -> None:
    first, second = operand(network, a), operand(network, b)
    if isinstance(second, Constant):
        second = Constant(-second.array)
    else:
        second = made(network, f"{call.path}/negative", "multiply", [second], factor=-1.0)
    bound(network, call, add(network, call.path, first, second))


def divide(network: Network, call: Call, a: Any, b: Any) -> None:
    divisor = operand(network, b)
    if not isinstance(divisor, Constant):
        raise UnsupportedError("a quotient of two tensors")
    reciprocal = Constant(1.0 / np.asarray(divisor.array, np.float64))
    bound(network, call, multiply(network, call.path, operand(network, a), reciprocal))


def is_pixel(network: Network, x: Value) -> bool:
    return x.is_map and network.size(x) == (1, 1)


def is_gate(network: Network, x: Value) -> bool:
    """Whether a value ends in what gates end in."""
    made_by = {layer.name: layer.op for layer in network.graph.layers}
    return made_by.get(x.name) in ("sigmoid", "hard_sigmoid", "hard_sigmoid_keras2", "unflatten")


def multiply(network: Network, name: str, a: Operand, b: Operand, vectors_stretch: bool = False) -> Value:
    """A product; with `vectors_stretch` that of a map and a vector is that of its channels, as in layers.Multiply."""
    if isinstance(a, Constant):
        a, b = b, a
    if isinstance(a, Constant):
        raise UnsupportedError("of constants alone")
    if isinstance(b, Constant):
        return scaled(network, name, a, b)
    if vectors_stretch and {len(a.shape), len(b.shape)} == {2, 4}:
        a, b = (a, b) if a.is_map else (b, a)
        if b.order:
            raise UnsupportedError("a product of a map and another, flattened map")
        shape = network.map_shape(b.shape[0], 1, 1, b.shape[1])
        vector, b = b, replace(made(network, f"{name}/unflatten", "unflatten", [b]), shape=shape)
        if source := network.sources.get(vector.name):
            network.pixel(source.tensor, b.name)
    if a.is_map and b.is_map and network.channels(a) == network.channels(b):
        if is_pixel(network, a) and (not is_pixel(network, b) or (is_gate(network, a) and not is_gate(network, b))):
            a, b = b, a
        if is_pixel(network, b) and (not is_pixel(network, a) or is_gate(network, b)):
            return made(network, name, "scale", [a, b])
    if a.shape == b.shape and a.order == b.order:
        return made(network, name, "product", [a, b])
    check_order(a, b, "product")
    shapes = f"{list(a.shape)} and {list(b.shape)}"
    if {len(a.shape), len(b.shape)} == {2, 4}:
        raise UnsupportedError(f"a product of shapes {shapes}, which stretches a vector over columns, not channels")
    raise UnsupportedError(f"a product of tensors of shapes {shapes}")


def multiply_stretching(network: Network, name: str, a: Operand, b: Operand) -> Value:
    """A product as layers.Multiply has it."""
    return multiply(network, name, a, b, vectors_stretch=True)


def scaled(network: Network, name: str, x: Value, constant: Constant) -> Value:
    if constant.array.size == 1:
        if constant.variable is not None:
            weight = Weight(constant.array.reshape(()), (id(constant.variable),))
            return made(network, name, "learnt_factor", [x], weights={"factor": weight})
        return made(network, name, "multiply", [x], factor=float(constant.array.reshape(())))
    return made(network, name, "affine", [x], weights={"weight": channel_weight(network, x, constant)}, bias=False)


def channel_weight(network: Network, x: Value, constant: Constant) -> Weight:
    """A constant as one number for each channel of a value.

    Raises:
        UnsupportedError: it has more than that.
    """
    rank, shape = len(x.shape), constant.array.shape
    aligned = (1,) * (rank - len(shape)) + shape
    axis = network.channel_axis(rank)
    if len(shape) > rank or any(size != 1 for at, size in enumerate(aligned) if at != axis):
        raise UnsupportedError(f"a constant of shape {list(shape)}, which is not one number a channel")
    if constant.variable is not None and constant.array.size == network.channels(x):
        return network.per_channel(x, constant.variable)
    return network.per_channel(x, None, constant.array)


def concatenate(network: Network, call: Call, inputs: Sequence[Any], axis: Any) -> None:
    values = [network.value(each) for each in inputs]
    rank = len(values[0].shape)
    if rank not in (2, 4) or not network.is_channel_axis(axis, rank):
        raise UnsupportedError(f"concatenation along axis {axis} of tensors of shape {list(values[0].shape)}")
    if any(value.order for value in values):
        raise UnsupportedError(f"concatenation of flattened maps, which are {ANOTHER_ORDER}")
    if len(values) == 1:
        network.alias(call.outputs[0], values[0])
        return
    network.add(call.path, "concat", values)
    network.bind(call.outputs[0], call.path)
