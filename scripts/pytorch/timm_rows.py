"""Classify photographs with timm, and write rows as `senet classify --format csv` does.

The weights are a file of this program's with timm's names, whose metadata says the network and how images are prepared.
The network is timm's, computed by PyTorch in float32, behind the transform that timm makes of the same description.

    python -m scripts.pytorch.timm_rows weights/efficientnet_lite0.safetensors photos/ --output timm.csv
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import safetensors
import timm
import timm.data
import torch
from PIL import Image
from torch import nn

from scripts.command_line import errors_in_one_line, parse_count

IMAGES = {".jpeg", ".jpg", ".png"}

Transform = Callable[[Image.Image], torch.Tensor]


def read(weights: Path) -> tuple[nn.Module, Transform, list[str]]:
    """The network with the weights of a file, in float32 whatever type they are of there, timm's transform for it, and
    its classes' names.

    Raises:
        ValueError: a file that does not say enough, or that has other tensors than timm's network.
    """
    with safetensors.safe_open(weights, framework="pt") as content:
        metadata = content.metadata() or {}
        tensors = {name: content.get_tensor(name).float() for name in content.keys()}  # noqa: SIM118
    if missing := [key for key in ("network", "preprocessing", "labels") if key not in metadata]:
        raise ValueError(f"`{weights}` has no metadata `{missing[0]}`")
    labels: list[str] = json.loads(metadata["labels"])
    model: nn.Module = timm.create_model(metadata["network"], pretrained=False, num_classes=len(labels)).eval()
    try:
        model.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise ValueError(f"`{weights}` does not fit timm's {metadata['network']}: {error}") from error
    described = json.loads(metadata["preprocessing"])
    transform = timm.data.create_transform(
        input_size=(3, *described["size"]),
        interpolation=described["interpolation"],
        mean=described["mean"],
        std=described["std"],
        crop_pct=described["crop_pct"],
        crop_mode=described["crop_mode"],
        is_training=False,
    )
    return model, transform, labels


@torch.no_grad()
def rows(
    model: nn.Module, transform: Transform, labels: list[str], photos: Iterable[Path], top: int
) -> Iterable[dict[str, object]]:
    """A row for each photograph, computed alone."""
    for photo in photos:
        with Image.open(photo) as image:
            pixels = transform(image.convert("RGB"))
        logits = model(pixels[None])[0]
        probabilities = logits.softmax(dim=0)
        row: dict[str, object] = {"input": str(photo)}
        for place, number in enumerate(logits.topk(top).indices.tolist(), start=1):
            row[f"class_{place}"] = number
            row[f"label_{place}"] = labels[number]
            row[f"probability_{place}"] = f"{probabilities[number].item():.9g}"
            row[f"logit_{place}"] = f"{logits[number].item():.9g}"
        yield row | {"error": ""}


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, metavar="FILE.safetensors")
    parser.add_argument("folder", type=Path, help="photographs, all that lie in it")
    parser.add_argument("--output", type=Path, required=True, metavar="ROWS.csv", help="the file to write")
    parser.add_argument("--top-k", type=parse_count, default=5, help="classes of each (%(default)s)")
    arguments = parser.parse_args(words)
    with errors_in_one_line():
        photos = sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in IMAGES)
        if not photos:
            raise ValueError(f"`{arguments.folder}` has no photographs")
        model, transform, labels = read(arguments.weights)
        answers = rows(model, transform, labels, photos, arguments.top_k)
        with arguments.output.open("w", newline="", encoding="utf-8") as file:
            for place, row in enumerate(answers):
                if place == 0:
                    writer = csv.DictWriter(file, row, lineterminator="\n")
                    writer.writeheader()
                writer.writerow(row)


if __name__ == "__main__":
    main()
