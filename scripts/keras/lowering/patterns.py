"""What is written in several layers and is one: activations spelt out, grouped convolutions in slices.

A recognised layer is called as the last of those that it was.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from scripts.graph_file import Graph, Layer

SIXTH = 1e-6
"""How far a factor may be from a sixth: it may be written out, or be a number of float32."""


class View:
    """Layers by name and how often each is read."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.layers = {layer.name: layer for layer in graph.layers}
        self.reads = Counter(name for layer in graph.layers for name in layer.inputs)
        self.reads.update(graph.outputs)

    def before(self, layer: Layer, op: str, index: int = 0) -> Layer | None:
        """The layer of an operation that is input of this one, and is read by nothing else."""
        found = self.layers.get(layer.inputs[index])
        return found if found and found.op == op and self.reads[found.name] == 1 else None

    def becomes(self, layer: Layer, op: str, inputs: list[str], without: list[Layer], **attributes: Any) -> None:
        """Let a layer be another operation, and those `without` which it does then be gone."""
        layer.op, layer.inputs, layer.attributes, layer.tensors = op, inputs, attributes, {}
        for each in without:
            del self.layers[each.name]
        gone = {each.name for each in without}
        self.graph.layers = [each for each in self.graph.layers if each.name not in gone]
        self.reads = Counter(name for each in self.graph.layers for name in each.inputs)
        self.reads.update(self.graph.outputs)


def recognise(graph: Graph) -> None:
    """Recognise what there is, in place."""
    for pattern in (hard_sigmoid, hard_swish, silu, grouped_convolution):
        view = View(graph)
        for layer in list(graph.layers):
            if layer.name in view.layers:
                pattern(view, layer)
    read = {tensor for layer in graph.layers for tensor in layer.tensors.values()}
    graph.tensors = {name: tensor for name, tensor in graph.tensors.items() if name in read}


def is_sixth(layer: Layer) -> bool:
    return layer.op == "multiply" and abs(layer.attributes["factor"] - 1 / 6) < SIXTH


def shifted_relu6(view: View, relu6: Layer | None) -> tuple[str, list[Layer]] | None:
    """The x of relu6(x + 3), and the layers that compute it."""
    shift = relu6 and view.before(relu6, "affine")
    if not relu6 or not shift or shift.attributes.get("weight", True):
        return None
    if not np.all(view.graph.tensors[shift.tensors["bias"]] == 3.0):
        return None
    return shift.inputs[0], [shift, relu6]


def hard_sigmoid(view: View, layer: Layer) -> None:
    """relu6(x + 3) / 6."""
    if is_sixth(layer) and (found := shifted_relu6(view, view.before(layer, "relu6"))):
        view.becomes(layer, "hard_sigmoid", [found[0]], found[1])


def product_with(view: View, layer: Layer, op: str) -> tuple[str, Layer] | None:
    """The x of a product of x and an operation that nothing else reads, and that operation."""
    if layer.op not in ("product", "scale"):
        return None
    for index in (0, 1):
        if (found := view.before(layer, op, index)) and layer.inputs[0] != layer.inputs[1]:
            return layer.inputs[1 - index], found
    return None


def hard_swish(view: View, layer: Layer) -> None:
    """x * hard_sigmoid(x), or x * relu6(x + 3) / 6."""
    if (found := product_with(view, layer, "hard_sigmoid")) and found[1].inputs == [found[0]]:
        view.becomes(layer, "hard_swish", [found[0]], [found[1]])
    elif is_sixth(layer):
        for op in ("product", "scale"):
            product = view.before(layer, op)
            inner = product and product_with(view, product, "relu6")
            shifted = inner and shifted_relu6(view, inner[1])
            if product and inner and shifted and shifted[0] == inner[0]:
                view.becomes(layer, "hard_swish", [inner[0]], [*shifted[1], product])
                return


def silu(view: View, layer: Layer) -> None:
    """x * sigmoid(x)."""
    if (found := product_with(view, layer, "sigmoid")) and found[1].inputs == [found[0]]:
        view.becomes(layer, "silu", [found[0]], [found[1]])


def grouped_convolution(view: View, layer: Layer) -> None:
    """Equal slices of all channels, a convolution of each and a concatenation."""
    if layer.op != "concat" or len(set(layer.inputs)) != len(layer.inputs):
        return
    convs = [view.before(layer, "conv", index) for index in range(len(layer.inputs))]
    slices = [conv and view.before(conv, "slice") for conv in convs]
    if not all(convs) or not all(slices):
        return
    parts = [each for each in slices if each]
    branches = [each for each in convs if each]
    channels = parts[0].attributes["channels"]
    tensors = view.graph.tensors
    first = branches[0]
    alike = all(
        part.inputs == parts[0].inputs
        and part.attributes == {"first": index * channels, "channels": channels}
        and conv.attributes == first.attributes
        for index, (part, conv) in enumerate(zip(parts, branches, strict=True))
    )
    if not alike or first.attributes.get("groups", 1) != 1 or not is_whole(view, parts):
        return
    stacked = {role: np.concatenate([tensors[conv.tensors[role]] for conv in branches]) for role in first.tensors}
    groups = len(branches)
    attributes = {**first.attributes, "out_channels": groups * first.attributes["out_channels"], "groups": groups}
    view.becomes(layer, "conv", list(parts[0].inputs), [*branches, *parts], **attributes)
    for role, tensor in stacked.items():
        layer.tensors[role] = f"{layer.name}.{role}"
        tensors[layer.tensors[role]] = tensor


def is_whole(view: View, parts: list[Layer]) -> bool:
    """Whether slices are all channels of what they are of."""
    return channels_of(view, parts[0].inputs[0]) == sum(part.attributes["channels"] for part in parts)


def channels_of(view: View, name: str) -> int | None:
    """The channels of a map."""
    while layer := view.layers.get(name):
        if layer.op in ("conv", "linear"):
            return int(layer.attributes["out_channels"])
        if layer.op == "slice":
            return int(layer.attributes["channels"])
        if layer.op == "pad_channels":
            before = channels_of(view, layer.inputs[0])
            return None if before is None else before + int(layer.attributes["channels"])
        if layer.op == "concat":
            parts = [channels_of(view, each) for each in layer.inputs]
            return None if None in parts else sum(each for each in parts if each is not None)
        if layer.op in ("flatten", "unflatten", "space_to_depth"):
            return None
        name = layer.inputs[0]
    return view.graph.input_shape[0 if view.graph.layout == "chw" else -1]
