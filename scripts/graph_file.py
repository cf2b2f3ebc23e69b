"""The graph file: a network as data beside its weights, whatever framework it comes from.

A safetensors file whose metadata holds the network under `graph` as JSON: a flat list of layers in the order of
computation, each with its operation, attributes, inputs and tensors. Tensors are float32 and laid out as PyTorch lays
them out; whoever exports transposes. Here the document is made, checked and written; no framework is needed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors

from scripts.safetensors_file import write_safetensors

Tensor = npt.NDArray[Any]

VERSION = 1

MANY = None
"""Of the inputs of an operation: two or more."""


@dataclass(frozen=True)
class Operation:
    """What a layer of one operation has."""

    required: tuple[str, ...] = ()
    """Attributes without a default."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """The other attributes; those that are as here are left out of the file."""
    roles: tuple[str, ...] = ()
    """Tensors, each there unless an attribute of its name is false."""
    inputs: int | None = 1


POOL = {"strides": None, "padding": "valid", "rounding": "floor"}
"""Strides of None are the kernel's."""

WEIGHT_AND_BIAS: dict[str, object] = {"weight": True, "bias": True}

OPERATIONS: dict[str, Operation] = {
    "conv": Operation(
        ("out_channels", "kernel"),
        {
            "strides": [1, 1],
            "dilation": [1, 1],
            "groups": 1,
            "padding": "valid",
            "rounding": "floor",
            "bias": True,
            "standardization": None,
        },
        ("weight", "bias"),
    ),
    "linear": Operation(("out_channels",), {"bias": True}, ("weight", "bias")),
    "batch_norm": Operation(("epsilon",), {"weight": True}, ("running_mean", "running_var", "weight", "bias")),
    "layer_norm": Operation(("epsilon",), WEIGHT_AND_BIAS, ("weight", "bias")),
    "group_norm": Operation(("groups", "epsilon"), WEIGHT_AND_BIAS, ("weight", "bias")),
    "affine": Operation((), WEIGHT_AND_BIAS, ("weight", "bias")),
    "relu": Operation(),
    "relu6": Operation(),
    "leaky_relu": Operation(("slope",)),
    "silu": Operation(),
    "hard_swish": Operation(),
    "gelu": Operation(),
    "gelu_tanh": Operation(),
    "sigmoid": Operation(),
    "hard_sigmoid": Operation(),
    "hard_sigmoid_keras2": Operation(),
    "softmax": Operation(),
    "max_pool": Operation(("kernel",), POOL),
    "average_pool": Operation(("kernel",), {**POOL, "padding_counts": None}),
    "adaptive_average_pool": Operation(("size",)),
    "global_average_pool": Operation(),
    "global_max_pool": Operation(),
    "blur_pool": Operation(("size", "stride")),
    "flatten": Operation(),
    "unflatten": Operation(),
    "scale": Operation(inputs=2),
    "product": Operation(inputs=2),
    "add": Operation(inputs=2),
    "concat": Operation(inputs=MANY),
    "multiply": Operation(("factor",)),
    "learnt_factor": Operation(roles=("factor",)),
    "slice": Operation(("first", "channels")),
    "pad_channels": Operation(("channels",)),
    "shuffle_channels": Operation(("groups",)),
    "space_to_depth": Operation(("block",)),
    "zero_pad": Operation(("padding",)),
    "crop": Operation(("cropping",)),
    "upsample": Operation(("factors",)),
    "upsample_like": Operation(inputs=2),
}


@dataclass
class Layer:
    """One layer: what it computes of which values."""

    name: str
    op: str
    inputs: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, str] = field(default_factory=dict)
    """The name of each role's tensor in the file."""

    def roles(self) -> tuple[str, ...]:
        """The tensors that the layer reads."""
        roles = OPERATIONS[self.op].roles
        standardization = self.attributes.get("standardization") or {}
        present = tuple(role for role in roles if self.attributes.get(role, True))
        return (*present, "gain") if standardization.get("gain") else present

    def attribute(self, name: str) -> Any:
        """The attribute, or its default."""
        value = self.attributes.get(name, OPERATIONS[self.op].defaults.get(name))
        return self.attributes["kernel"] if value is None and name == "strides" else value

    def document(self) -> dict[str, object]:
        """The layer as the file has it: without what is as it is by default."""
        defaults = OPERATIONS[self.op].defaults
        attributes = {
            name: value
            for name, value in self.attributes.items()
            if name not in defaults or self.attribute(name) != self._default(name)
        }
        tensors = {role: name for role, name in self.tensors.items() if name != f"{self.name}.{role}"}
        return {
            "name": self.name,
            "op": self.op,
            "inputs": self.inputs,
            **attributes,
            **({"tensors": tensors} if tensors else {}),
        }

    def _default(self, name: str) -> Any:
        return Layer(self.name, self.op, [], {k: v for k, v in self.attributes.items() if k != name}).attribute(name)


@dataclass
class Graph:
    """A network and its weights."""

    name: str
    input_name: str
    input_shape: list[int]
    """Of one image, without the batch."""
    layout: str
    """`hwc` or `chw`: the order of the input's axes."""
    layers: list[Layer] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    blocks: list[str] = field(default_factory=list)
    """Prefixes of layers' names, up to a dot or slash, that are residual blocks and the like."""

    def add(
        self,
        name: str,
        op: str,
        inputs: Sequence[str],
        tensors: Mapping[str, Tensor] | None = None,
        shared: Mapping[str, str] | None = None,
        **attributes: Any,
    ) -> str:
        """Append a layer with its `tensors` by role and return its name.

        `shared` names tensors by role that the file calls otherwise than `<layer>.<role>`: those that were added with
        another layer.
        """
        names = {role: f"{name}.{role}" for role in tensors or {}} | dict(shared or {})
        for role, tensor in (tensors or {}).items():
            self.tensors[names[role]] = np.asarray(tensor, np.float32, order="C")
        self.layers.append(Layer(name, op, list(inputs), attributes, names))
        return name

    def check(self) -> None:
        """See that the document says what it may.

        Raises:
            ValueError: it names a layer or tensor that is not there or an operation, attribute or role that there is
                not, leaves out what is required, or has a tensor or a name twice or one too many.
        """
        known = {self.input_name}
        read: set[str] = set()
        for layer in self.layers:
            self._check_layer(layer, known)
            known.add(layer.name)
            read |= set(layer.tensors.values())
        if surplus := sorted(set(self.tensors) - read):
            raise ValueError(f"tensor `{surplus[0]}` is read by no layer")
        if not self.outputs:
            raise ValueError("the graph has no output")
        if double := [each for each, times in Counter(self.outputs).items() if times > 1]:
            raise ValueError(f"output `{double[0]}` is there twice")
        for output in self.outputs:
            if output not in known - {self.input_name}:
                raise ValueError(f"output `{output}` is no layer")
        for block in self.blocks:
            if not any(name.startswith((f"{block}.", f"{block}/")) for name in known):
                raise ValueError(f"block `{block}` has no layer")

    def _check_layer(self, layer: Layer, known: set[str]) -> None:
        name = layer.name
        if not name:
            raise ValueError(f"a layer of operation `{layer.op}` has no name")
        if name in known:
            raise ValueError(f"two layers or a layer and the input are called `{name}`")
        operation = OPERATIONS.get(layer.op)
        if operation is None:
            raise ValueError(f"layer `{name}` is of operation `{layer.op}`, which the graph file has not")
        if missing := [each for each in operation.required if each not in layer.attributes]:
            raise ValueError(f"layer `{name}` ({layer.op}) lacks `{missing[0]}`")
        if surplus := set(layer.attributes) - {*operation.required, *operation.defaults}:
            raise ValueError(f"layer `{name}` ({layer.op}) has `{min(surplus)}`, which that operation has not")
        pads = layer.op == "average_pool" and layer.attribute("padding") != "valid"
        if pads and layer.attribute("padding_counts") is None:
            raise ValueError(f"layer `{name}` pads and does not say whether its `padding_counts`")
        few, many = operation.inputs or 2, operation.inputs or len(layer.inputs)
        if not few <= len(layer.inputs) <= many:
            raise ValueError(f"layer `{name}` ({layer.op}) has {len(layer.inputs)} inputs, expected {few}")
        if unknown := [each for each in layer.inputs if each not in known]:
            raise ValueError(f"layer `{name}` reads `{unknown[0]}`, which is no layer before it")
        if set(layer.tensors) != set(layer.roles()):
            found, expected = sorted(layer.tensors), sorted(layer.roles())
            raise ValueError(f"layer `{name}` ({layer.op}) has tensors {found}, expected {expected}")
        for tensor in layer.tensors.values():
            if tensor not in self.tensors:
                raise ValueError(f"layer `{name}` reads tensor `{tensor}`, which is not there")
            if not np.isfinite(self.tensors[tensor]).all():
                raise ValueError(f"tensor `{tensor}` has values that are not finite")

    def document(self) -> dict[str, object]:
        """What the file's `graph` says."""
        return {
            "version": VERSION,
            "name": self.name,
            "input": {"name": self.input_name, "shape": self.input_shape, "layout": self.layout},
            "layers": [layer.document() for layer in self.layers],
            "outputs": self.outputs,
            **({"blocks": self.blocks} if self.blocks else {}),
        }

    def write(self, file: Path, **metadata: str) -> None:
        """Check the graph and write it with `metadata` beside it.

        Raises:
            ValueError: as `check`.
        """
        self.check()
        text = json.dumps(self.document(), separators=(",", ":"), allow_nan=False)
        write_safetensors(file, self.tensors, {"graph": text, **metadata})


def read_graph(file: Path) -> Graph:
    """The graph of a file that `Graph.write` made.

    Raises:
        ValueError: it is no safetensors file or has no graph, or one of another version.
    """
    try:
        with safetensors.safe_open(file, framework="numpy") as content:
            text = (content.metadata() or {}).get("graph")
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise ValueError(f"`{file}` is no safetensors file: {error}") from error
    if text is None:
        raise ValueError(f"`{file}` has no graph in its metadata")
    document = json.loads(text)
    if document["version"] != VERSION:
        raise ValueError(f"`{file}` has a graph of version {document['version']}, expected {VERSION}")
    said = document["input"]
    layers = []
    for each in document["layers"]:
        kept = {key: value for key, value in each.items() if key not in ("name", "op", "inputs", "tensors")}
        layer = Layer(each["name"], each["op"], each["inputs"], kept)
        layer.tensors = {role: f"{layer.name}.{role}" for role in layer.roles()} | each.get("tensors", {})
        layers.append(layer)
    name, layout = document.get("name", "graph"), said.get("layout", "chw")
    graph = Graph(name, said["name"], said["shape"], layout, layers, document["outputs"], tensors)
    graph.blocks = document.get("blocks", [])
    graph.check()
    return graph
