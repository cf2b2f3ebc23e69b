"""Who takes part, in which way, and who is refused."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.peers import bench_networks
from scripts.peers import worker as workers
from scripts.peers.bench_networks import (
    Task,
    check_error,
    fastest,
    fewest_runs,
    left,
    measure,
    note_threads,
    take_turns,
)
from scripts.peers.machine import neighbour
from scripts.peers.program import ENGINES, Engine, Program
from scripts.peers.results import Competitor, Result, read, write
from scripts.peers.runtimes import PROGRAMS
from scripts.peers.worker import Turn, Worker, timed

TIMES = {"slow": 3.0, "fast": 1.0, "slower": 4.0}


class Fake:
    """A worker that takes as long as it says."""

    alive: list[str]

    def __init__(self, _program: str, way: str, *_where: object) -> None:
        self.way = way
        Fake.alive.append(way)

    def ready(self) -> float:
        if self.way == "broken":
            Fake.alive.remove(self.way)
            raise ValueError("pytorch (broken) ended with 1: no compiler")
        return TIMES[self.way]

    def run(self, runs: int) -> Turn:
        return Turn([TIMES[self.way]] * runs, 1.0)

    def close(self) -> None:
        Fake.alive.remove(self.way)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> dict[str, None]:
    Fake.alive = []
    chosen = dict.fromkeys(["slow", "broken", "fast", "slower"])
    monkeypatch.setattr(bench_networks, "Worker", Fake)
    monkeypatch.setitem(PROGRAMS, "pytorch", chosen)
    return chosen


@pytest.mark.usefixtures("ways")
def test_the_fastest_way_that_works_lives_on_alone(tmp_path: Path) -> None:
    worker, tried = fastest("pytorch", Task("seresnet50", tmp_path, 1, 1))
    assert worker.way == "fast"
    assert Fake.alive == ["fast"]
    assert tried == TIMES


def test_a_program_that_works_in_no_way_is_an_error(tmp_path: Path, ways: dict[str, None]) -> None:
    for way in TIMES:
        del ways[way]
    with pytest.raises(ValueError, match="no compiler"):
        fastest("pytorch", Task("seresnet50", tmp_path, 1, 1))


@pytest.mark.parametrize("error", [2e-5, math.inf, math.nan])
def test_who_computes_something_else_is_refused(error: float) -> None:
    check_error("openvino", 1e-5, 1e-5)
    with pytest.raises(ValueError, match="openvino computes something else"):
        check_error("openvino", error, 1e-5)


def measuring(monkeypatch: pytest.MonkeyPatch, folder: Path, errors: dict[str, float]) -> Result:
    """One configuration of programs that take a millisecond and are off by so much, or cannot run where it is 1."""
    (folder / "facts.json").write_text(json.dumps({"float32": {"1": 0.0}}))

    def start(name: str, *_where: object) -> tuple[Program, Competitor]:
        if errors[name] == 1.0:
            raise ValueError(f"{name} ended with 1: no compiler")
        return Instant(Path("senet"), Engine(name, "f32"), "seresnet20", folder, 1, 1), Competitor(
            "1.0", "", {}, errors[name]
        )

    class Instant(Program):
        def run(self, runs: int) -> Turn:
            return Turn([1.0] * runs, None)

    monkeypatch.setattr(bench_networks, "start", start)
    peers = [name for name in errors if name != "senet"]
    arguments = argparse.Namespace(peers=peers, senet=Path("senet"), rounds=2, neighbour=False, command="")
    return measure(arguments, Task("seresnet20", folder, 1, 1))


def test_others_go_on_without_one_that_cannot_run_or_computes_something_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    errors = {"senet": 1e-6, "openvino": 1.0, "litert": 3e-5, "onnxruntime": 1e-6}
    result = measuring(monkeypatch, tmp_path, errors)
    assert list(result.programs) == ["senet", "onnxruntime"]
    assert result.refused == {
        "openvino": "openvino ended with 1: no compiler",
        "litert": "litert computes something else: its logits are off by 3.0e-05, allowed 1.0e-05",
    }


def test_who_computes_in_bf16_may_be_further_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    errors = {"senet": 1e-6, "senet-bf16": 0.1, "openvino-bf16": 0.17, "pytorch-bf16": 0.5}
    result = measuring(monkeypatch, tmp_path, errors)
    assert list(result.programs) == ["senet", "senet-bf16", "openvino-bf16"]
    assert result.ratio("openvino-bf16", "senet-bf16").median == 1.0
    assert result.refused == {
        "pytorch-bf16": "pytorch-bf16 computes something else: its logits are off by 5.0e-01, allowed 3.0e-01"
    }


def test_nothing_is_measured_without_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="senet computes something else"):
        measuring(monkeypatch, tmp_path, {"senet": 3e-5, "onnxruntime": 1e-6})


def test_who_uses_more_threads_than_it_was_given_is_refused() -> None:
    competitor = Competitor("1.0", "", {}, 0.0)
    note_threads("tensorflow", competitor, Turn([1.0], 1.1), 1)
    note_threads("tensorflow", competitor, Turn([1.0], 0.9), 1)
    assert competitor.threads == 1.1
    with pytest.raises(ValueError, match=r"was to use 1 threads, but used 1\.9"):
        note_threads("tensorflow", competitor, Turn([1.0], 1.9), 1)


def test_every_round_has_a_median_of_every_program() -> None:
    asked = []

    class Recording(Program):
        def run(self, runs: int) -> Turn:
            asked.append((self.engine.name, runs))
            return Turn([100.0, 7.0, 1000.0], None)

    programs = {
        name: (Recording(Path("senet"), Engine(name, "f32"), "seresnet50", Path(), 1, 1), Competitor("", "", {}, 0.0))
        for name in ("senet", "candle")
    }
    take_turns(dict(programs), 2, 1)
    assert [competitor.rounds for _, competitor in programs.values()] == [[100.0, 100.0]] * 2
    # One run each to learn how many make a turn, of 100 ms three; then in turn, begun by each of them.
    assert asked == [("senet", 1), ("candle", 1), ("senet", 3), ("candle", 3), ("candle", 3), ("senet", 3)]


def asking(results: Path, peers: list[str], *, resume: bool) -> argparse.Namespace:
    """Asks for one network with one image on 1 and 2 threads."""
    return argparse.Namespace(
        results=results,
        peers=peers,
        resume=resume,
        networks=["seresnet20"],
        batches=[1],
        threads=[1, 2],
        neighbour=False,
    )


def known(results: Path, programs: list[str]) -> None:
    """Leaves results of one image on one thread."""
    competitors = {name: Competitor("1.0", "", {}, 0.0, [1.0]) for name in programs}
    write(results, [Result("seresnet20", 1, 1, False, "", "", "", 1e-5, competitors)])


def test_what_has_all_programs_is_left_out_when_resuming_and_only_then(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    known(results, ["senet", "openvino"])
    assert left(asking(results, ["openvino"], resume=True)) == {"seresnet20": [(1, 2)]}
    assert left(asking(results, ["openvino"], resume=False)) == {"seresnet20": [(1, 1), (1, 2)]}
    assert left(asking(results, ["openvino", "tract"], resume=True)) == {"seresnet20": [(1, 1), (1, 2)]}
    (result,) = read(results)
    write(results, [replace(result, refused={"tract": "tract ended with 1"})])
    assert left(asking(results, ["openvino", "tract"], resume=True)) == {"seresnet20": [(1, 2)]}


def test_no_program_is_lost_from_the_results(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    known(results, ["senet", "openvino", "tract"])
    with pytest.raises(ValueError, match="also has tract of seresnet20, batch 1, threads 1"):
        left(asking(results, ["openvino"], resume=False))
    assert left(asking(results, ["openvino"], resume=True)) == {"seresnet20": [(1, 2)]}


def test_candles_version_is_its_own() -> None:
    program = Program(Path("missing"), ENGINES["candle"], "seresnet20", Path(), 1, 1)
    assert re.fullmatch(r"0\.\d+\.\d+", program.version())


def test_long_runs_are_repeated_less() -> None:
    assert [fewest_runs(single) for single in (0.1, 400.0, 600.0, 1000.0, 9000.0)] == [3, 3, 2, 1, 1]


def test_a_turn_is_timed_without_its_first_run() -> None:
    first = iter([0.2])
    turn = timed(lambda: time.sleep(next(first, 0.01)), 3)
    assert len(turn.milliseconds) == 3
    assert 10.0 <= max(turn.milliseconds) < 200.0


def test_a_long_first_run_is_one_of_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LONG", 5.0)
    assert len(timed(lambda: time.sleep(0.01), 1).milliseconds) == 1
    runs: list[float] = []

    def run() -> None:
        time.sleep(0.01)
        runs.append(0.01)

    assert len(timed(run, 3).milliseconds) == 3
    assert len(runs) == 3


def state(process: int) -> str:
    """R where it runs, T where it is stopped, as the kernel has it."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]


def test_a_worker_that_cannot_load_says_why(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"onnxruntime ended with 1: .*reference-1\.safetensors"):
        Worker("onnxruntime", "", "seresnet50", tmp_path, 1, 1).ready()


def test_a_worker_stands_still_between_its_turns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # In place of the real one a program that spins whenever it may.
    spinning = tmp_path / "spinning.py"
    spinning.write_text(
        "import json, sys, threading\n"
        "def spin():\n    while True: pass\n"
        "threading.Thread(target=spin, daemon=True).start()\n"
        "print(json.dumps({'version': '1', 'milliseconds': 1.0}), flush=True)\n"
        "for line in sys.stdin: print(json.dumps({'milliseconds': [1.0], 'threads': 1.0}), flush=True)\n"
    )
    interpreter = tmp_path / "python"
    interpreter.write_text(f"#!/bin/sh\nexec {sys.executable} {spinning}\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    worker = Worker("onnxruntime", "", "seresnet50", tmp_path, 1, 1)
    try:
        assert worker.ready() == 1.0
        assert worker.run(1) == Turn([1.0], 1.0)
        deadline = time.monotonic() + 5.0
        while state(worker.process.pid) != "T" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert state(worker.process.pid) == "T"
    finally:
        worker.close()
    assert worker.process.returncode == -signal.SIGKILL


def test_a_neighbour_is_there_only_when_wanted_and_only_meanwhile() -> None:
    def children() -> list[str]:
        return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()

    before = children()
    with neighbour(False):
        assert children() == before
    with neighbour(True):
        assert len(children()) == len(before) + 1
    assert children() == before
