"""Compare how senet and Pillow decode the images of any folder, file by file.

Right is what timm sees, Pillow's `Image.open(file).convert("RGB")`; senet is
asked for the same pixels, before any resize, and for what is left of damaged
files (`--damaged accept`), which are counted apart. A file is of the format
that its first bytes say, whatever its name; what begins as none of those that
senet reads is passed over. The status is 1 if pixels differ, or where senet
crashes or takes more time or memory than it may.

    cargo build --release --example pixels
    python -m scripts.checks.corpora FOLDER...

`--made` needs no folder: it makes files, one for each odd case that decoders
are known to get wrong (`odd_files/`), and each must come out as Pillow's, or in
another way that is stated beside it with its reason.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import PIL
from PIL import features

from scripts.checks.odd_files import Made, made_files
from scripts.checks.pixels.comparison import MISTAKES, Outcome, compare, differences, format_of, reasons, table
from scripts.checks.pixels.decoder import Limits, pillow, scalar_pillow, senet
from scripts.command_line import errors_in_one_line, parse_count

PROGRAM = Path(__file__).resolve().parents[2] / "target" / "release" / "examples" / "pixels"


def versions() -> dict[str, str | None]:
    """Pillow's, and those of the libraries in it that decide about pixels."""
    libraries = {name: features.version(name) for name in ("libtiff", "webp", "zlib")}
    return {"Pillow": PIL.__version__, "libjpeg-turbo": features.version_feature("libjpeg_turbo"), **libraries}


def files_in(folders: Iterable[Path]) -> Iterator[Path]:
    """Every file in the folders and below, in order.

    Raises:
        FileNotFoundError: there is no such folder or file.
    """
    for folder in folders:
        if folder.is_file():
            yield folder
        elif folder.is_dir():
            yield from sorted(path for path in folder.rglob("*") if path.is_file())
        else:
            raise FileNotFoundError(f"`{folder}`: no such file or folder")


class Sides:
    """The decoders, each of which is started by its first question."""

    def __init__(self, program: Path, limits: Limits) -> None:
        self.senet = senet(program, limits)
        self.pillow = pillow(limits)
        self.scalar = scalar_pillow(limits)

    def close(self) -> None:
        """End them."""
        for decoder in (self.senet, self.pillow, self.scalar):
            decoder.close()

    def outcome(self, file: Path) -> Outcome | None:
        """What becomes of a file, or none where it is of no format that senet reads."""
        kind = format_of(file)
        if kind is None:
            return None
        self.senet.ask(file)
        self.pillow.ask(file)
        ours, theirs = self.senet.answer(), self.pillow.answer()
        outcome = compare(file, kind, ours, theirs)
        if outcome.outcome == "differs":
            self.scalar.ask(file)
            if compare(file, kind, ours, self.scalar.answer()).outcome == "same":
                return replace(outcome, outcome="same scalar")
        return outcome


def unexpected(made: Made, outcome: Outcome) -> str | None:
    """How a made file comes out in another way than it should, or None."""
    found = f"{outcome.outcome}, damaged" if outcome.damage else outcome.outcome
    if found == made.expected:
        return None
    why = f" ({made.why})" if made.why else ""
    return f"{made.name}: expected `{made.expected}`{why}, found `{found}`"


def check_made(folder: Path, sides: Sides) -> tuple[list[Outcome], list[str]]:
    """The outcome of every made file, and what should have been otherwise."""
    outcomes: list[Outcome] = []
    wrong: list[str] = []
    for made in made_files():
        file = folder / made.name
        file.write_bytes(made.data)
        outcome = sides.outcome(file)
        if outcome is None:
            raise ValueError(f"{made.name} is of no format that is compared")
        outcomes.append(outcome)
        wrong.extend(filter(None, [unexpected(made, outcome)]))
    return outcomes, wrong


def report(outcomes: list[Outcome], passed_over: int, listed: bool) -> Iterator[str]:
    """What a person wants to know."""
    yield ", ".join(f"{name} {version}" for name, version in versions().items() if version)
    yield ""
    yield from table(outcomes)
    if passed_over:
        yield f"{passed_over} files of other formats were passed over"
    for title, lines in (
        ("differences", differences(outcomes)),
        ("only Pillow, as senet says", reasons(outcomes)),
        ("every file that is not the same", listing(outcomes) if listed else ()),
    ):
        found = list(lines)
        if found:
            yield from ["", f"{title}:", *found]


def listing(outcomes: list[Outcome]) -> Iterator[str]:
    """All that is known of every file that is not the same."""
    for outcome in outcomes:
        if outcome.outcome != "same":
            yield from outcome.lines()


def as_json(outcomes: list[Outcome], passed_over: int) -> str:
    """Everything, for programs."""
    return json.dumps(
        {
            "versions": versions(),
            "passed_over": passed_over,
            "files": [outcome.as_json() for outcome in outcomes],
        },
        indent=1,
    )


def main(words: list[str] | None = None) -> None:
    """Parse the arguments, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER", help="of images, or an image")
    parser.add_argument("--made", action="store_true", help="compare the files that are made, instead of folders")
    parser.add_argument("--program", type=Path, default=PROGRAM, help="the example `pixels`, built (%(default)s)")
    parser.add_argument("--list", action="store_true", help="print every file that is not the same, in both's words")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="what to print (%(default)s)")
    parser.add_argument("--seconds", type=parse_count, default=60, help="for a file, at most (%(default)s)")
    parser.add_argument("--memory", type=parse_count, default=4096, help="of a decoder, in MiB, at most (%(default)s)")
    arguments = parser.parse_args(words)
    if arguments.made == bool(arguments.folders):
        parser.error("expected folders, or --made")
    limits = Limits(arguments.seconds, arguments.memory << 20)

    wrong: list[str] = []
    with errors_in_one_line(), closing(Sides(arguments.program, limits)) as sides:
        if arguments.made:
            with tempfile.TemporaryDirectory() as scratch:
                outcomes, wrong = check_made(Path(scratch), sides)
            passed_over = 0
        else:
            files = list(files_in(arguments.folders))
            outcomes = [outcome for outcome in map(sides.outcome, files) if outcome is not None]
            passed_over = len(files) - len(outcomes)
        if not outcomes:
            raise ValueError("no images found")
    if arguments.format == "json":
        print(as_json(outcomes, passed_over))
    else:
        print("\n".join(report(outcomes, passed_over, arguments.list)))
    if not arguments.made:
        mistakes = [outcome for outcome in outcomes if outcome.outcome in MISTAKES]
        wrong = [f"{len(mistakes)} of {len(outcomes)} files differ or failed"] if mistakes else []
    if arguments.made and not wrong and arguments.format == "text":
        print(f"\nall {len(outcomes)} made files come out as they should")
    if wrong:
        raise SystemExit("\n".join(f"error: {line}" for line in wrong))


if __name__ == "__main__":
    main()
