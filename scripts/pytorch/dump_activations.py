"""Run a model and write every layer's value in float64, under the names of its exported graph, for `senet parity`.

    python -m scripts.pytorch.dump_activations timm:seresnet50 --output reference.safetensors
    senet parity --weights seresnet50.safetensors --reference reference.safetensors

The values are those of PyTorch's own calls as the model makes them, not of the graph. The same words for the model, and
without weights the same `--seed`, as for the export give the same network.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import fx

from scripts.command_line import errors_in_one_line, parse_count
from scripts.pytorch.lowering.model import Lowered, lower
from scripts.pytorch.models import add_model_arguments, model_of
from scripts.pytorch.tracing import BATCH, Traced, run_calls, trace
from scripts.safetensors_file import write_safetensors
from scripts.structured_images import Images, structured_images

Values = dict[str, npt.NDArray[np.float64]]


def values_of(traced: Traced, lowered: Lowered, images: Images, dtype: torch.dtype = torch.float64) -> Values:
    """Every layer's value for NCHW images by the graph's names, from PyTorch's calls in that precision."""
    parts: list[Values] = []
    for first in range(0, len(images), BATCH):
        some = images[first : first + BATCH]
        # The calls are recorded for so many images.
        full = np.concatenate([some, np.repeat(some[-1:], BATCH - len(some), axis=0)])
        values: Values = {}

        def keep(node: fx.Node, result: torch.Tensor, values: Values = values, count: int = len(some)) -> None:
            for name, view in lowered.shows.get(node, ()):
                # A copy: what follows may change the tensor in place.
                values[name] = view.to_whole(result)[:count].double().numpy().copy()

        run_calls(traced, full, keep, dtype)
        parts.append(values)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def write_dump(file: Path, lowered: Lowered, images: Images, values: Values) -> None:
    """Write what goes in and every layer's value, in the graph's order; the first output is `output`."""
    graph = lowered.graph
    named: Iterable[tuple[str, npt.NDArray[np.floating]]] = (
        ("input", images),
        ("output", values[graph.outputs[0]]),
        *((layer.name, values[layer.name]) for layer in graph.layers if layer.name in values),
    )
    metadata = {
        "layout": "nchw",
        "framework": f"pytorch {torch.__version__} float64",
        "network": graph.name,
    }
    write_safetensors(file, {name: np.ascontiguousarray(value) for name, value in named}, metadata)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.safetensors", help="the dump to write")
    parser.add_argument("--images", type=parse_count, default=2, metavar="N", help="how many go in (%(default)s)")
    parser.add_argument("--image-seed", type=int, default=0, metavar="N", help="of the images (%(default)s)")
    arguments = parser.parse_args(words)
    with errors_in_one_line():
        model = model_of(arguments)
        traced = trace(model.module, model.input_shape)
        lowered = lower(traced, model.name)
        random = np.random.default_rng(arguments.image_seed)
        drawn = structured_images(random, arguments.images, (model.height, model.width), model.channels)
        images = np.ascontiguousarray(drawn.transpose(0, 3, 1, 2))
        values = values_of(traced, lowered, images)
        write_dump(arguments.output, lowered, images, values)
    print(
        f"{arguments.output}: {lowered.graph.name}, {len(values)} of {len(lowered.graph.layers)} layers; "
        f"{arguments.images} images, weights {model.weights}"
    )


if __name__ == "__main__":
    main()
