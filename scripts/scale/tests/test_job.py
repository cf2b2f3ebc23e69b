"""A job's parts: each there whole or not, done again to the same rows, and gone on with by the same program alone."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from scripts.scale import job as jobs
from scripts.scale.job import Job, Settings, Worker
from scripts.senet_program import ProgramError


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(25):
        (folder / f"{number:02}.jpg").write_text(f"image {number}")
    (folder / "13.jpg").write_text("unread")
    return folder


def names(folder: Path) -> list[str]:
    return [Path(row["input"]).name for row in pq.read_table(folder).to_pylist()]


def test_all_parts_together_hold_each_input_once(program: str, images: Path, tmp_path: Path) -> None:
    job = Job.plan(tmp_path / "rows", [images], Settings(program, rows=10))
    worker = Worker(job.folder)
    assert [worker.run(part).rows for part in job.missing()] == [10, 10, 5]
    assert job.missing() == []
    assert job.finish() == (25, 1)
    assert names(job.folder) == [f"{number:02}.jpg" for number in range(25)]
    rows = pq.read_table(job.folder).to_pylist()
    assert rows[13] == {
        "input": f"{images}/13.jpg",
        **dict.fromkeys(["classes", "labels", "probabilities", "logits"]),
        "error": "no image",
    }
    assert rows[3]["classes"] == [7, sum(b"image 3")]
    assert rows[3]["labels"][0] == "label 7"


def test_a_part_that_is_done_again_has_the_same_rows_in_the_same_place(
    program: str, images: Path, tmp_path: Path
) -> None:
    job = Job.plan(tmp_path / "rows", [images], Settings(program, rows=10))
    first, second = Worker(job.folder), Worker(job.folder)
    for part in job.missing():
        done = first.run(part)
        before = job.file_of(part).read_bytes()
        # Who is told of it late does not compute it again; who has computed it puts the same in its place.
        assert second.run(part).failed == done.failed
        job.file_of(part).unlink()
        second.run(part)
        assert job.file_of(part).read_bytes() == before
    assert job.finish() == (25, 1)


def test_a_part_is_there_whole_or_not_at_all(program: str, images: Path, tmp_path: Path) -> None:
    job = Job.plan(tmp_path / "rows", [images], Settings(program, rows=25))
    worker = Worker(job.folder)
    # Its list is shorter than the plan says: it fails in the middle.
    with (job.folder / "_paths").open("rb+") as paths:
        paths.truncate(500)
    with pytest.raises(ValueError, match="ends before its last path"):
        worker.run(0)
    assert job.missing() == [0]
    assert [file.name for file in job.folder.iterdir() if "part" in file.name] == []


def test_a_job_goes_on_with_what_is_missing(program: str, images: Path, tmp_path: Path) -> None:
    settings = Settings(program, rows=10)
    job = Job.plan(tmp_path / "rows", [images], settings)
    Worker(job.folder).run(1)
    left = job.unfinished("part-000000.parquet")
    left.write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="not empty: --resume goes on"):
        Job.plan(job.folder, [images], settings)
    # What has come since is not of this job.
    (images / "zz.jpg").write_text("new")
    again = Job.resume(job.folder, settings)
    assert again.missing() == [0, 2]
    assert not left.exists()
    with pytest.raises(OSError, match="part-000000"):
        again.finish()
    worker = Worker(again.folder)
    for part in again.missing():
        worker.run(part)
    assert again.finish() == (25, 1)


def test_other_flags_or_weights_do_not_go_on_with_a_job(program: str, images: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"1")
    settings = Settings(program, ("--weights", str(weights)))
    job = Job.plan(tmp_path / "rows", [images], settings)
    assert Job.resume(job.folder, settings) == job
    with pytest.raises(ValueError, match="rows of another flags"):
        Job.resume(job.folder, Settings(program, ("--top-k", "1")))
    weights.write_bytes(b"2")
    with pytest.raises(ValueError, match="rows of another files"):
        Job.resume(job.folder, settings)


def test_without_inputs_there_is_no_job(program: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no input"):
        Job.plan(tmp_path / "rows", [tmp_path / "empty"], Settings(program))


def test_weights_that_are_refused_are_the_workers_error(program: str, images: Path, tmp_path: Path) -> None:
    job = Job.plan(tmp_path / "rows", [images], Settings(program, ("--broken",)))
    with pytest.raises(ProgramError, match="no such weights"):
        Worker(job.folder)


def test_a_program_that_is_nowhere_is_named() -> None:
    with pytest.raises(ValueError, match="no program `/nowhere/senet`"):
        jobs.program("/nowhere/senet")


def test_another_build_does_not_go_on_with_a_job_but_another_processor_does(
    program: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(program)
    job = Job.plan(tmp_path / "rows", [images], settings)
    monkeypatch.setenv("INSTRUCTIONS", "avx2")
    assert Job.resume(job.folder, settings) == job
    monkeypatch.setenv("FEATURES", "mkl")
    with pytest.raises(
        ValueError, match=r"another version: senet 0\.0\.0, features None, now senet 0\.0\.0, features mkl"
    ):
        Job.resume(job.folder, settings)
