"""Rebuild what torchinfo says of a network from the JSON of `senet trace`, and compare it with torchinfo itself.

Layer by layer: parameters, shapes of input and output, kernel, stride, padding, dilation and groups of everything that
has parameters. In all: parameters, mult-adds and sizes, by torchinfo's own conventions:

- a convolution's mult-adds are its parameters, the bias included, times the pixels of its output; those of anything
  else are its parameters, once an image, a batch norm's too;
- the input's size is that of its storage as an object of Python, some bytes more than its numbers, left out here;
- layers without parameters have no size, and outputs count twice, for their gradients;
- a module that has modules inside itself is no layer: timm's `BatchNormAct2d`, whose parameters count, but neither its
  mult-adds nor its output. These are looked up among PyTorch's modules.

A 1x1 convolution on a map of one pixel and a dense layer are the same: of SE blocks timm has the one and this program
the other.

    python -m scripts.pytorch.torchinfo_view --senet target/release/senet seresnet50 efficientnet_b0
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn
from torchinfo import ModelStatistics, summary

from scripts.command_line import errors_in_one_line
from scripts.senet_program import ask

NETWORKS = ("seresnet50", "seresnext26d_32x4d", "efficientnet_b0", "mobilenetv3_small_100", "regnety_004")

SINGLE = 4
"""Bytes of a number."""


@dataclass(frozen=True)
class Layer:
    """What both say of a layer with parameters."""

    kind: str
    parameters: int
    input: tuple[int, ...]
    output: tuple[int, ...]
    window: tuple[tuple[int, ...], ...] = ()
    groups: int = 1

    @property
    def mult_adds(self) -> int:
        """As torchinfo counts them."""
        images, pixels = self.output[0], self.output[2:]
        return self.parameters * images * (prod(pixels) if self.kind == "conv" else 1)


@dataclass(frozen=True)
class View:
    """A network, as torchinfo shows it."""

    layers: Counter[Layer]
    parameters: int
    mult_adds: int
    input_bytes: int
    output_bytes: int
    parameter_bytes: int


def layer(
    kind: str, parameters: int, shapes: tuple[list[int], list[int]], window: tuple[Any, ...], groups: int
) -> Layer:
    """A layer; a convolution of a single pixel is a dense layer."""
    given, made = (tuple(shape) for shape in shapes)
    pixels = given[2:] + made[2:]
    if kind == "linear" or (kind == "conv" and groups == 1 and len(pixels) == 4 and set(pixels) == {1}):
        return Layer("linear", parameters, given[:2], made[:2])
    return Layer(kind, parameters, given, made, tuple(tuple(part) for part in window), groups)


def of_senet(trace: dict[str, Any], inner: int, outer_bytes: int) -> View:
    """What the JSON says, but for batch norms with modules inside: so many mult-adds, and bytes of outputs."""
    layers = []
    for row in trace["layers"]:
        if not row["parameters"]:
            continue
        names = ("kernel", "stride", "dilation")
        window: tuple[Any, ...] = ()
        if "kernel" in row:
            sides = row["padding"]
            if any(before != after for before, after in sides):
                raise ValueError(f"`{row['name']}` pads {sides}, which torchinfo's modules cannot say")
            window = (*(row[name] for name in names), [before for before, _ in sides])
        shapes = (row["input_shapes"][0], row["output_shape"])
        layers.append(layer(row["kind"], row["parameters"], shapes, window, row.get("groups", 1)))
    return View(
        layers=Counter(layers),
        parameters=trace["parameters"],
        mult_adds=sum(each.mult_adds for each in layers) - inner,
        input_bytes=trace["input_bytes"],
        output_bytes=2 * (SINGLE * sum(prod(each.output) for each in layers) - outer_bytes),
        parameter_bytes=trace["parameter_bytes"],
    )


KINDS: dict[type[nn.Module], str] = {nn.Conv2d: "conv", nn.Linear: "linear", nn.BatchNorm2d: "batch norm"}


def of_torchinfo(statistics: ModelStatistics) -> tuple[View, int, int]:
    """What torchinfo says, and what it leaves out of batch norms that have modules inside: mult-adds and bytes."""
    layers, mult_adds, outputs = [], 0, 0
    for info in statistics.summary_list:
        module = info.module
        kind = next((name for type_, name in KINDS.items() if isinstance(module, type_)), None)
        if kind is None:
            continue
        window: tuple[Any, ...] = ()
        groups = 1
        if isinstance(module, nn.Conv2d):
            window = (module.kernel_size, module.stride, module.dilation, module.padding)
            groups = module.groups
        made = layer(kind, info.num_params, (info.input_size, info.output_size), window, groups)
        layers.append(made)
        if not info.is_leaf_layer:
            mult_adds += made.mult_adds
            outputs += SINGLE * prod(made.output)
    view = View(
        layers=Counter(layers),
        parameters=statistics.total_params,
        mult_adds=statistics.total_mult_adds,
        input_bytes=statistics.total_input - sys.getsizeof(torch.empty(0).untyped_storage()),
        output_bytes=statistics.total_output_bytes,
        # Of modules with others inside torchinfo forgets the bytes, but not the parameters.
        parameter_bytes=SINGLE * statistics.total_params,
    )
    return view, mult_adds, outputs


def compare(name: str, senet: Path) -> str:
    """Compare both views of a network.

    Raises:
        ValueError: they differ.
    """
    model = timm.create_model(name).eval()
    size = model.pretrained_cfg["input_size"]
    with torch.no_grad():
        statistics = summary(model, input_size=(1, *size), verbose=0, depth=32)
    theirs, mult_adds, outputs = of_torchinfo(statistics)
    ours = of_senet(ask(senet, "trace", name, "--size", f"{size[1]}x{size[2]}"), mult_adds, outputs)
    for field in ("parameters", "mult_adds", "input_bytes", "output_bytes", "parameter_bytes"):
        found, expected = getattr(ours, field), getattr(theirs, field)
        if found != expected:
            raise ValueError(f"{name}: {found:,} {field}, expected {expected:,}")
    if ours.layers != theirs.layers:
        first = next(iter((ours.layers - theirs.layers) | (theirs.layers - ours.layers)))
        raise ValueError(f"{name}: a layer in one of both alone, {first}")
    return (
        f"{name:24}{theirs.layers.total():4} layers equal, {theirs.parameters:,} parameters, "
        f"{theirs.mult_adds:,} mult-adds ({mult_adds:,} of batch norms with modules inside left out), "
        f"{(theirs.input_bytes + theirs.output_bytes + theirs.parameter_bytes) / 1e6:.2f} MB"
    )


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("networks", nargs="*", default=NETWORKS, help="timm's names of them (%(default)s)")
    arguments = parser.parse_args(words)
    with errors_in_one_line():
        for name in arguments.networks:
            print(compare(name, arguments.senet))


if __name__ == "__main__":
    main()
