"""A command that is timed as its user sees it, and the photograph that it is given."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

PHOTO = Path(__file__).parent.parent.parent / "tests/images/photos/coffee.jpg"
SIZE = (500, 375)
BYTES = 100_000
"""What a photograph is made of: a typical one of ImageNet."""


@dataclass
class Command:
    """What is run, and what was seen of it."""

    words: Sequence[str | Path]
    seconds: list[float] = field(default_factory=list)
    """Wall time of each round."""
    peak: int = 0
    """Bytes of memory at most, in any round."""
    errors: str = ""
    """What the last round wrote to standard error."""

    def run(self) -> str:
        """Run it once; returns what it printed.

        Raises:
            ValueError: it failed.
        """
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            start = time.perf_counter()
            process = subprocess.Popen(self.words, stdout=output, stderr=errors, stdin=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            self.seconds.append(time.perf_counter() - start)
            # So that Popen does not wait for what is gone.
            process.returncode = os.waitstatus_to_exitcode(status)
            self.peak = max(self.peak, 1024 * usage.ru_maxrss)
            errors.seek(0)
            self.errors = errors.read().decode()
            if process.returncode != 0:
                said = self.errors.strip() or "no message"
                raise ValueError(f"`{shlex.join(map(str, self.words))}` ended with {process.returncode}: {said}")
            output.seek(0)
            return output.read().decode()


def make_photo(file: Path) -> None:
    """Write a JPEG of a typical photograph's size in pixels and bytes."""
    with Image.open(PHOTO) as opened:
        image = opened.resize(SIZE, Image.Resampling.LANCZOS)

    def encoded(quality: int) -> bytes:
        output = io.BytesIO()
        image.save(output, "jpeg", quality=quality)
        return output.getvalue()

    file.write_bytes(min(map(encoded, range(75, 100)), key=lambda content: abs(len(content) - BYTES)))
