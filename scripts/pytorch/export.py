"""A CNN in PyTorch, whoever wrote it, as one file that says what it computes: graph and weights.

    python -m scripts.pytorch.export timm:seresnet50 --output seresnet50.safetensors
    python -m scripts.pytorch.export my_net.py:MyNet --weights my_net.pth --output my_net.safetensors

Layers are called as the model's modules are; what a module computes between them `module/add`. The graph is run again
and held against the model before the file is written. What no graph can say is refused, all of it in one line.
"""

from __future__ import annotations

import argparse
import json
from importlib.metadata import version
from pathlib import Path

from scripts.command_line import errors_in_one_line
from scripts.graph_metadata import add_metadata_options, metadata_of
from scripts.pytorch.lowering.model import Lowered, lower
from scripts.pytorch.models import Model, add_model_arguments, model_of
from scripts.pytorch.replay import check_replay
from scripts.pytorch.tracing import Traced, trace


def exported(model: Model) -> tuple[Traced, Lowered, float]:
    """A model's calls and their graph, and how far the graph's layers are from the calls.

    Raises:
        ValueError: it does what no graph can say, or its graph computes something else.
    """
    traced = trace(model.module, model.input_shape)
    lowered = lower(traced, model.name)
    return traced, lowered, check_replay(traced, lowered)


def write(lowered: Lowered, file: Path, **metadata: str) -> None:
    """Write the graph's file.

    Raises:
        ValueError: the graph is not as it should be.
    """
    lowered.graph.write(file, versions=json.dumps({"torch": version("torch")}), **metadata)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.safetensors", help="the file to write")
    add_metadata_options(parser)
    arguments = parser.parse_args(words)
    with errors_in_one_line():
        model = model_of(arguments)
        traced, lowered, error = exported(model)
        shapes = [list(node.meta["val"].shape) for node in traced.outputs]
        write(lowered, arguments.output, **metadata_of(arguments, shapes))
    graph = lowered.graph
    print(
        f"{arguments.output}: {graph.name}, {len(graph.layers)} layers, {len(graph.tensors)} tensors; "
        f"input {'x'.join(map(str, graph.input_shape))}, weights {model.weights}; "
        f"layers within {error:.0e} of PyTorch's"
    )


if __name__ == "__main__":
    main()
