"""The networks as their publishers' code makes them, and what the Rust program calls their modules.

Nothing is downloaded: every weight is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import timm
import torch
import torchvision
from pretrainedmodels.models.bninception import bninception
from safetensors.torch import save_file
from timm.models import save_for_hf
from torch import nn

BLOCK = re.compile(r"layer\d\.\d+|[Mm]ixed_\w+|repeat(_\d)?\.\d+|block8|inception_\d\w|features\.\d+")
"""A block, whose output is dumped, by its canonical name."""

GATE = re.compile(r".+\.se\.sigmoid")
"""The sigmoid of an SE block, by its canonical name."""

CADENE = {"layer0.conv1": "conv1", "layer0.bn1": "bn1", "layer0.relu1": "relu"}
"""The stem of timm's `legacy_*`; the others' names are kept."""

CADENE_DEEP = {
    "layer0.conv1": "conv1.0",
    "layer0.bn1": "conv1.1",
    "layer0.relu1": "conv1.2",
    "layer0.conv2": "conv1.3",
    "layer0.bn2": "conv1.4",
    "layer0.relu2": "conv1.5",
    "layer0.conv3": "conv1.6",
    "layer0.bn3": "bn1",
    "layer0.relu3": "relu",
}
"""The stem of `legacy_senet154`, of three convolutions."""

HEADS = {"pool0": "maxpool", "last_linear": "fc", "act1": "relu", "global_pool": "avgpool"}


def canonical_names(modules: Iterable[str]) -> dict[str, str]:
    """What the Rust program calls each of a network's modules."""
    modules = list(modules)
    stem = CADENE_DEEP if "layer0.conv3" in modules else CADENE

    def canonical(name: str) -> str:
        name = stem.get(name) or HEADS.get(name, name)
        name = re.sub(r"\bse_module\b", "se", name)
        return re.sub(r"\bse\.gate$", "se.sigmoid", name)

    return {name: canonical(name) for name in modules}


def named_modules(model: nn.Module) -> dict[str, nn.Module]:
    """The modules of a network by canonical name."""
    modules = {name: module for name, module in model.named_modules() if name}
    return {canonical: modules[name] for name, canonical in canonical_names(modules).items()}


def from_pretrainedmodels(name: str) -> nn.Module:
    """Cadene's BN-Inception; the rest of that package is in timm."""
    if name != "bn_inception":
        raise ValueError(f"pretrainedmodels is asked for bn_inception alone, not for `{name}`")
    model: nn.Module = bninception(pretrained=None)
    # A 7x7 window of fixed size, which is all there is at 224x224.
    model.global_pool = nn.AdaptiveAvgPool2d(1)
    return model


def from_torchvision(name: str) -> nn.Module:
    # Of all there, Inception alone has a default that would be undone by loading weights.
    more = {"init_weights": True, "transform_input": False} if name == "inception_v3" else {}
    return torchvision.models.get_model(name, weights=None, **more)


def from_timm(name: str) -> nn.Module:
    model: nn.Module = timm.create_model(name, pretrained=False)
    return model


PUBLISHERS: dict[str, Callable[[str], nn.Module]] = {
    "timm": from_timm,
    "torchvision": from_torchvision,
    "pretrainedmodels": from_pretrainedmodels,
}


def build(publisher: str, name: str, seed: int) -> nn.Module:
    """A network with random weights, as it is evaluated.

    Raises:
        ValueError: the publisher has no such network.
    """
    torch.manual_seed(seed)
    try:
        return PUBLISHERS[publisher](name).eval()
    except RuntimeError as error:
        raise ValueError(f"{publisher} has no `{name}`: {error}") from error


def save(publisher: str, model: nn.Module, folder: Path) -> Path:
    """Write the weights as the publisher does, and for timm its `config.json`; returns the weights' file."""
    folder.mkdir(parents=True, exist_ok=True)
    if publisher == "timm":
        save_for_hf(model, str(folder), safe_serialization=True)
    else:
        save_file(model.state_dict(), folder / "model.safetensors")
    return folder / "model.safetensors"
