"""Export a Keras model to safetensors: a trained one or one of random weights, anybody's or a reference network.

    python -m scripts.keras.export trained.keras --import my_layers.py --output my_net.safetensors
    python -m scripts.keras.export my_net.py:build --weights trained.weights.h5 --output my_net.safetensors
    python -m scripts.keras.export keras.applications.ResNet50 --output resnet50.safetensors

MODEL is a .keras or .h5 file, a function of a module that makes the model, or a network of keras.applications. The file
describes the network: a list of layers, each called as in the model. What it says is computed beside the model on a
drawn input before it is written, and refused where any value differs; a model that does what the list has no operation
for is refused with all of that in one line. Where a file or the weights for a model of code are of Keras 2,
`hard_sigmoid` is what it was there.

A reference network's file holds its weights under its name alone, by the names of reference.py, as does that of a
checkpoint of train_cifar10.py. A model of its name and with its variables is one where its output is the same too. A
checkpoint computes in mixed precision with batch norms of its own: its weights are copied by name into the plain
float32 network, which is the one that is exported and whose accuracy is measured. A recipe.json beside the checkpoint
goes into the file's metadata.

    python -m scripts.keras.export runs/seresnet20/checkpoint.keras --output seresnet20.safetensors \\
        --test ../shared/cifar10/test.tar
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import keras
import numpy as np

from scripts.command_line import errors_in_one_line
from scripts.graph_metadata import add_metadata_options, metadata_of
from scripts.keras import cifar10, reference
from scripts.keras.checked_export import BATCH, export_checked, outputs_of, share
from scripts.keras.model_source import KINDS, ModelSource, add_source_options, load, prepare, source_of
from scripts.keras.tracing.precision import to_precision
from scripts.keras.train_cifar10 import RECIPE
from scripts.keras.weights_file import SPELLINGS, add_spelling_option, save_weights, versions

SAME_NETWORK = 1e-6
"""How far the outputs of a model and of the reference network with its weights may be apart, as a share of the largest:
seresnet20 and 110 of train_cifar10.py and keras_resnet50 are the same to the bit in float64, where another order of
sums would be 1e-13; with every epsilon of seresnet20 1 % off it is 6e-5."""


def plain(trained: keras.Model) -> keras.Model:
    """The float32 reference network with the weights of one that was built from it.

    Raises:
        ValueError: it is no network of the catalogue.
    """
    classes = trained.output.shape[-1] if len(trained.output.shape) == 2 else None
    # Of its own size, so that both can be run on one input.
    height, width = (
        size or default
        for size, default in zip(trained.input_shape[1:3], reference.NETWORKS[trained.name].input_size, strict=True)
    )
    model = reference.build(trained.name, (height, width), classes)
    source, target = reference.named_weights(trained), reference.named_weights(model)
    if {name: tuple(variable.shape) for name, variable in source.items()} != {
        name: tuple(variable.shape) for name, variable in target.items()
    }:
        raise ValueError(f"its layers are not those of {trained.name} in reference.py")
    for name, variable in target.items():
        variable.assign(np.asarray(source[name].value, np.float32))
    return model


def distance(trained: keras.Model, model: keras.Model, seed: int) -> float:
    """How far the output of the plain network is from that of the model that it has its weights of.

    Both compute in float64: a checkpoint in mixed precision, of bfloat16, would be off by as much as a mistake.
    """
    source = ModelSource(model.name)
    try:
        prepared = prepare(source, trained)
        x = prepared.draw(np.random.default_rng(seed), 1)
        (expected,) = outputs_of(prepared.model, x)
        (found,) = outputs_of(prepare(source, model, prepared.dtype).model, x)
    finally:
        for each in (trained, model):
            to_precision(each, "float32")
    return share(found, expected) if found.shape == expected.shape else np.inf


def as_reference(model: keras.Model, arguments: argparse.Namespace) -> keras.Model | None:
    """The plain reference network that a model is; None where it is another's.

    Raises:
        ValueError: a checkpoint of train_cifar10.py computes something else.
    """
    if model.name not in reference.NETWORKS or not isinstance(model, keras.Model) or not model.built:
        return None
    try:
        known = plain(model)
    except (AttributeError, TypeError, ValueError):
        # Of the same name, as keras.applications' `inception_v3` is, with other layers.
        return None
    if arguments.network or distance(model, known, arguments.seed) <= SAME_NETWORK:
        return known
    if arguments.model and recipe_of(arguments).exists():
        raise ValueError(
            f"{model.name} in `{arguments.model}` computes something else than that of reference.py with its weights"
        )
    return None


def recipe_of(arguments: argparse.Namespace) -> Path:
    """Where the recipe of a checkpoint would be."""
    return Path(arguments.model or "").parent / RECIPE


def write_reference(model: keras.Model, arguments: argparse.Namespace) -> None:
    """Write the weights of a reference network."""
    if arguments.labels or arguments.preprocessing:
        raise ValueError(f"{model.name} is a reference network: --labels and --preprocessing are for others")
    more = {}
    if arguments.model and (recipe := recipe_of(arguments)).exists():
        more["recipe"] = json.dumps(json.loads(recipe.read_text()))
    if arguments.test:
        if model.name not in cifar10.NETWORKS:
            raise ValueError(f"--test measures networks for CIFAR-10, which {model.name} is not")
        more["test_accuracy"] = f"{cifar10.accuracy(model, *cifar10.load(arguments.test)):.4f}"
        print(f"{model.name}: test accuracy {more['test_accuracy']}")
    save_weights(model, arguments.output, arguments.se_spelling, **more)


def write_graph(source: ModelSource, model: keras.Model, arguments: argparse.Namespace) -> None:
    """Write a model's layers and weights."""
    if arguments.test or arguments.se_spelling != SPELLINGS[0]:
        raise ValueError("--test and --se-spelling are for reference networks")
    prepared = prepare(source, model)
    x = prepared.draw(np.random.default_rng(arguments.seed), BATCH)
    checked = export_checked(prepared.model, x)
    more = metadata_of(arguments, checked.outputs)
    checked.graph.write(arguments.output, versions=json.dumps(versions()), **more)
    graph = checked.graph
    print(
        f"{graph.name}: {len(graph.layers)} layers, {len(graph.tensors)} tensors; every layer computes what the model "
        f"does, to {checked.error:.1e} of its largest value"
    )


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("model", nargs="?", metavar="MODEL", help=KINDS)
    what.add_argument("--network", choices=reference.NETWORKS, help="a new reference network of random weights")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.safetensors")
    add_source_options(parser)
    parser.add_argument("--graph", action="store_true", help="describe a reference network too, layer by layer")
    add_metadata_options(parser)
    parser.add_argument("--test", type=Path, help="folder or tar file of CIFAR-10's test images to measure with")
    add_spelling_option(parser)
    parser.add_argument("--seed", type=int, default=0, help="of random weights, and of the input that is compared on")
    arguments = parser.parse_args(words)

    with errors_in_one_line():
        reference.set_precision("float32")
        source = source_of(arguments.network or arguments.model, arguments)
        model = load(source)
        known = None if arguments.graph else as_reference(model, arguments)
        if known is not None:
            write_reference(known, arguments)
        else:
            write_graph(source, model, arguments)


if __name__ == "__main__":
    main()
