"""Count how often the rows that `senet classify --format csv` wrote are right, and compare them with another program's.

What is in a photograph is said by the folder that it lies in, which is called as the class is, or by the beginning of
its file's name, which is the class's synset.

    python -m scripts.checks.count_accuracy rows.csv --rows 10000 --at-least 0.86
    python -m scripts.checks.count_accuracy rows.csv --truth synset --against timm.csv
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scripts.command_line import errors_in_one_line

SYNSETS = Path("src/checkpoint/imagenet_1k.tsv")
"""The classes of ImageNet-1k in their order, a line each that begins with the synset."""

TOP = 5

Row = Mapping[str, str]


def read(file: Path) -> list[Row]:
    """The rows of a file, each of which has an answer.

    Raises:
        ValueError: it has none, or an image failed.
    """
    with file.open(newline="", encoding="utf-8") as lines:
        rows: list[Row] = list(csv.DictReader(lines))
    if not rows:
        raise ValueError(f"`{file}` has no rows")
    if failed := [row for row in rows if row.get("error")]:
        raise ValueError(f"`{failed[0]['input']}` in `{file}` failed: {failed[0]['error']}")
    return rows


def answers(row: Row, what: str) -> list[str]:
    """The classes or labels that a row has, the likeliest first."""
    return [row[f"{what}_{place}"] for place in range(1, TOP + 1) if f"{what}_{place}" in row]


def right_by_folder(row: Row) -> list[bool]:
    folder = Path(row["input"]).parent.name
    return [label == folder for label in answers(row, "label")]


def right_by_synset() -> Callable[[Row], list[bool]]:
    lines = SYNSETS.read_text(encoding="utf-8").splitlines()
    synsets = [line.split("\t", 1)[0] for line in lines if not line.startswith("#")]

    def right(row: Row) -> list[bool]:
        synset = Path(row["input"]).name.split("_", 1)[0]
        if synset not in synsets:
            raise ValueError(f"the name of `{row['input']}` begins with no synset of ImageNet-1k")
        return [synsets[int(number)] == synset for number in answers(row, "class")]

    return right


def different(ours: Sequence[Row], theirs: Sequence[Row]) -> list[str]:
    """A line for each image whose likeliest classes are not the same, in the same order.

    Raises:
        ValueError: rows of other images.
    """
    by_name = {Path(row["input"]).name: row for row in theirs}
    if len(theirs) != len(ours) or len(by_name) != len(theirs):
        raise ValueError(f"{len(ours)} rows are compared with {len(theirs)}, of {len(by_name)} images")
    lines = []
    for row in ours:
        name = Path(row["input"]).name
        if name not in by_name:
            raise ValueError(f"`{name}` is not among the rows to compare with")
        other = by_name[name]
        if answers(row, "class") != answers(other, "class"):
            found, expected = (
                ", ".join(f"{number} ({float(logit):.4f})" for number, logit in zip(*both, strict=True))
                for both in ((answers(each, "class"), answers(each, "logit")) for each in (row, other))
            )
            lines.append(f"{name}: {found}; expected {expected}")
    return lines


def largest_difference(ours: Sequence[Row], theirs: Sequence[Row]) -> float:
    """Of the likeliest class's logit, over all images."""
    by_name = {Path(row["input"]).name: float(row["logit_1"]) for row in theirs}
    return max(abs(float(row["logit_1"]) - by_name[Path(row["input"]).name]) for row in ours)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="ROWS.csv")
    parser.add_argument(
        "--truth", choices=("folder", "synset"), default="folder", help="what says what is in an image (%(default)s)"
    )
    parser.add_argument("--rows", type=int, help="fail unless there are this many")
    parser.add_argument("--at-least", type=float, default=0.0, metavar="SHARE", help="fail below this accuracy")
    parser.add_argument("--against", type=Path, metavar="ROWS.csv", help="fail unless these have the same classes")
    arguments = parser.parse_args(words)
    with errors_in_one_line():
        rows = read(arguments.file)
        if arguments.rows not in (None, len(rows)):
            raise ValueError(f"`{arguments.file}` has {len(rows)} rows, expected {arguments.rows}")
        right_at = right_by_folder if arguments.truth == "folder" else right_by_synset()
        right = [right_at(row) for row in rows]
        first = sum(places[0] for places in right)
        accuracy = first / len(rows)
        print(f"{first} of {len(rows)} right: {accuracy:.4f}")
        if len(right[0]) == TOP:
            among = sum(any(places) for places in right)
            print(f"{among} among the first {TOP}: {among / len(rows):.4f}")
        if accuracy < arguments.at_least:
            raise ValueError(f"accuracy {accuracy:.4f} is below {arguments.at_least}")
        if arguments.against:
            theirs = read(arguments.against)
            lines = different(rows, theirs)
            print(*lines, sep="\n", end="\n" if lines else "")
            difference = largest_difference(rows, theirs)
            print(f"the likeliest classes' logits differ by {difference:.1e} at most from `{arguments.against}`")
            if lines:
                raise ValueError(f"{len(lines)} of {len(rows)} images have other classes than in `{arguments.against}`")


if __name__ == "__main__":
    main()
