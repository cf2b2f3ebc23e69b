"""The Rust program, timed as its users start it: `senet bench`, a process each turn."""

from __future__ import annotations

import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scripts.peers.networks import NETWORKS
from scripts.peers.worker import Turn
from scripts.senet_program import ask


class Engine(NamedTuple):
    """What computes, and in what."""

    name: str
    precision: str


ENGINES = {
    "senet": Engine("cpu", "f32"),
    "senet-bf16": Engine("cpu", "bf16"),
    "candle": Engine("candle", "f32"),
}
"""What takes part, and the engine that it is."""

LOCK = Path(__file__).parents[2] / "Cargo.lock"
"""Which candle the program is built with."""


@dataclass(frozen=True)
class Program:
    """The program on one of its engines."""

    senet: Path
    engine: Engine
    network: str
    folder: Path
    batch: int
    threads: int

    def run(self, runs: int) -> Turn:
        """One run to warm up, and so many that are timed.

        Raises:
            ValueError: the program could not run.
        """
        size = NETWORKS[self.network].size
        report = ask(
            self.senet,
            "bench",
            *self.words(),
            "--size",
            f"{size}x{size}",
            "--batch-size",
            str(self.batch),
            "--runs",
            str(runs),
        )
        return Turn([self.batch * report["median_ms"]], None)

    def error(self) -> float:
        """The largest error of a logit against the dump, as a share of the largest logit.

        Raises:
            ValueError: the program could not run.
        """
        reference = self.folder / f"reference-{self.batch}.safetensors"
        report = ask(self.senet, "parity", *self.words(), "--reference", reference)
        output = next((layer for layer in report["layers"] if layer["name"] == "output"), None)
        if output is None:
            raise ValueError(f"parity on {self.engine.name} compared no output")
        if output["max_rel"] is None:
            raise ValueError(f"the logits of {self.engine.name} are not finite")
        return float(output["max_rel"])

    def version(self) -> str:
        """What it says it is; on candle's engine, candle's.

        Raises:
            OSError: the program is not there.
            ValueError: it ended with an error.
        """
        if self.engine == ENGINES["candle"]:
            packages = tomllib.loads(LOCK.read_text())["package"]
            return next(str(package["version"]) for package in packages if package["name"] == "candle-core")
        done = subprocess.run([self.senet.resolve(), "-V"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ValueError(f"`{self.senet} -V` ended with {done.returncode}")
        return done.stdout.removeprefix("senet").strip()

    def words(self) -> list[str | Path]:
        weights = self.folder / "model.safetensors"
        return [
            "--network",
            self.network,
            "--weights",
            weights,
            "--engine",
            self.engine.name,
            "--precision",
            self.engine.precision,
            "--threads",
            str(self.threads),
        ]
