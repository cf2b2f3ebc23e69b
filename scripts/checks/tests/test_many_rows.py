from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.checks.many_rows import MOST_GROWTH, run

PROGRAM = """
import json, sys
lines = [line.rstrip("\\n") for line in sys.stdin]
{change}
for line in lines:
    print(json.dumps({{"input": line, "error": None}}), flush=True)
"""


def seen_of(change: str) -> int:
    """Rows that are counted of a program which changes the list before it answers."""
    command = [sys.executable, "-c", PROGRAM.format(change=change)]
    return run(command, [Path("a.jpg"), Path("b.jpg")], rows=5, pause=0).rows


def test_every_row_in_order_is_counted() -> None:
    assert seen_of("pass") == 5


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("lines.pop()", "after 4 of 5 rows"),
        ("lines.insert(0, lines[0])", "row 2 is"),
        ("lines.append(lines[-1])", "row 6 is"),
        ("lines.reverse(); lines.insert(0, 'b.jpg')", "row 1 is"),
        ("sys.exit(2)", "status 2 after 0 of 5 rows"),
    ],
)
def test_rows_that_are_lost_doubled_or_out_of_order_are_an_error(change: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        seen_of(change)


def test_memory_that_grows_with_the_rows_is_found() -> None:
    program = """
import json, sys
kept = []
for line in sys.stdin:
    kept.append(b"x" * 20_000)
    print(json.dumps({"input": line.rstrip("\\n"), "error": None}), flush=True)
"""
    seen = run([sys.executable, "-c", program], [Path("a.jpg")], rows=5000, pause=0)
    # 4,500 rows of 20 kB are 86 MiB. Where the machine does much else, a program is ahead of what is
    # read of it by what a pipe and a buffer hold: some 2,000 rows, of which the early ones know already.
    assert seen.growth() > 40 > MOST_GROWTH
