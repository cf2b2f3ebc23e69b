"""Cases for `senet parity`: models of any author with weights under which errors show, as graph and dump.

    python -m scripts.pytorch.model_cases --seed 1 --output cases timm:seresnet18@97x131 torchvision:resnet18 net.py:Net

For each a folder with `weights.safetensors`, the graph inside, and `reference.safetensors`, PyTorch's values in float64
of every layer. A line a case says how far PyTorch's own float32 is from that, and refuses a case in which errors could
hide. Where gates lie too close together or too far apart, `MODEL@HxW*1.5` draws their weights 1.5 times as large.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from scripts.command_line import errors_in_one_line, parse_count, parse_size
from scripts.liveliness import CALIBRATION_IMAGES, Liveliness, check_lively
from scripts.pytorch.comparison import ILL_CONDITIONED, relative_error
from scripts.pytorch.dump_activations import Values, values_of, write_dump
from scripts.pytorch.export import exported, write
from scripts.pytorch.lively import GATE_GAINS, drawn, enliven
from scripts.pytorch.lowering.model import Lowered
from scripts.pytorch.models import WORDS, load
from scripts.pytorch.networks import GATE_LAYER, named_modules
from scripts.structured_images import structured_images

CASE = re.compile(r"(?P<model>.+?)(?:@(?P<size>\d+x\d+))?(?:\*(?P<gates>[\d.]+))?")

BRANCH = (0.2, 0.4)
"""Between what a scale of a whole residual branch is drawn (ConvNeXt's `gamma`), which initialisers make 1e-6."""

WEIGHT = (0.8, 1.2)
"""Between what any other weight is drawn that is one number."""


@dataclass(frozen=True)
class Case:
    """A model, the size of its images, and by what its gates are amplified besides."""

    words: str
    size: tuple[int, int] | None
    gates: float


def parse_case(text: str) -> Case:
    """`MODEL[@HxW][*GATES]`, for argparse."""
    match = CASE.fullmatch(text)
    assert match
    size = parse_size(match["size"]) if match["size"] else None
    return Case(match["model"], size, float(match["gates"] or 1.0))


@torch.no_grad()
def spread(module: nn.Module, random: np.random.Generator) -> None:
    """Draw the weights that initialisers leave one number, but for those of batch norms and biases."""
    for owner in module.modules():
        if isinstance(owner, _BatchNorm):
            continue
        for kind, parameter in owner.named_parameters(recurse=False):
            if kind != "bias" and parameter.numel() and bool((parameter == parameter.flatten()[0]).all()):
                low, high = BRANCH if float(parameter.flatten()[0].abs()) < 0.1 else WEIGHT
                parameter.copy_(drawn(random, low, high, parameter))


GATE_FUNCTIONS = ("sigmoid", "hard_sigmoid")


def gates_of(lowered: Lowered) -> dict[str, list[str]]:
    """Each gate of the graph, and the layers with weights before it, the last first, back to what is squeezed."""
    layers = {layer.name: layer for layer in lowered.graph.layers}
    found: dict[str, list[str]] = {}
    for layer in lowered.graph.layers:
        if layer.op != "scale" or layer.inputs[1] not in layers:
            continue
        gate = layers[layer.inputs[1]]
        while gate.op == "unflatten":
            gate = layers[gate.inputs[0]]
        at = gate
        dense = []
        while at.op not in ("global_average_pool", "scale", "add") and at.inputs[0] in layers:
            if at.op in ("conv", "linear"):
                dense.append(at.tensors["weight"])
            at = layers[at.inputs[0]]
        found[gate.name] = dense
    return found


@torch.no_grad()
def open_gates(module: nn.Module, lowered: Lowered, random: np.random.Generator, gates: float) -> None:
    """Draw the weights of the gates whose names `lively` does not know, as large as it draws them."""
    parameters = dict(module.named_parameters())
    known = {name for name, each in named_modules(module).items() if GATE_LAYER.fullmatch(name) and each is not None}
    canonical = {id(each): name for name, each in named_modules(module).items()}
    owners = {f"{path}.weight": canonical.get(id(each), "") for path, each in module.named_modules()}
    for weights in gates_of(lowered).values():
        for name, gain in zip(weights, (GATE_GAINS["fc2"], GATE_GAINS["fc1"]), strict=False):
            if name not in parameters or owners.get(name) in known:
                continue
            parameter = parameters[name]
            limit = gates * gain * (6.0 / (parameter.shape[0] + parameter.shape[1])) ** 0.5
            parameter.copy_(drawn(random, -limit, limit, parameter))


def make_case(case: Case, folder: Path, seed: int, images: int) -> str:
    """Write a case and say what it is.

    Raises:
        ValueError: the model cannot be exported, or errors could hide in the case.
    """
    model = load(case.words, size=case.size, seed=seed)
    traced, lowered, _ = exported(model)
    random = np.random.default_rng(seed)
    calibration = structured_images(random, CALIBRATION_IMAGES, (model.height, model.width), model.channels)
    spread(model.module, random)
    open_gates(model.module, lowered, random, case.gates)
    enliven(model.module, random, calibration, case.gates)
    traced, lowered, replayed = exported(model)
    drawn_images = np.ascontiguousarray(calibration[:images].transpose(0, 3, 1, 2))
    exact = values_of(traced, lowered, drawn_images)
    single = values_of(traced, lowered, drawn_images, torch.float32)
    float32 = {name: relative_error(single[name], value) for name, value in exact.items()}
    worst = max(float32, key=lambda name: float32[name])
    lively = liveliness(lowered, exact)
    if not float32[worst] <= ILL_CONDITIONED:
        raise ValueError(f"invalid case: PyTorch's own float32 is off by {float32[worst]:.1e} in `{worst}`")
    write(lowered, folder / "weights.safetensors")
    write_dump(folder / "reference.safetensors", lowered, drawn_images, exact)
    output = lowered.graph.outputs[0]
    return (
        f"{len(lowered.graph.layers)} layers, {lively}; PyTorch's own float32 is off by {float32[output]:.1e}, by "
        f"{float32[worst]:.1e} in `{worst}`; the graph by {replayed:.0e}"
    )


def liveliness(lowered: Lowered, values: Values) -> Liveliness:
    """How far apart gates and outputs are.

    Raises:
        ValueError: not far enough.
    """
    functions = {layer.name for layer in lowered.graph.layers if layer.op in GATE_FUNCTIONS}
    gates = [values[name].ravel() for name in gates_of(lowered) if name in functions and name in values]
    return check_lively(np.concatenate(gates or [np.empty(0)]), values[lowered.graph.outputs[0]])


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", type=parse_case, nargs="+", metavar="MODEL[@HxW][*GATES]", help=f"MODEL is {WORDS}")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where a folder a case is written")
    parser.add_argument("--seed", type=int, required=True, help="of weights and images")
    parser.add_argument("--images", type=parse_count, default=2, metavar="N", help="in each case (%(default)s)")
    arguments = parser.parse_args(words)
    with errors_in_one_line():
        for case in arguments.case:
            origin, _, model = case.words.rpartition(":")
            name = f"{Path(origin).stem}-{model}"
            try:
                said = make_case(case, arguments.output / name, arguments.seed, arguments.images)
            except ValueError as error:
                raise ValueError(f"{case.words}: {error}") from error
            print(f"{name}: {said}", flush=True)


if __name__ == "__main__":
    main()
