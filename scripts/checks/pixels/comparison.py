"""Two answers to one file become an outcome, and outcomes a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.checks.pixels.decoder import Answer, Failed, Pixels, Refused

SIGNATURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "WebP": (b"RIFF",),
    "BMP": (b"BM",),
    # Pillow also takes the version in the other byte order, and BigTIFF.
    "TIFF": (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+"),
}
"""The first bytes of what senet reads."""

OUTCOMES = ("same", "same scalar", "differs", "neither", "only Pillow", "only senet", "failed", "Pillow failed")
"""What can become of a file.

"same scalar" is the same as Pillow without its vector instructions: those of libjpeg-turbo compute
in 16 bits, and overflow on coefficients that no encoder writes, so that Pillow's own pixels depend on
the processor. "failed" is senet's crash or hang.
"""

MISTAKES = ("differs", "failed")

STEPS = (1, 4, 16, 64, 255)
"""Differences are counted up to each of these."""


@dataclass(frozen=True)
class Outcome:
    """What became of a file."""

    file: Path
    format: str
    outcome: str
    senet: str
    """What senet said: a size, a refusal, or how it failed."""
    pillow: str
    damage: str | None = None
    """What senet says is wrong with a file of which it read what is left."""
    largest: int | None = None
    """Of 255; none where the sizes differ too."""
    share: float | None = None
    """Of the samples that differ."""

    @property
    def row(self) -> str:
        """Where it is counted: damaged files apart, since without `--damaged accept` they are errors."""
        return self.format if self.damage is None else f"{self.format}, damaged"

    @property
    def apart(self) -> str:
        """By how much the pixels differ, or an empty string."""
        if self.outcome != "differs":
            return ""
        if self.largest is None:
            return "of another size"
        return f"by up to {self.largest} of 255 in {self.share:.1%} of the samples"

    def lines(self) -> Iterator[str]:
        """Everything that is known."""
        yield f"{self.outcome:13} {self.row:14} {self.file}"
        for who, words in (
            ("senet", self.senet),
            ("Pillow", self.pillow),
            ("damage", self.damage),
            ("apart", self.apart),
        ):
            if words:
                yield f"    {who + ':':8}{words}"

    def as_json(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "file": str(self.file),
            "format": self.format,
            "outcome": self.outcome,
            "senet": self.senet,
            "pillow": self.pillow,
            "damage": self.damage,
            "largest": self.largest,
            "share": self.share,
        }


def format_of(file: Path) -> str | None:
    """The format by the first bytes, or none where senet reads no such."""
    with file.open("rb") as opened:
        start = opened.read(12)
    for name, signatures in SIGNATURES.items():
        if start.startswith(signatures) and (name != "WebP" or start[8:] == b"WEBP"):
            return name
    return None


def words(answer: Answer) -> str:
    """An answer in a few words."""
    if isinstance(answer, Pixels):
        height, width, _ = answer.rgb.shape
        return f"{width}x{height}"
    # A message may have lines of its own.
    return " ".join(answer.words.split())


def compare(file: Path, kind: str, senet: Answer, pillow: Answer) -> Outcome:
    """What becomes of a file of which the two say this."""
    largest: int | None = None
    share: float | None = None
    if isinstance(senet, Failed):
        outcome = "failed"
    elif isinstance(pillow, Failed):
        outcome = "Pillow failed"
    elif isinstance(senet, Refused):
        outcome = "neither" if isinstance(pillow, Refused) else "only Pillow"
    elif isinstance(pillow, Refused):
        outcome = "only senet"
    elif senet.rgb.shape != pillow.rgb.shape:
        outcome = "differs"
    elif np.array_equal(senet.rgb, pillow.rgb):
        outcome = "same"
    else:
        outcome = "differs"
        # As unsigned numbers, and of the larger the smaller: no room for a sign is needed.
        apart = np.maximum(senet.rgb, pillow.rgb) - np.minimum(senet.rgb, pillow.rgb)
        largest, share = int(apart.max()), float(np.count_nonzero(apart) / apart.size)
    damage = senet.damage if isinstance(senet, Pixels) else None
    return Outcome(file, kind, outcome, words(senet), words(pillow), damage, largest, share)


def table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """How many files of each format there are of each outcome."""
    counts: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        counts.setdefault(outcome.row, Counter())[outcome.outcome] += 1
    width = max(map(len, [*counts, "format"]))
    yield "  ".join([f"{'format':{width}}", f"{'files':>6}", *(f"{name:>6}" for name in OUTCOMES)])
    for row in sorted(counts):
        cells = [f"{counts[row].total():6}", *(f"{counts[row][name]:{max(6, len(name))}}" for name in OUTCOMES)]
        yield "  ".join([f"{row:{width}}", *cells])


def differences(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """By how much how many files differ."""
    counts: dict[str, Counter[int]] = {}
    other_size = len(STEPS)
    for outcome in outcomes:
        if outcome.outcome == "differs":
            step = other_size
            if outcome.largest is not None:
                step = next(index for index, most in enumerate(STEPS) if outcome.largest <= most)
            counts.setdefault(outcome.row, Counter())[step] += 1
    for row in sorted(counts):
        parts = [
            f"{counts[row][step]} of another size" if step == other_size else f"{counts[row][step]} {span(step)}"
            for step in sorted(counts[row])
        ]
        yield f"{row}: {', '.join(parts)}"


def span(step: int) -> str:
    """What is counted at a step."""
    least, most = (STEPS[step - 1] + 1 if step else 1), STEPS[step]
    return f"by {most}" if least == most else f"by {least} to {most}"


def reasons(outcomes: Iterable[Outcome], most: int = 40) -> Iterator[str]:
    """Why senet refuses what Pillow reads, the commonest first."""
    counts = Counter((outcome.format, outcome.senet) for outcome in outcomes if outcome.outcome == "only Pillow")
    for (kind, said), count in counts.most_common(most):
        yield f"{count:6}  {kind}: {said}"
    if len(counts) > most:
        yield f"        and {len(counts) - most} others, which --list shows"
