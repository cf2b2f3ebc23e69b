"""Graph files: what is written comes back, and what contradicts itself is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors

from scripts.graph_file import Graph, read_graph
from scripts.keras.interpreter import Interpreter
from scripts.safetensors_file import write_safetensors


@pytest.fixture
def graph() -> Graph:
    """Two convolutions that share their weights, a pool and a linear layer."""
    graph = Graph("small", "image", [8, 8, 4], "hwc")
    kernel = np.arange(64.0).reshape(4, 4, 2, 2)
    conv: dict[str, Any] = {"out_channels": 4, "kernel": [2, 2], "strides": [1, 1], "padding": "same", "bias": False}
    graph.add("conv", "conv", ["image"], {"weight": kernel}, **conv)
    graph.add("conv#2", "conv", ["conv"], shared={"weight": "conv.weight"}, **conv)
    graph.add("stage.pool", "max_pool", ["conv#2"], kernel=[2, 2], strides=[2, 2])
    graph.add("stage.pool/mean", "global_average_pool", ["stage.pool"])
    graph.add("fc", "linear", ["stage.pool/mean"], {"weight": np.ones((3, 4)), "bias": np.zeros(3)}, out_channels=3)
    graph.outputs = ["fc"]
    graph.blocks = ["stage"]
    return graph


def test_what_is_written_comes_back(graph: Graph, tmp_path: Path) -> None:
    file = tmp_path / "graph.safetensors"
    graph.write(file, labels='["a", "b", "c"]')
    read = read_graph(file)
    assert read.document() == graph.document()
    assert [layer.tensors for layer in read.layers] == [layer.tensors for layer in graph.layers]
    assert read.tensors.keys() == graph.tensors.keys()
    for name, tensor in graph.tensors.items():
        np.testing.assert_array_equal(read.tensors[name], tensor)
        assert read.tensors[name].dtype == np.float32


def test_what_another_program_left_out_is_as_it_is_by_default(graph: Graph, tmp_path: Path) -> None:
    file = tmp_path / "a folder" / "that is not there" / "graph.safetensors"
    document = graph.document()
    del document["name"]
    document["input"] = {"name": "image", "shape": [4, 8, 8]}
    layers: Any = document["layers"]
    layers[0]["rounding"] = "ceil"
    write_safetensors(file, graph.tensors, {"graph": json.dumps(document)})
    read = read_graph(file)
    assert (read.name, read.layout) == ("graph", "chw")
    assert [layer.attribute("rounding") for layer in read.layers[:2]] == ["ceil", "floor"]
    x = np.zeros((1, 4, 8, 8))
    with pytest.raises(ValueError, match="`conv` rounds up, which no model of Keras does"):
        Interpreter(read, x).step(read.layers[0])


def test_what_is_by_default_is_left_out(graph: Graph) -> None:
    layers = {layer.name: layer.document() for layer in graph.layers}
    conv = {"op": "conv", "out_channels": 4, "kernel": [2, 2], "padding": "same", "bias": False}
    assert layers["conv"] == {"name": "conv", "inputs": ["image"], **conv}
    assert layers["conv#2"] == {"name": "conv#2", "inputs": ["conv"], **conv, "tensors": {"weight": "conv.weight"}}
    assert layers["stage.pool"] == {"name": "stage.pool", "op": "max_pool", "inputs": ["conv#2"], "kernel": [2, 2]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g.add("conv", "relu", ["image"]), "called `conv`"),
        (lambda g: g.add("image", "relu", ["conv"]), "called `image`"),
        (lambda g: g.add("", "relu", ["conv"]), "has no name"),
        (lambda g: g.add("x", "sine", ["conv"]), "`x` is of operation `sine`"),
        (lambda g: g.add("x", "leaky_relu", ["conv"]), r"`x` \(leaky_relu\) lacks `slope`"),
        (lambda g: g.add("x", "relu", ["conv"], slope=1), "has `slope`, which that operation has not"),
        (lambda g: g.add("x", "relu", ["y"]), "reads `y`, which is no layer before it"),
        (lambda g: g.add("x", "add", ["conv"]), "has 1 inputs, expected 2"),
        (lambda g: g.add("x", "concat", ["conv"]), "has 1 inputs, expected 2"),
        (lambda g: g.add("x", "average_pool", ["conv"], kernel=[2, 2], padding="same"), "`padding_counts`"),
        (lambda g: g.add("x", "affine", ["conv"], {"weight": np.ones(4)}), r"\['weight'\], expected \['bias', 'w"),
        (lambda g: g.add("x", "affine", ["conv"], shared={"bias": "y"}, weight=False), "`y`, which is not there"),
        (lambda g: g.add("x", "affine", ["conv"], {"bias": np.array([np.nan])}, weight=False), "not finite"),
        (lambda g: g.tensors.update(y=np.ones(1)), "`y` is read by no layer"),
        (lambda g: g.outputs.clear(), "no output"),
        (lambda g: g.outputs.append("y"), "output `y` is no layer"),
        (lambda g: g.outputs.append("fc"), "output `fc` is there twice"),
        (lambda g: g.blocks.append("con"), "block `con` has no layer"),
    ],
)
def test_what_contradicts_itself_is_refused(
    graph: Graph, change: Callable[[Graph], object], message: str, tmp_path: Path
) -> None:
    graph.check()
    change(graph)
    with pytest.raises(ValueError, match=message):
        graph.write(tmp_path / "graph.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_file_without_a_graph_of_this_version_is_refused(graph: Graph, tmp_path: Path) -> None:
    file = tmp_path / "file.safetensors"
    file.write_text("no tensors")
    with pytest.raises(ValueError, match="is no safetensors file"):
        read_graph(file)
    write_safetensors(file, {"x": np.ones(1, np.float32)}, {})
    with pytest.raises(ValueError, match="has no graph"):
        read_graph(file)
    document = json.dumps({**graph.document(), "version": 2})
    write_safetensors(file, graph.tensors, {"graph": document})
    with pytest.raises(ValueError, match="of version 2, expected 1"):
        read_graph(file)
    with safetensors.safe_open(file, framework="numpy") as content:
        assert json.loads(content.metadata()["graph"])["version"] == 2
