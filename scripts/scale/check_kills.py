"""Kill workers and processes in the middle of jobs on Ray and Spark, and count the rows: none lost, none doubled.

Every job has two workers, and a third of its images as files, a third in tars and a third in Parquet. What is killed:

    workers    Ray's actors or Spark's Python workers, while they have a part in hand
    processes  those of the program that the workers hold
    images     nobody from outside; the program dies of some images, always

The rows must be those that a plain `senet classify` writes, but for the images that it dies of, which are errors.

    python -m scripts.scale.check_kills --senet target/release/senet --images ../shared/cifar10/test.tar

`--together` does all three in one job for each engine, and `--every N` takes each Nth image.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.command_line import errors_in_one_line, parse_count
from scripts.scale.deadly import program as deadly_program
from scripts.scale.image import Row

ENGINES = ("ray", "spark")
KILLS = ("workers", "processes", "images")
WORKERS = 2

PARTS = 24
"""At least, in which a job is done, so that kills meet some of them half done."""

MOMENTS = (0.2, 0.4, 0.6)
"""Shares of the parts that are done when something is killed."""

DEADLY = (0.1, 0.5, 0.9)
"""Places, as shares of all, of the images that the program dies of."""

WORDS = ("--weights", "builtin:seresnet20", "--top-k", "2")

SECONDS = 900
"""That a job may take: some thirty on an idle machine."""


@dataclass(frozen=True)
class Images:
    """The images in their three kinds of place, by the end of their name."""

    names: tuple[str, ...]
    contents: tuple[bytes, ...]

    @classmethod
    def read(cls, tar: Path, every: int) -> Images:
        with tarfile.open(tar) as archive:
            members = sorted((member for member in archive if member.isreg()), key=lambda member: member.name)[::every]
            # In the order of the archive, so that it is read through once.
            read: dict[str, bytes] = {}
            for member in sorted(members, key=lambda member: member.offset):
                file = archive.extractfile(member)
                assert file is not None
                read[member.name] = file.read()
        names = tuple(member.name.removeprefix("./") for member in members)
        return cls(names, tuple(read[member.name] for member in members))

    def write_all(self, folder: Path) -> None:
        for name, content in zip(self.names, self.contents, strict=True):
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def write_thirds(self, folder: Path) -> tuple[list[Path], int]:
        """Write each image once, and return what to classify and how many images of files make a part."""
        third = -(-len(self.names) // 3)
        of_part = -(-len(self.names) // PARTS)
        files, tars, tables = (
            Images(self.names[start : start + third], self.contents[start : start + third])
            for start in range(0, 3 * third, third)
        )
        files.write_all(folder / "files")
        archives = [folder / f"shard-{number}.tar" for number in range(PARTS // 3)]
        for number, archive in enumerate(archives):
            with tarfile.open(archive, "w") as tar:
                for at in range(number, len(tars.names), len(archives)):
                    with tempfile.NamedTemporaryFile() as file:
                        file.write(tars.contents[at])
                        file.flush()
                        tar.add(file.name, tars.names[at])
        table = pa.table({"image": list(tables.contents), "name": list(tables.names)})
        pq.write_table(table, folder / "images.parquet", row_group_size=of_part)
        return [folder / "files", *archives, folder / "images.parquet"], of_part

    def deadly(self) -> list[int]:
        """Those that the program is to die of, and those whose bytes are the same."""
        chosen = {self.contents[int(share * len(self.contents))] for share in DEADLY}
        return [place for place, content in enumerate(self.contents) if content in chosen]


def plain_rows(senet: Path, images: Images) -> dict[str, Row]:
    """What one `senet classify` says of all images, by name."""
    with tempfile.TemporaryDirectory() as folder:
        images.write_all(Path(folder))
        words = ["classify", *WORDS, "--quiet", "--format", "ndjson", folder]
        lines = subprocess.run([senet, *words], check=True, capture_output=True).stdout.splitlines()
        rows = {}
        for line in lines:
            row: dict[str, Any] = json.loads(line)
            name = row["input"].removeprefix(f"{folder}/")
            values = ([each[key] for each in row["top"]] for key in ("class", "label", "probability", "logit"))
            rows[name] = Row(name, row["error"], *values)
    return rows


def same_numbers(first: Sequence[float], second: Sequence[float]) -> bool:
    """In single precision, which is what the program computes and Parquet holds."""
    return np.array_equal(np.array(first, np.float32), np.array(second, np.float32))


def same(first: Row, second: Row) -> bool:
    return (
        (first.error, first.classes, first.labels) == (second.error, second.classes, second.labels)
        and same_numbers(first.probabilities, second.probabilities)
        and same_numbers(first.logits, second.logits)
    )


def name_of(given: str, folder: Path) -> str:
    """What an image is called in the archive that all come from."""
    name = given.removeprefix(f"{folder}/")
    first, _, rest = name.partition("/")
    return rest if first == "files" or first.endswith(".tar") else name


def rows_in(output: Path, folder: Path) -> list[Row]:
    def row(cells: dict[str, Any]) -> Row:
        lists = (cells[what] or [] for what in ("classes", "labels", "probabilities", "logits"))
        return Row(name_of(cells["input"], folder), cells["error"], *lists)

    return [row(cells) for cells in pq.read_table(output).to_pylist()]


def processes_of(program: Path) -> list[tuple[int, int]]:
    """The number and the parent's of every process that runs `program`, a path that nobody else runs."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if bytes(program) in words and b"classify" in words:
                    # After the name, which may hold anything, in brackets: the state and the parent.
                    parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                    found.append((int(folder.name), int(parent)))
    return sorted(found)


def kill_at_moments(job: subprocess.Popen[bytes], output: Path, program: Path, kills: Sequence[str]) -> Iterator[str]:
    """Kill something at each moment, as long as the job runs, and say what."""
    killed: Counter[str] = Counter()
    moments = [(moment, what) for moment in MOMENTS for what in kills if what != "images"]
    started = time.monotonic()
    while job.poll() is None:
        if time.monotonic() - started > SECONDS:
            job.kill()
            raise ValueError(f"the job did not end in {SECONDS} seconds")
        done = len(list(output.glob("part-*.parquet")))
        parts = len(json.loads((output / "_plan.json").read_text())["parts"]) if (output / "_plan.json").exists() else 0
        if moments and done and done >= moments[0][0] * parts and (running := processes_of(program)):
            _, what = moments.pop(0)
            process, worker = running[killed[what] % len(running)]
            with suppress(ProcessLookupError):
                os.kill(worker if what == "workers" else process, signal.SIGKILL)
                killed[what] += 1
                yield what
        time.sleep(0.02)


def check(engine: str, kills: Sequence[str], senet: Path, images: Images, expected: dict[str, Row]) -> str:
    """Run one job and count its rows.

    Raises:
        ValueError: one is lost, doubled or another, or nothing was killed.
    """
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        program = folder / "senet"
        deadly = images.deadly() if "images" in kills else []
        hashes = {hashlib.sha256(images.contents[place]).hexdigest() for place in deadly}
        # By this path its processes are told from all others.
        if deadly:
            program.write_text(deadly_program(senet, hashes))
            program.chmod(0o755)
        else:
            program.symlink_to(senet)
        inputs, of_part = images.write_thirds(folder / "images")
        output = folder / "rows"
        command = [sys.executable, "-m", f"scripts.scale.{engine}_classify", *map(str, inputs), "--output", str(output)]
        options = ["--senet", str(program), "--workers", str(WORKERS), "--part-rows", str(of_part)]
        columns = ["--bytes-column", "image", "--name-column", "name"]
        started = time.monotonic()
        said = folder / "said"
        with said.open("wb") as errors:
            job = subprocess.Popen([*command, *options, *columns, "--", *WORDS], stdout=errors, stderr=errors)
            killed = Counter(kill_at_moments(job, output, program, kills))
        if job.returncode != (1 if deadly else 0):
            raise ValueError(f"{engine} ended with status {job.returncode}: {said.read_text(errors='replace')[-2000:]}")
        seconds = time.monotonic() - started
        rows = rows_in(output, folder / "images")
    counts = count(rows, expected, {images.names[place] for place in deadly})
    aimed = {what: len(MOMENTS) for what in kills if what != "images"}
    counts_text = ", ".join(f"{what} {number:,}" for what, number in counts.items())
    hits = [f"{number} {what} killed" for what, number in killed.items()]
    kills_text = ", ".join([*hits, f"{len(deadly)} images that kill"] if deadly else hits)
    line = f"{engine}: {kills_text}: {counts_text}; {seconds:.0f} s"
    if killed != aimed or any(counts[what] for what in ("lost", "doubled", "other")):
        raise ValueError(f"{line}; expected none lost, doubled or other, and {aimed} killed")
    return line


def count(rows: Sequence[Row], expected: dict[str, Row], deadly: Collection[str]) -> dict[str, int]:
    """How many rows there are, and how many are not what they should be."""
    found = Counter(row.name for row in rows)
    right = [
        row.error is not None and row.error.startswith("it ended the program")
        if row.name in deadly
        else row.name in expected and same(row, expected[row.name])
        for row in rows
    ]
    return {
        "rows": len(rows),
        "lost": sum(name not in found for name in expected),
        "doubled": sum(number - 1 for number in found.values()),
        "errors": sum(row.error is not None for row in rows),
        "other": right.count(False),
    }


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--senet", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True, metavar="TAR", help="of CIFAR-10, or any of small images")
    parser.add_argument("--every", type=parse_count, default=1, metavar="N", help="take each Nth image (%(default)s)")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--kills", nargs="+", choices=KILLS, default=KILLS)
    parser.add_argument("--together", action="store_true", help="all kills in one job")
    arguments = parser.parse_args(words)
    with errors_in_one_line():
        senet = arguments.senet.absolute()
        images = Images.read(arguments.images, arguments.every)
        expected = plain_rows(senet, images)
        if len(expected) != len(images.names):
            raise ValueError(f"{len(expected)} rows of {len(images.names)} images")
        for engine in arguments.engines:
            for kills in [arguments.kills] if arguments.together else [[each] for each in arguments.kills]:
                print(check(engine, kills, senet, images, expected), flush=True)


if __name__ == "__main__":
    main()
