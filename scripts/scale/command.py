"""The command line that Ray's program and Spark's have in common."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.command_line import parse_count
from scripts.scale.job import Done, Job, Settings, program
from scripts.scale.parts import Columns
from scripts.scale.senet_process import STALL
from scripts.senet_program import ProgramError

RowsOf = Callable[[Job, list[int], argparse.Namespace], Iterator[Done]]
"""Does parts of a job, in any order, each at least once."""


def parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, found `{text}`")
    return seconds


def parser(description: str | None) -> argparse.ArgumentParser:
    """All but what is the engine's own."""
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [options] INPUT... [-- FLAGS OF senet classify]",
    )
    add = parser.add_argument
    add("inputs", nargs="*", type=Path, metavar="INPUT", help="images, tars, Parquet files, or folders of them")
    add("--list", type=Path, metavar="FILE", help="a file of paths, a line each, in place of or beside inputs")
    add("-0", "--null", action="store_true", help="that has NUL bytes between its paths")
    add("-o", "--output", type=Path, required=True, metavar="FOLDER", help="for the rows; all machines see it")
    add("--resume", action="store_true", help="go on with the parts that FOLDER has not")
    add("--senet", metavar="PROGRAM", help="what classifies, on every machine (`senet` on the path)")
    add("--workers", type=parse_count, default=os.cpu_count() or 1, help="processes of it (%(default)s)")
    add("--threads", type=parse_count, default=1, help="threads of each, and cores that it asks for (%(default)s)")
    add("--part-rows", type=parse_count, default=10_000, metavar="N", help="images of files in a part (%(default)s)")
    add("--bytes-column", metavar="NAME", help="of Parquet, with the images; a field as COLUMN.FIELD")
    add("--name-column", metavar="NAME", help="of Parquet, with their names")
    add("--stall", type=parse_seconds, default=STALL, metavar="SECONDS", help="when a process is hung (%(default)g)")
    add("--verbose", action="store_true", help="show what the engine and its workers say")
    return parser


def paths_in(file: Path, null: bool) -> Iterator[Path]:
    """The paths of a list, one at a time: it may be long. Its lines may end as those of Windows do."""
    end, ignored = (b"\0", b"") if null else (b"\n", b"\r")
    rest = b""
    with file.open("rb") as opened:
        for some in iter(lambda: opened.read(1 << 20), b""):
            *paths, rest = (rest + some).split(end)
            yield from (Path(os.fsdecode(path)) for each in paths if (path := each.removesuffix(ignored)))
    if rest := rest.removesuffix(ignored):
        yield Path(os.fsdecode(rest))


def run(arguments: argparse.Namespace, words: list[str], engine: RowsOf) -> int:
    """Plan a job or go on with one, have the engine do it, and say what came out.

    Returns:
        The exit status: 0 done, 1 where inputs failed, 2 where it could not run.
    """
    started = time.monotonic()
    try:
        job = planned(arguments, words)
        missing = job.missing()
        say(f"{len(job.parts):,} parts, {len(missing):,} to do, in `{job.folder}`")
        restarts = 0
        last = started
        for done, result in enumerate(engine(job, missing, arguments), 1) if missing else ():
            restarts += result.restarts
            if time.monotonic() - last >= 10:
                last = time.monotonic()
                say(f"{done:,} of {len(missing):,} parts done")
        rows, failed = job.finish()
    except (OSError, ValueError, ProgramError) as error:
        say(f"error: {error}" if arguments.verbose else f"error: {last_line(str(error))}")
        return 2
    seconds = time.monotonic() - started
    say(f"{rows:,} rows in {len(job.parts):,} files, {failed:,} of them errors; {restarts:,} restarts; {seconds:.1f} s")
    return 1 if failed else 0


def planned(arguments: argparse.Namespace, words: list[str]) -> Job:
    columns = Columns(arguments.bytes_column, arguments.name_column)
    words = ["--threads", str(arguments.threads), *words]
    settings = Settings(program(arguments.senet), tuple(words), columns, arguments.part_rows, arguments.stall)
    if arguments.resume:
        return Job.resume(arguments.output, settings)

    def inputs() -> Iterator[Path]:
        yield from arguments.inputs
        if arguments.list:
            yield from paths_in(arguments.list, arguments.null)

    return Job.plan(arguments.output, inputs(), settings)


CAUSED = "\nThe above exception was the direct cause of the following exception:\n"
"""What Python prints between an error and the one that was raised from it."""


def last_line(message: str) -> str:
    """What an error says, without how Python got there: engines hand on what workers print.

    Of errors that are one another's cause the first counts, which others were only wrapped around.
    """
    message, *_ = message.split(CAUSED)
    errors = re.findall(r"^[\w.]*(?:Error|Exception)(?:\(\w+\))?: (.+)$", message, flags=re.MULTILINE)
    return errors[-1] if errors else message.strip().splitlines()[0]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """What is before `--`, and what after it is for the program."""
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]
