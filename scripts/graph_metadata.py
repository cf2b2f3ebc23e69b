"""What a graph file says besides the network: the names of its classes, and how images are prepared."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path


def add_metadata_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--labels", type=Path, metavar="FILE", help="names of the classes, a line each or a JSON list")
    parser.add_argument("--preprocessing", type=Path, metavar="FILE.json", help="how images are prepared")


def metadata_of(arguments: argparse.Namespace, outputs: Sequence[Sequence[int]]) -> dict[str, str]:
    """What those options say, for a model with outputs of these shapes.

    Raises:
        ValueError: a file is not what it should be, or names more or fewer classes than the model has.
    """
    more = {}
    if arguments.labels:
        names = labels(arguments.labels)
        check_labels(names, outputs)
        more["labels"] = json.dumps(names)
    if arguments.preprocessing:
        try:
            more["preprocessing"] = json.dumps(json.loads(arguments.preprocessing.read_text(encoding="utf-8")))
        except ValueError as error:
            raise ValueError(f"`{arguments.preprocessing}` is no JSON: {error}") from error
    return more


def labels(file: Path) -> list[str]:
    """The names of classes in a file, a line each or a JSON list.

    Raises:
        ValueError: it is neither.
    """
    text = file.read_text(encoding="utf-8")
    names = json.loads(text) if text.lstrip().startswith("[") else text.splitlines()
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError(f"`{file}`: expected the name of a class in every line, or a JSON list of them")
    return [name.strip() for name in names]


def check_labels(names: Sequence[str], outputs: Sequence[Sequence[int]]) -> None:
    if not any(list(shape[1:]) == [len(names)] for shape in outputs):
        found = ", ".join(str(list(shape)) for shape in outputs)
        raise ValueError(f"--labels has {len(names)} names, for a model with outputs of shape {found}")
