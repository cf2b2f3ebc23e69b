"""One `senet classify` process that is loaded once and answers image after image.

The program reads a list of paths on its standard input and writes a row for each. The paths are never those of the
images, whose names may hold anything and may lead to folders: every image is an open file of this process, under its
number in `/proc`. An image of a file is that file, opened here; bytes are a file that lies in memory and is gone with
this process, however that ends. So Linux is needed, and there is nothing to clean up.

No more images are in hand than have their names in a page of a pipe, which a write never waits for, and a thread
takes rows away as they come. So neither side ever waits for the other to read.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import signal
import stat
import subprocess
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from scripts.scale.image import Image, Problem, Row
from scripts.senet_program import ProgramError

WINDOW = 64
"""Images in hand: two batches of the program's 16 that are read and computed, and as many that wait for it.
Their names, of 29 bytes at most, fit in 4096, which is the least that a pipe of Linux holds."""

BYTES_IN_HAND = 256 << 20
"""Of all images in memory, beyond which there is one image alone."""

ATTEMPTS = 2
"""Processes that an image has to itself before it is blamed: the first may have been ended by somebody else."""

STARTS = 3
"""Times that a process is started that is killed before it has answered anything."""

STALL = 300.0
"""Seconds for a process to load its weights, or for its next row, after which it is taken for hung."""

STANDARD_ERROR = 4096
"""Bytes of what the program said last that an error tells."""

ONE_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNoaGgAAAMEAYFL09IQAAAAAElFTkSuQmCC"
)
"""A gray PNG: the row of it says that a process has its weights and runs the network."""


class _EndedError(Exception):
    """The process is gone, or of no use; the message says how."""


def open_image(image: Image) -> int | Problem:
    """A file that the program can open by its number, or why there is none."""
    content = image.content
    if isinstance(content, Problem):
        return content
    if isinstance(content, bytes):
        try:
            number = os.memfd_create("senet-image")
            with open(number, "wb", closefd=False) as memory:
                memory.write(content)
        except OSError as error:
            return Problem(f"cannot keep it in memory: {error.strerror} (os error {error.errno})")
        return number
    try:
        # Without O_NONBLOCK a pipe that nobody writes to is waited for.
        number = os.open(content, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        # In the program's words.
        return Problem(f"cannot open it: {error.strerror} (os error {error.errno})")
    except ValueError:
        return Problem("its path holds a NUL byte")
    mode = os.fstat(number).st_mode
    if stat.S_ISREG(mode):
        return number
    os.close(number)
    return Problem(f"expected a file, found a {'folder' if stat.S_ISDIR(mode) else 'device or pipe'}")


class _Process:
    """The program while it runs."""

    def __init__(self, command: Sequence[str], stall: float) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        self._stall = stall
        self._rows: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._said = b""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._input = self._process.stdin
        self._threads = [
            threading.Thread(target=self._read_rows, args=[self._process.stdout], daemon=True),
            threading.Thread(target=self._read_errors, args=[self._process.stderr], daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def number(self) -> int:
        return self._process.pid

    def _read_rows(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                # What a killed process left of a row is none.
                if line.endswith(b"\n"):
                    self._rows.put(line)
        self._rows.put(b"")

    def _read_errors(self, errors: IO[bytes]) -> None:
        with errors:
            while some := os.read(errors.fileno(), STANDARD_ERROR):
                self._said = (self._said + some)[-STANDARD_ERROR:]

    def send(self, name: str) -> None:
        try:
            self._input.write(name.encode() + b"\0")
            self._input.flush()
        except OSError:
            raise _EndedError(self.end()) from None

    def receive(self, name: str) -> dict[str, Any]:
        """The row of the input that was sent the longest ago."""
        try:
            line = self._rows.get(timeout=self._stall)
        except queue.Empty:
            self.end()
            raise _EndedError(f"it gave no answer for {self._stall:g} seconds") from None
        if not line:
            raise _EndedError(self.end())
        try:
            row: dict[str, Any] = json.loads(line)
            found = row["input"]
        except (ValueError, TypeError, KeyError):
            found = None
        if found != name:
            self.end()
            raise _EndedError("it answered with what is not the row of the image")
        return row

    def end(self) -> str:
        """Kill it, unless it has ended, and say how it ended."""
        with suppress(OSError):
            self._input.close()
        # It may have ended by itself, and be about to say so.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        self._process.kill()
        status = self._process.wait()
        for thread in self._threads:
            # A process of its own that it left behind may hold the pipes open.
            thread.join(1.0)
        if status < 0:
            with suppress(ValueError):
                return f"killed by {signal.Signals(-status).name}"
            return f"killed by signal {-status}"
        said = self._said.decode(errors="replace").strip()
        return f"exit status {status}" + (f": {said}" if said else "")

    @property
    def status(self) -> int | None:
        return self._process.poll()


@dataclass
class _Held:
    """An image in hand: its file while it is open, its row once it is known."""

    image: Image
    number: int | None = None
    row: Row | None = None

    @classmethod
    def of(cls, image: Image) -> _Held:
        opened = open_image(image)
        if isinstance(opened, Problem):
            return cls(image, row=Row(image.name, error=opened.message))
        return cls(image, number=opened)

    @property
    def path(self) -> str:
        return f"/proc/{os.getpid()}/fd/{self.number}"

    @property
    def bytes_in_memory(self) -> int:
        content = self.image.content
        return len(content) if isinstance(content, bytes) and self.number is not None else 0

    def answer(self, row: Row) -> None:
        self.row = row
        self.close()

    def close(self) -> None:
        if self.number is not None:
            os.close(self.number)
            self.number = None


class SenetProcess:
    """Classifies images by a process of the program, which is started anew where it ends before it should.

    Args:
        command: the program and the flags of `classify` that say what is computed.
        stall: seconds for loading, or for a row, after which the process is taken for hung.

    Raises:
        ProgramError: the program cannot run with these flags, as it says itself.
    """

    def __init__(self, command: Sequence[str], *, stall: float = STALL) -> None:
        program, *words = command
        rows = ["--null", "--quiet", "--format", "ndjson", "-"]
        self._command = [program, "classify", *words, *rows]
        self._stall = stall
        self.restarts = 0
        """Times that a process had to be started in place of another."""
        self._process = self._start()

    @property
    def number(self) -> int:
        """That of the process, for who wants to look at it."""
        return self._process.number

    def _start(self) -> _Process:
        """Start a process, and wait until it has its weights and has run the network."""
        for _ in range(STARTS):
            try:
                process = _Process(self._command, self._stall)
            except OSError as error:
                raise ProgramError(2, f"cannot run `{self._command[0]}`: {error.strerror}") from error
            first = _Held.of(Image("", ONE_PIXEL))
            try:
                if first.number is None:
                    raise ProgramError(2, first.row.error if first.row and first.row.error else "no file in memory")
                process.send(first.path)
                process.receive(first.path)
                return process
            except _EndedError as ended:
                # What it says itself it will say again; who is killed may have been so by mistake.
                if process.status is not None and process.status >= 0:
                    raise ProgramError(process.status, f"`{self._command[0]}` ended: {ended}") from None
                last = str(ended)
            finally:
                first.close()
        raise ProgramError(2, f"`{self._command[0]}` ended {STARTS} times before it gave an answer, at last: {last}")

    def rows(self, images: Iterable[Image]) -> Iterator[Row]:
        """The row of every image, in order.

        An image that ends the process every time that this has nothing else in hand gets a row that says so; what was
        in hand beside it is computed again.

        Raises:
            ProgramError: the program could not be started again.
        """
        in_hand: deque[_Held] = deque()
        if self._process.status is not None:
            self._restart()
        try:
            for image in images:
                size = len(image.content) if isinstance(image.content, bytes) else 0
                while in_hand and (
                    len(in_hand) >= WINDOW or size + sum(held.bytes_in_memory for held in in_hand) > BYTES_IN_HAND
                ):
                    yield self._next(in_hand)
                in_hand.append(_Held.of(image))
                self._send(in_hand)
            while in_hand:
                yield self._next(in_hand)
        finally:
            if unanswered := [held for held in in_hand if held.row is None]:
                # Whoever wanted these rows has gone; the next ones must not get them.
                for held in unanswered:
                    held.close()
                self._process.end()

    def _send(self, in_hand: deque[_Held]) -> None:
        held = in_hand[-1]
        if held.row is None:
            try:
                self._process.send(held.path)
            except _EndedError:
                self._one_by_one(in_hand)

    def _next(self, in_hand: deque[_Held]) -> Row:
        held = in_hand[0]
        if held.row is None:
            try:
                held.answer(_row(held.image, self._process.receive(held.path)))
            except _EndedError:
                self._one_by_one(in_hand)
        in_hand.popleft()
        assert held.row is not None
        return held.row

    def _one_by_one(self, in_hand: Iterable[_Held]) -> None:
        """Start a new process and answer all that is in hand, each image alone with it: one of them may have ended
        the last."""
        self._restart()
        for held in in_hand:
            if held.row is None:
                held.answer(self._alone(held))

    def _alone(self, held: _Held) -> Row:
        for _ in range(ATTEMPTS):
            try:
                self._process.send(held.path)
                return _row(held.image, self._process.receive(held.path))
            except _EndedError as ended:
                how = str(ended)
                self._restart()
        return Row(held.image.name, error=f"it ended the program {ATTEMPTS} times, alone with it: {how}")

    def _restart(self) -> None:
        self.restarts += 1
        self._process = self._start()

    def close(self) -> None:
        """End the process."""
        self._process.end()

    def __enter__(self) -> SenetProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _row(image: Image, row: dict[str, Any]) -> Row:
    top = row["top"]
    return Row(
        image.name,
        row["error"],
        *([place[what] for place in top] for what in ("class", "label", "probability", "logit")),
    )
