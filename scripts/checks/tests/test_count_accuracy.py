"""Rows are counted by what says what is in an image, and compared with another program's."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from scripts.checks import count_accuracy

SYNSETS = ("n01440764", "n01443537", "n01484850", "n01491361", "n01494475", "n01496331")
"""Of the classes 0 to 5 of ImageNet-1k."""


def write(file: Path, rows: list[tuple[str, list[int]]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        top = len(rows[0][1])
        writer.writerow(["input", *(f"{what}_{k + 1}" for k in range(top) for what in ("class", "label", "logit"))])
        for name, classes in rows:
            writer.writerow([name, *(field for number in classes for field in (number, f"c{number}", 5 - number))])
    return file


def test_what_is_in_an_image_is_said_by_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = write(tmp_path / "rows.csv", [("test/c1/a.jpg", [1]), ("test/c1/b.jpg", [2])])
    count_accuracy.main([str(rows), "--rows", "2", "--at-least", "0.5"])
    assert capsys.readouterr().out == "1 of 2 right: 0.5000\n"
    with pytest.raises(SystemExit, match=r"0\.5000 is below 0\.6"):
        count_accuracy.main([str(rows), "--at-least", "0.6"])
    with pytest.raises(SystemExit, match="has 2 rows, expected 3"):
        count_accuracy.main([str(rows), "--rows", "3"])


def test_what_is_in_an_image_is_said_by_its_synset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = [(f"{SYNSETS[2]}_shark.JPEG", [2, 1, 0, 3, 4]), (f"{SYNSETS[5]}_ray.JPEG", [4, 3, 5, 1, 0])]
    rows = write(tmp_path / "rows.csv", named)
    count_accuracy.main([str(rows), "--truth", "synset"])
    assert capsys.readouterr().out == "1 of 2 right: 0.5000\n2 among the first 5: 1.0000\n"


def test_another_order_of_classes_is_another_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = write(
        tmp_path / "ours.csv", [(f"a/{SYNSETS[0]}_x.jpg", [0, 1, 2, 3, 4]), ("a/n01443537_y.jpg", [1, 0, 2, 3, 4])]
    )
    same = [("b/n01443537_y.jpg", [1, 0, 2, 3, 4]), (f"b/{SYNSETS[0]}_x.jpg", [0, 1, 2, 3, 4])]
    options = [str(ours), "--truth", "synset", "--against"]
    count_accuracy.main([*options, str(write(tmp_path / "same.csv", same))])
    same[0] = ("b/n01443537_y.jpg", [1, 0, 2, 4, 3])
    with pytest.raises(SystemExit, match="1 of 2 images have other classes"):
        count_accuracy.main([*options, str(write(tmp_path / "other.csv", same))])
    assert "n01443537_y.jpg: 1 (4.0000), 0 (5.0000)" in capsys.readouterr().out
