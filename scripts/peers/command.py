"""A command that is timed as its user sees it, and the photograph that it is given."""

from __future__ import annotations

import io
import shlex
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from PIL import Image

PHOTO = Path(__file__).parent.parent.parent / "tests/images/photos/coffee.jpg"
SIZE = (500, 375)
BYTES = 100_000
"""What a photograph is made of: a typical one of ImageNet."""

LOOK = 0.0005
"""Seconds from one look at a process's memory to the next."""


@dataclass
class Command:
    """What is run, and what was seen of it."""

    words: Sequence[str | Path]
    seconds: list[float] = field(default_factory=list)
    """Wall time of each round."""
    peak: int = 0
    """Bytes of memory that it held at most when it was watched."""
    errors: str = ""
    """What the last run wrote to standard error."""

    def run(self) -> str:
        """Run it once; returns what it printed.

        Raises:
            ValueError: it failed.
        """
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            start = time.perf_counter()
            process = subprocess.Popen(self.words, stdout=output, stderr=errors, stdin=subprocess.DEVNULL)
            process.wait()
            self.seconds.append(time.perf_counter() - start)
            self.end(process, errors)
            output.seek(0)
            return output.read().decode()

    def watch(self) -> None:
        """Run it once more and keep the most memory that it held; its time does not count.

        The kernel's own count of a process that has ended begins with what its parent
        held when it started it, and a Python program is larger than many of its children.

        Raises:
            ValueError: it failed.
        """
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(self.words, stdout=subprocess.DEVNULL, stderr=errors, stdin=subprocess.DEVNULL)
            status = Path(f"/proc/{process.pid}/status")
            while process.poll() is None:
                for line in status.read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        self.peak = max(self.peak, 1024 * int(line.split()[1]))
                time.sleep(LOOK)
            self.end(process, errors)

    def end(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        """Keep what it wrote to standard error.

        Raises:
            ValueError: it failed; with what it said, of a Python program's traceback the last line.
        """
        errors.seek(0)
        self.errors = errors.read().decode()
        if process.returncode != 0:
            lines = self.errors.strip().splitlines() or ["no message"]
            said = next((line for line in lines if line.startswith("error")), lines[-1])
            raise ValueError(f"`{shlex.join(map(str, self.words))}` ended with {process.returncode}: {said}")


def make_photo(file: Path) -> None:
    """Write a JPEG of a typical photograph's size in pixels and bytes."""
    with Image.open(PHOTO) as opened:
        image = opened.resize(SIZE, Image.Resampling.LANCZOS)

    def encoded(quality: int) -> bytes:
        output = io.BytesIO()
        image.save(output, "jpeg", quality=quality)
        return output.getvalue()

    file.write_bytes(min(map(encoded, range(75, 100)), key=lambda content: abs(len(content) - BYTES)))
