"""Run `senet classify` over a long list on standard input: rows counted, memory and time to the first row measured.

The list names the images of a folder over and over, and is made while it is read, so that nothing here grows with it
either. Fails where a row is missing, torn, doubled or out of order, or where memory has grown by more than it may.

    python -m scripts.checks.many_rows IMAGES --rows 1000000 --flags '--weights builtin:seresnet20 -k 1'
    python -m scripts.checks.many_rows IMAGES --rows 20 --pause 0.5 --flags=--null
"""

from __future__ import annotations

import argparse
import json
import resource
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from scripts.command_line import errors_in_one_line

MOST_GROWTH = 16.0
"""MiB that the peak may lie above what the run took after a tenth of its rows: threads' allocators keep what they have
freed, a few MiB each, but 900,000 rows of a hundred bytes would be 86 MiB."""

EXTENSIONS = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


@dataclass
class Run:
    """What was seen of a run while it ran."""

    rows: int = 0
    first: float | None = None
    """Seconds from the first line to the first row."""
    wall: float = 0.0
    cpu: float = 0.0
    """Seconds of the program on all cores together: what else the machine does changes them little."""
    memory: list[tuple[int, float]] = field(default_factory=list)
    """Rows that there were, and the process's MiB then."""

    def peak(self, share: float) -> float:
        """MiB at most until that share of the rows was there."""
        return max(size for rows, size in self.memory if rows <= share * self.rows)

    def growth(self) -> float:
        """MiB that the peak lies above what was taken at most until a tenth of the rows was there."""
        early = max(size for rows, size in self.memory if rows <= max(1, self.rows / 10))
        return self.peak(1.0) - early


def names(images: Sequence[Path], rows: int) -> Iterator[str]:
    return (str(images[index % len(images)]) for index in range(rows))


def write(list_: IO[bytes], images: Sequence[Path], rows: int, end: bytes, pause: float) -> None:
    # Where the program ends before its list, its status says why.
    with suppress(BrokenPipeError), list_:
        for name in names(images, rows):
            list_.write(name.encode() + end)
            if pause:
                list_.flush()
                time.sleep(pause)


def resident(process: int) -> float:
    """MiB of a process in memory."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def run(command: Sequence[str], images: Sequence[Path], rows: int, pause: float) -> Run:
    """Answers a list, and checks that its rows are those of the list.

    Raises:
        ValueError: they are not, or the program failed.
    """
    seen = Run()
    end = b"\0" if "--null" in command or "-0" in command else b"\n"
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        started = time.monotonic()
        writer = threading.Thread(target=write, args=(program.stdin, images, rows, end, pause), daemon=True)
        writer.start()
        expected = names(images, rows)
        for line in program.stdout:
            row = json.loads(line)
            name = next(expected, None)
            if row["input"] != name or row["error"] is not None:
                raise ValueError(f"row {seen.rows + 1} is {row}, expected an answer for `{name}`")
            seen.rows += 1
            seen.first = seen.first or time.monotonic() - started
            if seen.rows % max(1, rows // 100) == 0:
                seen.memory.append((seen.rows, resident(program.pid)))
        status = program.wait()
        seen.wall = time.monotonic() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        seen.cpu = used.ru_utime + used.ru_stime
    if status != 0 or seen.rows != rows:
        raise ValueError(f"`{command[0]}` ended with status {status} after {seen.rows} of {rows} rows")
    return seen


@errors_in_one_line()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="a folder of images that can be read")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two lines of the list")
    parser.add_argument("--senet", default="target/release/senet", help="the program")
    parser.add_argument("--flags", default="", help="flags of `senet classify`, in one word")
    arguments = parser.parse_args()
    images = sorted(path for path in arguments.images.rglob("*") if path.suffix.lower() in EXTENSIONS)
    if not images:
        raise ValueError(f"`{arguments.images}` holds no images")
    command = [arguments.senet, "classify", "-", "--format", "ndjson", *shlex.split(arguments.flags)]
    seen = run(command, images, arguments.rows, arguments.pause)
    print(f"rows        {seen.rows:,} in order, none lost, none doubled")
    print(f"wall        {seen.wall:.1f} s, {seen.rows / seen.wall:,.0f} rows a second; {seen.cpu:.1f} s of cores")
    print(f"first row   {(seen.first or 0) * 1e3:.0f} ms after the first line, loading the weights included")
    for share in (0.01, 0.1, 0.25, 0.5, 0.75, 1.0):
        if any(rows <= share * seen.rows for rows, _ in seen.memory):
            print(f"memory      {seen.peak(share):.1f} MiB at most until {share:.0%} of the rows")
    if seen.growth() > MOST_GROWTH:
        sys.exit(f"memory has grown by more than {MOST_GROWTH} MiB since a tenth of the rows")


if __name__ == "__main__":
    main()
