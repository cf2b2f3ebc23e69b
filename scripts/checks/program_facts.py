"""How large the program is, how fast it starts and of how many packages it is made, as docs/install.md states it.

    python -m scripts.checks.program_facts --senet target/release/senet
    python -m scripts.checks.program_facts --senet target/release/senet --write

Without `--write` what the page states is compared: the number of packages has to be the same, sizes may be off by a
twentieth, since compilers differ. The time is shown and not compared, as it is the machine's and what else that does.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.command_line import errors_in_one_line

PAGE = Path("docs/install.md")

BEGIN, END = "<!-- program_facts -->\n", "<!-- /program_facts -->\n"

RUNS = 200

OFF = 0.05
"""The share by which a size may be off."""

WEIGHTS = ("weights/efficientnet_lite0.safetensors", "weights/seresnet20.safetensors")
"""What is inside the program."""


@dataclass(frozen=True)
class Facts:
    """What the page states."""

    stripped: int
    weights: int
    milliseconds: float
    packages: int
    library: int

    def table(self) -> str:
        """The facts as a table of Markdown."""
        rows = [
            ("the program on x86-64 Linux, without the names of its functions", megabytes(self.stripped)),
            ("of that the weights inside it", megabytes(self.weights)),
            (f"from start to end of `senet -V`, the quickest of {RUNS} runs", f"{self.milliseconds:.1f} ms"),
            ("packages that it is made of, itself included", str(self.packages)),
            ("of these what the library alone needs", str(self.library)),
        ]
        return "| what | |\n| --- | ---: |\n" + "".join(f"| {what} | {value} |\n" for what, value in rows)


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def stripped_size(program: Path) -> int:
    """The program's size without symbols, as `scripts/release.sh` packs it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "senet"
        subprocess.run(["strip", "--output-file", str(copy), str(program)], check=True)
        return copy.stat().st_size


def start(program: Path) -> float:
    """The time of the quickest run that does nothing but start, in milliseconds: others waited for their turn, too."""
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        # Not `subprocess`, which takes longer than the program.
        child = os.posix_spawn(
            program,
            [str(program), "-V"],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
        )
        _, status = os.waitpid(child, 0)
        times.append(time.perf_counter() - begin)
        if status != 0:
            raise ValueError(f"`{program} -V` ended with {os.waitstatus_to_exitcode(status)}")
    return 1000 * min(times)


def packages(*features: str) -> int:
    """How many packages cargo compiles for this machine, ours included; those of build scripts are not counted."""
    command = ["cargo", "tree", "--locked", "--edges", "normal", "--prefix", "none", *features]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return len({tuple(line.split()[:2]) for line in done.stdout.splitlines() if line})


def measured(program: Path) -> Facts:
    return Facts(
        stripped=stripped_size(program),
        weights=sum(Path(file).stat().st_size for file in WEIGHTS),
        milliseconds=start(program),
        packages=packages(),
        library=packages("--no-default-features"),
    )


def stated(page: str) -> Facts:
    """What the page says.

    Raises:
        ValueError: it has no such table.
    """
    _, _, rest = page.partition(BEGIN)
    table, found, _ = rest.partition(END)
    values = [row.split("|")[2].split()[0] for row in table.splitlines()[2:]]
    if not found or len(values) != 5:
        raise ValueError(f"`{PAGE}` has no table of five rows between `{BEGIN.strip()}` and `{END.strip()}`")
    stripped, weights, milliseconds, of_program, of_library = values
    return Facts(
        stripped=round(float(stripped) * 1e6),
        weights=round(float(weights) * 1e6),
        milliseconds=float(milliseconds),
        packages=int(of_program),
        library=int(of_library),
    )


def differences(stated: Facts, found: Facts) -> list[str]:
    """What the page says otherwise than it is."""
    off = []
    for what in ("stripped", "weights"):
        said, size = getattr(stated, what), getattr(found, what)
        if abs(said - size) > OFF * size:
            off.append(f"{what}: {megabytes(said)} are stated, {megabytes(size)} measured")
    for what in ("packages", "library"):
        said, count = getattr(stated, what), getattr(found, what)
        if said != count:
            off.append(f"{what}: {said} are stated, there are {count}")
    return off


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--senet", type=Path, required=True, help="the program, as `cargo build --release` makes it")
    parser.add_argument("--write", action="store_true", help="write what is measured into the page")
    arguments = parser.parse_args()
    with errors_in_one_line():
        found = measured(arguments.senet.resolve(strict=True))
        print(found.table(), end="")
        page = PAGE.read_text()
        before = stated(page)
        if arguments.write:
            head, _, rest = page.partition(BEGIN)
            _, _, tail = rest.partition(END)
            PAGE.write_text(head + BEGIN + found.table() + END + tail)
            return
        off = differences(before, found)
        if off:
            raise ValueError(f"`{PAGE}`: {'; '.join(off)} (`--write` mends it)")


if __name__ == "__main__":
    main()
