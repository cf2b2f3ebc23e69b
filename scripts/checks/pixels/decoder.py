"""A program that decodes images, driven so that no file can stop the comparison.

Both sides answer as `examples/pixels.rs` does: a JSON object on a line for
each question, and after it the pixels. Each has a limit of time for a file and
of memory for the process, and is started again where it broke one or crashed.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Limits:
    """What a decoder may take."""

    seconds: float = 60.0
    """For a file."""
    memory: int = 4 << 30
    """Bytes that the process may address."""


@dataclass(frozen=True)
class Pixels:
    """A decoded image."""

    rgb: Bytes
    """[height, width, channels]."""
    damage: str | None = None
    """What is wrong with the file, where that was said."""


@dataclass(frozen=True)
class Refused:
    """Why there are no pixels, in the decoder's words."""

    words: str


@dataclass(frozen=True)
class Failed:
    """How the decoder ended instead of answering."""

    words: str


Answer = Pixels | Refused | Failed


class Decoder:
    """One side of the comparison."""

    def __init__(
        self,
        command: list[str | Path],
        limits: Limits,
        environment: Mapping[str, str] | None = None,
        **question: object,
    ) -> None:
        """`question` is what is asked of every image, `environment` what is added to that of the program."""
        self.command = command
        self.limits = limits
        self.environment = environment or {}
        self.question = question
        # Until `close`.
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.process: subprocess.Popen[bytes] | None = None
        self.unread = bytearray()
        self.deadline = 0.0

    def close(self) -> None:
        """End the program for good."""
        self.stop()
        self.errors.close()

    def ask(self, image: Path) -> None:
        """Begin with an image, so that the other side can work at the same time."""
        process = self.process or self.start()
        assert process.stdin
        line = json.dumps({"image": str(image), **self.question}) + "\n"
        self.deadline = time.monotonic() + self.limits.seconds
        # `answer` says how a program ended that no longer listens.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(line.encode())
            process.stdin.flush()

    def answer(self) -> Answer:
        """What comes of the image asked for last."""
        try:
            header = json.loads(self.line())
            if "error" in header:
                return Refused(str(header["error"]))
            height, width = int(header["height"]), int(header["width"])
            rgb = np.frombuffer(self.read(3 * height * width), np.uint8).reshape(height, width, 3)
        except TimeoutError:
            self.stop()
            return Failed(f"no answer in {self.limits.seconds:g} seconds")
        except EOFError:
            return Failed(self.end())
        return Pixels(rgb, header.get("damage"))

    def start(self) -> subprocess.Popen[bytes]:
        """The program, with its limit of memory and no core dump."""
        self.errors.seek(0)
        self.errors.truncate()
        self.unread.clear()
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**os.environ, **self.environment},
        )
        # It waits for a question by now, or will.
        resource.prlimit(self.process.pid, resource.RLIMIT_AS, (self.limits.memory, self.limits.memory))
        resource.prlimit(self.process.pid, resource.RLIMIT_CORE, (0, 0))
        return self.process

    def stop(self) -> int:
        """End the program, if it runs, and say with which status it ended."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        assert process.stdin
        assert process.stdout
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return process.returncode

    def end(self) -> str:
        """How the program ended of itself, and the last line that it wrote about it."""
        status = self.stop()
        how = f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f"{how}: {said[-1][:200]}" if said else how

    def line(self) -> bytes:
        """The next line of the answer."""
        while (end := self.unread.find(b"\n")) < 0:
            self.receive()
        line = bytes(self.unread[:end])
        del self.unread[: end + 1]
        return line

    def read(self, count: int) -> bytes:
        """The next bytes of the answer."""
        while len(self.unread) < count:
            self.receive()
        data = bytes(self.unread[:count])
        del self.unread[:count]
        return data

    def receive(self) -> None:
        """Wait for a part of the answer.

        Raises:
            TimeoutError: none came in time.
            EOFError: none will come.
        """
        assert self.process
        assert self.process.stdout
        left = self.deadline - time.monotonic()
        if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
            raise TimeoutError
        part = os.read(self.process.stdout.fileno(), 1 << 20)
        if not part:
            raise EOFError
        self.unread += part


def senet(program: Path, limits: Limits) -> Decoder:
    """The example `pixels`, asked for what timm would make of a file, damaged or not."""
    preprocessing = {"preset": "timm", "size": [224, 224]}
    return Decoder([program.resolve()], limits, preprocessing=preprocessing, decoded=True, accept_damage=True)


PILLOW: list[str | Path] = [sys.executable, Path(__file__).with_name("pillow_pixels.py")]


# What libjpeg-turbo reads, to leave out its vector instructions.
SCALAR = {"JSIMD_FORCENONE": "1"}


def pillow(limits: Limits) -> Decoder:
    """What timm makes of a file."""
    return Decoder(PILLOW, limits)


def scalar_pillow(limits: Limits) -> Decoder:
    """The same with a libjpeg-turbo that leaves out its vector instructions."""
    return Decoder(PILLOW, limits, SCALAR)
