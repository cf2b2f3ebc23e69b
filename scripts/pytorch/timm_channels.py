"""Classify images with timm's networks of one and of four channels, and with the Rust program: the same answers.

A network of lively random weights is made with `in_chans` 1 or 4 and saved as the
hub would. timm reads images of many kinds by its own dataset and loader, told
`input_img_mode` L or RGBA, which average means and deviations that are those of
three channels; `senet classify --weights FOLDER` reads the same files.

    python -m scripts.pytorch.timm_channels --senet target/release/senet tests/images/photos/cat.jpg
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import timm.data
import torch
from PIL import Image
from timm.data import ImageDataset, add_img_extensions, create_loader
from torch import nn

from scripts.checks.make_test_images import png16
from scripts.command_line import errors_in_one_line
from scripts.pytorch.networks import save
from scripts.pytorch.timm_photo import TOP, Answer, compare, lively_model, our_answer, photos_parser

MODES = {1: "L", 4: "RGBA"}
"""Pillow's mode of an image, by the network's channels."""

CASES = (("seresnet50.a1_in1k", 1), ("legacy_seresnet18.in1k", 4))
"""Networks, and how many channels they are made to read."""


def files(photo: Path, folder: Path) -> None:
    """Write a photograph in files of many kinds."""
    colour = Image.open(photo).convert("RGB")
    gray = colour.convert("L")
    # Opacity that has nothing to do with the colours.
    opacity = Image.linear_gradient("L").resize(colour.size)
    indexed = colour.quantize(64)
    colour.save(folder / "rgb.png")
    colour.save(folder / "rgb.jpg", quality=90)
    gray.save(folder / "gray.jpg", quality=90)
    colour.convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    Image.merge("RGBA", (*colour.split(), opacity)).save(folder / "rgba.png")
    Image.merge("RGBA", (*colour.split(), opacity)).save(folder / "rgba.webp", lossless=True, exact=True)
    Image.merge("LA", (gray, opacity)).save(folder / "gray_alpha.png")
    indexed.save(folder / "palette.png", transparency=bytes(4 * index for index in range(64)))
    indexed.save(folder / "palette.gif", transparency=5)
    # Half of the samples below 256, where Pillow does not saturate them.
    wide = np.asarray(gray, np.uint16)[..., None] * 2
    (folder / "gray16.png").write_bytes(png16(wide, colour_type=0))


@torch.no_grad()
def timm_answers(model: nn.Module, root: Path, channels: int) -> dict[str, Answer]:
    """What timm says of each file in the folders below."""
    config = timm.data.resolve_model_data_config(model)
    config["input_size"] = (channels, *config["input_size"][1:])
    dataset = ImageDataset(str(root), input_img_mode=MODES[channels])
    loader = create_loader(
        dataset, batch_size=1, is_training=False, num_workers=0, device=torch.device("cpu"), **config
    )
    answers = {}
    for name, (pixels, _) in zip(dataset.filenames(), loader, strict=True):
        probabilities, classes = model(pixels).softmax(dim=1)[0].topk(TOP)
        answers[name] = Answer(classes.tolist(), probabilities.tolist())
    return answers


def main(words: list[str] | None = None) -> None:
    """Parse the arguments and compare."""
    arguments = photos_parser(__doc__).parse_args(words)
    # That means and deviations are averaged is what is asked for here, and of opacities in a palette.
    logging.getLogger("timm").setLevel(logging.ERROR)
    warnings.simplefilter("ignore", UserWarning)
    add_img_extensions((".gif", ".webp"))

    with errors_in_one_line(), tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for photo in arguments.photos:
            (folder / "images" / photo.stem).mkdir(parents=True)
            files(photo, folder / "images" / photo.stem)
        for name, channels in CASES:
            model = lively_model(name, arguments.seed, channels)
            weights = folder / f"{name}-{channels}"
            save("timm", model, weights)
            largest = 0.0
            answers = timm_answers(model, folder / "images", channels)
            for file, theirs in answers.items():
                try:
                    ours = our_answer(arguments.senet, weights, folder / "images" / file, False)
                    largest = max(largest, compare(ours, theirs))
                except ValueError as error:
                    raise ValueError(f"{name}, {channels} channels, {file}: {error}") from error
            print(f"{name}, {channels} channels: {len(answers)} files, differ by {largest:.1e}", flush=True)


if __name__ == "__main__":
    main()
