"""Classify images on a Spark cluster: each task does parts of a job, with the process that its Python worker keeps.

    python -m scripts.scale.spark_classify photos/ shards/*.tar --output rows --workers 2 -- --top-k 5

The rows are a folder of Parquet files, for `spark.read.parquet`. A task that fails is tried again, on another machine
where its own is lost; a process of the program that ends is started anew, and an image that ends it every time is a
row with an error. Exit status 1 says that there are such rows, 2 that it could not run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pyspark import SparkConf
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

import scripts
from scripts.scale import command
from scripts.scale.job import Done, Job
from scripts.scale.spark_task import SCHEMA, doing

FAILURES = 4
"""Times that a task may fail, Spark's own default for clusters, of which a local one has 1."""


def zipped(folder: Path) -> Path:
    """The modules that tasks need, as a file that Spark sends to all machines."""
    file = folder / "scripts.zip"
    root = Path(next(iter(scripts.__path__)))
    with zipfile.ZipFile(file, "w") as archive:
        for module in [*root.glob("*.py"), *root.glob("scale/*.py")]:
            archive.write(module, Path("scripts") / module.relative_to(root))
    return file


def local_master(arguments: argparse.Namespace) -> str:
    return f"local[{arguments.workers * arguments.threads},{FAILURES}]"


def classify(job: Job, parts: list[int], arguments: argparse.Namespace) -> Iterator[Done]:
    """Have a Spark cluster do these parts, a task each.

    Raises:
        ValueError: a task failed too often, with what Spark says of it.
    """
    master = arguments.master or SparkConf().get("spark.master") or local_master(arguments)
    # Another Python would lack the packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("senet classify").master(master)
    builder = builder.config("spark.task.maxFailures", str(FAILURES)).config("spark.task.cpus", str(arguments.threads))
    spark = builder.getOrCreate()
    with tempfile.TemporaryDirectory() as folder:
        try:
            if not arguments.verbose:
                spark.sparkContext.setLogLevel("ERROR")
            spark.sparkContext.addPyFile(str(zipped(Path(folder))))
            # A task a part, and one job for all.
            places = spark.range(0, len(parts), 1, len(parts))
            for row in places.mapInArrow(doing(str(job.folder), parts), SCHEMA).collect():
                yield Done(**row.asDict())
        except PySparkException as error:
            raise ValueError(str(error)) from error
        finally:
            spark.stop()


def main(words: list[str] | None = None) -> int:
    ours, theirs = command.split(sys.argv[1:] if words is None else words)
    parser = command.parser(__doc__)
    parser.add_argument("--master", help="Spark's address of a cluster (what spark-submit says, or this machine)")
    return command.run(parser.parse_args(ours), theirs, classify)


if __name__ == "__main__":
    sys.exit(main())
