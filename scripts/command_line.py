"""What the command lines of these scripts have in common."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager


def parse_size(text: str) -> tuple[int, int]:
    """`HxW` as (height, width), for argparse."""
    try:
        height, width = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH such as 224x224, found `{text}`") from None
    if height < 1 or width < 1:
        raise argparse.ArgumentTypeError(f"height and width must be at least 1, found `{text}`")
    return height, width


def parse_count(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found `{text}`")
    return int(text)


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """End the program with `error: ...` and status 1 where a file is missing or not what it should be."""
    try:
        yield
    except (OSError, ValueError) as error:
        # Keras explains some errors over many lines; the first says what is wrong.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise SystemExit(f"error: {lines[0]}") from error
