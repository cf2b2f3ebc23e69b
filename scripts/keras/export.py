"""Export a reference model to safetensors: a trained one, or a catalogue network of random weights.

A checkpoint of train_cifar10.py computes in mixed precision with batch norms of
its own. Its weights are copied by name into the plain float32 network, which is
the one that is exported and whose accuracy is measured. A recipe.json beside
the checkpoint goes into the file's metadata.

    python -m scripts.keras.export runs/seresnet20/checkpoint.keras --output seresnet20.safetensors \\
        --test ../shared/cifar10/test.tar
"""

from __future__ import annotations

import argparse
import json
import zipfile
from pathlib import Path

import keras
import numpy as np

from scripts.command_line import errors_in_one_line
from scripts.keras import cifar10, reference
from scripts.keras.train_cifar10 import RECIPE, FusedBatchNormalization
from scripts.keras.weights_file import add_spelling_option, save_weights


def plain(trained: keras.Model) -> keras.Model:
    """The float32 reference network with the weights of one that was built from it.

    Raises:
        ValueError: it is no network of the catalogue.
    """
    classes = trained.output.shape[-1] if len(trained.output.shape) == 2 else None
    model = reference.build(trained.name, reference.NETWORKS[trained.name].input_size, classes)
    source, target = reference.named_weights(trained), reference.named_weights(model)
    if {name: tuple(variable.shape) for name, variable in source.items()} != {
        name: tuple(variable.shape) for name, variable in target.items()
    }:
        raise ValueError(f"its layers are not those of {trained.name} in reference.py")
    for name, variable in target.items():
        variable.assign(np.asarray(source[name].value, np.float32))
    return model


def read(file: Path) -> keras.Model:
    """The reference network that a .keras file holds.

    Raises:
        ValueError: it holds none.
    """
    try:
        custom = {"senet>FusedBatchNormalization": FusedBatchNormalization}
        trained = keras.models.load_model(file, custom_objects=custom, compile=False)
    except zipfile.BadZipFile as error:
        raise ValueError(f"`{file}` is no Keras model: {error}") from error
    if trained.name not in reference.NETWORKS:
        raise ValueError(f"`{file}` holds `{trained.name}`, which is no network of the catalogue")
    try:
        return plain(trained)
    except ValueError as error:
        raise ValueError(f"`{file}`: {error}") from error


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("model", type=Path, nargs="?", metavar="MODEL.keras", help="a saved reference model")
    source.add_argument("--network", choices=reference.NETWORKS, help="a new network of random weights")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.safetensors")
    parser.add_argument("--test", type=Path, help="folder or tar file of CIFAR-10's test images to measure with")
    add_spelling_option(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the random weights")
    arguments = parser.parse_args(words)

    with errors_in_one_line():
        reference.set_precision("float32")
        keras.utils.set_random_seed(arguments.seed)
        model = reference.build(arguments.network) if arguments.network else read(arguments.model)
        more = {}
        if arguments.model and (recipe := arguments.model.parent / RECIPE).exists():
            more["recipe"] = json.dumps(json.loads(recipe.read_text()))
        if arguments.test:
            if model.name not in cifar10.NETWORKS:
                raise ValueError(f"--test measures networks for CIFAR-10, which {model.name} is not")
            more["test_accuracy"] = f"{cifar10.accuracy(model, *cifar10.load(arguments.test)):.4f}"
            print(f"{model.name}: test accuracy {more['test_accuracy']}")
        save_weights(model, arguments.output, arguments.se_spelling, **more)


if __name__ == "__main__":
    main()
