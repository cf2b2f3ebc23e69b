"""Image files that decoders are known to read wrongly, made: by Pillow where it can, by hand where it cannot."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.checks.odd_files import bmp, gif, jpeg, png, tiff, webp
from scripts.checks.odd_files.made import Made

__all__ = ["Made", "made_files"]


def made_files() -> Iterator[Made]:
    """Every file, the same in every run."""
    for format_ in (bmp, gif, jpeg, png, tiff, webp):
        yield from format_.files()
