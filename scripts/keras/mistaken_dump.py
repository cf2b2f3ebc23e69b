"""Run a reference network with mistakes that are made on purpose: a dump that `senet parity` has to explain.

    python -m scripts.keras.mistaken_dump weights.safetensors reference.safetensors --output mistaken.safetensors \\
        epsilon:bn1 flipped:conv2 no-bias:se.fc2

The input is that of the reference dump. `epsilon:LAYER` gives a batch norm an epsilon of 1e-5, `flipped:LAYER` turns a
convolution's kernel round, `no-bias:LAYER` sets a layer's biases to zero. The rest is computed as it should be, from
what the mistakes make.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import keras
from safetensors.numpy import load_file

from scripts.command_line import errors_in_one_line
from scripts.keras import reference
from scripts.keras.dump_activations import write_dump
from scripts.keras.weights_file import load_weights, metadata_of

EPSILON = 1e-5


def wrong_epsilon(model: keras.Model, layer: str) -> None:
    layers = dict(reference.named_layers(model))
    if not isinstance(layers.get(layer), keras.layers.BatchNormalization):
        raise ValueError(f"`{layer}` is no batch norm")
    layers[layer].epsilon = EPSILON


def weight(model: keras.Model, name: str) -> keras.Variable:
    """A variable of the model by its layer's name and kind."""
    variables = reference.named_weights(model)
    if name not in variables:
        raise ValueError(f"the network has no `{name}`")
    return variables[name]


def flipped(model: keras.Model, layer: str) -> None:
    kernel = weight(model, f"{layer}.kernel")
    kernel.assign(kernel.numpy()[::-1, ::-1])


def no_bias(model: keras.Model, layer: str) -> None:
    bias = weight(model, f"{layer}.bias")
    bias.assign(0.0 * bias.numpy())


MISTAKES: dict[str, Callable[[keras.Model, str], None]] = {
    "epsilon": wrong_epsilon,
    "flipped": flipped,
    "no-bias": no_bias,
}


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="weights file of a reference network")
    parser.add_argument("reference", type=Path, help="dump of the same network, for its input")
    parser.add_argument("mistakes", nargs="+", metavar="MISTAKE:LAYER", help=f"MISTAKE is one of {', '.join(MISTAKES)}")
    parser.add_argument("--output", type=Path, required=True, metavar="DUMP.safetensors")
    arguments = parser.parse_args(words)
    with errors_in_one_line():
        name = metadata_of(arguments.weights).get("network", "")
        if name not in reference.NETWORKS:
            raise ValueError(f"`{arguments.weights}` does not name a reference network")
        reference.set_precision("float64")
        x = load_file(arguments.reference)["input"]
        model = reference.build(name, x.shape[1:3])
        load_weights(model, arguments.weights)
        for mistake in arguments.mistakes:
            kind, _, layer = mistake.partition(":")
            if kind not in MISTAKES:
                raise ValueError(f"unknown mistake `{kind}`, known: {', '.join(MISTAKES)}")
            MISTAKES[kind](model, layer)
        write_dump(model, x, arguments.output, "all", "float32")


if __name__ == "__main__":
    main()
