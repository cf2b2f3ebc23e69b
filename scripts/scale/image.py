"""What goes through a process of the program, and what comes out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """Why there is no image where one should be."""

    message: str


@dataclass(frozen=True)
class Image:
    """An input: what its row is called, and the bytes of its file, or where these are."""

    name: str
    content: bytes | Path | Problem


@dataclass(frozen=True)
class Row:
    """The answer for one input: the likeliest classes first, or an error and no class."""

    name: str
    error: str | None = None
    classes: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    logits: list[float] = field(default_factory=list)


def shown(path: str | Path) -> str:
    """A path as rows of `senet classify` name it: a byte that is not UTF-8 as `\\xff`, a backslash as two."""
    return os.fsencode(path).replace(b"\\", b"\\\\").decode(errors="backslashreplace")
