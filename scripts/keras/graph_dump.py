"""The dump of any Keras model: what the framework computes, by the names of the model's graph file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from scripts.graph_file import Graph
from scripts.keras.checked_export import Checked, as_graph_has_it, layers_by_call
from scripts.keras.interpreter import Array
from scripts.keras.lowering.network import Source
from scripts.keras.tracing.calls import Call, replay
from scripts.keras.tracing.hooks import convolving_uncompiled
from scripts.keras.weights_file import versions
from scripts.safetensors_file import write_safetensors


def wanted(graph: Graph, which: str) -> dict[str, list[str]]:
    """By layer, the names that its value gets in a dump of `all` layers, of the `blocks` or of the `output` alone."""
    names: dict[str, list[str]] = {}
    if which == "all":
        names = {layer.name: [layer.name] for layer in graph.layers}
    if which in ("all", "blocks"):
        for block in graph.blocks:
            last = [layer.name for layer in graph.layers if layer.name.startswith((f"{block}.", f"{block}/"))][-1]
            names.setdefault(last, []).append(block)
    return names


def computed(checked: Checked, x: Any, which: str = "all") -> dict[str, Array]:
    """What the calls of the traced model compute for an input of the traced shape, and `output`.

    Values are as Keras has them, but for vectors: one that the graph has as a map of a pixel is that, a flattened map
    is in the graph's order.

    Raises:
        ValueError: a layer has the name of what else is in a dump.
    """
    graph, sources = checked.graph, checked.lowered.sources
    names = wanted(graph, which)
    dumped: dict[str, Array] = {}
    of_call = layers_by_call(checked.lowered)

    def watch(call: Call, values: dict[int, Any]) -> None:
        for source, name in of_call.get(id(call), []):
            for given in names.get(name, []):
                dumped[given] = shaped(values[source.tensor], source, graph)

    with convolving_uncompiled():
        outputs = replay(checked.trace, x, watch)
    dumped_output = shaped(outputs[0], sources[graph.outputs[0]], graph)
    if "input" in dumped or ("output" in dumped and not np.array_equal(dumped["output"], dumped_output)):
        raise ValueError(f"`{graph.name}` has a layer called `input` or `output` that is not: a dump has these itself")
    return {**dumped, "output": dumped_output}


def shaped(value: Any, source: Source, graph: Graph) -> Array:
    array = as_graph_has_it(value, source)
    return array.transpose(0, 3, 1, 2) if source.as_pixel and graph.layout == "chw" else array


def write(file: Path, graph: Graph, x: Any, values: dict[str, Array], store: str) -> None:
    """Write a dump for `senet parity`."""
    used = versions()
    metadata = {
        "layout": "nhwc" if graph.layout == "hwc" else "nchw",
        "framework": f"keras {used['keras']} tensorflow {used['tensorflow']} {keras.config.floatx()}",
        "network": graph.name,
    }
    tensors = {name: np.ascontiguousarray(value, dtype=store) for name, value in values.items()}
    write_safetensors(file, {"input": np.asarray(x, np.float32), **tensors}, metadata)
