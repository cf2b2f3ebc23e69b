"""How long does a folder of photographs take, beside its two halves: the images alone, the network alone?

`senet classify` of the folder with SE-ResNet-50; of the same folder with the weights
inside the program, which stands for the images alone: it resizes them to 32x32
instead of 224x224, and its network takes a fraction of a millisecond an image; and
`senet bench` of SE-ResNet-50 in batches as large. They take turns, and the medians of
each are compared; loading the weights is in the folder's time only. Files are in the
page cache, and all use the threads that they choose themselves. Peak memory is that
of one more run, the kernel's count while it lasts, of a tenth of the folder, too.

    python -m scripts.peers.bench_folder --senet target/release/senet --into docs/speed.md
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from PIL import Image

from scripts.command_line import errors_in_one_line, parse_count
from scripts.peers.command import Command, make_photo
from scripts.peers.machine import machine
from scripts.peers.networks import prepare
from scripts.peers.results import order
from scripts.peers.table import around, table, tell

NETWORK = "seresnet50"

WHOLE, TENTH, IMAGES, NETWORK_ALONE = "the folder", "a tenth of it", "its images alone", "the network alone"

TENTHS = 10
"""By a tenth of the images memory shows whether it grows with them."""

BATCH = 16
"""Images of a batch, of `classify` and of `bench`."""


def fill(folder: Path, photo: Path, count: int) -> None:
    """Put so many copies of a photograph into a new folder."""
    folder.mkdir()
    for number in range(count):
        shutil.copy(photo, folder / f"{number:06}{photo.suffix}")


def check_rows(name: str, said: str, count: int) -> None:
    """See that every image got a row, and no row an error.

    Raises:
        ValueError: it is otherwise.
    """
    rows = [json.loads(line) for line in said.splitlines()]
    good = sum(bool(row.get("top")) for row in rows)
    if good != count:
        raise ValueError(f"{name}: expected {count} classified images, found {good} of {len(rows)} rows")


def measure(senet: Path, folder: Path, count: int, rounds: int) -> tuple[dict[str, Command], dict[str, list[float]]]:
    """Let all take turns; returns the commands, and the seconds that each takes for all images.

    Raises:
        ValueError: one fails, or leaves images out.
    """
    classify: list[str | Path] = [senet.resolve(), "classify", "--format", "ndjson", "--batch-size", str(BATCH)]
    weights: list[str | Path] = ["--weights", folder]
    # Each run takes a batch.
    runs = ["--runs", str(max(1, count // BATCH)), "--batch-size", str(BATCH), "--format", "json"]
    commands = {
        WHOLE: Command([*classify, *weights, "--timings", folder / "all"]),
        TENTH: Command([*classify, *weights, folder / "tenth"]),
        IMAGES: Command([*classify, "--weights", "builtin:seresnet20", folder / "all"]),
        NETWORK_ALONE: Command([senet.resolve(), "bench", "--network", NETWORK, *weights, *runs]),
    }
    counts = {WHOLE: count, TENTH: count // TENTHS, IMAGES: count}
    # Brings all files into the page cache.
    commands[IMAGES].run()
    commands[IMAGES].seconds.clear()
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for round_ in range(rounds):
        for name in order(list(commands), round_):
            said = commands[name].run()
            if name == NETWORK_ALONE:
                # Its process also loads, and times every layer.
                seconds[name].append(json.loads(said)["median_ms"] / 1e3 * count)
            else:
                check_rows(name, said, counts[name])
                seconds[name].append(commands[name].seconds[-1])
    for command in commands.values():
        command.watch()
    return commands, seconds


def markdown(
    commands: dict[str, Command], seconds: dict[str, list[float]], count: int, photo: str, command: str
) -> str:
    """What is told of it."""
    whole, images, network = (median(seconds[name]) for name in (WHOLE, IMAGES, NETWORK_ALONE))
    peaks = {name: f"{one.peak / 2**20:.0f} MiB" for name, one in commands.items()}
    times = {name: f"{median(each):.2f} s" for name, each in seconds.items()}
    larger, both = max(images, network), images + network
    return "\n".join(
        [
            *table(
                [f"{count} photographs", "wall time, median", "peak memory"],
                [[name, times[name], peaks[name]] for name in commands],
            ),
            "",
            f"The images share the network's cores, so there is about {images:.2f} s + {network:.2f} s = "
            f"{both:.2f} s to do; the folder takes {whole / both:.2f} of that, and "
            f"{whole / larger:.2f} of the larger of the two. The medians of {len(seconds[WHOLE])} rounds; the images "
            "alone are classified with the weights inside the program, for 32x32 pixels. "
            f"{photo}; {machine()}; {datetime.now(UTC).date().isoformat()}.",
            "",
            "Where the time of a run went, by `--timings`:",
            "",
            "```",
            commands[WHOLE].errors.strip(),
            "```",
            "",
            "```",
            command,
            "```",
        ]
    )


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("--photos", type=parse_count, default=1000, metavar="N", help="in the folder (%(default)s)")
    parser.add_argument("--rounds", type=parse_count, default=3, metavar="N", help="(%(default)s)")
    parser.add_argument("--into", type=Path, metavar="FILE", help="put the table between its markers `folder`")
    arguments = parser.parse_args(words)
    if arguments.photos < TENTHS:
        parser.error(f"--photos: expected at least {TENTHS}, found {arguments.photos}")

    with errors_in_one_line(), tempfile.TemporaryDirectory() as name:
        if arguments.into:
            around(arguments.into, "folder")
        folder = Path(name)
        photo = folder / "photo.jpg"
        make_photo(photo)
        fill(folder / "all", photo, arguments.photos)
        fill(folder / "tenth", photo, arguments.photos // TENTHS)
        prepare(NETWORK, folder, [1])
        commands, seconds = measure(arguments.senet, folder, arguments.photos, arguments.rounds)
        with Image.open(photo) as image:
            described = (
                f"Copies of a JPEG of {image.width}x{image.height} pixels and {photo.stat().st_size / 1e3:.0f} KB"
            )
        command = shlex.join(["python", "-m", "scripts.peers.bench_folder", *sys.argv[1:]])
        text = markdown(commands, seconds, arguments.photos, described, command)
        tell(text, arguments.into, "folder")


if __name__ == "__main__":
    main()
