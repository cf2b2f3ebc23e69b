"""What a Python worker of Spark does: a module of its own, so that Spark sends its name and not what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

import pyarrow as pa

from scripts.scale.job import Worker

SCHEMA = "part long, rows long, failed long, restarts long, seconds double"

_workers: dict[str, Worker] = {}
"""The one of this Python process, which Spark keeps from task to task, so that weights are loaded once."""


def worker_for(folder: str) -> Worker:
    if folder not in _workers:
        for other in _workers.values():
            other.process.close()
        _workers.clear()
        _workers[folder] = Worker(folder)
    return _workers[folder]


def doing(folder: str, parts: Sequence[int]) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What does those of these parts of a job whose places are in column `id`, for `mapInArrow`."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for place in batch.column("id").to_pylist():
                yield pa.RecordBatch.from_pylist([asdict(worker_for(folder).run(parts[place]))])

    return run
