"""Classify photographs with timm and with the Rust program: the same classes, the same probabilities.

For each of timm's names with a tag, whose `config.json` says how images are
prepared, a network of lively random weights is saved as the hub would, and run
on photographs saved without loss: by PyTorch behind timm's own transform, and
by `senet classify --weights FOLDER`.

    python -m scripts.pytorch.timm_photo --senet target/release/senet tests/images/photos/cat.jpg
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import timm
import timm.data
import torch
from PIL import Image
from torch import nn

from scripts.command_line import errors_in_one_line
from scripts.liveliness import CALIBRATION_IMAGES
from scripts.pytorch.lively import enliven
from scripts.pytorch.networks import save
from scripts.structured_images import structured_images

TOLERANCE = 1e-3
"""The largest difference of a probability, as a share of it.

Logits differ by 1e-5 of the largest, about 20 here, which changes a probability
by 2e-4 of itself. A pixel that is off by a level changes far more.
"""

SHARPNESS = 8.0
"""What logits are multiplied by, so that some classes are likelier than others, as after training."""

TOP = 5

CASES = (
    ("seresnet50.a1_in1k", False),
    ("seresnet50.a1_in1k", True),
    ("seresnet50.ra2_in1k", False),
    ("seresnet50.a3_in1k", False),
    ("seresnet50.a3_in1k", True),
    ("legacy_seresnet18.in1k", False),
    ("seresnext26t_32x4d.bt_in1k", True),
)
"""Names with tags, of one network among them that are prepared for in different ways; and whether at the test size."""


@dataclass(frozen=True)
class Answer:
    """The likeliest classes, and how likely they are."""

    classes: list[int]
    probabilities: list[float]


def lively_model(name: str, seed: int, channels: int = 3) -> nn.Module:
    torch.manual_seed(seed)
    model: nn.Module = timm.create_model(name, pretrained=False, in_chans=channels).eval()
    random = np.random.default_rng(seed)
    enliven(model, random, structured_images(random, CALIBRATION_IMAGES, (96, 96), channels))
    *_, classifier = (module for module in model.modules() if isinstance(module, nn.Linear))
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.mul_(SHARPNESS)
    return model


@torch.no_grad()
def timm_answer(model: nn.Module, photo: Path, test_size: bool) -> Answer:
    config = timm.data.resolve_model_data_config(model, use_test_size=test_size)
    transform = timm.data.create_transform(**config, is_training=False)
    pixels = transform(Image.open(photo).convert("RGB"))
    probabilities, classes = model(pixels[None]).softmax(dim=1)[0].topk(TOP)
    return Answer(classes.tolist(), probabilities.tolist())


def our_answer(senet: Path, weights: Path, photo: Path, test_size: bool) -> Answer:
    """What the program says.

    Raises:
        ValueError: it failed.
    """
    command: list[str | Path] = [senet.resolve(), "classify", "--weights", weights, photo, "--format", "ndjson"]
    command += ["--top-k", str(TOP), *["--test-size"] * test_size]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"`senet classify` ended with {done.returncode}: {done.stderr.strip()}")
    top = json.loads(done.stdout)["top"]
    return Answer([entry["class"] for entry in top], [entry["probability"] for entry in top])


def compare(ours: Answer, theirs: Answer) -> float:
    """The largest difference of a probability, as a share of it.

    Raises:
        ValueError: other classes, or a difference beyond the tolerance.
    """
    difference = max(abs(a - b) / b for a, b in zip(ours.probabilities, theirs.probabilities, strict=True))
    if ours.classes != theirs.classes:
        raise ValueError(f"classes {ours.classes}, timm has {theirs.classes}")
    if not difference <= TOLERANCE:
        raise ValueError(f"probabilities {ours.probabilities}, timm has {theirs.probabilities}")
    return difference


def photos_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser for photographs, the program and a seed."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="+", metavar="PHOTO")
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("--seed", type=int, default=0, help="of the weights (%(default)s)")
    return parser


def without_loss(photos: list[Path], folder: Path) -> list[Path]:
    """Save photographs so that every decoder finds the same pixels, and return where."""
    saved = []
    for photo in photos:
        saved.append(folder / f"{photo.stem}.png")
        Image.open(photo).convert("RGB").save(saved[-1])
    return saved


def main(words: list[str] | None = None) -> None:
    arguments = photos_parser(__doc__).parse_args(words)

    with errors_in_one_line(), tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        lossless = without_loss(arguments.photos, folder)
        for name, test_size in CASES:
            model = lively_model(name, arguments.seed)
            weights = folder / f"{name}-{test_size}"
            save("timm", model, weights)
            for photo in lossless:
                size = " at the test size" if test_size else ""
                try:
                    theirs = timm_answer(model, photo, test_size)
                    difference = compare(our_answer(arguments.senet, weights, photo, test_size), theirs)
                except ValueError as error:
                    raise ValueError(f"{name}{size}, {photo.name}: {error}") from error
                likeliest = theirs.probabilities[0]
                print(f"{name}{size}, {photo.name}: likeliest {likeliest:.3f}, differs by {difference:.1e}", flush=True)


if __name__ == "__main__":
    main()
