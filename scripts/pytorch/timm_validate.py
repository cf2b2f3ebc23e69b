"""Evaluate a folder of classes as timm's validate.py does, and compare that with `senet eval`, image by image.

The dataset, the transform, the loader and the accuracy are timm's own. The network is timm's where the weights have
timm's names; those that were trained in Keras are computed by PyTorch from what the program says of their layers.
Counts of top-1 and top-5 have to be the same, and for each image its class, the likeliest one, and whether its class is
among the five.

    python -m scripts.pytorch.timm_validate --senet target/release/senet weights/seresnet20.safetensors images/
    python -m scripts.pytorch.timm_validate --senet target/release/senet --synsets \
        weights/efficientnet_lite0.safetensors photos/
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import timm
import timm.data
import timm.utils
import torch

from scripts.command_line import errors_in_one_line, parse_count
from scripts.graph_file import Graph, Layer
from scripts.pytorch import timm_rows
from scripts.pytorch.graph_interpreter import FUNCTIONS

TOP = 5

KERAS_ROLES = {
    "conv": {"weight": "kernel", "bias": "bias"},
    "linear": {"weight": "kernel", "bias": "bias"},
    "batch_norm": {
        "weight": "gamma",
        "bias": "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    },
}
"""What Keras calls a layer's tensors."""

KERNEL_AXES = {4: (3, 2, 0, 1), 2: (1, 0)}
"""From Keras's order of a kernel's axes, rows, columns, channels in and out, to PyTorch's."""

Network = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Answer:
    """What is in an image, and what a network says of it."""

    truth: int
    predicted: int
    among: bool
    """Whether the truth is among the likeliest five."""


def metadata(weights: Path) -> Mapping[str, str]:
    with safetensors.safe_open(weights, framework="pt") as content:
        return content.metadata() or {}


def keras_network(senet: Path, weights: Path, name: str) -> Network:
    """A network of the catalogue in PyTorch, in float32, with weights that Keras has named and laid out.

    Raises:
        ValueError: the program has no such network, or the file lacks a tensor of it.
    """
    command: list[str | Path] = [senet.resolve(), "models", "--network", name, "--format", "graph"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(done.stderr.strip())
    document = json.loads(done.stdout)
    layers = [
        Layer(each["name"], each["op"], each["inputs"], {k: v for k, v in each.items() if k not in NOT_ATTRIBUTES})
        for each in document["layers"]
    ]
    graph = Graph(name, document["input"]["name"], [], "chw", layers, document["outputs"])
    own: dict[str, dict[str, torch.Tensor]] = {}
    with safetensors.safe_open(weights, framework="pt") as content:
        for layer in layers:
            tensors = {}
            for role in layer.roles():
                tensor = content.get_tensor(f"{layer.name}.{KERAS_ROLES[layer.op][role]}")
                is_kernel = role == "weight" and layer.op != "batch_norm"
                tensors[role] = tensor.permute(KERNEL_AXES[tensor.ndim]) if is_kernel else tensor
            own[layer.name] = tensors

    def compute(images: torch.Tensor) -> torch.Tensor:
        values = {graph.input_name: images}
        for layer in graph.layers:
            inputs = [values[each] for each in layer.inputs]
            # In the catalogue's graphs the dense layers of a gate read and make maps of one pixel.
            if layer.op == "linear":
                inputs = [each.flatten(1) for each in inputs]
            elif layer.op == "scale":
                inputs = [each.reshape(*each.shape, 1, 1) if each.ndim == 2 else each for each in inputs]
            values[layer.name] = FUNCTIONS[layer.op](layer, inputs, own[layer.name])
        return values[graph.outputs[0]]

    return compute


NOT_ATTRIBUTES = ("name", "op", "inputs", "tensors")


def network(senet: Path, weights: Path) -> Network:
    said = metadata(weights)
    if said.get("convention") == "keras":
        return keras_network(senet, weights, said["network"])
    model, _, _ = timm_rows.read(weights)
    return model


def loader(weights: Path, folder: Path, synsets: bool, batch_size: int) -> Any:
    """timm's own, over its own dataset."""
    described = json.loads(metadata(weights)["preprocessing"])
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as class_map:
        if synsets:
            class_map.write("\n".join(timm.data.ImageNetInfo().label_names()))
            class_map.flush()
        # Without a map timm numbers the folders in their order.
        dataset = timm.data.create_dataset(
            "", root=str(folder), split="validation", class_map=class_map.name if synsets else ""
        )
    return timm.data.create_loader(
        dataset,
        input_size=(3, *described["size"]),
        batch_size=batch_size,
        use_prefetcher=False,
        interpolation=described["interpolation"],
        mean=described["mean"],
        std=described["std"],
        crop_pct=described["crop_pct"],
        crop_mode=described["crop_mode"],
        num_workers=0,
    )


@torch.no_grad()
def timm_answers(compute: Network, batches: Any) -> tuple[dict[str, Answer], list[int]]:
    """timm's answer for each file, and its counts of top-1 and top-5."""
    names: Iterator[str] = iter(batches.dataset.filenames(absolute=True))
    answers: dict[str, Answer] = {}
    counts = [0, 0]
    for images, truth in batches:
        logits = compute(images)
        shares = timm.utils.accuracy(logits.detach(), truth, topk=(1, TOP))
        counts = [count + round(share.item() * len(truth) / 100) for count, share in zip(counts, shares, strict=True)]
        top = logits.topk(TOP).indices.tolist()
        for true, classes in zip(truth.tolist(), top, strict=True):
            answers[str(Path(next(names)).resolve())] = Answer(true, classes[0], true in classes)
    return answers, counts


def our_answers(senet: Path, weights: Path, folder: Path) -> dict[str, Answer]:
    """The program's answer for each file.

    Raises:
        ValueError: it failed, or an image did.
    """
    command: list[str | Path] = [senet.resolve(), "eval", folder, "--weights", weights, "--format", "ndjson"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"`senet eval` ended with {done.returncode}: {done.stderr.strip()}")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {
        str(Path(row["input"]).resolve()): Answer(row["truth"], row["predicted"], row["rank"] <= TOP) for row in rows
    }


def different(ours: Mapping[str, Answer], theirs: Mapping[str, Answer]) -> Sequence[str]:
    """A line for each image that the two have other answers for, or that one of them lacks."""
    return [
        f"{name}: {ours.get(name)}; timm has {theirs.get(name)}"
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    ]


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, metavar="FILE.safetensors")
    parser.add_argument("folder", type=Path, help="a folder with a folder of images for each class")
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("--synsets", action="store_true", help="the folders are called as synsets of ImageNet-1k")
    parser.add_argument("--images", type=int, help="fail unless there are this many")
    parser.add_argument("--at-least", type=float, default=0.0, metavar="SHARE", help="fail below this top-1 accuracy")
    parser.add_argument("--batch-size", type=parse_count, default=250, metavar="N", help="of timm (%(default)s)")
    arguments = parser.parse_args(words)
    with errors_in_one_line():
        batches = loader(arguments.weights, arguments.folder, arguments.synsets, arguments.batch_size)
        compute = network(arguments.senet, arguments.weights)
        theirs, counts = timm_answers(compute, batches)
        ours = our_answers(arguments.senet, arguments.weights, arguments.folder)
        found = [sum(each.truth == each.predicted for each in ours.values()), sum(each.among for each in ours.values())]
        print(f"{len(ours)} images: top-1 {found[0]}, top-5 {found[1]}; timm: {len(theirs)}, {counts[0]}, {counts[1]}")
        if lines := different(ours, theirs):
            print(*lines, sep="\n")
            raise ValueError(f"{len(lines)} of {len(ours)} images have another answer than timm's")
        if found != counts:
            raise ValueError(f"counts {found}, timm's accuracy has {counts}")
        if arguments.images not in (None, len(ours)):
            raise ValueError(f"{len(ours)} images, expected {arguments.images}")
        if found[0] < arguments.at_least * len(ours):
            raise ValueError(f"{found[0]} of {len(ours)} right is below {arguments.at_least}")


if __name__ == "__main__":
    main()
