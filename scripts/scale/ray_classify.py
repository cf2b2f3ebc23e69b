"""Classify images on a Ray cluster: Ray Data hands out the parts of a job to a pool of actors, each with one process.

    python -m scripts.scale.ray_classify photos/ shards/*.tar --output rows --workers 2 -- --top-k 5

The rows are a folder of Parquet files. An actor that is lost is replaced, and its part is done again; a process of the
program that ends is started anew, and an image that ends it every time is a row with an error. Exit status 1 says that
there are such rows, 2 that it could not run.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayError

import scripts
from scripts.scale import command
from scripts.scale.job import Done, Job, Worker

PARTS_OF_A_BLOCK = 4
"""Few, so that the last parts are spread over all actors, yet a block is worth its place in the driver."""


class Actor:
    """Does parts of a job; Ray starts it anew where it is lost."""

    def __init__(self, folder: str) -> None:
        self._worker = Worker(folder)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        done = [asdict(self._worker.run(int(part))) for part in batch["part"]]
        return {name: [each[name] for each in done] for name in done[0]}


def classify(job: Job, parts: list[int], arguments: argparse.Namespace) -> Iterator[Done]:
    """Have a Ray cluster do these parts.

    Raises:
        ValueError: a part cannot be done, or an actor not be started, with what Ray says of it.
    """
    packages = [str(Path(folder)) for folder in scripts.__path__]
    local = {} if arguments.address else {"num_cpus": arguments.workers * arguments.threads + 1}
    if not arguments.verbose:
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        ray.data.DataContext.get_current().enable_progress_bars = False
    ray.init(
        arguments.address,
        runtime_env={"py_modules": packages},
        log_to_driver=arguments.verbose,
        logging_level=logging.INFO if arguments.verbose else logging.CRITICAL,
        **local,
    )
    try:
        blocks = -(-len(parts) // PARTS_OF_A_BLOCK)
        dataset = ray.data.from_items([{"part": part} for part in parts], override_num_blocks=blocks)
        # An actor that is lost Ray replaces, and gives its part to it, as often as that takes.
        done = dataset.map_batches(
            Actor,
            fn_constructor_args=[str(job.folder)],
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(arguments.workers, len(parts))),
            num_cpus=arguments.threads,
        )
        for row in done.iter_rows():
            yield Done(**row)
    except RayError as error:
        raise ValueError(str(error)) from error
    finally:
        ray.shutdown()


def main(words: list[str] | None = None) -> int:
    ours, theirs = command.split(sys.argv[1:] if words is None else words)
    parser = command.parser(__doc__)
    parser.add_argument("--address", help="of a cluster; `auto` is that of this machine (one is started for this job)")
    return command.run(parser.parse_args(ours), theirs, classify)


if __name__ == "__main__":
    sys.exit(main())
