"""Weights under which errors show, and what a network computes with them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from scripts.liveliness import BETA, BETA_OF_SEQUENCES, GATE_GAIN, LAST_GAMMA, LAST_GAMMA_UNGATED, last_norms
from scripts.pytorch.networks import BLOCK, GATE, GATE_LAYER, named_modules
from scripts.structured_images import Images

Doubles = npt.NDArray[np.float64]

GATE_GAINS = {"fc1": 2.0, "fc2": GATE_GAIN, "conv_reduce": 2.0, "conv_expand": GATE_GAIN, "fc": 1.0}
"""What the two layers of every gate are multiplied by, and the only one of an effective SE block.

Of a hard sigmoid many gates would be 0 or 1 if that were larger.

With the second alone the gates of SENet-154 were 0.21 to 0.25 apart, which some
seeds would miss; so they are 0.33 and more, at no larger rounding errors.
"""

GATE_GAIN_OF_SUMS = 0.5
"""What all gates are multiplied by besides where convolutions are added to a batch norm of their input, as in RepVGG.

Such a gate multiplies what comes from all the blocks before, and nothing leads around it.
"""

OF_SEQUENCE = re.compile(r"\.identity$|\.conv_mid\.|\.conv_concat\.")
"""A batch norm around which nothing leads: of RepVGG's blocks and of VoVNet's.

PyTorch's own float32 is off by 3e-4 of the answer of vovnet57a where its betas are drawn as the others.
"""


def sums_with_input(norms: Iterable[str]) -> tuple[str, ...]:
    """How the names of blocks begin that add convolutions to a batch norm of their input, of a network's batch norms.

    Drawn as if nothing led around a block, a difference grows 1.4-fold from one of RepVGG's 46 to
    the next: PyTorch's own float32 was wrong in the first digit, and what a batch norm was
    calibrated on had little to do with what it got. So the convolutions add little to the input,
    as at the end of a residual branch, and the gates are amplified less. The rectifier cuts little
    of the input off, or the gates would lie too close together.
    """
    return tuple(name.removesuffix("identity") for name in norms if name.endswith(".identity"))


def tensor_of(images: Images) -> torch.Tensor:
    """NHWC images as the NCHW tensor that PyTorch takes."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def drawn(random: np.random.Generator, low: float, high: float, like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.asarray(random.uniform(low, high, tuple(like.shape)))).to(like.dtype)


@torch.no_grad()
def enliven(model: nn.Module, random: np.random.Generator, images: Images, gates: float = 1.0) -> None:
    """Draw what initialisers leave constant, amplify the gates, by `gates` besides, and calibrate the batch norms."""
    modules = named_modules(model)
    norms = {name: module for name, module in modules.items() if isinstance(module, _BatchNorm)}
    last = last_norms(norms)
    sums = sums_with_input(norms)
    if sums:
        gates *= GATE_GAIN_OF_SUMS
    last_gamma = LAST_GAMMA if any(GATE.fullmatch(name) for name in modules) else LAST_GAMMA_UNGATED
    for name, module in modules.items():
        for kind, parameter in module.named_parameters(recurse=False):
            if kind == "bias":
                low, high = BETA_OF_SEQUENCES if name in norms and OF_SEQUENCE.search(name) else BETA
                parameter.copy_(drawn(random, low, high, parameter))
            elif kind in ("gain", "skipinit_gain"):
                # Zero at first, which would leave a network without batch norms no branches.
                parameter.copy_(drawn(random, 0.8, 1.2, parameter))
            elif name in norms:
                gamma = drawn(random, 0.8, 1.2, parameter)
                if name in last:
                    gamma *= last_gamma
                elif name.startswith(sums) and not name.endswith(".identity"):
                    gamma *= LAST_GAMMA_UNGATED
                parameter.copy_(gamma)
            elif layer := GATE_LAYER.fullmatch(name):
                # As Keras draws them (Glorot): timm's own make gates that are all but shut or
                # open, which from block to block multiply what is rounded off.
                limit = gates * GATE_GAINS[layer[1]] * math.sqrt(6.0 / (parameter.shape[0] + parameter.shape[1]))
                parameter.copy_(drawn(random, -limit, limit, parameter))
    # Statistics of this batch alone, as the batch norms before pass it on with
    # theirs; dropout stays off.
    for norm in norms.values():
        norm.momentum = 1.0
        norm.train()
    output = model(tensor_of(images))
    model.eval()
    if not isinstance(output, torch.Tensor):
        # Of several, there is no one classifier.
        return
    # What all images have in common says nothing about any of them. The answer may be the mean of
    # two classifiers.
    for module in modules.values():
        if isinstance(module, nn.Linear) and module.out_features == output.shape[1]:
            module.bias.sub_(output.mean(dim=0))


@dataclass
class Observed:
    """What a network computes."""

    output: Doubles
    values: dict[str, Doubles]
    """Outputs of the stem's pool, of every block and of every gate, by canonical name."""

    def gates(self) -> Doubles:
        """All gates on all inputs, in one row."""
        opened = [value.ravel() for name, value in self.values.items() if GATE.fullmatch(name)]
        return np.concatenate(opened or [np.empty(0)])


def is_dumped(name: str, module: nn.Module) -> bool:
    """Whether the module's output is compared."""
    if re.fullmatch(r"features\.\d+", name) and not any(module.children()):
        # VGG has no blocks: what ends one convolution, and what ends one stage.
        return isinstance(module, nn.ReLU | nn.MaxPool2d)
    return name == "maxpool" or bool(BLOCK.fullmatch(name) or GATE.fullmatch(name))


@contextmanager
def watched(model: nn.Module, values: dict[str, Doubles]) -> Iterator[None]:
    """Fill `values` while the network runs."""

    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def note(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            # A copy: what follows may change the tensor in place.
            values[name] = output.double().numpy().copy()

        return module.register_forward_hook(note)

    hooks = [watch(name, module) for name, module in named_modules(model).items() if is_dumped(name, module)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def observe(model: nn.Module, images: Images) -> Observed:
    """Run the network in its own precision."""
    values: dict[str, Doubles] = {}
    dtype = next(model.parameters()).dtype
    with watched(model, values):
        output = model(tensor_of(images).to(dtype))
    return Observed(output.double().numpy(), values)
