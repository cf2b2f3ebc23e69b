"""The program, asked for what it says as JSON."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


class ProgramError(ValueError):
    """The program could not run; its words are the message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def ask(senet: Path, *words: str | Path) -> dict[str, Any]:
    """Run the program and read its JSON.

    Raises:
        ProgramError: it could not run.
    """
    command = [senet.resolve(), *words, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # 1 is an answer: parity differs.
    if done.returncode not in (0, 1):
        raise ProgramError(done.returncode, done.stderr.strip())
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def compared_under_names(
    senet: Path, words: tuple[str | Path, ...], tolerance: str, name: str, layer: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each name of a dump means to `senet parity` with these words, and its report on candle.

    Raises:
        ProgramError: it could not run.
        ValueError: `name` is not understood as `layer`, or a value differs.
    """
    words = ("parity", *words, "--extra", "ignore")
    names = ask(senet, *words, "--names")
    report = ask(senet, *words, "--engine", "candle", "--rtol", tolerance)
    meant: dict[str, Any] = {value["name"]: value["layer"] for value in names["values"]}
    if meant.get(name) != layer:
        raise ValueError(f"`{name}` is understood as `{meant.get(name)}`, expected `{layer}`")
    if not report["passed"]:
        first = next(value for value in report["layers"] if not value["passed"])
        raise ValueError(f"`{first['name']}`, understood as `{meant[first['name']]}`, differs by {first['max_rel']}")
    return meant, report


def coverage_of(report: dict[str, Any], fewest: float) -> str:
    """How much of a network was compared, in words.

    Raises:
        ValueError: it is less than this share of the layers.
    """
    coverage = report["coverage"]
    if coverage["layers"] < fewest * coverage["of_layers"]:
        raise ValueError(f"{coverage['layers']} of {coverage['of_layers']} layers compared")
    worst = max(value["max_rel"] for value in report["layers"])
    return (
        f"{len(report['layers'])} values of {coverage['layers']} of {coverage['of_layers']} layers equal, "
        f"largest error {worst:.1e}; {len(report['extra'])} left out"
    )
