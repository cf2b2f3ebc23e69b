"""What a made file is."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image


@dataclass(frozen=True)
class Made:
    """A file, and how it should come out."""

    name: str
    data: bytes
    expected: str = "same"
    """The outcome; `same, damaged` where senet reads it with `--damaged accept` alone."""
    why: str = ""
    """Why another outcome than `same` is right."""


def noise(height: int, width: int, channels: int = 3) -> npt.NDArray[np.uint8]:
    """Samples of which nothing can be guessed from the neighbours, the same in every run."""
    generator = np.random.default_rng(height * 100_003 + width * 101 + channels)
    return generator.integers(0, 256, (height, width, channels), np.uint8)


def noise_image(height: int, width: int) -> Image.Image:
    """Noise in colour."""
    return Image.fromarray(noise(height, width))


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of `image` as a file of a kind."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
