"""Compare the vectors of `senet classify --features` with timm's networks without a classifier.

For each of timm's names with a tag a network of lively random weights is saved
as the hub would, once whole and once after `reset_classifier(0)`, and run on
photographs saved without loss: by PyTorch behind timm's own transform, and by
`senet classify --weights FOLDER --features FILE.npy`, of which both folders
have to give the vectors that timm's network without a classifier puts out.

    python -m scripts.pytorch.timm_features --senet target/release/senet tests/images/photos/cat.jpg
"""

from __future__ import annotations

import copy
import subprocess
import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import timm.data
import torch
from PIL import Image
from torch import nn

from scripts.command_line import errors_in_one_line
from scripts.pytorch.networks import save
from scripts.pytorch.timm_photo import lively_model, photos_parser, without_loss

TOLERANCE = 1e-4
"""The largest difference from double precision, as a share of the largest number of a photograph's vector.

Single precision is off by some 1e-5 of it behind a hundred layers, as parity
finds; a vector of another layer or another order of channels by about 1.
"""

TIMES_PYTORCH = 8.0
"""How many times as far off as PyTorch's own single precision a vector may be, where that is more.

Lively weights amplify what is rounded for some photographs: of efficientnet_b0
PyTorch was off by 4e-4 for one, and this program by 1e-4 and, on candle, 5e-4.
"""

CASES = (
    "seresnet50.a1_in1k",
    "legacy_seresnet18.in1k",
    "efficientnet_b0.ra_in1k",
    "mobilenetv3_large_100.ra_in1k",
    "ghostnet_100.in1k",
    "repvit_m1.dist_in1k",
    "vgg16_bn.tv_in1k",
)
"""Networks whose vectors lie behind a pool, behind a dense layer and before a batch norm of two classifiers."""

Vectors = npt.NDArray[np.floating[Any]]


@torch.no_grad()
def timm_vectors(model: nn.Module, photos: list[Path]) -> tuple[Vectors, float]:
    """A vector for each photograph in double precision, and by which share of it single precision is off."""
    config = timm.data.resolve_model_data_config(model)
    transform = timm.data.create_transform(**config, is_training=False)
    pixels = torch.stack([transform(Image.open(photo).convert("RGB")) for photo in photos])
    single: Vectors = model(pixels).numpy()
    vectors: Vectors = copy.deepcopy(model).double()(pixels.double()).numpy()
    return vectors, share_off(single, vectors)


def share_off(found: Vectors, expected: Vectors) -> float:
    """The largest difference, as a share of the largest number of the photograph's own vector."""
    largest = np.abs(expected).max(axis=1, keepdims=True)
    return float((np.abs(found - expected) / largest).max())


def our_vectors(senet: Path, weights: Path, photos: list[Path], output: Path) -> Vectors:
    """What the program writes.

    Raises:
        ValueError: it failed.
    """
    command: list[str | Path] = [senet.resolve(), "classify", "--weights", weights, *photos]
    command += ["--features", output, "--overwrite"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"`senet classify` ended with {done.returncode}: {done.stderr.strip()}")
    vectors: Vectors = np.load(output)
    return vectors


def compare(ours: Vectors, theirs: Vectors, by_pytorch: float) -> float:
    """By which share the program is off, where PyTorch in single precision is by that of `by_pytorch`.

    Raises:
        ValueError: other shapes, or a difference beyond the tolerance.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"vectors of shape {ours.shape}, timm's are {theirs.shape}")
    tolerance = max(TOLERANCE, TIMES_PYTORCH * by_pytorch)
    difference = share_off(ours, theirs)
    if not difference <= tolerance:
        raise ValueError(f"vectors differ by {difference:.1e} of the largest number, expected at most {tolerance:.1e}")
    return difference


def main(words: list[str] | None = None) -> None:
    arguments = photos_parser(__doc__).parse_args(words)

    with errors_in_one_line(), tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        photos = without_loss(arguments.photos, folder)
        for name in CASES:
            model = lively_model(name, arguments.seed)
            save("timm", model, folder / name)
            cast(Any, model).reset_classifier(0)
            headless = folder / f"{name}-headless"
            save("timm", model, headless)
            theirs, by_pytorch = timm_vectors(model, photos)
            for kind, weights in (("whole", folder / name), ("without classifier", headless)):
                try:
                    ours = our_vectors(arguments.senet, weights, photos, folder / "vectors.npy")
                    difference = compare(ours, theirs, by_pytorch)
                except ValueError as error:
                    raise ValueError(f"{name}, {kind}: {error}") from error
                off = f"off by {difference:.1e}, PyTorch by {by_pytorch:.1e}"
                print(f"{name}, {kind}: {ours.shape[1]} numbers, {off}", flush=True)


if __name__ == "__main__":
    main()
