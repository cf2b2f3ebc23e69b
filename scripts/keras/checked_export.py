"""The graph of a Keras model, seen to compute what the model does."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from scripts.graph_file import Graph, Layer
from scripts.keras.interpreter import Array, Interpreter
from scripts.keras.lowering.lower import Lowered, lower
from scripts.keras.lowering.network import Source
from scripts.keras.tracing.calls import Call, Trace, replay
from scripts.keras.tracing.hooks import convolving_uncompiled
from scripts.keras.tracing.tracer import first_line, pack_input, trace

TOLERANCE = 1e-6
"""How far a value of the graph, computed from the model's own values of its inputs, may be from the model's, as a share
of the largest magnitude of that tensor.

Constants that the exporter computes (from statistics of pixels, say) are rounded to float32, 6e-8 of each; all else is
float64, 1e-15. Each layer is compared by itself since untrained networks, not calibrated, can make a difference a
hundred times larger in every block. The least mistake, of an epsilon, is larger.
"""

TOLERANCE_FLOAT32 = 2e-5
"""The same of a model that cannot compute in float64: each sum of its is rounded a few hundred times at 6e-8."""

SAME_AGAIN = 1e-9
"""How far two runs of one model may be apart: the same to the bit but for threads. What is random is farther."""

BATCH = 2
"""Images of a trace: with one, what is stretched over a batch would not show."""


@dataclass(frozen=True)
class Checked:
    """A model, its calls and its graph."""

    model: keras.Model
    trace: Trace
    lowered: Lowered
    error: float
    """Of a layer of the graph at most, as a share of its largest magnitude."""

    @property
    def graph(self) -> Graph:
        return self.lowered.graph

    @property
    def outputs(self) -> list[tuple[int, ...]]:
        """The shapes of the outputs, as Keras has them."""
        return [tuple(tensor.shape) for tensor in self.trace.outputs]


def share(found: Array, expected: Array) -> float:
    """The largest difference as a share of the largest magnitude; not a number where a value is none."""
    largest = float(np.max(np.abs(expected))) if expected.size else 0.0
    difference = float(np.max(np.abs(found - expected))) if expected.size else 0.0
    return difference / largest if largest else difference


def as_graph_has_it(value: Any, source: Source) -> Array:
    """A value of the model in the shape and order that it has in the graph, a map as Keras has it."""
    array = np.asarray(value)
    if source.as_pixel:
        return array[:, None, None, :] if array.ndim == 2 else array
    if source.order:
        return array.reshape(-1, *source.order).transpose(0, 3, 1, 2).reshape(len(array), -1)
    return array


def outputs_of(model: keras.Model, x: Any) -> list[Array]:
    """What a model computes outside of training."""
    outputs = model(pack_input(model, keras.ops.convert_to_tensor(x)), training=False)
    return [np.asarray(each) for each in keras.tree.flatten(outputs)]


def run(model: keras.Model, x: Any) -> list[Array]:
    """The model's own outputs, finite.

    Raises:
        ValueError: it cannot run.
    """
    try:
        outputs = outputs_of(model, x)
    except Exception as error:
        raise ValueError(
            f"`{model.name}` cannot be run on an input of shape {list(x.shape)}: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error
    if any(not np.isfinite(each).all() for each in outputs):
        raise ValueError(f"`{model.name}` gives values that are not finite for a drawn input")
    return outputs


def export_checked(model: keras.Model, x: Any) -> Checked:
    """Trace a model, make its graph and compare every value on the input.

    Raises:
        ValueError: it cannot be traced or said, or the graph computes something else.
    """
    with convolving_uncompiled():
        first = run(model, x)
        traced = trace(model, tuple(x.shape), str(x.dtype))
        lowered = lower(traced, model)
        second = run(model, x)
        if any(share(a, b) > SAME_AGAIN for a, b in zip(first, second, strict=True)):
            raise ValueError(
                f"`{model.name}` gives another output each time it is called: something in its `call` is random "
                "outside of training, or made anew each time"
            )
        error = compare(traced, lowered, x, second)
    return Checked(model, traced, lowered, error)


def compare(traced: Trace, lowered: Lowered, x: Any, expected: list[Array]) -> float:
    """How far a layer of the graph is from the model at most, each computed from what the model has before it.

    Raises:
        ValueError: one is farther off than the tolerance; the first is said.
    """
    graph = lowered.graph
    interpreter = Interpreter(graph, x)
    pending = list(graph.layers)
    of_call = layers_by_call(lowered)
    errors = [0.0]

    def watch(call: Call, values: dict[int, Any]) -> None:
        """Compute the graph's layers up to those whose value this call gives."""
        for source, name in of_call.get(id(call), []):
            while name != (layer := pending.pop(0)).name:
                interpreter.step(layer)
            found = interpreter.step(layer)
            value = as_graph_has_it(values[source.tensor], source)
            if graph.layout == "chw" and value.ndim == 4 and not source.as_pixel:
                value = value.transpose(0, 2, 3, 1)
            errors.append(difference(layer, found, value))
            interpreter.replace(name, value)

    outputs = replay(traced, x, watch)
    if any(not share(np.asarray(a), b) <= SAME_AGAIN for a, b in zip(outputs, expected, strict=True)):
        raise ValueError(
            f"`{traced.name}` computes something else than the calls of layers and operations that were traced of it: "
            "what it does depends on the values of tensors, or is random"
        )
    if pending:
        raise ValueError(f"`{pending[0].name}` of the graph is of no call of the model")
    # NumPy's largest is no number where one of them is none.
    return float(np.max(errors))


def difference(layer: Layer, found: Array, expected: Array) -> float:
    """How far a layer is from the model.

    Raises:
        ValueError: farther than the tolerance, or it has another shape.
    """
    name, op = layer.name, layer.op
    if found.shape != expected.shape:
        raise ValueError(
            f"`{name}` ({op}) has shape {list(found.shape)} in the graph, {list(expected.shape)} in the model"
        )
    error = share(found, expected)
    tolerance = TOLERANCE if expected.dtype == np.float64 else TOLERANCE_FLOAT32
    if not error <= tolerance:
        raise ValueError(
            f"`{name}` ({op}) of the graph differs from the model's by {error:.1e} of the largest value; "
            f"{tolerance:.0e} is allowed: the model does something there that was not understood"
        )
    return error


def layers_by_call(lowered: Lowered) -> dict[int, list[tuple[Source, str]]]:
    """By call, the graph's layers whose value it gives, in order."""
    of_call: defaultdict[int, list[tuple[Source, str]]] = defaultdict(list)
    for layer in lowered.graph.layers:
        if source := lowered.sources.get(layer.name):
            of_call[source.call].append((source, layer.name))
    return of_call
