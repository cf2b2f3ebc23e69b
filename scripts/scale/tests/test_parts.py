"""Which inputs there are in folders, lists, tars and Parquet files, and that parts hold each once, in order."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.scale.image import Image, Problem
from scripts.scale.parts import Columns, Part, files_of, images_of, parts_of


def inputs_of(files: list[Path], folder: Path, rows: int = 3, columns: Columns | None = None) -> list[Image]:
    parts = list(parts_of((file for each in files for file in files_of(each)), folder / "_paths", rows))
    images = [list(images_of(part, columns or Columns())) for part in parts]
    for part, of_part in zip(parts, images, strict=True):
        assert part.inputs in (None, len(of_part))
    return [image for of_part in images for image in of_part]


def names(images: list[Image], folder: Path) -> list[str]:
    return [image.name.removeprefix(f"{folder}/") for image in images]


def write_tar(file: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file


def test_a_folder_has_its_images_and_archives_in_order_and_each_folder_once(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    for name in ["b.jpg", "a/2.PNG", "a/1.webp", "notes.txt", "c\nd.jpg", "e\udcff.jpeg", "back\\slash.gif"]:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    (folder / "a/loop").symlink_to("..")
    (folder / "gone.jpg").symlink_to("nowhere")
    write_tar(folder / "z.tar", {"1.jpg": b"1"})
    found = names(inputs_of([folder], tmp_path), folder)
    expected = ["b.jpg", "back\\\\slash.gif", "c\nd.jpg", "e\\xff.jpeg", "gone.jpg", "a/1.webp", "a/2.PNG"]
    assert sorted(found) == sorted([*expected, "z.tar/1.jpg"])
    # Paths of images are parts together; a tar is one as soon as it is found.
    assert [name for name in found if name != "z.tar/1.jpg"] == expected


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 7, 100])
def test_parts_of_a_list_hold_each_path_once(tmp_path: Path, count: int) -> None:
    paths = [tmp_path / ("x" * (number * 37 % 200)) / f"{number}.jpg" for number in range(count)]
    images = inputs_of(paths, tmp_path)
    assert [image.content for image in images] == paths


def test_a_folder_that_cannot_be_read_is_an_error_and_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        list(files_of(tmp_path))


def test_images_of_a_tar_have_its_name_and_others_are_passed_over(tmp_path: Path) -> None:
    members = {
        "a/1.jpg": b"one",
        "a/1.json": b"{}",
        "../2.PNG": b"two",
        "x" * 300 + ".gif": b"long",
        "\udcff.jpg": b"3",
    }
    for file, mode in [("s.tar", "w"), ("s.tar.gz", "w:gz"), ("s.tgz", "w:gz")]:
        archive = write_tar(tmp_path / file, members, mode)
        if mode == "w":
            with tarfile.open(archive, "a") as opened:
                link = tarfile.TarInfo("link.jpg")
                link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
                opened.addfile(link)
        images = inputs_of([archive], tmp_path)
        expected: dict[str, bytes | Path | Problem] = {f"{archive}/a/1.jpg": b"one", f"{archive}/../2.PNG": b"two"}
        expected |= {f"{archive}/{'x' * 300}.gif": b"long", f"{archive}/\\xff.jpg": b"3"}
        if mode == "w":
            expected[f"{archive}/link.jpg"] = Problem("a link, device or pipe; expected a file")
        assert {image.name: image.content for image in images} == expected


def test_a_torn_tar_has_what_was_whole_and_a_problem(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "whole.tar", {"1.jpg": b"1" * 5000, "2.jpg": b"2" * 5000}).read_bytes()
    torn = tmp_path / "torn.tar"
    # In the second member's content, in its header, before it, and in the first's content; and no header but noise.
    other = whole[:5632] + b"noise" * 1000
    cases = [(whole[:8000], 1), (whole[:5900], 1), (whole[:5632], 1), (whole[:3000], 0), (other, 1)]
    for content, members in cases:
        torn.write_bytes(content)
        images = inputs_of([torn], tmp_path)
        assert [image.name for image in images[:-1]] == [f"{torn}/{number}.jpg" for number in range(1, members + 1)]
        assert images[-1].name == str(torn)
        assert isinstance(images[-1].content, Problem)


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100, b"\x1f\x8b\x08broken"])
def test_what_is_no_tar_is_a_problem(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "odd.tar"
    file.write_bytes(content)
    images = inputs_of([file], tmp_path)
    assert [image.name for image in images] == [str(file)]
    assert isinstance(images[0].content, Problem)


def test_a_member_that_claims_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    member = tarfile.TarInfo("huge.jpg")
    member.size = 8 << 60
    file = tmp_path / "huge.tar"
    file.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + b"few")
    images = inputs_of([file], tmp_path)
    assert [image.name for image in images] == [f"{file}/huge.jpg", str(file)]
    problem = images[0].content
    assert isinstance(problem, Problem)
    assert problem.message.startswith("a file of 9,223,372,036,854,775,808 bytes; expected an image of at most")


def test_rows_of_parquet_have_names_of_a_column_or_their_number(tmp_path: Path) -> None:
    file = tmp_path / "images.parquet"
    content = [b"0", None, b"2", b"3", b"4"]
    pq.write_table(pa.table({"image": content, "name": ["a", "b", None, "d", "a"]}), file, row_group_size=2)
    images = inputs_of([file], tmp_path)
    assert [image.name for image in images] == [f"{file}#{row}" for row in range(5)]
    assert [image.content if isinstance(image.content, bytes) else None for image in images] == content
    images = inputs_of([file], tmp_path, columns=Columns("image", "name"))
    assert [image.name for image in images] == ["a", "b", f"{file}#2", "d", "a"]


def test_a_dataset_of_hugging_face_says_itself_where_its_images_are(tmp_path: Path) -> None:
    file = tmp_path / "images.parquet"
    images = [{"bytes": b"0", "path": "0.jpg"}, None, {"bytes": None, "path": "2.jpg"}, {"bytes": b"3", "path": None}]
    pq.write_table(pa.table({"label": [0, 1, 2, 3], "image": images}), file)
    found = inputs_of([file], tmp_path)
    assert [image.name for image in found] == ["0.jpg", f"{file}#1", "2.jpg", f"{file}#3"]
    assert [isinstance(image.content, bytes) for image in found] == [True, False, False, True]


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "images.parquet"
    pq.write_table(pa.table({"a": [b"0"], "b": [b"1"], "c": [1]}), file)
    part = Part("parquet", str(file), 0, 1)
    with pytest.raises(ValueError, match="expected one among its columns of bytes, found `a`, `b`"):
        list(images_of(part, Columns()))
    with pytest.raises(ValueError, match="expected `c` among its columns of bytes, found `a`, `b`"):
        list(images_of(part, Columns("c")))
    with pytest.raises(ValueError, match="expected a column `c` of text, found int64"):
        list(images_of(part, Columns("a", "c")))
