"""How long does a user wait for one photograph's classes? The whole command, from start to end of the process.

`senet classify` with the weights inside the program, with a file of SE-ResNet-50,
and the same job of the latter as a Python script on ONNX Runtime (`photo.py`)
take turns. Files are in the page cache, for all of them run before; both
use the threads that they choose themselves. Peak memory is that of one more run,
the kernel's count while it lasts.

    python -m scripts.peers.bench_command --senet target/release/senet --into docs/speed.md
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from PIL import Image

from scripts.command_line import errors_in_one_line, parse_count
from scripts.peers.command import Command, make_photo
from scripts.peers.machine import machine
from scripts.peers.networks import prepare
from scripts.peers.results import order, paired
from scripts.peers.table import around, table, tell

NETWORK = "seresnet50"

EMBEDDED, OURS, THEIRS = "senet, EfficientNet-Lite0 inside", "senet, SE-ResNet-50", "ONNX Runtime, SE-ResNet-50"

TOLERANCE = 1e-3
"""How far the likeliest class's probability may be from the script's, as a share of it.

Of a photograph without loss: there both see the same pixels, and what they round
differently is a hundredth of this. A crop that is off by one pixel changes it
by 6 %. That JPEG decoders differ by some levels of 255 changes it by 2 %.
"""


def check_same(ours: str, theirs: str) -> None:
    """See both name the same class.

    Raises:
        ValueError: they do not.
    """
    likeliest = json.loads(ours)[0]["top"][0]
    index, probability = theirs.splitlines()[0].split()
    if likeliest["class"] != int(index) or abs(likeliest["probability"] / float(probability) - 1) > TOLERANCE:
        found = f"class {likeliest['class']} of {likeliest['probability']:.4g}"
        raise ValueError(f"found {found}, and by the script class {index} of {float(probability):.4g}")


def measure(senet: Path, photo: Path, folder: Path, rounds: int) -> dict[str, Command]:
    """Let all take turns.

    Raises:
        ValueError: one fails, or they answer differently.
    """
    script = Path(__file__).with_name("photo.py")

    def commands_of(photo: Path) -> dict[str, Command]:
        classify: list[str | Path] = [senet.resolve(), "classify", photo, "--format", "json"]
        return {
            EMBEDDED: Command(classify),
            OURS: Command([*classify, "--weights", folder]),
            THEIRS: Command([sys.executable, script, folder / "model-1.onnx", photo]),
        }

    lossless = folder / "photo.png"
    with Image.open(photo) as image:
        image.save(lossless)
    # This also brings all files but the photograph into the page cache.
    said = {name: command.run() for name, command in commands_of(lossless).items()}
    check_same(said[OURS], said[THEIRS])
    commands = commands_of(photo)
    for round_ in range(rounds):
        for name in order(list(commands), round_):
            commands[name].run()
    for command in commands.values():
        command.watch()
    return commands


def timings(classify: Command, runs: int) -> str:
    """Where the time of a command's run in the middle of so many went, as it says itself.

    Raises:
        ValueError: it fails.
    """
    timed = Command([*classify.words, "--timings"])
    said = []
    for _ in range(runs):
        timed.run()
        said.append(timed.errors.strip())
    by_time = sorted(range(runs), key=timed.seconds.__getitem__)
    return said[by_time[runs // 2]]


def markdown(commands: dict[str, Command], told: str, photo: str, command: str) -> str:
    """What is told of it, and by the program itself."""
    ratio = paired(commands[OURS].seconds, commands[THEIRS].seconds)
    rows = [
        [
            name,
            f"{1e3 * median(one.seconds):.0f} ms",
            f"{1e3 * min(one.seconds):.0f} ms",
            f"{one.peak / 2**20:.0f} MiB",
        ]
        for name, one in commands.items()
    ]
    rounds = len(commands[OURS].seconds)
    said = [
        *table(["one photograph", "wall time, median", "least", "peak memory"], rows),
        "",
        f"With SE-ResNet-50 `senet` takes {ratio.median:.2f} of the script's time, the median of {rounds} rounds; half "
        f"of them are between {ratio.low:.2f} and {ratio.high:.2f}. {photo}; {machine()}; ONNX Runtime "
        f"{version('onnxruntime')}; {datetime.now(UTC).date().isoformat()}.",
        "",
        "Where the time with the weights inside the program goes, by `--timings`:",
        "",
        "```",
        told,
        "```",
        "",
        "```",
        command,
        "```",
    ]
    return "\n".join(said)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("--photo", type=Path, help="default: one of 500x375 pixels and 100 KB, made of a test's")
    parser.add_argument("--rounds", type=parse_count, default=15, metavar="N", help="(%(default)s)")
    parser.add_argument("--results", type=Path, metavar="JSON", help="write all times")
    parser.add_argument("--into", type=Path, metavar="FILE", help="put the table between its markers `command`")
    arguments = parser.parse_args(words)

    with errors_in_one_line(), tempfile.TemporaryDirectory() as name:
        if arguments.into:
            around(arguments.into, "command")
        folder = Path(name)
        photo = arguments.photo.resolve() if arguments.photo else folder / "photo.jpg"
        if not arguments.photo:
            make_photo(photo)
        prepare(NETWORK, folder, [1])
        commands = measure(arguments.senet, photo, folder, arguments.rounds)
        with Image.open(photo) as image:
            described = f"A JPEG of {image.width}x{image.height} pixels and {photo.stat().st_size / 1e3:.0f} KB"
        told = timings(commands[EMBEDDED], arguments.rounds)
        command = shlex.join(["python", "-m", "scripts.peers.bench_command", *sys.argv[1:]])
        text = markdown(commands, told, described, command)
        if arguments.results:
            rows = {name: {**asdict(one), "words": list(map(str, one.words))} for name, one in commands.items()}
            arguments.results.write_text(json.dumps(rows, indent=1) + "\n")
        tell(text, arguments.into, "command")


if __name__ == "__main__":
    main()
