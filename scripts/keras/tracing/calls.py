"""What a traced model is: calls of library layers, operations and functions, in order, that can be made again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf
from keras import KerasTensor, tree


@dataclass
class Call:
    """One call, on symbolic tensors, constants and variables."""

    path: str
    """What it is called in the model: attributes, or names of layers in functional models."""
    target: Any
    """The layer, the operation or the function."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: list[KerasTensor]
    library: type | None = None
    """Of a layer: the class of Keras whose computation it is."""
    without_activation: bool = False
    """Of a layer: whether its activation is a call of its own."""
    scope: str = ""
    """The path of the layer or model, in whose `call` it is made."""

    def tensors(self) -> list[KerasTensor]:
        """The symbolic tensors among the arguments."""
        return [each for each in tree.flatten((self.args, self.kwargs)) if isinstance(each, KerasTensor)]

    def argument(self, name: str) -> Any:
        """An argument that was given by its name."""
        return self.kwargs.get(name)


@dataclass
class Trace:
    """The calls of a model from its one input to its outputs."""

    name: str
    input_name: str
    input: KerasTensor
    calls: list[Call]
    outputs: list[KerasTensor]
    parents: set[str] = field(default_factory=set)
    """The paths of layers and models that consist of others."""


@contextmanager
def activation_off(layer: keras.layers.Layer) -> Iterator[None]:
    """Let a layer compute without its activation."""
    # Keras's own way to set an attribute would take an activation that is a layer for a new sublayer.
    attributes = vars(layer)
    activation = attributes["activation"]
    attributes["activation"] = keras.activations.linear
    try:
        yield
    finally:
        attributes["activation"] = activation


def make_again(call: Call, values: dict[int, Any]) -> list[Any]:
    """The outputs of a call, computed by the framework from values of its symbolic tensors by their id."""

    def real(argument: Any) -> Any:
        return values[id(argument)] if isinstance(argument, KerasTensor) else argument

    args, kwargs = tree.map_structure(real, (call.args, call.kwargs))
    target = call.target
    if isinstance(target, keras.layers.Layer):
        if call.without_activation:
            with activation_off(target):
                outputs = target(*args, **kwargs)
        else:
            outputs = target(*args, **kwargs)
    elif isinstance(target, keras.Operation):
        outputs = target.call(*args, **kwargs)
    else:
        outputs = target(*args, **kwargs)
    return [each for each in tree.flatten(outputs) if tf.is_tensor(each)]


def replay(trace: Trace, x: Any, watch: Callable[[Call, dict[int, Any]], None] | None = None) -> list[Any]:
    """The outputs for a real input, from the recorded calls; `watch` sees the values there are after each.

    A value is dropped after its last use.
    """
    uses = Counter(id(tensor) for call in trace.calls for tensor in call.tensors())
    uses.update(id(tensor) for tensor in trace.outputs)
    values: dict[int, Any] = {id(trace.input): tf.convert_to_tensor(x)}
    for call in trace.calls:
        values.update(zip(map(id, call.outputs), make_again(call, values), strict=True))
        if watch:
            watch(call, values)
        for tensor in call.tensors():
            uses[id(tensor)] -= 1
        for tensor in [*call.tensors(), *call.outputs]:
            if not uses[id(tensor)]:
                values.pop(id(tensor), None)
    return [values[id(tensor)] for tensor in trace.outputs]
