"""What `senet completions` writes, tried by the shells themselves: a line is typed, TAB pressed, and what stands there
then has to be the line that is expected.

    python -m scripts.checks.completions --senet target/release/senet
    python -m scripts.checks.completions --senet target/release/senet --shells bash

bash and zsh run on a terminal of their own, fish is asked for its candidates. A shell that is not installed is an
error.
"""

from __future__ import annotations

import argparse
import os
import pty
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.command_line import errors_in_one_line

CASES = {
    "senet trac": "senet trace",
    "senet classify --damag": "senet classify --damaged",
    "senet classify --damaged acc": "senet classify --damaged accept",
    "senet classify phot": "senet classify photo.jpg",
    "senet classify --labels nam": "senet classify --labels names.txt",
    # Networks by name, wherever one is named.
    "senet trace seresnet11": "senet trace seresnet110",
    "senet trace --plan seresnet11": "senet trace --plan seresnet110",
    "senet bench keras_seresnet5": "senet bench keras_seresnet50",
    "senet models seresnext101d": "senet models seresnext101d_32x8d",
    "senet classify --network seresnet11": "senet classify --network seresnet110",
    "senet parity -n seresnet11": "senet parity -n seresnet110",
    # Or by a file, also one that begins as a network's name does.
    "senet trace grap": "senet trace graph.json",
    "senet trace seresnet32.": "senet trace seresnet32.safetensors",
    "senet bench --network seresnet2x": "senet bench --network seresnet2x.json",
    "senet inspect seresnet32.": "senet inspect seresnet32.safetensors",
    "senet completions zs": "senet completions zsh",
}
"""Lines that have one completion, and what they become, but for a space after it: zsh takes that away when the cursor
moves."""

FILES = ("photo.jpg", "names.txt", "graph.json", "seresnet32.safetensors", "seresnet2x.json")

SECONDS = 60.0
"""How long a shell may take for an answer, on a machine that is busy: it is said, not waited for."""

START = {
    "bash": (["bash", "--noprofile", "--norc", "-i"], "source completions"),
    # Without what a distribution has in /etc; what is completed is completed in place, without a menu.
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit && compinit -u -D && source completions"),
}

# Not a word that is typed, which a terminal shows as well.
READY, BEGIN, END = "re''ady", "be''gin:", ":e''nd"


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, command: Sequence[str], folder: Path, program: Path) -> None:
        environment = {
            "HOME": str(folder),
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PS1": "",
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
        }
        child, self.descriptor = pty.fork()
        if child == 0:
            os.chdir(folder)
            os.execvpe(command[0], list(command), environment)
        self.child = child

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def read_to(self, end: str) -> str:
        """What it shows from now on until `end`.

        Raises:
            ValueError: `end` does not come.
        """
        shown, until = "", time.monotonic() + SECONDS
        while end not in shown:
            ready, _, _ = select.select([self.descriptor], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise ValueError(f"the shell did not answer within {SECONDS:.0f} s; it showed {shown!r}")
            shown += os.read(self.descriptor, 65536).decode(errors="replace")
        return shown

    def close(self) -> None:
        os.close(self.descriptor)
        os.waitpid(self.child, 0)


def completed_on_a_terminal(shell: str, folder: Path, program: Path) -> dict[str, str]:
    """What becomes of each line in this shell when TAB is pressed."""
    command, load = START[shell]
    terminal = Terminal(command, folder, program)
    try:
        terminal.type(f"{load} && echo {READY}\r")
        terminal.read_to(READY.replace("'", ""))
        lines = {}
        for line in CASES:
            # Then to the line's beginning (^A), and to its end (^E), so that it is said instead of run.
            terminal.type(f"{line}\t\x01printf '%s' {BEGIN}\"\x05\"{END}\r")
            shown = terminal.read_to(END.replace("'", ""))
            lines[line] = shown.rpartition(BEGIN.replace("'", ""))[2].partition(END.replace("'", ""))[0]
        return lines
    finally:
        terminal.close()


def completed_by_fish(folder: Path, program: Path) -> dict[str, str]:
    """Each line with the one candidate that fish has for its last word."""
    lines = {}
    for line in CASES:
        asked = f"source completions; complete --do-complete {line!r}"
        environment = os.environ | {"HOME": str(folder), "PATH": f"{program.parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["fish", "--no-config", "--command", asked],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or done.stderr:
            raise ValueError(f"fish ended with {done.returncode}: {done.stderr.strip()}")
        candidates = [answer.split("\t")[0] for answer in done.stdout.splitlines()]
        words = line.split()[:-1]
        lines[line] = " ".join([*words, *candidates, ""])
    return lines


def wrong(shell: str, program: Path) -> list[str]:
    """What this shell makes of the lines, where that is not what is expected."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in FILES:
            (folder / file).touch()
        script = subprocess.run([program, "completions", shell], capture_output=True, check=True).stdout
        (folder / "completions").write_bytes(script)
        if shell == "fish":
            lines = completed_by_fish(folder, program)
        else:
            lines = completed_on_a_terminal(shell, folder, program)
    return [
        f"{shell}: `{line}` became `{lines[line]}`; expected `{expected}`"
        for line, expected in CASES.items()
        if lines[line].rstrip() != expected
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("--shells", nargs="+", default=["bash", "zsh", "fish"], choices=["bash", "zsh", "fish"])
    arguments = parser.parse_args()
    failures = []
    with errors_in_one_line():
        program = arguments.senet.resolve(strict=True)
        for shell in arguments.shells:
            found = wrong(shell, program)
            print(f"{shell}: {len(CASES) - len(found)} of {len(CASES)} lines completed as expected")
            failures += found
    for failure in failures:
        print(failure)
    if failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
