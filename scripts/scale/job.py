"""A job in a folder that all workers see: its plan, and a Parquet file for each part that is done.

A part's file is written under another name and moved into place when it holds every row of the part, so it is there
whole or not at all. Whoever does a part a second time, because a worker was lost or was thought to be, puts the same
rows in the same place: nothing is lost and nothing is doubled, whatever hands out the parts. A job that ended early
goes on with the parts that are not there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.scale.image import Row
from scripts.scale.parts import Columns, Part, files_of, images_of, parts_of
from scripts.scale.senet_process import STALL, SenetProcess

PLAN = "_plan.json"
"""Readers of Parquet pass over names that begin like this, and over those of unfinished files."""

LIST = "_paths"

VERSION = 1
"""Of the plan and the rows."""

ROWS_OF_A_GROUP = 4096
"""In a part's file, and in memory before they are written."""

SCHEMA = pa.schema(
    [
        pa.field("input", pa.string(), nullable=False),
        pa.field("classes", pa.list_(pa.int32())),
        pa.field("labels", pa.list_(pa.string())),
        pa.field("probabilities", pa.list_(pa.float32())),
        pa.field("logits", pa.list_(pa.float32())),
        pa.field("error", pa.string()),
    ]
)
"""Lists have the likeliest class first, and are null where there is an error."""


@dataclass(frozen=True)
class Settings:
    """What a job is to do.

    Attributes:
        senet: the program, by a path or a name that every worker finds.
        words: the flags of `senet classify` that say what is computed.
        rows: images of files in a part.
        stall: seconds after which a process that gives no answer is taken for hung.
    """

    senet: str
    words: tuple[str, ...] = ()
    columns: Columns = field(default_factory=Columns)
    rows: int = 10_000
    stall: float = STALL


@dataclass(frozen=True)
class Done:
    """What became of a part."""

    part: int
    rows: int
    failed: int
    restarts: int
    seconds: float


@dataclass(frozen=True)
class Job:
    """The plan of a job, as its folder has it."""

    folder: Path
    settings: Settings
    parts: tuple[Part, ...]

    @classmethod
    def plan(cls, folder: Path, inputs: Iterable[Path], settings: Settings) -> Job:
        """Find all inputs, and write down what is to be done.

        Raises:
            OSError: an input or the folder cannot be read or written.
            ValueError: there is no input, or the folder has a job already.
        """
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ValueError(f"`{folder}` is not empty: --resume goes on with the job there")
        files = (file for argument in inputs for file in files_of(argument.absolute()))
        parts = tuple(parts_of(files, folder / LIST, settings.rows))
        if not parts:
            raise ValueError("no input: expected images, tars or Parquet files")
        job = cls(folder, settings, parts)
        text = json.dumps(
            {
                "version": VERSION,
                "settings": asdict(settings),
                "made_by": made_by(settings),
                "parts": [asdict(part) for part in parts],
            }
        )
        unfinished = job.unfinished(PLAN)
        unfinished.write_text(text)
        unfinished.replace(folder / PLAN)
        return job

    @classmethod
    def read(cls, folder: Path) -> Job:
        """The job that a folder has.

        Raises:
            OSError: there is none.
            ValueError: it is of another version.
        """
        plan = json.loads((folder / PLAN).read_text())
        if plan["version"] != VERSION:
            raise ValueError(f"`{folder / PLAN}` has version {plan['version']}, expected {VERSION}")
        settings = plan["settings"]
        settings |= {"words": tuple(settings["words"]), "columns": Columns(**settings["columns"])}
        return cls(folder, Settings(**settings), tuple(Part(**part) for part in plan["parts"]))

    @classmethod
    def resume(cls, folder: Path, settings: Settings) -> Job:
        """The job that a folder has, if it computes what these settings do.

        Raises:
            OSError: there is none.
            ValueError: other flags, weights or another program made the rows that are there.
        """
        job = cls.read(folder.absolute())
        made: dict[str, Any] = json.loads((job.folder / PLAN).read_text())["made_by"]
        for what, found in made_by(settings).items():
            if made.get(what) != found:
                raise ValueError(f"`{folder}` has rows of another {what}: {made.get(what)}, now {found}")
        for file in job.folder.glob(".*.unfinished"):
            file.unlink(missing_ok=True)
        return job

    def file_of(self, part: int) -> Path:
        return self.folder / f"part-{part:06}.parquet"

    def unfinished(self, name: str) -> Path:
        return self.folder / f".{name}.{uuid.uuid4().hex}.unfinished"

    def missing(self) -> list[int]:
        """The parts that are not done."""
        there = {file.name for file in self.folder.iterdir()}
        return [part for part in range(len(self.parts)) if self.file_of(part).name not in there]

    def finish(self) -> tuple[int, int]:
        """How many rows there are, and how many of them are errors.

        Raises:
            OSError: a part is missing.
            ValueError: a part has not the rows that it should.
        """
        rows = failed = 0
        for number, part in enumerate(self.parts):
            done = done_before(self, number)
            if part.inputs not in (None, done.rows):
                raise ValueError(f"`{self.file_of(number)}` has {done.rows} rows, expected {part.inputs}")
            rows += done.rows
            failed += done.failed
        return rows, failed


def made_by(settings: Settings) -> dict[str, Any]:
    """What the values of rows depend on, besides the images.

    Raises:
        OSError: the program cannot be run, or a file that a flag names not read.
        ValueError: it says no version.
    """
    version = subprocess.run([settings.senet, "--version"], capture_output=True, text=True, check=False)
    if version.returncode != 0:
        raise ValueError(f"`{settings.senet} --version` ended with status {version.returncode}")
    files = {}
    for word in settings.words:
        path = Path(word.partition("=")[2] if word.startswith("--") else word)
        path = path / "model.safetensors" if path.is_dir() else path
        if path.is_file():
            with path.open("rb") as file:
                files[word] = hashlib.file_digest(file, "sha256").hexdigest()
    # The processor's instructions are this machine's; each worker has its own, and rounds as these do.
    build = [" ".join(line.split()) for line in version.stdout.splitlines() if not line.startswith("instructions")]
    return {"version": ", ".join(build), "flags": list(settings.words), "files": files}


def done_before(job: Job, number: int) -> Done:
    """What the file of a part says.

    Raises:
        OSError: there is none.
    """
    with pq.ParquetFile(job.file_of(number)) as file:
        return Done(number, file.metadata.num_rows, int(file.metadata.metadata[b"senet.failed"]), 0, 0.0)


class Worker:
    """Does parts of a job, with one process of the program for all of them."""

    def __init__(self, folder: str | Path) -> None:
        """Start the program.

        Raises:
            ProgramError: it cannot run as the job wants it.
        """
        self.job = Job.read(Path(folder))
        settings = self.job.settings
        self.process = SenetProcess([settings.senet, *settings.words], stall=settings.stall)

    def run(self, number: int) -> Done:
        """Do a part, unless it is there.

        Raises:
            OSError: its inputs cannot be read, or its rows not be written.
            ProgramError: the program cannot be started again.
            ValueError: its inputs are not those of the plan.
        """
        target = self.job.file_of(number)
        if target.exists():
            return done_before(self.job, number)
        started, restarts = time.monotonic(), self.process.restarts
        part = self.job.parts[number]
        unfinished = self.job.unfinished(target.name)
        rows = self.process.rows(images_of(part, self.job.settings.columns))
        try:
            written, failed = write(unfinished, rows)
            if part.inputs not in (None, written):
                raise ValueError(f"`{part.source}` had {written} inputs, expected {part.inputs}: it has changed")
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        return Done(number, written, failed, self.process.restarts - restarts, time.monotonic() - started)


def write(file: Path, rows: Iterator[Row]) -> tuple[int, int]:
    """Write rows as they come, and return how many these were and how many of them errors."""
    written = failed = 0
    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        while group := list(islice(rows, ROWS_OF_A_GROUP)):
            writer.write_table(table_of(group))
            written += len(group)
            failed += sum(row.error is not None for row in group)
        writer.add_key_value_metadata({"senet.failed": str(failed)})
    return written, failed


def table_of(rows: Sequence[Row]) -> pa.Table:
    def column(what: str) -> list[Any]:
        return [getattr(row, what) if row.error is None else None for row in rows]

    lists = {what: column(what) for what in ("classes", "labels", "probabilities", "logits")}
    return pa.table({"input": [row.name for row in rows], **lists, "error": [row.error for row in rows]}, schema=SCHEMA)


def program(given: str | None) -> str:
    """The program to run.

    Raises:
        ValueError: it is nowhere.
    """
    found = shutil.which(given or "senet")
    if found is None:
        where = f"no program `{given}`" if given else "no `senet` on the path: --senet says where it is"
        raise ValueError(where)
    return str(Path(found).absolute())
