"""Count from rows that `senet classify --format csv` wrote how many images lie in the folder of their label.

python -m scripts.checks.count_accuracy rows.csv --rows 10000 --at-least 0.86
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="ROWS.csv")
    parser.add_argument("--rows", type=int, help="fail unless there are this many")
    parser.add_argument("--at-least", type=float, default=0.0, metavar="SHARE", help="fail below this accuracy")
    arguments = parser.parse_args()
    with arguments.file.open(newline="") as file:
        right = [Path(row["input"]).parent.name == row["label_1"] for row in csv.DictReader(file)]
    if not right or arguments.rows not in (None, len(right)):
        raise SystemExit(f"error: `{arguments.file}` has {len(right)} rows, expected {arguments.rows or 'some'}")
    accuracy = sum(right) / len(right)
    print(f"{sum(right)} of {len(right)} right: {accuracy:.4f}")
    if accuracy < arguments.at_least:
        raise SystemExit(f"error: accuracy {accuracy:.4f} is below {arguments.at_least}")


if __name__ == "__main__":
    main()
