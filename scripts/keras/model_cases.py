"""Parity cases of any Keras models, those of keras.applications above all: a graph file and what Keras computes.

    python -m scripts.keras.model_cases --seed 7 --output cases ResNet50@75x75 ConvNeXtTiny@64x96 own_net.py:build

writes cases/ResNet50-75x75/ and so on, each with weights.safetensors (the graph is inside) and reference.safetensors,
which has every layer of two images in float64. The weights are lively: lively_model.py says how they are drawn. Said of
each case is how lively it is, how far the graph is from Keras in float64, and how far TensorFlow's own float32 is off
at most: what a program in float32 may be off by as well. A case whose gates or outputs hardly differ is invalid: exit
status 1.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from scripts.command_line import errors_in_one_line, parse_size
from scripts.keras import graph_dump
from scripts.keras.checked_export import Checked, export_checked, share
from scripts.keras.interpreter import Array
from scripts.keras.lively_model import enliven
from scripts.keras.lowering.lower import lower
from scripts.keras.model_source import APPLICATIONS, ModelSource, Prepared, prepare
from scripts.keras.tracing.hooks import convolving_uncompiled
from scripts.keras.tracing.precision import to_precision
from scripts.keras.tracing.tracer import trace
from scripts.keras.weights_file import versions
from scripts.liveliness import check_lively

IMAGES = 16
"""Images that the weights are calibrated on, those of the dump among them: in what is larger in one than in any of
these, rounding errors grow from gate to gate."""

DUMPED = 2


def parse_case(text: str) -> ModelSource:
    """`NAME[@HxW]`, for argparse."""
    name, at, size = text.partition("@")
    word = APPLICATIONS + name if name.isidentifier() and hasattr(keras.applications, name) else name
    return ModelSource(word, input_shape=(*parse_size(size), 3) if at else None)


def gates(checked: Checked, values: dict[str, Array]) -> Array:
    """All that channels are scaled by."""
    scaled = [layer.inputs[1] for layer in checked.graph.layers if layer.op == "scale"]
    names = {layer.name: layer for layer in checked.graph.layers}
    found = []
    for name in scaled:
        while names[name].op == "unflatten":
            name = names[name].inputs[0]
        found.append(values[name].ravel())
    return np.concatenate(found or [np.empty(0)])


def float32_error(prepared: Prepared, x: Any, exact: dict[str, Array]) -> tuple[float, float]:
    """How far TensorFlow's own float32 is off: in any layer at most, and in the output, as shares of the largest."""
    to_precision(prepared.model, "float32")
    rounded = x.astype(np.float32) if prepared.dtype == "float64" else x
    with convolving_uncompiled():
        traced = trace(prepared.model, tuple(x.shape), str(rounded.dtype))
        lowered = lower(traced, prepared.model)
    found = graph_dump.computed(Checked(prepared.model, traced, lowered, 0.0), rounded)
    # NumPy's largest of several is no number where one is none.
    every = float(np.max([share(found[name].astype(np.float64), exact[name]) for name in exact]))
    return every, share(found["output"].astype(np.float64), exact["output"])


def make_case(source: ModelSource, folder: Path) -> str:
    """Write one case and say how good it is.

    Raises:
        ValueError: it is none, or the model cannot be exported.
    """
    random = np.random.default_rng(source.seed)
    prepared = prepare(source)
    images = prepared.draw(random, IMAGES)
    with convolving_uncompiled():
        enliven(trace(prepared.model, tuple(images.shape), prepared.dtype), random, images)
    to_precision(prepared.model, "float64")
    x = images[:DUMPED]
    checked = export_checked(prepared.model, x)
    values = graph_dump.computed(checked, x)
    lively = check_lively(gates(checked, values), values["output"])
    folder.mkdir(parents=True, exist_ok=True)
    checked.graph.write(folder / "weights.safetensors", versions=json.dumps(versions()))
    graph_dump.write(folder / "reference.safetensors", checked.graph, x, values, "float64")
    every, last = float32_error(prepared, x, values)
    return (
        f"{len(checked.graph.layers)} layers, {lively}; the graph differs by {checked.error:.1e} at most; "
        f"TensorFlow's own float32 by {every:.1e} at most, {last:.1e} in the output"
    )


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", type=parse_case, nargs="+", metavar="NAME[@HxW]", help="as MODEL of `export`")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and images (%(default)s)")
    arguments = parser.parse_args(words)
    with errors_in_one_line():
        for source in arguments.case:
            size = "-{}x{}".format(*source.input_shape) if source.input_shape else ""
            case = f"{Path(source.model.removeprefix(APPLICATIONS).replace(':', '-')).name}{size}"
            try:
                said = make_case(replace(source, seed=arguments.seed), arguments.output / case)
            except ValueError as error:
                raise ValueError(f"{case}: {error}") from error
            print(f"{case}: {said}", flush=True)


if __name__ == "__main__":
    main()
