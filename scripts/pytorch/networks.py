"""The networks as their publishers' code makes them, and what the Rust program calls their modules.

Where the SENet paper has a network that nobody published for PyTorch, its SE
blocks are put into the plain one. Nothing is downloaded: every weight is drawn.
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
from timm.layers import SEModule
from timm.models import save_for_hf
from timm.utils.model import reparameterize_model
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from scripts.pytorch import torchvision_mobile
from scripts.pytorch.keras_twins import MAKERS

BLOCK = re.compile(
    r"(body\.)?layer\d\.\d+|[Mm]ixed_\w+|repeat(_\d)?\.\d+|block8|inception_\d\w(\.se)?|features\.\d+|blocks\.\d+\.\d+"
    r"|s\d\.b\d+|stages\.\d+(\.blocks)?\.\d+|stages\.[1-9]\.downsample"
)
"""A block, whose output is dumped, by its canonical name; an SE block that ends one is as good."""

GATE = re.compile(r"(.+\.)?(se[\d_]*|attn2?|attn_last)\.(sigmoid|gate)")
"""The gate's function of an SE block, by its canonical name."""

GATE_LAYER = re.compile(r"(?:.+\.)?(?:se[\d_]*|attn2?|attn_last)\.(fc[12]?|conv_(?:reduce|expand))")
"""A layer of an SE block, by its canonical name, and which."""

AS_IN_TIMM = re.compile(r"conv_stem$|(s\d|stages|body|stem)\.")
"""How the modules of networks begin whose names the Rust program has from timm, every one."""

RATIO = 16
"""Channels of an SE block that is put in, to those inside."""

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


TORCHVISION_REGNET = {
    "f.a.0": "conv1.conv",
    "f.a.1": "conv1.bn",
    "f.b.0": "conv2.conv",
    "f.b.1": "conv2.bn",
    "f.c.0": "conv3.conv",
    "f.c.1": "conv3.bn",
    "f.se.fc1": "se.fc1",
    "f.se.fc2": "se.fc2",
    "f.se.scale_activation": "se.gate",
}
"""torchvision's modules in a block of a RegNet, by timm's names."""


def regnet_of_torchvision(name: str) -> str:
    """What timm calls a module of torchvision's RegNet."""
    block = re.fullmatch(r"trunk_output\.block(\d)\.block\d-(\d+)(?:\.(.+))?", name)
    if not block:
        return name
    stage, index, rest = block.groups()
    path = f"s{stage}.b{int(index) + 1}"
    return f"{path}.{TORCHVISION_REGNET.get(rest, rest)}" if rest else path


def canonical_names(modules: Iterable[str]) -> dict[str, str]:
    """What the Rust program calls each of a network's modules."""
    modules = list(modules)
    if any(name.startswith("trunk_output.") for name in modules):
        return {name: regnet_of_torchvision(name) for name in modules}
    if numbered := torchvision_mobile.canonical_names(modules):
        return numbered
    stem = CADENE_DEEP if "layer0.conv3" in modules else CADENE
    if any(AS_IN_TIMM.match(name) for name in modules):
        return {name: name for name in modules}

    def canonical(name: str) -> str:
        name = stem.get(name) or HEADS.get(name, name)
        name = re.sub(r"\bse_module\b", "se", name)
        name = re.sub(r"^(inception_\d\w)_se\b", r"\1.se", name)
        return re.sub(r"\b(se[\d_]*)\.gate$", r"\1.sigmoid", name)

    return {name: canonical(name) for name in modules}


def named_modules(model: nn.Module) -> dict[str, nn.Module]:
    """The modules of a network by canonical name."""
    modules = {name: module for name, module in model.named_modules() if name}
    return {canonical: modules[name] for name, canonical in canonical_names(modules).items()}


def squeeze_excitation(channels: int) -> nn.Module:
    block: nn.Module = SEModule(channels, rd_channels=channels // RATIO)
    return block


def bn_inception(gated: bool) -> nn.Module:
    """Cadene's BN-Inception.

    Its concatenations are no modules; here each is followed by one that is called
    as its block, so that its value is seen. `gated`, that is an SE block, as in
    the paper's authors' Caffe network, whose convolutions have no bias.
    """
    network = bninception(pretrained=None)
    # A 7x7 window of fixed size, which is all there is at 224x224.
    network.global_pool = nn.AdaptiveAvgPool2d(1)
    if gated:
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.bias = None
    model = fx.symbolic_trace(network)
    ShapeProp(model).propagate(torch.zeros(1, 3, 64, 64))
    for node in [node for node in model.graph.nodes if node.target is torch.cat]:
        # The first part is the value of `inception_3a_relu_1x1`, say.
        block = "_".join(str(node.all_input_nodes[0].target).split("_")[:2])
        name = f"{block}_se" if gated else block
        model.add_submodule(name, squeeze_excitation(node.meta["tensor_meta"].shape[1]) if gated else nn.Identity())
        with model.graph.inserting_after(node):
            after = model.graph.call_module(name)
        node.replace_all_uses_with(after)
        after.args = (node,)
    model.recompile()
    return model


class SeVgg(nn.Module):
    """A VGG of torchvision with an SE block after the ReLU of every convolution: `se1_1`, `se1_2`, `se2_1`, ..."""

    def __init__(self, vgg: nn.Module) -> None:
        super().__init__()
        self.features = vgg.get_submodule("features")
        self.avgpool = vgg.get_submodule("avgpool")
        self.classifier = vgg.get_submodule("classifier")
        self.gates: dict[str, str] = {}
        stage, place, channels = 1, 0, 0
        for index, module in self.features.named_children():
            if isinstance(module, nn.Conv2d):
                place, channels = place + 1, module.out_channels
            elif isinstance(module, nn.ReLU):
                self.gates[index] = f"se{stage}_{place}"
                self.add_module(self.gates[index], squeeze_excitation(channels))
            elif isinstance(module, nn.MaxPool2d):
                stage, place = stage + 1, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for index, module in self.features.named_children():
            x = module(x)
            if index in self.gates:
                x = self.get_submodule(self.gates[index])(x)
        y: torch.Tensor = self.classifier(torch.flatten(self.avgpool(x), 1))
        return y


def from_pretrainedmodels(name: str) -> nn.Module:
    """Cadene's BN-Inception; the rest of that package is in timm."""
    if name != "bn_inception":
        raise ValueError(f"pretrainedmodels is asked for bn_inception alone, not for `{name}`")
    return bn_inception(gated=False)


def from_paper(name: str) -> nn.Module:
    """Networks with the SE blocks that the paper puts in."""
    match name:
        case "se_bn_inception":
            return bn_inception(gated=True)
        case "se_vgg16_bn":
            return SeVgg(from_torchvision("vgg16_bn"))
        case _:
            raise ValueError(f"there is no `{name}` here")


TORCHVISION = {"regnety_004": "regnet_y_400mf", "regnetx_004_tv": "regnet_x_400mf"}
"""What torchvision calls networks that have timm's names in the Rust program."""


def from_torchvision(name: str) -> nn.Module:
    # Of all there, Inception alone has a default that would be undone by loading weights.
    more = {"init_weights": True, "transform_input": False} if name == "inception_v3" else {}
    # The catalogue marks those that timm has as well, with other arithmetic.
    name = TORCHVISION.get(name, name.removeprefix("tv_"))
    model: nn.Module = torchvision.models.get_model(name, weights=None, **more)
    return model


def from_timm(name: str) -> nn.Module:
    model: nn.Module = timm.create_model(name, pretrained=False)
    return model


FOLDED = "_folded"
"""How names of the Rust program end of which timm has the network before its branches are folded."""


def before_folding(name: str) -> nn.Module:
    """A network of timm's whose convolutions are sums of branches; `as_published` folds them.

    Raises:
        ValueError: the name is no folded network's.
    """
    if not name.endswith(FOLDED):
        raise ValueError(f"`{name}` is none whose branches are folded")
    return from_timm(name.removesuffix(FOLDED))


def as_published(publisher: str, model: nn.Module) -> nn.Module:
    """What is saved of a network: itself, or it with its branches folded."""
    folded: nn.Module = reparameterize_model(model) if publisher == "folded" else model
    return folded


def from_keras_twins(name: str) -> nn.Module:
    """Networks in Keras's conventions."""
    if name not in MAKERS:
        raise ValueError(f"there is no `{name}` in Keras's conventions here")
    return MAKERS[name]()


PUBLISHERS: dict[str, Callable[[str], nn.Module]] = {
    "timm": from_timm,
    "folded": before_folding,
    "torchvision": from_torchvision,
    "pretrainedmodels": from_pretrainedmodels,
    "paper": from_paper,
    "keras": from_keras_twins,
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
    if publisher in ("timm", "folded"):
        save_for_hf(model, str(folder), safe_serialization=True)
    else:
        save_file(model.state_dict(), folder / "model.safetensors")
    return folder / "model.safetensors"
