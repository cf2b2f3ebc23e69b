"""How fast is this program beside others, on the same weights and images?

ONNX Runtime, OpenVINO, LiteRT, PyTorch, TensorFlow, tract, candle a layer at a
time and `senet` take turns, each in a process that stands still when it is not
its turn, with the same number of threads. Each program's median of a round is compared
with ours of the same round; what is told is the median of these ratios. Before
that all have to give the logits that PyTorch gives in float64; a program that does not,
or cannot run the network, takes no part, and the results say why.

    python -m scripts.peers.bench_networks --senet target/release/senet --results peers.json

The tables of a file of results go into a page between markers that end in the
file's name.

    python -m scripts.peers.bench_networks --results docs/measured/avx2.json --table-only --into docs/speed.md

Every configuration (network, batch, threads, neighbour) is kept in the results as
soon as it is done, in place of an older result of the same one, so a run may be
made in parts; an older result of more programs is not replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import product
from math import ceil
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load_file

from scripts.command_line import errors_in_one_line, parse_count
from scripts.peers.machine import machine, neighbour
from scripts.peers.networks import NETWORKS, parse_numbers, prepare
from scripts.peers.program import ENGINES, Program
from scripts.peers.results import OURS, OURS_BF16, Competitor, Result, merge, order, read, write
from scripts.peers.runtimes import PROGRAMS
from scripts.peers.table import around, markdown, marker, tell
from scripts.peers.worker import LONG, Turn, Worker
from scripts.pytorch.comparison import relative_error

PEERS = ("onnxruntime", "openvino", "litert", "pytorch", "tensorflow", "tract", "candle")
IN_BF16 = (OURS_BF16, "openvino-bf16", "pytorch-bf16")
"""Who takes part only where it is asked for: a processor without instructions for bf16 gains nothing by it."""

FLOOR = 1e-5
"""A relative error of the logits that always passes: what `senet parity` lets pass if not told otherwise."""

FACTOR = 5.0
"""How many times PyTorch's own error in float32 passes, where that is more.

Programs add in different orders and by different algorithms, and all of their
errors are a few times one another's. A network that is not the same one, or
computed in bf16 or f16, is a hundred times as far off.
"""

IN_BF16_ALLOWED = 0.3
"""What passes in bf16, a gross error: OpenVINO's logits of EfficientNet-B0 are off by 0.17. How ours compare with
OpenVINO's is told with the results."""

TURN = 300.0
"""Milliseconds that a program's turn has at least, so that a tick of the clock or of the scheduler is little of it."""

MOST_RUNS = 200

FEWEST_RUNS = 3
"""Of a turn, so that its median leaves out one that was disturbed."""

SPARE = 1.3
"""How many times the threads allowed a program may use before it is refused; some clock ticks are counted twice."""


def check_error(program: str, error: float, allowed: float) -> None:
    """Refuse who computes something else.

    Raises:
        ValueError: the error is more than allowed, or no number.
    """
    if not error <= allowed:
        raise ValueError(f"{program} computes something else: its logits are off by {error:.1e}, allowed {allowed:.1e}")


class Task(NamedTuple):
    """What all programs are given to do."""

    network: str
    folder: Path
    """Of its weights and images, as `prepare` leaves it."""
    batch: int
    threads: int


def start(name: str, senet: Path, task: Task, stack: ExitStack) -> tuple[Program | Worker, Competitor]:
    """A program ready to take turns, and its error.

    Raises:
        ValueError: it cannot run the network.
    """
    if name in ENGINES:
        program = Program(senet, ENGINES[name], *task)
        return program, Competitor(program.version(), "", {}, program.error())
    worker, tried = fastest(name, task)
    stack.callback(worker.close)
    logits = task.folder / "logits.npy"
    worker.write_logits(logits)
    exact = load_file(task.folder / f"reference-{task.batch}.safetensors")["output"]
    error = relative_error(np.load(logits).astype(np.float64), exact)
    return worker, Competitor(worker.version, worker.way, tried, error)


def fastest(name: str, task: Task) -> tuple[Worker, dict[str, float]]:
    """A program in its fastest way to run a network, and the milliseconds of each way that can.

    Raises:
        ValueError: it cannot run the network in any.
    """
    # Most compile on one core, so all do at once; what counts is measured after that, one at a time.
    workers = [Worker(name, way, *task) for way in PROGRAMS[name]]
    ready: list[tuple[Worker, float]] = []
    failures = []
    for worker in workers:
        try:
            ready.append((worker, worker.ready()))
        except ValueError as error:
            failures.append(str(error))
    tried: dict[str, float] = {}
    best: Worker | None = None
    for worker, single in ready:
        try:
            tried[worker.way] = median(worker.run(fewest_runs(single)).milliseconds)
        except ValueError as error:
            failures.append(str(error))
            continue
        # One process lives on, and with it one copy of the weights.
        if best and tried[best.way] <= tried[worker.way]:
            worker.close()
            continue
        if best:
            best.close()
        best = worker
    if not best:
        raise ValueError("; ".join(failures))
    return best, tried


def fewest_runs(single: float) -> int:
    """Runs of a turn at least, where one takes so many milliseconds."""
    return min(FEWEST_RUNS, ceil(LONG / single))


def note_threads(name: str, competitor: Competitor, turn: Turn, threads: int) -> None:
    """Note what a program used, and refuse who takes more than it was given.

    Raises:
        ValueError: it did.
    """
    if turn.threads is None:
        return
    competitor.threads = max(competitor.threads or 0.0, turn.threads)
    if turn.threads > SPARE * threads:
        raise ValueError(f"{name} was to use {threads} threads, but used {turn.threads:.1f}")


def take_turns(entrants: dict[str, tuple[Program | Worker, Competitor]], rounds: int, threads: int) -> None:
    """Time all of them, round by round."""
    # How many runs make a turn is found by one that does not count.
    runs = {}
    for name, (program, competitor) in entrants.items():
        single = competitor.tried.get(competitor.way) or median(program.run(1).milliseconds)
        runs[name] = min(max(fewest_runs(single), round(TURN / single)), MOST_RUNS)
    for round_ in range(rounds):
        for name in order(list(entrants), round_):
            program, competitor = entrants[name]
            turn = program.run(runs[name])
            note_threads(name, competitor, turn, threads)
            competitor.rounds.append(median(turn.milliseconds))


def measure(arguments: argparse.Namespace, task: Task) -> Result:
    """One configuration.

    Raises:
        ValueError: ours cannot run, or computes something else; another ends, or takes more threads than it
            was given, while turns are taken.
    """
    facts = json.loads((task.folder / "facts.json").read_text())
    allowed = max(FLOOR, FACTOR * facts["float32"][str(task.batch)])
    entrants = {}
    refused = {}
    with ExitStack() as stack:
        for name in [OURS, *arguments.peers]:
            try:
                program, competitor = start(name, arguments.senet, task, stack)
                check_error(name, competitor.error, IN_BF16_ALLOWED if name in IN_BF16 else allowed)
            except ValueError as error:
                if name in (OURS, OURS_BF16):
                    raise
                refused[name] = str(error)
            else:
                entrants[name] = (program, competitor)
        stack.enter_context(neighbour(arguments.neighbour))
        take_turns(entrants, arguments.rounds, task.threads)
    return Result(
        network=task.network,
        batch=task.batch,
        threads=task.threads,
        neighbour=arguments.neighbour,
        date=datetime.now(UTC).date().isoformat(),
        machine=machine(),
        command=arguments.command,
        allowed=allowed,
        programs={name: competitor for name, (_, competitor) in entrants.items()},
        refused=refused,
    )


def summary(result: Result) -> Iterator[str]:
    """What came out, a line each."""
    busy = ", a busy neighbour" if result.neighbour else ""
    yield f"{result.network}, batch {result.batch}, threads {result.threads}{busy}"
    for name, competitor in result.programs.items():
        ratio = result.ratio(name, OURS_BF16 if name.endswith("-bf16") else OURS)
        way = f" ({competitor.way})" if competitor.way else ""
        yield (
            f"  {name:<12}{result.milliseconds(name):9.2f} ms an image   ratio {ratio.median:.3f}"
            f" ({ratio.low:.3f} to {ratio.high:.3f})   error {competitor.error:.1e}{way}"
        )
    for name, reason in result.refused.items():
        yield f"  {name:<12}took no part: {reason}"


def left(arguments: argparse.Namespace) -> dict[str, list[tuple[int, int]]]:
    """For each network the batches and threads that are to be measured.

    Raises:
        ValueError: the results have more programs of one than would take their place.
    """
    asked = {OURS, *arguments.peers}
    known = {result.configuration: result for result in read(arguments.results)}
    wanted: dict[str, list[tuple[int, int]]] = {}
    for network, batch, threads in product(arguments.networks, arguments.batches, arguments.threads):
        result = known.get((network, batch, threads, arguments.neighbour))
        there = set(result.programs) if result else set()
        if arguments.resume and result and asked <= there | set(result.refused):
            continue
        if lost := there - asked:
            raise ValueError(
                f"`{arguments.results}` also has {', '.join(sorted(lost))} of {network}, batch {batch}, threads"
                f" {threads}, which would be lost: add them to --peers, or name another file"
            )
        wanted.setdefault(network, []).append((batch, threads))
    return wanted


def run(arguments: argparse.Namespace) -> None:
    """All configurations asked for.

    Raises:
        ValueError: ours cannot run or computes something else, or a program would be lost from the results.
    """
    for network, wanted in left(arguments).items():
        with tempfile.TemporaryDirectory() as folder:
            prepare(network, Path(folder), sorted({batch for batch, _ in wanted}))
            for batch, threads in wanted:
                result = measure(arguments, Task(network, Path(folder), batch, threads))
                write(arguments.results, merge(read(arguments.results), [result]))
                print("\n".join(summary(result)), flush=True)


def parse_choice(names: Collection[str]) -> Callable[[str], list[str]]:
    """A list of some of these names, with commas, for argparse."""

    def parse(text: str) -> list[str]:
        words = text.split(",")
        if unknown := [word for word in words if word not in names]:
            raise argparse.ArgumentTypeError(f"expected some of {','.join(names)}, found `{unknown[0]}`")
        return words

    return parse


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, metavar="JSON", help="the file of results")
    parser.add_argument("--senet", type=Path, help="the program")
    parser.add_argument("--networks", type=parse_choice(NETWORKS), default=list(NETWORKS), metavar="A,B")
    peers = (*PEERS, *IN_BF16)
    parser.add_argument(
        "--peers",
        type=parse_choice(peers),
        default=list(PEERS),
        metavar="A,B",
        help=f"{', '.join(peers)} (all but those in bf16)",
    )
    parser.add_argument("--batches", type=parse_numbers, default=[1, 8], metavar="N,M", help="images at once (1,8)")
    parser.add_argument("--threads", type=parse_numbers, default=[1, 2], metavar="N,M", help="of each program (1,2)")
    parser.add_argument(
        "--rounds", type=parse_count, default=9, metavar="N", help="in which all take turns (%(default)s)"
    )
    parser.add_argument("--neighbour", action="store_true", help="a process beside them keeps one core busy")
    parser.add_argument(
        "--resume", action="store_true", help="leave out configurations of which the results have all these programs"
    )
    parser.add_argument(
        "--into", type=Path, metavar="FILE", help="put the tables into it, between markers that end in JSON's name"
    )
    parser.add_argument("--table-only", action="store_true", help="measure nothing, print the tables of the results")
    arguments = parser.parse_args(words)
    if not arguments.table_only and not arguments.senet:
        parser.error("--senet: needed to measure")
    if not arguments.table_only and max(arguments.threads) > len(os.sched_getaffinity(0)):
        parser.error(f"--threads: this process may use {len(os.sched_getaffinity(0))} cores")
    arguments.command = shlex.join(["python", "-m", "scripts.peers.bench_networks", *sys.argv[1:]])

    with errors_in_one_line():
        if arguments.into:
            around(arguments.into, marker(arguments.results))
        if not arguments.table_only:
            run(arguments)
        results = read(arguments.results)
        try:
            text = markdown(results)
        except ValueError as error:
            raise ValueError(f"`{arguments.results}`: {error}") from error
        tell(text, arguments.into, marker(arguments.results))


if __name__ == "__main__":
    main()
