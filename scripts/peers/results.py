"""Times of programs that took turns, what follows from them, and the file that keeps them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles

OURS = "senet"
"""What all others are compared with."""

OURS_BF16 = "senet-bf16"
"""What others in bf16 are compared with."""

Configuration = tuple[str, int, int, bool]
"""Network, batch, threads, and whether a neighbour kept a core busy."""


@dataclass(frozen=True)
class Ratio:
    """Our time over another program's: the median over the rounds, and the middle half of them."""

    median: float
    low: float
    high: float


@dataclass
class Competitor:
    """A program in one configuration."""

    version: str
    way: str
    """In which of its ways it ran, where it has several."""
    tried: dict[str, float]
    """Milliseconds of each of them."""
    error: float
    """The largest error of a logit against PyTorch in float64, as a share of the largest logit."""
    rounds: list[float] = field(default_factory=list)
    """Median milliseconds of the whole batch, of each round."""
    threads: float | None = None
    """The most that it used on average in a round, as processor time over wall time; of `senet` not known."""


@dataclass
class Result:
    """One configuration, in which programs took turns."""

    network: str
    batch: int
    threads: int
    neighbour: bool
    date: str
    machine: str
    command: str
    allowed: float
    """The largest error of a logit that passed."""
    programs: dict[str, Competitor]
    refused: dict[str, str] = field(default_factory=dict)
    """Why others that were asked took no part: they cannot run the network, or compute something else."""

    @property
    def configuration(self) -> Configuration:
        return (self.network, self.batch, self.threads, self.neighbour)

    def milliseconds(self, program: str) -> float:
        """Of one image, the median of the rounds."""
        return median(self.programs[program].rounds) / self.batch

    def ratio(self, program: str, ours: str = OURS) -> Ratio:
        """Our time over this program's, round by round."""
        return paired(self.programs[ours].rounds, self.programs[program].rounds)


def paired(ours: list[float], theirs: list[float]) -> Ratio:
    """Times of the same rounds compared.

    Raises:
        ValueError: they are not of the same rounds, or of none.
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"expected the same rounds of both, found {len(ours)} and {len(theirs)}")
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    if len(ratios) == 1:
        return Ratio(ratios[0], ratios[0], ratios[0])
    low, _, high = quantiles(ratios, n=4, method="inclusive")
    return Ratio(median(ratios), low, high)


def order(programs: list[str], round_: int) -> list[str]:
    """Who runs when in a round: each of them first, second and so on equally often."""
    start = round_ % len(programs)
    return programs[start:] + programs[:start]


def read(file: Path) -> list[Result]:
    """The results in a file; none where there is no file.

    Raises:
        ValueError: it holds something else.
    """
    if not file.exists():
        return []
    try:
        rows = json.loads(file.read_text())
        if not isinstance(rows, list):
            raise TypeError("it is no list")
        return [
            Result(**{**row, "programs": {name: Competitor(**one) for name, one in row["programs"].items()}})
            for row in rows
        ]
    except (TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"`{file}` does not hold results of this script: {error}") from error


def merge(old: list[Result], new: list[Result]) -> list[Result]:
    """All of them; where two are of one configuration the newer."""
    by_configuration = {result.configuration: result for result in old}
    for result in new:
        by_configuration[result.configuration] = result
    return list(by_configuration.values())


def write(file: Path, results: list[Result]) -> None:
    """Write a file that is whole at any moment."""
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    partial.replace(file)
