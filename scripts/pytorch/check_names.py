"""Has the Rust program the networks that timm has, tensor by tensor?

Every network of the program's catalogue that timm has is built on PyTorch's meta
device, which computes shapes alone. A weights file as timm writes it, with a
`config.json` beside it, is made of the names and shapes of its tensors: it holds
no numbers, and takes no room on a disk. The program has to load it, once for
each number of classes that published weights have, and to count as many
parameters and multiplies as PyTorch. So it has of each that timm can fold its
branches of, as timm folds them.

With a table of timm's networks with SE blocks and of their published weights, it
is also counted how many of these the program has, and seen that it says of each
other one why it does not.

    python -m scripts.pytorch.check_names --senet target/release/senet \\
        --published ../shared/reference/timm_se_all.csv
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from timm.utils.model import reparameterize_model
from torch import nn

from scripts.command_line import errors_in_one_line
from scripts.pytorch.facts import ShapesAlone, cost
from scripts.pytorch.networks import FOLDED
from scripts.senet_program import ProgramError, ask

FLOAT_BYTES = 4

STATED = re.compile(r"\d+ of the \d+ networks with SE blocks that timm has, and \d+ of their \d+ published weights")
"""How the README says what is covered."""


@dataclass(frozen=True)
class Listed:
    """A row of the table of timm's networks."""

    module: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Coverage:
    """What the program has of the table."""

    networks: int
    of_networks: int
    tags: int
    of_tags: int

    def __str__(self) -> str:
        return (
            f"{self.networks} of the {self.of_networks} networks with SE blocks that timm has, "
            f"and {self.tags} of their {self.of_tags} published weights"
        )


def write_hollow(file: Path, tensors: dict[str, torch.Tensor]) -> None:
    """A safetensors file of these names and shapes, whose numbers are a hole: they read as zeros.

    Counts of batches are left in, as timm writes them.
    """
    header, end = {}, 0
    for name, tensor in tensors.items():
        kind, size = ("I64", 8) if tensor.dtype == torch.int64 else ("F32", FLOAT_BYTES)
        begin, end = end, end + tensor.numel() * size
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with file.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        out.truncate(8 + len(text) + end)


def in_timm(name: str) -> str:
    """What timm calls the network, before its branches are folded where the program's name says so."""
    return name.removesuffix(FOLDED)


def on_meta(name: str, classes: int) -> nn.Module:
    """timm's network without numbers, its branches folded where the program's name says so."""
    with torch.device("meta"), ShapesAlone():
        model: nn.Module = timm.create_model(in_timm(name), pretrained=False, num_classes=classes)
        if name.endswith(FOLDED):
            model = reparameterize_model(model)
    return model.eval()


def check(senet: Path, name: str, classes: int, size: tuple[int, int]) -> None:
    """See the program load what timm's network of this name would write, and count what it counts.

    Raises:
        ValueError: it does not.
    """
    model = on_meta(name, classes)
    with tempfile.TemporaryDirectory() as folder:
        write_hollow(Path(folder) / "model.safetensors", model.state_dict())
        # Of a folded network timm writes the name that it had before.
        config = {"architecture": in_timm(name), "num_classes": classes}
        (Path(folder) / "config.json").write_text(json.dumps(config))
        report = ask(senet, "trace", "--weights", folder, "--size", f"{size[0]}x{size[1]}")
    found = (report["network"], report["parameters"], report["macs"])
    parameters = sum(parameter.numel() for parameter in model.parameters())
    expected = (name, parameters, cost(model, *size).macs)
    if found != expected:
        raise ValueError(f"network, parameters and multiplies are {found}; timm's are {expected}")


def classes_of(name: str, tags: set[str]) -> set[int]:
    """The numbers of classes of a network as it is made and of its published weights."""
    configs = [timm.get_pretrained_cfg(in_timm(name)), *(timm.get_pretrained_cfg(f"{name}.{tag}") for tag in tags)]
    # Weights without a classifier have none; they have no answer either.
    return {config.num_classes for config in configs if config is not None and config.num_classes}


def read_listed(table: Path) -> dict[str, Listed]:
    """The table by network.

    Raises:
        ValueError: it lacks a column.
    """
    try:
        with table.open(newline="") as file:
            return {
                row["name"]: Listed(row["module"], tuple(filter(None, row["tags"].split("+"))))
                for row in csv.DictReader(file)
            }
    except KeyError as error:
        raise ValueError(f"`{table}` lacks a column: {error}") from error


def tags_of(model: dict[str, Any]) -> set[str]:
    """The tags that the program names of a network."""
    return {hub.rsplit("/", 1)[1].split(".", 1)[1] for hub in model["hub"]}


def coverage(models: list[dict[str, Any]], listed: dict[str, Listed]) -> Coverage:
    """How many networks and tags of the table the program has."""
    tags = {model["name"]: tags_of(model) for model in models}
    return Coverage(
        sum(name in tags for name in listed),
        len(listed),
        sum(len(tags.get(name, set()) & set(row.tags)) for name, row in listed.items()),
        sum(len(row.tags) for row in listed.values()),
    )


def print_modules(models: list[dict[str, Any]], listed: dict[str, Listed]) -> None:
    """A row of Markdown for each of timm's modules."""
    names = {model["name"] for model in models}
    tags = {model["name"]: tags_of(model) for model in models}
    found, of, found_tags, of_tags = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for name, row in listed.items():
        of[row.module] += 1
        of_tags[row.module] += len(row.tags)
        found[row.module] += name in names
        found_tags[row.module] += len(tags.get(name, set()) & set(row.tags))
    print("| module of timm | networks | of | tags | of |\n|---|---:|---:|---:|---:|")
    for module in sorted(of):
        print(f"| {module} | {found[module]} | {of[module]} | {found_tags[module]} | {of_tags[module]} |")


def check_left_out(senet: Path, report: dict[str, Any], listed: dict[str, Listed]) -> None:
    """See the program say of every network of the table that it does not have why, and print that.

    Raises:
        ValueError: it does not, or says so of one that it has.
    """
    names = {model["name"] for model in report["models"]}
    reasons = {left_out["name"]: left_out["reason"] for left_out in report["left_out"]}
    if both := names & set(reasons):
        raise ValueError(f"both had and left out: {', '.join(sorted(both))}")
    if unsaid := set(listed) - names - set(reasons):
        raise ValueError(f"neither had nor left out: {', '.join(sorted(unsaid))}")
    for name, reason in reasons.items():
        try:
            ask(senet, "trace", name)
        except ProgramError as error:
            if reason not in str(error):
                raise ValueError(f"the answer to `{name}` does not say that {reason}: {error}") from error
        else:
            raise ValueError(f"`{name}` is said to be left out, but is traced")
        print(f"left out: {name}: {reason}")


def check_stated(page: Path, found: Coverage) -> None:
    """See that a page says what is covered.

    Raises:
        ValueError: it does not, or something else.
    """
    stated = STATED.search(page.read_text(encoding="utf-8"))
    if not stated:
        raise ValueError(f"`{page}` does not say: {found}")
    if stated[0] != str(found):
        raise ValueError(f"`{page}` says: {stated[0]}; the program has {found}")


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help="check these networks alone")
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("--published", type=Path, metavar="TABLE.csv", help="timm's networks with SE blocks")
    parser.add_argument("--stated-in", type=Path, metavar="PAGE.md", help="a page that states how many there are")
    parser.add_argument("--at-least-tags", type=int, default=0, metavar="N", help="published weights to be had")
    arguments = parser.parse_args(words)
    with errors_in_one_line():
        report = ask(arguments.senet, "models")
        models = [model for model in report["models"] if timm.is_model(in_timm(model["name"]))]
        if unknown := set(arguments.names) - {model["name"] for model in models}:
            raise ValueError(f"not in both the catalogue and timm: {', '.join(sorted(unknown))}")
        files = 0
        for model in models:
            name, tags = model["name"], tags_of(model)
            if arguments.names and name not in arguments.names:
                continue
            _, height, width = timm.get_pretrained_cfg(in_timm(name)).input_size
            if model["input"] != [3, height, width]:
                raise ValueError(f"{name}: made for {model['input']}; timm says {height}x{width}")
            for classes in classes_of(name, tags):
                try:
                    check(arguments.senet, name, classes, (height, width))
                except ValueError as error:
                    raise ValueError(f"{name} of {classes} classes: {error}") from error
                files += 1
        print(f"{len(arguments.names or models)} networks, {files} files as timm would write them: all loaded")
        if arguments.published:
            listed = read_listed(arguments.published)
            found = coverage(models, listed)
            print_modules(models, listed)
            check_left_out(arguments.senet, report, listed)
            print(found)
            if arguments.stated_in:
                check_stated(arguments.stated_in, found)
            if found.tags < arguments.at_least_tags:
                raise ValueError(f"{found.tags} published weights; expected at least {arguments.at_least_tags}")


if __name__ == "__main__":
    main()
