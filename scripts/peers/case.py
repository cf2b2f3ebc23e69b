"""A network for every program that takes part: weights, ONNX files and what float64 makes of the input.

    python -m peers.case seresnet50 --folder FOLDER --batches 1,8

A process of its own, whose memory goes back before anything is timed.
"""

from __future__ import annotations

import argparse
import copy
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

from scripts.liveliness import CALIBRATION_IMAGES, check_lively
from scripts.peers.networks import NETWORKS, parse_numbers
from scripts.pytorch.comparison import relative_error
from scripts.pytorch.lively import enliven, observe, tensor_of
from scripts.pytorch.networks import build, save
from scripts.structured_images import structured_images

SEED = 0
"""Of weights and images."""


@dataclass(frozen=True)
class Facts:
    """What is known of a case before anybody runs it."""

    float32: dict[int, float]
    """The error of the logits of PyTorch, a module at a time in float32, by batch."""


def export(model: nn.Module, images: torch.Tensor, file: Path) -> None:
    """Write the network for inputs of this shape, constants folded, batch norms in the convolutions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (images,), file, dynamo=True, external_data=False, verbose=False)


def prepare(name: str, folder: Path, batches: list[int]) -> Facts:
    """Fill the folder.

    Raises:
        ValueError: errors could hide in what was drawn.
    """
    network = NETWORKS[name]
    count = max([*batches, CALIBRATION_IMAGES])
    size = (network.size, network.size)
    random = np.random.default_rng(SEED)
    images = structured_images(random, count, size, 3)
    model = build(network.publisher, name, SEED)
    enliven(model, random, images)
    save(network.publisher, model, folder)
    exact = observe(copy.deepcopy(model).double(), images[: max(2, *batches)])
    # Of two images, as everywhere: of eight some pair may be alike.
    check_lively(exact.gates(), exact.output[:2])
    float32 = {}
    for batch in batches:
        inputs = tensor_of(images[:batch])
        export(model, inputs, folder / f"model-{batch}.onnx")
        output = np.ascontiguousarray(exact.output[:batch])
        float32[batch] = relative_error(observe(model, images[:batch]).output, output)
        metadata = {"layout": "nchw", "framework": f"pytorch {torch.__version__} float64"}
        save_file({"input": inputs.numpy(), "output": output}, folder / f"reference-{batch}.safetensors", metadata)
    return Facts(float32)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--batches", type=parse_numbers, required=True)
    arguments = parser.parse_args(words)
    facts = prepare(arguments.network, arguments.folder, arguments.batches)
    (arguments.folder / "facts.json").write_text(json.dumps(asdict(facts)))


if __name__ == "__main__":
    main()
