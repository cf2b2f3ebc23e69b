"""What the command line reads, says and answers with, with an engine that does all parts itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from scripts.scale import command
from scripts.scale.job import Done, Job, Worker


def engine(job: Job, parts: list[int], _: argparse.Namespace) -> Iterator[Done]:
    worker = Worker(job.folder)
    for part in parts:
        yield worker.run(part)


def failing(job: Job, parts: list[int], _: argparse.Namespace) -> Iterator[Done]:
    yield from engine(job, parts[:1], _)
    raise ValueError(
        "ray.exceptions.RayTaskError(OSError): long\nTraceback (most recent call last):\n  File x\nOSError: it broke\n"
    )


def run(words: list[str], engine: command.RowsOf = engine) -> int:
    ours, theirs = command.split(words)
    return command.run(command.parser("").parse_args(ours), theirs, engine)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.jpg").write_text(f"image {number}")
    return folder


def test_status_is_1_only_where_inputs_failed(
    program: str, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--senet", program, "--part-rows", "2", "--output"]
    assert run([str(images), *words, str(tmp_path / "rows")]) == 0
    assert "5 rows in 3 files, 0 of them errors" in capsys.readouterr().err
    assert run([str(images), str(tmp_path / "gone.jpg"), *words, str(tmp_path / "others")]) == 1
    assert "6 rows in 3 files, 1 of them errors" in capsys.readouterr().err


def test_an_engine_that_fails_is_one_line_and_its_job_goes_on(
    program: str, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(images), "--senet", program, "--part-rows", "2", "--output", str(tmp_path / "rows")]
    assert run(words, failing) == 2
    assert capsys.readouterr().err.splitlines()[1:] == ["error: it broke"]
    assert run(words) == 2
    assert "--resume" in capsys.readouterr().err
    assert run([*words, "--resume"]) == 0
    said = capsys.readouterr().err
    assert "3 parts, 2 to do" in said
    assert pq.read_table(tmp_path / "rows").num_rows == 5


@pytest.mark.parametrize("broken", [["--", "--broken"], ["--senet", "/nowhere"], ["--list", "/nowhere/list"]])
def test_what_cannot_run_has_status_2(program: str, images: Path, tmp_path: Path, broken: list[str]) -> None:
    assert run([str(images), "--senet", program, "--output", str(tmp_path / "rows"), *broken]) == 2


@pytest.mark.parametrize(("null", "end"), [(False, b"\n"), (False, b"\r\n"), (True, b"\0")])
@pytest.mark.parametrize("last", [b"", b"last.jpg"])
def test_a_list_has_all_its_paths(tmp_path: Path, null: bool, end: bytes, last: bytes) -> None:
    file = tmp_path / "list"
    paths = [b"%d/\xff%s.jpg" % (number, b"x" * 100) for number in range(20_000)]
    file.write_bytes(end.join([*paths, b"", last]))
    found = [bytes(path) for path in command.paths_in(file, null)]
    assert found == [*paths, *filter(None, [last])]
