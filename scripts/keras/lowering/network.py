"""The graph while it is made: which of its layers each symbolic tensor is, and what could not be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import KerasTensor
from keras.src.backend.common.variables import Variable

from scripts.graph_file import Graph
from scripts.keras.tracing.calls import Call, Trace

Array = npt.NDArray[Any]


ANOTHER_ORDER = "in another order: pixel by pixel in Keras, channel by channel in a graph file"


class UnsupportedError(ValueError):
    """What a call does is none of the operations of graph files."""


class UnknownOperationError(UnsupportedError):
    """There is no operation like it at all, whatever its inputs are."""

    def __init__(self) -> None:
        super().__init__("no operation of graph files")


@dataclass(frozen=True)
class Grouping:
    """A map whose channels are two axes on the way to a channel shuffle."""

    groups: int
    swapped: bool


@dataclass(frozen=True)
class Value:
    """What a symbolic tensor is in the graph."""

    name: str
    shape: tuple[int, ...]
    """In Keras, with the batch."""
    order: tuple[int, int, int] | None = None
    """Of a vector that was a map of this height, width and channels: Keras flattens pixel by pixel, the graph channel
    by channel."""
    grouping: Grouping | None = None
    outside: list[list[int]] | None = None
    """Of a map padded with minus infinity, which only a max pool can read: by how much, above and below, left and
    right."""

    @property
    def is_map(self) -> bool:
        return len(self.shape) == 4

    @property
    def is_vector(self) -> bool:
        return len(self.shape) == 2


@dataclass(frozen=True)
class Source:
    """The symbolic tensor whose value a layer of the graph has, and how it gets the shape that it has there."""

    tensor: int
    call: int
    """The id of the call that made the layer, at which the tensor is there."""
    order: tuple[int, int, int] | None = None
    """Of a vector, as `Value`."""
    as_pixel: bool = False
    """Whether a vector is a map of one pixel in the graph."""


@dataclass(frozen=True)
class Weight:
    """A tensor of the file, and what it was made of: what is made of the same in the same way is one tensor."""

    array: Array
    origin: tuple[Any, ...] | None = None


@dataclass
class Network:
    """A graph in the making."""

    graph: Graph
    channels_first: bool
    values: dict[int, Value] = field(default_factory=dict)
    constants: dict[int, Array] = field(default_factory=dict)
    """Symbolic tensors that depend on shapes alone."""
    sources: dict[str, Source] = field(default_factory=dict)
    call: int = 0
    """The id of the call that is being lowered."""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Paths and what is not supported there."""
    failed: set[int] = field(default_factory=set)
    """Symbolic tensors that are not what they should be, since what computes them is not supported."""
    owned: set[int] = field(default_factory=set)
    """The ids of the variables of the model."""
    stored: dict[tuple[Any, ...], str] = field(default_factory=dict)

    @classmethod
    def of(cls, trace: Trace, model: keras.Model, channels_first: bool) -> Network:
        shape = [int(size) for size in trace.input.shape[1:]]
        graph = Graph(trace.name, trace.input_name, shape, "chw" if channels_first else "hwc")
        network = cls(graph, channels_first, owned={id(variable) for variable in model.variables})
        network.values[id(trace.input)] = Value(trace.input_name, tuple(trace.input.shape))
        return network

    # Geometry.

    def channel_axis(self, rank: int) -> int:
        return 1 if rank == 2 or self.channels_first else rank - 1

    def channels(self, x: Value) -> int:
        return x.shape[self.channel_axis(len(x.shape))]

    def size(self, x: Value) -> tuple[int, int]:
        """Height and width of a map."""
        return (x.shape[2], x.shape[3]) if self.channels_first else (x.shape[1], x.shape[2])

    def map_shape(self, batch: int, height: int, width: int, channels: int) -> tuple[int, ...]:
        """The shape in Keras."""
        return (batch, channels, height, width) if self.channels_first else (batch, height, width, channels)

    def is_channel_axis(self, axis: Any, rank: int) -> bool:
        axes = axis if isinstance(axis, list | tuple) else [axis]
        return [int(each) % rank for each in axes] == [self.channel_axis(rank)]

    def spatial_axes(self) -> list[int]:
        return [2, 3] if self.channels_first else [1, 2]

    def check_map(self, x: Value) -> None:
        if not x.is_map:
            raise UnsupportedError(f"on a tensor of shape {list(x.shape)}")

    def check_format(self, layer: Any) -> None:
        """See that a layer takes the axes in the order of the network."""
        expected = "channels_first" if self.channels_first else "channels_last"
        if getattr(layer, "data_format", expected) != expected:
            raise UnsupportedError(f"{layer.data_format} in a network that is {expected}")

    # Operands.

    def value(self, tensor: Any) -> Value:
        """What a symbolic tensor is in the graph."""
        if not isinstance(tensor, KerasTensor) or id(tensor) not in self.values:
            raise UnsupportedError("an input that does not depend on the image")
        found = self.values[id(tensor)]
        if found.grouping is not None or found.outside is not None:
            raise UnsupportedError(f"on a tensor of shape {list(found.shape)}")
        return found

    def constant(self, operand: Any) -> Array | None:
        """An operand that is no value of the graph: a number, an array, a variable or what depends on shapes."""
        if isinstance(operand, KerasTensor):
            return self.constants.get(id(operand))
        if isinstance(operand, Variable):
            self.check_owned([operand])
            return np.asarray(operand.value)
        if isinstance(operand, tf.Variable | tf.Tensor | np.ndarray | np.generic | int | float):
            return np.asarray(operand)
        return None

    def whole(self, operand: Any) -> int:
        """An operand that is a whole number."""
        found = self.constant(operand)
        if found is None or found.shape != () or int(found) != found:
            raise UnsupportedError("a size that depends on values")
        return int(found)

    def wholes(self, operand: Any) -> list[int]:
        """An operand that is a list of whole numbers."""
        if isinstance(operand, list | tuple):
            return [self.whole(each) for each in operand]
        found = self.constant(operand)
        if found is None:
            raise UnsupportedError("a shape that depends on values")
        return [int(each) for each in np.ravel(found)]

    def check_owned(self, variables: Sequence[Any]) -> None:
        if any(id(variable) not in self.owned for variable in variables):
            raise UnsupportedError(
                "reads variables that the model does not own: a layer made inside `call` has new random weights at "
                "each call, and they are never saved; make it once, in `__init__` or `build`"
            )

    # Results.

    def add(
        self,
        name: str,
        op: str,
        inputs: Sequence[Value],
        weights: Mapping[str, Weight] | None = None,
        **attributes: Any,
    ) -> str:
        """Append a layer; a weight of the same origin as an earlier one is that tensor."""
        fresh: dict[str, Array] = {}
        shared: dict[str, str] = {}
        for role, weight in (weights or {}).items():
            known = self.stored.get((role, *weight.origin)) if weight.origin else None
            if known is not None:
                shared[role] = known
                continue
            fresh[role] = weight.array
            if weight.origin:
                self.stored[(role, *weight.origin)] = f"{name}.{role}"
        return self.graph.add(name, op, [x.name for x in inputs], fresh, shared, **attributes)

    def bind(self, tensor: KerasTensor, name: str, order: tuple[int, int, int] | None = None) -> Value:
        """Let a symbolic tensor be the value of the layer `name`."""
        value = Value(name, tuple(tensor.shape), order)
        self.values[id(tensor)] = value
        self.sources[name] = Source(id(tensor), self.call, order)
        return value

    def pixel(self, tensor: int, name: str) -> None:
        """Let a layer have the value of a symbolic tensor that is a vector, as a map of one pixel."""
        self.sources[name] = Source(tensor, self.call, as_pixel=True)

    def alias(self, tensor: KerasTensor, x: Value) -> None:
        """Let a symbolic tensor be what another is, in another shape perhaps."""
        self.values[id(tensor)] = Value(x.name, tuple(tensor.shape), x.order)

    def layer(
        self,
        call: Call,
        op: str,
        inputs: Sequence[Value],
        weights: Mapping[str, Weight] | None = None,
        **attributes: Any,
    ) -> None:
        """Append the layer that a call is, whose output has the order of its first input."""
        self.add(call.path, op, inputs, weights, **attributes)
        self.bind(call.outputs[0], call.path, inputs[0].order if len(call.outputs[0].shape) == 2 else None)

    def per_channel(self, x: Value, variable: Any, array: Array | None = None) -> Weight:
        """A tensor with a number for each channel of `x`, in the graph's order."""
        values = np.asarray(variable.value if isinstance(variable, Variable) else variable) if array is None else array
        values = np.broadcast_to(values.reshape(-1), (self.channels(x),))
        if x.order:
            values = values.reshape(x.order).transpose(2, 0, 1).reshape(-1)
        origin = (id(variable), x.order) if isinstance(variable, Variable) and array is None else None
        return Weight(values, origin)
