"""Does a graph compute what the model computes? Its document, interpreted, against PyTorch's own calls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import fx

from scripts.pytorch.failures import first_line
from scripts.pytorch.graph_interpreter import Interpreter
from scripts.pytorch.lowering.model import Lowered, lower
from scripts.pytorch.tracing import BATCH, Traced, run_calls, run_model, with_tensors
from scripts.structured_images import Images, structured_images

TOLERANCE = 1e-9
"""How far a layer's value may be from PyTorch's, as a share of the largest.

Both compute in float64, with the weights before they are rounded to the file's float32, and add in other orders: 2e-12
is the most that was seen of 140 networks. What is wrong in a graph makes 1e-5 and more.
"""

MODEL_TOLERANCE = 1e-6
"""The same for what the model itself returns, which may round to float32 on its way, as its code says."""

FLOAT32_TOLERANCE = 1e-3
"""The same for a model that runs in float32 alone: what deep networks were seen to lose, tenfold. What this is held
against are states, randomness and other images, which make far more."""


def drawn_images(traced: Traced, seed: int) -> Images:
    """NCHW images with structure."""
    channels, height, width = traced.input_shape
    images = structured_images(np.random.default_rng(seed), BATCH, (height, width), channels)
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def difference(found: torch.Tensor, exact: torch.Tensor) -> float:
    """max |found - exact| / max |exact|; infinite for another shape."""
    if found.shape != exact.shape:
        return float("inf")
    largest = float(exact.abs().max())
    error = float((found - exact).abs().max())
    return error / largest if largest and error else error


@torch.no_grad()
def check_replay(traced: Traced, lowered: Lowered, seed: int = 0) -> float:
    """The largest error of a layer, on the model's weights and on drawn ones.

    Drawn, since in a model fresh from its initialisers whole branches are multiplied by zero, and whatever is wrong in
    them hides.

    Raises:
        ValueError: the graph computes something else than the model.
    """
    images = drawn_images(traced, seed)
    calls, worst = compared(traced, lowered, images)
    check_model(traced, calls, images)
    drawn = with_tensors(traced, dict(drawn_tensors(traced, seed)))
    _, drawn_worst = compared(drawn, lower(drawn, lowered.graph.name), images)
    return max(worst, drawn_worst)


def compared(traced: Traced, lowered: Lowered, images: Images) -> tuple[list[torch.Tensor], float]:
    """What PyTorch's calls return, and the largest error of a layer against them.

    Raises:
        ValueError: a layer's is beyond the tolerance.
    """
    asked = [name for shown in lowered.shows.values() for name, _ in shown] + lowered.outputs
    ours = Interpreter(lowered.graph, lowered.exact, torch.from_numpy(images), asked)
    errors: list[float] = []

    def hold(name: str, exact: torch.Tensor) -> None:
        error = difference(ours.take(name), exact)
        if not error <= TOLERANCE:
            raise ValueError(
                f"the graph differs from the model first in `{name}`, by {error:.1e} of the largest value; "
                f"expected at most {TOLERANCE:.0e}"
            )
        errors.append(error)

    def compare(node: fx.Node, exact: torch.Tensor) -> None:
        for name, view in lowered.shows.get(node, ()):
            hold(name, view.to_whole(exact))

    outputs = run_calls(traced, images, compare)
    for name, exact in zip(lowered.outputs, outputs, strict=True):
        hold(name, exact)
    return outputs, max(errors)


def check_model(traced: Traced, calls: list[torch.Tensor], images: Images) -> None:
    """See that the recorded calls are the model's, which gets fewer images than they were recorded with.

    Raises:
        ValueError: it returns something else, another time something else, or fails.
    """
    fewer = images[: BATCH - 1]
    tolerance = MODEL_TOLERANCE
    try:
        try:
            found = run_model(traced.model, fewer, torch.float64)
        except RuntimeError:
            # What makes float32 tensors on its way runs in no other precision.
            found, tolerance = run_model(traced.model, fewer, torch.float32), FLOAT32_TOLERANCE
    except Exception as error:
        # A user's code may raise anything.
        raise ValueError(f"the model takes {BATCH} images and fails for {BATCH - 1}: {first_line(error)}") from error
    if len(found) != len(calls):
        raise ValueError(f"the model returns {len(found)} tensors, {len(calls)} when it is traced")
    for index, (own, recorded) in enumerate(zip(found, calls, strict=True)):
        off = difference(own.double(), recorded[: BATCH - 1].double())
        if not off <= tolerance:
            raise ValueError(
                f"the model's output {index} is off by {off:.1e} of the largest value from what was recorded of it: "
                f"it draws at random, keeps a state or computes one image by the others"
            )


def drawn_tensors(traced: Traced, seed: int) -> Iterator[tuple[str, torch.Tensor]]:
    """Other numbers for parameters and statistics that all are one number."""
    random = torch.Generator().manual_seed(seed)
    for name, tensor in traced.tensors.items():
        statistic = name.endswith(("running_mean", "running_var"))
        if not (name in traced.learnt or statistic) or not tensor.is_floating_point() or tensor.numel() == 0:
            continue
        if bool((tensor == tensor.flatten()[0]).all()):
            low, high = (-0.2, 0.2) if name.endswith(("bias", "running_mean")) else (0.8, 1.2)
            drawn = torch.rand(tensor.shape, generator=random, dtype=torch.float64) * (high - low) + low
            # Of the file's precision, as the others are.
            yield name, drawn.to(tensor.dtype)
