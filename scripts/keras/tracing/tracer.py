"""Trace a model: call it on a symbolic tensor and note what it calls.

Layers of Keras are noted as they are; any other layer, model or Lambda is followed into its `call`. What stands in
functional models, subclassed ones and TensorFlow's own functions thus becomes one list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import KerasTensor, tree
from keras.src import backend
from keras.src.models.functional import Functional
from keras.src.utils.naming import to_snake_case
from tensorflow.python.util import tf_export

from scripts.keras.tracing.calls import Call, Trace, activation_off
from scripts.keras.tracing.hooks import hooked
from scripts.keras.tracing.leaves import has_own_activation, is_plain, library_class
from scripts.keras.tracing.paths import Paths, Scope, names_within


class Tracer:
    """Notes calls while the hooks are set."""

    def __init__(self, model: keras.Model) -> None:
        self.calls: list[Call] = []
        self.paths = Paths()
        self.model = model
        # Before the model's own call its input may be cast.
        self.scopes = [Scope("", names_within(model), 0)]
        self.entered = False
        self.parents: set[str] = set()
        self.failed_in: str | None = None

    @contextmanager
    def scope(self, owner: keras.layers.Layer, path: str) -> Iterator[Scope]:
        scope = Scope(path, names_within(owner), len(self.calls))
        self.scopes.append(scope)
        try:
            yield scope
        except Exception:
            # The innermost is left first.
            self.failed_in = self.failed_in or path or owner.name
            raise
        finally:
            self.scopes.pop()

    def note(self, path: str, target: Any, args: Any, kwargs: Any, outputs: Any, **more: Any) -> Any:
        symbolic = [each for each in tree.flatten(outputs) if isinstance(each, KerasTensor)]
        for each in symbolic:
            # Keras takes what does not say whether it is sparse, a variable or a number, for a sparse tensor.
            each._sparse = False
        self.calls.append(Call(path, target, args, kwargs, symbolic, scope=self.scopes[-1].path, **more))
        return outputs

    def call_layer(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if layer is self.model and not self.entered:
            self.entered = True
            return layer.call(*args, **kwargs)
        self.scopes[-1].has_layers = True
        path = self.paths.of_layer(layer, self.scopes)
        library = library_class(layer)
        if library is None:
            return self.follow(layer, path, args, kwargs)
        if not has_own_activation(layer):
            outputs = layer.compute_output_spec(*args, **kwargs)
            return self.note(path, layer, args, kwargs, outputs, library=library)
        with activation_off(layer):
            before = layer.compute_output_spec(*args, **kwargs)
        self.note(f"{path}/pre", layer, args, kwargs, before, library=library, without_activation=True)
        return self.activate(layer.activation, path, before)

    def follow(self, layer: keras.layers.Layer, path: str, args: Any, kwargs: Any) -> Any:
        """Call a layer that is no leaf."""
        with self.scope(layer, path) as scope:
            outputs = layer.call(*args, **kwargs)
        if scope.has_layers:
            self.parents.add(path)
        else:
            self.name_after(path, scope, outputs)
        return outputs

    def activate(self, activation: Any, path: str, x: KerasTensor) -> Any:
        """Call an activation of its own; what it returns is called `path`."""
        if is_plain(activation):
            outputs = backend.compute_output_spec(activation, x)
            return self.note(path, activation, (x,), {}, outputs)
        scope = Scope(path, {}, len(self.calls) - 1)
        self.scopes.append(scope)
        try:
            if isinstance(activation, keras.layers.Layer):
                scope.names[id(activation)] = "activation"
            outputs = activation(x)
        finally:
            self.scopes.pop()
        self.name_after(path, scope, outputs)
        return outputs

    def name_after(self, path: str, scope: Scope, outputs: Any) -> None:
        """Call what a layer returns as the layer, where one of its own operations computed it."""
        for call in reversed(self.calls[scope.first :]):
            if len(call.outputs) == 1 and call.outputs[0] is outputs:
                call.path = path

    def call_operation(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        outputs = operation.compute_output_spec(*args, **kwargs)
        name = to_snake_case(type(operation).__name__)
        return self.note(self.paths.of_operation(name, self.scopes[-1]), operation, args, kwargs, outputs)

    def call_function(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        outputs = backend.compute_output_spec(function, *args, **kwargs)
        name = function_name(function).rpartition(".")[2]
        return self.note(self.paths.of_operation(name, self.scopes[-1]), function, args, kwargs, outputs)


def function_name(function: Any) -> str:
    """What TensorFlow calls one of its functions, `math.reduce_mean`."""
    name = tf_export.get_canonical_name_for_symbol(function)
    return str(name or getattr(function, "__name__", type(function).__name__))


def first_line(error: BaseException) -> str:
    """The first line that says something of what went wrong; Keras's own first line often does not."""
    lines = [line.strip() for line in re.sub(r"\x1b\[\d*m", "", str(error)).splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("Exception encountered when")), type(error).__name__)


def reaching(calls: list[Call], outputs: list[KerasTensor]) -> list[Call]:
    """The calls that the outputs depend on, in order."""
    wanted = {id(tensor) for tensor in outputs}
    kept = []
    for call in reversed(calls):
        if any(id(tensor) in wanted for tensor in call.outputs):
            kept.append(call)
            wanted |= {id(tensor) for tensor in call.tensors()}
    return kept[::-1]


def input_name_of(model: keras.Model) -> str:
    """What the model calls its input; `input` where Keras has numbered it."""
    if isinstance(model, Functional | keras.Sequential) and model.inputs:
        name = str(model.inputs[0].name)
        if not name.startswith(("input_layer", "keras_tensor", "input_")):
            return name
    return "input"


def trace(model: keras.Model, shape: tuple[int, ...], dtype: str) -> Trace:
    """The calls that a built model makes for an input of a shape with its batch.

    Raises:
        ValueError: it cannot be traced, with where and why.
    """
    tracer = Tracer(model)
    x = keras.Input(batch_shape=shape, dtype=dtype)
    with hooked(
        tracer.call_layer,
        tracer.call_operation,
        tracer.call_function,
        lambda layer: library_class(layer) is None,
    ):
        try:
            outputs = model(pack_input(model, x), training=False)
        except Exception as error:
            where = tracer.failed_in or model.name
            raise ValueError(
                f"`{where}` cannot be traced: {type(error).__name__}: {first_line(error)}; what its `call` does may "
                "not depend on the values of tensors"
            ) from error
    flat = tree.flatten(outputs)
    if any(not isinstance(each, KerasTensor) for each in flat):
        raise ValueError(f"`{model.name}` has an output that does not depend on its input")
    calls = reaching(tracer.calls, flat)
    name = input_name_of(model)
    while name in tracer.paths.taken:
        name = f"{name}_image"
    return Trace(model.name, name, x, calls, flat, tracer.parents)


def pack_input(model: keras.Model, x: Any) -> Any:
    """An input as a functional model takes it, which may be in a list or dictionary."""
    structure = getattr(model, "_inputs_struct", None)
    return tree.pack_sequence_as(structure, [x]) if isinstance(structure, dict | list | tuple) else x
