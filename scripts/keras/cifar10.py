"""CIFAR-10 (Krizhevsky, 2009) as the reference networks are given it: classes, preprocessing, files."""

from __future__ import annotations

import io
import math
import tarfile
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from PIL import Image

from scripts.keras import reference

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIZE = (32, 32)
# Of the training pixels, in units of 255; what the whole field uses.
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)

PREPROCESSING = {
    "size": SIZE,
    "crop_pct": 1.0,
    "crop_mode": "center",
    "interpolation": "bilinear",
    "mean": MEAN,
    "std": STD,
    "alpha": "white",
    "sixteen_bit": "scale",
    "orientation": "apply",
}
"""What a program has to do to an image file to get what `normalise` makes."""

NETWORKS = [name for name, network in reference.NETWORKS.items() if network.classes == len(LABELS)]


def load(path: Path) -> tuple[Images, Labels]:
    """All images below a folder, or in a tar file, with the class folder each lies in.

    Raises:
        ValueError: there are none, or not of CIFAR-10's size and classes.
        OSError: the path or one of the images cannot be read.
    """

    def files() -> Iterator[tuple[str, bytes]]:
        if path.is_dir():
            for file in path.rglob("*.jpg"):
                yield file.relative_to(path).as_posix(), file.read_bytes()
        else:
            if not tarfile.is_tarfile(path):
                raise ValueError(f"`{path}` is neither a folder nor a tar file")
            with tarfile.open(path) as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.name.endswith(".jpg") else None
                    if content is not None:
                        yield member.name, content.read()

    def decoded(name: str, content: bytes) -> Images:
        image = Image.open(io.BytesIO(content)).convert("RGB")
        if image.size != SIZE:
            raise ValueError(f"`{name}` in `{path}` is {image.height}x{image.width}, expected {SIZE[0]}x{SIZE[1]}")
        return np.asarray(image)

    named = sorted(files())
    if not named:
        raise ValueError(f"no .jpg files in `{path}`")
    classes = [Path(name).parent.name for name, _ in named]
    if unknown := set(classes) - set(LABELS):
        raise ValueError(f"`{path}` has a folder `{sorted(unknown)[0]}`, which is no class of CIFAR-10")
    images = np.stack([decoded(name, content) for name, content in named])
    return images, np.array([LABELS.index(name) for name in classes])


def normalise(images: Images) -> npt.NDArray[np.float32]:
    """The networks' input: channels of about mean 0 and deviation 1."""
    mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)
    return (images.astype(np.float32) / np.float32(255) - mean) / std


def accuracy(model: keras.Model, images: Images, labels: Labels) -> float:
    """Share of images whose largest logit is that of their class."""
    chunks = np.array_split(np.arange(len(images)), math.ceil(len(images) / 1000))
    found = [np.argmax(model.predict_on_batch(normalise(images[chunk])), axis=1) for chunk in chunks]
    return float(np.mean(np.concatenate(found) == labels))
