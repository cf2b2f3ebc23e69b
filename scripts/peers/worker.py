"""Another program with a network loaded, in a process of its own that stands still between its turns.

    python -m peers.worker onnxruntime "" --network seresnet50 --folder FOLDER --batch 1 --threads 1

It answers on standard output: first what it is and how long a run takes it, then a line for each line of
standard input. The process that started it stops it by a signal when its turn
is over, so that no thread of it, idle or not, takes another program's time.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

KILLED_WITH_PARENT = 1
"""`PR_SET_PDEATHSIG` of Linux."""

LONG = 1000.0
"""Milliseconds of runs that need no others before and after them: what disturbs, caches to be filled or another
program, is short beside so many."""


@dataclass(frozen=True)
class Turn:
    """What a program did while it was its turn."""

    milliseconds: list[float]
    """Of each run of the whole batch."""
    threads: float | None
    """Processor time over wall time, where it is known."""


class Worker:
    """The process, as the one that started it sees it. It loads the network at once, and is `ready` later."""

    def __init__(self, program: str, way: str, network: str, folder: Path, batch: int, threads: int) -> None:
        words = [program, way, "--network", network, "--folder", folder, "--batch", batch, "--threads", threads]
        libc = ctypes.CDLL(None)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2

        def be_bounded() -> None:
            # A stopped process would outlive whoever could wake it.
            libc.prctl(KILLED_WITH_PARENT, signal.SIGKILL)
            # Who takes more than half of all memory ends, not what else the kernel would end for it.
            resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))

        self.program = f"{program} ({way})" if way else program
        self.way = way
        self.version = ""
        self.complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed by close()
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts.peers.worker", *map(str, words)],
            cwd=Path(__file__).parents[2],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            text=True,
            preexec_fn=be_bounded,
        )

    def ready(self) -> float:
        """Wait until it has loaded the network and run it; milliseconds of a run, about.

        Raises:
            ValueError: it ended instead.
        """
        answer = self.answer()
        self.process.send_signal(signal.SIGSTOP)
        self.version = answer["version"]
        return float(answer["milliseconds"])

    def answer(self) -> dict[str, Any]:
        """The next line that it says.

        Raises:
            ValueError: it ended instead.
        """
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            status = self.process.wait()
            if status == -signal.SIGKILL:
                raise ValueError(f"{self.program} was killed, perhaps for want of memory")
            self.complaints.seek(0)
            *_, last = self.complaints.read().strip().splitlines() or ["no message"]
            raise ValueError(f"{self.program} ended with {status}: {last}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, **question: object) -> dict[str, Any]:
        """Let it run until it answers.

        Raises:
            ValueError: it ended instead.
        """
        assert self.process.stdin
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = self.answer()
        self.process.send_signal(signal.SIGSTOP)
        return answer

    def run(self, runs: int) -> Turn:
        """As `timed`."""
        return Turn(**self.ask(runs=runs))

    def write_logits(self, file: Path) -> None:
        """What it computes, as a .npy file."""
        self.ask(logits=str(file))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.complaints.close()


@contextmanager
def own_output() -> Iterator[TextIO]:
    """Standard output for the answers alone: whatever else is printed goes to standard error."""
    answers = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(answers, "w") as output:
        yield output


def timed(run: Any, runs: int) -> Turn:
    """So many runs after one to warm up, which is one of them where it took long."""

    def once() -> tuple[float, float]:
        began, used = time.perf_counter(), time.process_time()
        run()
        return time.perf_counter() - began, time.process_time() - used

    seconds = [once()]
    if 1e3 * seconds[0][0] < LONG:
        seconds.clear()
    while len(seconds) < runs:
        seconds.append(once())
    wall, used = (sum(of_run) for of_run in zip(*seconds, strict=True))
    return Turn([1e3 * of_run for of_run, _ in seconds], used / wall)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("way")
    parser.add_argument("--network", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args(words)

    # Not where this is imported to start such a process.
    import numpy as np
    from safetensors.numpy import load_file

    from scripts.peers.runtimes import PROGRAMS, Job

    with own_output() as output:

        def say(**answer: object) -> None:
            print(json.dumps(answer), file=output, flush=True)

        images = load_file(arguments.folder / f"reference-{arguments.batch}.safetensors")["input"]
        job = Job(arguments.network, arguments.folder, images, arguments.threads)
        loaded = PROGRAMS[arguments.program][arguments.way](job)
        # Most compile only now.
        loaded.run()
        say(version=loaded.version, milliseconds=timed(loaded.run, 1).milliseconds[0])
        for line in sys.stdin:
            question = json.loads(line)
            if "logits" in question:
                np.save(question["logits"], np.asarray(loaded.run()))
                say()
            else:
                turn = timed(loaded.run, question["runs"])
                say(milliseconds=turn.milliseconds, threads=turn.threads)


if __name__ == "__main__":
    main()
