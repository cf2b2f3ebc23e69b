"""How many of timm's and torchvision's networks can be exported, and why the others cannot.

    python -m scripts.pytorch.export_coverage --published timm_se_all.csv
    python -m scripts.pytorch.export_coverage torchvision timm:convnext_tiny

Each is made with drawn weights, traced, and lowered to a graph, which is replayed where the network is small enough.
A row of Markdown a network that is refused, with the reason, and how many are not.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from torch import nn

from scripts.command_line import errors_in_one_line, parse_size
from scripts.pytorch.lowering.model import lower
from scripts.pytorch.models import Model, load
from scripts.pytorch.replay import check_replay
from scripts.pytorch.tracing import trace

SMALL = (96, 96)
"""Of the images: networks whose stages need more get what their library says."""


@dataclass(frozen=True)
class Outcome:
    """What became of a network."""

    words: str
    layers: int = 0
    error: float | None = None
    """Of the graph's layers; None where it was not replayed."""
    reason: str = ""
    """Why it is refused."""

    def __str__(self) -> str:
        if self.reason:
            return f"| {self.words} | refused | {self.reason} |"
        replayed = "not replayed" if self.error is None else f"{self.error:.0e}"
        return f"| {self.words} | {self.layers} layers | {replayed} |"


def attempt(words: str, size: tuple[int, int], replay_below: int) -> Outcome:
    """Try a network."""
    model = load(words)
    own = model.height, model.width
    try:
        return exported(words, model, size, replay_below)
    except ValueError:
        # Too small for its last stage, perhaps, or of a size that is fixed.
        try:
            return exported(words, model, own, replay_below)
        except ValueError as error:
            return Outcome(words, reason=str(error))


def exported(words: str, model: Model, size: tuple[int, int], replay_below: int) -> Outcome:
    traced = trace(model.module, (model.channels, *size))
    lowered = lower(traced, model.name)
    lowered.graph.check()
    count = sum(parameter.numel() for parameter in model.module.parameters())
    error = check_replay(traced, lowered) if count < replay_below else None
    return Outcome(words, len(lowered.graph.layers), error)


def without_initialisers() -> None:
    """Have weights drawn evenly: the initialisers take longer than all the rest, and no case depends on them."""

    def even(tensor: torch.Tensor, *_more: object, **_named: object) -> torch.Tensor:
        with torch.no_grad():
            return tensor.uniform_(-0.05, 0.05)

    for name in ("trunc_normal_", "kaiming_normal_", "kaiming_uniform_", "xavier_uniform_", "normal_"):
        setattr(nn.init, name, even)


def chosen(names: list[str], published: Path | None) -> Iterator[str]:
    """The words of all that are asked for; `torchvision` is all of its classifiers.

    Raises:
        ValueError: none is.
    """
    if published:
        with published.open(encoding="utf-8", newline="") as file:
            yield from (f"timm:{row['name']}" for row in csv.DictReader(file))
    elif not names:
        raise ValueError("no network is named; expected MODEL or `--published FILE.csv`")
    for name in names:
        if name == "torchvision":
            yield from (f"torchvision:{each}" for each in torchvision.models.list_models(module=torchvision.models))
        else:
            yield name


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="as for the export; `torchvision` for all of its own"
    )
    parser.add_argument("--published", type=Path, metavar="FILE.csv", help="timm's networks, by the column `name`")
    parser.add_argument("--size", type=parse_size, default=SMALL, metavar="HxW", help="of images, if it is enough")
    parser.add_argument(
        "--replay-below",
        type=int,
        default=30_000_000,
        metavar="N",
        help="replay smaller ones (%(default)s parameters)",
    )
    arguments = parser.parse_args(words)
    without_initialisers()
    outcomes = []
    with errors_in_one_line():
        for name in chosen(arguments.models, arguments.published):
            outcomes.append(attempt(name, arguments.size, arguments.replay_below))
            print(outcomes[-1], flush=True)
    done = [outcome for outcome in outcomes if not outcome.reason]
    replayed = [outcome.error for outcome in done if outcome.error is not None]
    print(
        f"\n{len(done)} of {len(outcomes)} exported, {len(replayed)} of them replayed, "
        f"the largest error {max(replayed, default=0.0):.0e}"
    )


if __name__ == "__main__":
    main()
