"""End runs of `senet classify --output FILE --resume` at random moments until they have been ended often enough, and
compare each file with that of a run which nobody ended: every row is there once, and every byte is the same.

A run is ended by SIGKILL, SIGTERM or SIGINT, drawn for each; the last two have to leave whole rows and the status of
the signal. Between them a run of each format meets a full disk, for which a limit on the size of files stands.

    python -m scripts.checks.resumed_runs --senet target/release/senet images/ -- --weights builtin:seresnet20
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.command_line import errors_in_one_line, parse_count

FORMATS = ("csv", "json", "ndjson")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)

PACE = 0.4
"""A run is ended after at most this share of the time that all of it takes, so that several make one file."""

Command = Callable[[Path], list[str]]
"""What runs the program with this output."""


@dataclass
class Ended:
    """How often runs were ended, and by what."""

    by: Counter[str] = field(default_factory=Counter)
    before_rows: int = 0
    files: int = 0

    def kills(self) -> int:
        return self.by.total()


def rows_of(document: bytes, form: str) -> list[str]:
    """The rows of a document, which may have no end."""
    if form == "json":
        lines = document.decode().removesuffix("\n]\n").split("\n")[1:]
        return [json.dumps(json.loads(line.strip().removesuffix(","))) for line in lines if line != "]"]
    lines = document.decode().splitlines()
    return lines[1:] if form == "csv" else lines


def check_whole(found: bytes, expected: bytes, form: str) -> None:
    """Raises ValueError where a file is not that of a run which nobody ended, saying how."""
    if found == expected:
        return
    rows, wanted = Counter(rows_of(found, form)), Counter(rows_of(expected, form))
    raise ValueError(
        f"{form}: {(wanted - rows).total()} rows lost, {(rows - wanted).total()} doubled or of something else, "
        f"{len(found)} bytes; expected {len(expected)}"
    )


def check_partial(partial: Path, expected: bytes, form: str, is_whole: bool) -> int:
    """The number of rows that an ended run left.

    Raises:
        ValueError: they are not the first of those expected, or the last is torn though it `is_whole`.
    """
    found = partial.read_bytes() if partial.exists() else b""
    rows = found.removesuffix(b"\n]\n") if form == "json" else found
    if not expected.startswith(rows):
        raise ValueError(f"{form}: `{partial}` does not hold the first rows")
    if (
        is_whole
        and rows
        and not (expected[len(rows) :].startswith((b",\n", b"\n]")) if form == "json" else rows.endswith(b"\n"))
    ):
        raise ValueError(f"{form}: the last row of `{partial}` is torn")
    return rows.count(b"\n")


def fill_disk(command: Command, output: Path, form: str, expected: bytes, status: int) -> None:
    """Has a run meet a full disk in the middle, and another go on with room again.

    Raises:
        ValueError: the first does not say so, or the file is not that of a run which nobody ended.
    """
    limit = len(expected) // 2

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    # Python ignores SIGXFSZ: left so, a write beyond the limit is an error, as on a full disk.
    run = subprocess.run(
        command(output), check=False, capture_output=True, text=True, preexec_fn=full, restore_signals=False
    )
    partial = Path(f"{output}.partial")
    rows = check_partial(partial, expected, form, is_whole=True)
    if run.returncode != 2 or "hint: the same command with `--resume`" not in run.stderr or rows == 0:
        raise ValueError(f"{form}: a full disk is answered by {run.returncode}: {run.stderr.strip()}")
    again = subprocess.run([*command(output), "--resume"], check=False, capture_output=True, text=True)
    if again.returncode != status:
        raise ValueError(f"{form}: going on ended with {again.returncode}: {again.stderr.strip()}")
    check_whole(output.read_bytes(), expected, form)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", help="files and folders, and behind `--` flags of classify")
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("--kills", type=parse_count, default=50, help="how often a run is ended")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and signals")
    arguments = parser.parse_args(words)
    with errors_in_one_line(), tempfile.TemporaryDirectory() as folder:
        print(check(arguments.senet, arguments.inputs, arguments.kills, random.Random(arguments.seed), Path(folder)))


def check(senet: Path, inputs: Sequence[str], kills: int, draw: random.Random, folder: Path) -> str:
    """Ends as many runs, and says how.

    Raises:
        ValueError: a file that is not that of a run which nobody ended.
    """

    def command(output: Path) -> list[str]:
        return [str(senet), "--quiet", "classify", *inputs, "--output", str(output)]

    expected: dict[str, bytes] = {}
    status, took = 0, 0.0
    for form in FORMATS:
        output = folder / f"expected.{form}"
        began = time.monotonic()
        status = subprocess.run(command(output), check=False, stderr=subprocess.DEVNULL).returncode
        took = time.monotonic() - began
        if status not in (0, 1):
            raise ValueError(f"`{' '.join(command(output))}` ends with {status}")
        expected[form] = output.read_bytes()

    for form in FORMATS:
        fill_disk(command, folder / f"full.{form}", form, expected[form], status)

    ended = Ended()
    while ended.kills() < kills:
        form = FORMATS[ended.files % len(FORMATS)]
        output = folder / f"{ended.files}.{form}"
        partial = Path(f"{output}.partial")
        while not output.exists():
            run = subprocess.Popen([*command(output), "--resume"], stderr=subprocess.PIPE, text=True)
            by = draw.choice(SIGNALS)
            if ended.kills() < kills:
                try:
                    run.wait(draw.uniform(0, PACE * took))
                except subprocess.TimeoutExpired:
                    run.send_signal(by)
            _, said = run.communicate()
            if run.returncode == -by:
                ended.by[by.name] += 1
                if not output.exists():
                    ended.before_rows += check_partial(partial, expected[form], form, by != signal.SIGKILL) == 0
            elif run.returncode != status:
                raise ValueError(f"{form}: a run ended with {run.returncode}: {said.strip()}")
        # A run that was killed between the last two steps has left what only another removes.
        again = subprocess.run([*command(output), "--resume"], check=False, capture_output=True, text=True)
        if again.returncode != status:
            raise ValueError(f"{form}: a whole file is answered by {again.returncode}: {again.stderr.strip()}")
        check_whole(output.read_bytes(), expected[form], form)
        if left := [path.name for path in folder.glob(f"{output.name}.*")]:
            raise ValueError(f"{form}: {left} are left beside the whole file")
        ended.files += 1

    rows = len(rows_of(expected["ndjson"], "ndjson"))
    signals = ", ".join(f"{count} by {name}" for name, count in sorted(ended.by.items()))
    return (
        f"{ended.kills()} runs ended at random moments ({signals}; {ended.before_rows} with no row yet), "
        f"{ended.files} files of {rows} rows: 0 lost, 0 doubled, every byte as without; {len(FORMATS)} full disks, "
        "gone on with as well"
    )


if __name__ == "__main__":
    main()
