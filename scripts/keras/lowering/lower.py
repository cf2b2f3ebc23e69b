"""From the calls of a traced model to a graph."""

from __future__ import annotations

import inspect
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras.src.backend.common.variables import Variable
from keras.src.models.functional import Functional

from scripts.graph_file import Graph
from scripts.keras.lowering.layers import LAYERS, activation
from scripts.keras.lowering.network import (
    ANOTHER_ORDER,
    Network,
    Source,
    UnknownOperationError,
    UnsupportedError,
    Value,
)
from scripts.keras.lowering.operations import RULES, arguments_of
from scripts.keras.lowering.patterns import recognise
from scripts.keras.lowering.shapes import any_value
from scripts.keras.tracing.calls import Call, Trace, make_again
from scripts.keras.tracing.leaves import is_plain
from scripts.keras.tracing.tracer import function_name

SHAPE_FUNCTIONS = {"shape", "rank", "size", "shape_v2", "rank_internal"}
"""Functions of TensorFlow whose result depends on the shape alone."""


@dataclass(frozen=True)
class Lowered:
    """A graph, and of its layers those whose value the model computes too."""

    graph: Graph
    sources: dict[str, Source]


def lower(trace: Trace, model: keras.Model) -> Lowered:
    """The graph of a traced model.

    Raises:
        ValueError: it does what graph files have no operation for: all that is so, in one line.
    """
    network = Network.of(trace, model, channels_first(trace))
    network.problems = recorded_training(model)
    for call in trace.calls:
        network.call = id(call)
        try:
            lower_call(network, call)
        except UnsupportedError as error:
            # What stands for a map or vector does as well as that; on the way between shapes it does not.
            follows = any(id(each) in network.failed and len(each.shape) not in (2, 4) for each in call.tensors())
            if not follows or isinstance(error, UnknownOperationError):
                network.problems.append((call.path, f"{kind(call)}: {error}"))
            for output in call.outputs:
                network.values[id(output)] = Value(call.path, tuple(output.shape))
                network.failed.add(id(output))
    outputs = []
    for tensor in trace.outputs:
        value = network.values.get(id(tensor))
        if value is None or value.grouping or value.name == network.graph.input_name:
            network.problems.append((trace.name, "an output that no layer computes"))
        elif value.order:
            network.problems.append((value.name, f"an output that is a flattened map, {ANOTHER_ORDER}"))
        else:
            outputs.append(value.name)
    if network.problems:
        raise ValueError(refusal(trace.name, network.problems))
    graph = network.graph
    # A model may return one value twice, after a dropout once.
    graph.outputs = list(dict.fromkeys(outputs))
    recognise(graph)
    graph.blocks = blocks(graph, trace.parents)
    layers = {layer.name for layer in graph.layers}
    return Lowered(graph, {name: source for name, source in network.sources.items() if name in layers})


def recorded_training(model: keras.Model) -> list[tuple[str, str]]:
    """What functional models call as in training: a model that is itself called as outside of it does not show that."""
    every = [getattr(each, "_functional", each) for each in model._flatten_layers(include_self=True, recursive=True)]
    functional = [each for each in every if isinstance(each, Functional)]
    nodes = [node for each in functional for depth in each._nodes_by_depth.values() for node in depth]
    called = dict.fromkeys(node.operation for node in nodes if node.arguments.kwargs.get("training"))
    # Of augmentations that is the default, and recorded as if it were said.
    said = [each for each in called if not trains_by_default(each)]
    return [(each.name, f"{type(each).__name__}: called with training=True") for each in said]


def trains_by_default(operation: keras.Operation) -> bool:
    parameter = inspect.signature(operation.call).parameters.get("training")
    return parameter is not None and parameter.default is True


def channels_first(trace: Trace) -> bool:
    """Whether the layers of a model take channels before rows and columns."""
    formats = [getattr(call.target, "data_format", None) for call in trace.calls if call.library]
    said = [each for each in formats if each]
    return (said[0] if said else keras.config.image_data_format()) == "channels_first"


def kind(call: Call) -> str:
    """What a person calls what a call does."""
    if isinstance(call.target, keras.layers.Layer):
        return type(call.target).__name__
    if isinstance(call.target, keras.Operation):
        return f"keras.ops {type(call.target).__name__}"
    return call.target.__name__ if is_plain(call.target) else f"tf.{function_name(call.target)}"


def lower_call(network: Network, call: Call) -> None:
    target = call.target
    if call.library is not None:
        handler = LAYERS.get(call.library)
        if handler is None:
            raise UnknownOperationError
        network.check_owned([each for each in target.weights if "seed" not in each.name])
        network.check_format(target)
        handler(network, call, target, first_value(network, call))
        return
    if depends_on_shapes_alone(network, call):
        for output, value in zip(call.outputs, make_again(call, known(network, call)), strict=True):
            network.constants[id(output)] = np.asarray(value)
        return
    if is_plain(target):
        activation(network, call, target, network.value(call.args[0]))
        return
    network.check_owned([each for each in keras.tree.flatten((call.args, call.kwargs)) if isinstance(each, Variable)])
    name, arguments = arguments_of(call)
    rule = RULES.get(name)
    if rule is None:
        raise UnknownOperationError
    rule(network, call, arguments)


def first_value(network: Network, call: Call) -> Value:
    """The value that a layer is called on, or the first of several."""
    tensors = call.tensors()
    if not tensors:
        raise UnsupportedError("called on what does not depend on the image")
    unfinished = call.library in (keras.layers.Reshape, keras.layers.MaxPooling2D)
    return any_value(network, tensors[0]) if unfinished else network.value(tensors[0])


def depends_on_shapes_alone(network: Network, call: Call) -> bool:
    name = getattr(call.target, "__name__", "")
    if name in SHAPE_FUNCTIONS:
        return True
    tensors = call.tensors()
    return bool(tensors) and all(id(tensor) in network.constants for tensor in tensors)


def known(network: Network, call: Call) -> dict[int, Any]:
    """Values of the tensors that a call reads, of which only the shape matters where they are none of constants."""
    values: dict[int, Any] = {}
    for tensor in call.tensors():
        constant = network.constants.get(id(tensor))
        values[id(tensor)] = (
            keras.ops.zeros(tensor.shape, tensor.dtype) if constant is None else keras.ops.convert_to_tensor(constant)
        )
    return values


def refusal(name: str, problems: list[tuple[str, str]]) -> str:
    """One line that says all that is not supported: each reason once, with where."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path, why in problems:
        places[why].append(f"`{path}`")
    said = []
    for why, paths in places.items():
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        said.append(f"{', '.join(paths[:3])}{more} ({why})")
    return f"`{name}` cannot be exported: {'; '.join(said)}"


def blocks(graph: Graph, parents: set[str]) -> list[str]:
    """The models and layers of which one adds what it was given to what it computed."""
    names = [layer.name for layer in graph.layers]
    residual = {
        layer.name.rpartition("/" if "/" in layer.name else ".")[0] for layer in graph.layers if layer.op == "add"
    }
    return [
        parent
        for parent in sorted(
            parents & residual, key=lambda each: next((i for i, n in enumerate(names) if n.startswith(each)), 0)
        )
        if any(name.startswith((f"{parent}.", f"{parent}/")) for name in names)
    ]
