"""Are the names of timm's, torchvision's and pretrainedmodels' own modules understood in a dump?

A network with lively random weights is run by PyTorch in float64 with the hooks that docs/dumps.md shows, on every
module, and the dump compared by `senet parity` on candle, which has the value of every layer. Every value whose name
means a layer has to be equal: a name that is understood as another layer's would differ. Left out may be what holds
other modules, or does nothing here but change the shape.

    python -m scripts.pytorch.hooked_dumps --senet target/release/senet
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torchvision.ops import StochasticDepth

from scripts.command_line import errors_in_one_line, parse_count
from scripts.page_code import DUMPS, names_of
from scripts.pytorch.cases import Case
from scripts.pytorch.lively import tensor_of
from scripts.pytorch.networks import build, save
from scripts.pytorch.timm_cases import prepare
from scripts.senet_program import compared_under_names, coverage_of

Dump = Callable[[nn.Module, torch.Tensor, str], None]

WITHOUT_A_LAYER = (nn.AdaptiveAvgPool2d, nn.Flatten, StochasticDepth)
"""Modules of which a network here may have none, besides those that hold others."""

TOLERANCE = "1e-3"
"""Another layer's value differs by some 1; single precision alone by 1.1e-5 in SENet-154."""

FEWEST_LAYERS = 0.7
"""Of a network's layers, how many have to be compared: additions and scalings are no modules in PyTorch."""


@dataclass(frozen=True)
class Named:
    """A case, and a name of one of its modules with the layer that it means."""

    case: Case
    name: str
    layer: str


CASES = (
    Named(Case("seresnet50", 65, 96), "layer1.0.act3", "layer1.0.relu"),
    Named(Case("legacy_seresnet50", 65, 96), "layer1.0.se_module", "layer1.0.se.scale"),
    Named(Case("legacy_seresnet18", 65, 96), "layer1.0.relu#3", "layer1.0.relu"),
    Named(Case("legacy_senet154", 64, 65, 1), "layer0.relu2", "conv1.5"),
    Named(Case("bn_inception", 65, 97, 2, "pretrainedmodels"), "inception_3a_1x1", "inception_3a.1x1"),
    Named(Case("efficientnet_b0", 65, 96), "blocks.1.0.bn1.act", "blocks.1.0.bn1.act"),
    Named(Case("mobilenetv3_large_100", 65, 96), "blocks.3.0.bn1", "blocks.3.0.bn1.act"),
    Named(Case("regnety_008", 65, 96), "s1.b1.conv1", "s1.b1.conv1.bn.act"),
    Named(Case("regnety_004", 65, 96, 2, "torchvision"), "trunk_output.block2.block2-1.f.se", "s2.b2.se.scale"),
    Named(Case("tv_efficientnet_b0", 65, 96, 2, "torchvision"), "features.2.0.block.2", "blocks.1.0.se.scale"),
    Named(Case("tv_mobilenet_v2", 65, 96, 2, "torchvision"), "features.2.conv.1.2", "blocks.1.0.bn2.act"),
    Named(Case("tv_mobilenet_v3_small", 65, 96, 2, "torchvision"), "features.1", "blocks.0.0.bn2"),
    Named(Case("tv_mnasnet1_0", 65, 96, 2, "torchvision"), "layers.8.1", "blocks.1.1.add"),
)
"""A network for each way of naming modules."""


def check(senet: Path, named: Named, dump: Dump, seed: int) -> str:
    """Compare a case, and say in a line what was compared.

    Raises:
        ValueError: a value differs, or a name is not understood as it should be.
    """
    case = named.case
    model = build(case.publisher, case.network, seed)
    images = prepare(case, model, seed)
    with tempfile.TemporaryDirectory() as folder:
        weights = save(case.publisher, model, Path(folder))
        file = Path(folder) / "dump.safetensors"
        dump(model.double(), tensor_of(images).double(), str(file))
        words = ("--weights", weights, "--network", case.network, "--reference", file)
        meant, report = compared_under_names(senet, words, TOLERANCE, named.name, named.layer)
    modules = dict(model.named_modules())
    for name in report["extra"]:
        path, _, call = name.partition("#")
        # A network here has the last call of a module alone.
        if f"{path}#{int(call or 1) + 1}" in [*meant, *report["extra"]]:
            continue
        module = modules[path]
        if not (any(module.children()) or isinstance(module, WITHOUT_A_LAYER)):
            raise ValueError(f"`{name}`, a {type(module).__name__}, is not understood")
    return f"{case.network} ({case.publisher}): {coverage_of(report, FEWEST_LAYERS)}"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help="only cases of these networks")
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("--seed", type=int, default=0, help="of weights and images (%(default)s)")
    parser.add_argument("--threads", type=parse_count, default=2, help="of PyTorch (%(default)s)")
    arguments = parser.parse_args(words)
    torch.set_num_threads(arguments.threads)
    with errors_in_one_line():
        dump: Dump = names_of(DUMPS, "From PyTorch")["dump"]
        cases = [named for named in CASES if not arguments.names or named.case.network in arguments.names]
        if not cases:
            raise ValueError(f"no case of {', '.join(arguments.names)}")
        for named in cases:
            try:
                print(check(arguments.senet, named, dump, arguments.seed), flush=True)
            except ValueError as error:
                raise ValueError(f"{named.case}: {error}") from error


if __name__ == "__main__":
    main()
