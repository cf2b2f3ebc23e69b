"""Make fresh parity cases: a network with lively random weights, and what it computes on two inputs.

    python -m scripts.keras.make_case seresnet20 keras_seresnet50@97x131 --output cases --seed 7

writes cases/seresnet20-32x32/ and cases/keras_seresnet50-97x131/, each with
weights.safetensors and reference.safetensors.

With weights as initialised an error can hide: gates stay at a half, and two
inputs get nearly the same logits. So here batch norm statistics are those of
structured images, gamma, beta and biases are drawn, the last gamma of each
residual block is halved (quartered where the block has no gate), which keeps
the sum of many blocks in range and rounding errors small, the second layer of
the gates is amplified, and the classifier's bias takes away the mean logits. A
case whose gates or outputs still hardly differ is invalid: exit status 1.

Inception and VGG, with gammas or without, add up nothing, and Inception-ResNet-v2
has a convolution where others have a last gamma, whose kernel is quartered.
liveliness.py says what else they need, and why.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import numpy as np

from scripts.command_line import errors_in_one_line, parse_count, parse_size
from scripts.keras import reference
from scripts.keras.dump_activations import add_dump_options, write_dump
from scripts.keras.networks.words import SqueezeExcitation
from scripts.keras.weights_file import add_spelling_option, load_weights, save_weights
from scripts.liveliness import (
    BETA,
    BETA_OF_SEQUENCES,
    CALIBRATION_IMAGES,
    DEEP,
    GATE_BIAS_OF_SUMS,
    GATE_GAIN,
    LAST_GAMMA,
    LAST_GAMMA_UNGATED,
    Liveliness,
    check_lively,
    last_norms,
)
from scripts.structured_images import Images, structured_images


def parse_case(text: str) -> tuple[str, tuple[int, int]]:
    """`NETWORK` or `NETWORK@HxW`, for argparse."""
    name, at, size = text.partition("@")
    if name not in reference.NETWORKS:
        known = ", ".join(reference.NETWORKS)
        raise argparse.ArgumentTypeError(f"unknown network `{name}`; known: {known}")
    return name, parse_size(size) if at else reference.NETWORKS[name].input_size


def enliven(model: keras.Model, random: np.random.Generator, images: Images) -> None:
    """Draw what initialisers leave constant, amplify the gates, and calibrate the batch norms."""
    norms = {
        name: layer
        for name, layer in reference.named_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    names = [name for name, _ in reference.named_layers(model)]
    sums = [name for name in names if name.rpartition(".")[2] == "add"]
    gated = any(isinstance(layer, SqueezeExcitation) for _, layer in reference.named_layers(model))
    deep = len(reference.blocks_and_stages(names)[0]) > DEEP
    gates_of_sums = {f"{gate}.fc2" for name in sums if (gate := f"{name[:-3]}se") in names[names.index(name) :]}
    last = last_norms(norms)
    last_gamma = LAST_GAMMA if gated and not deep else LAST_GAMMA_UNGATED
    gate_gain = 2.0 * GATE_GAIN if deep and last else GATE_GAIN
    beta = BETA if sums and not gates_of_sums else BETA_OF_SEQUENCES
    for name, variable in reference.named_weights(model).items():
        layer, _, kind = name.rpartition(".")
        if kind == "gamma":
            drawn = random.uniform(0.8, 1.2, variable.shape)
            variable.assign(last_gamma * drawn if layer in last else drawn)
        elif kind == "beta":
            variable.assign(random.uniform(*beta, variable.shape))
        elif kind == "bias":
            bounds = GATE_BIAS_OF_SUMS if layer in gates_of_sums else (-0.2, 0.2)
            variable.assign(random.uniform(*bounds, variable.shape))
        elif kind == "kernel" and layer.endswith("fc2") and layer not in gates_of_sums:
            variable.assign(gate_gain * variable)
        elif kind == "kernel" and layer.endswith(".conv2d"):
            # What ends a residual branch of Inception-ResNet-v2, where no gamma does.
            variable.assign(LAST_GAMMA_UNGATED * variable)
    # Without momentum a training pass leaves each batch norm the statistics of
    # this batch, as the batch norms before it pass it on with theirs.
    for norm in norms.values():
        norm.momentum = 0.0
    output = model(images, training=True)
    *_, (_, last_layer) = reference.named_layers(model)
    if isinstance(last_layer, keras.layers.Dense):
        # What all images have in common says nothing about any of them.
        last_layer.bias.assign(last_layer.bias - np.mean(output, axis=0))


def gates(model: keras.Model, x: Images) -> reference.Values:
    """All gates of the model on the input; none where it has no SE block."""
    values = reference.named_values(model)
    chosen = {name: value for name, value in values.items() if name.rpartition(".")[2] == "sigmoid"}
    computed = reference.run(model, chosen, x) if chosen else {}
    return np.concatenate([value.ravel() for value in computed.values()] or [np.empty(0)])


def make_case(name: str, size: tuple[int, int], folder: Path, arguments: argparse.Namespace) -> Liveliness:
    """Write one case and say how lively it is.

    Raises:
        ValueError: it is not.
    """
    keras.utils.set_random_seed(arguments.seed)
    random = np.random.default_rng(arguments.seed)
    channels = reference.NETWORKS[name].channels
    model = reference.build(name, size)
    enliven(model, random, structured_images(random, CALIBRATION_IMAGES, size, channels))
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "weights.safetensors"
    save_weights(model, weights, arguments.se_spelling)
    # The dump has to be of the weights as the file holds them, rounded to float32.
    load_weights(model, weights)
    x = structured_images(random, arguments.batch, size, channels)
    store = arguments.store or arguments.dtype
    dump = folder / "reference.safetensors"
    output = write_dump(model, x, dump, arguments.values, store)
    try:
        return check_lively(gates(model, x), output)
    except ValueError:
        # Nobody should take an invalid case for a valid one.
        weights.unlink()
        dump.unlink()
        raise


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", type=parse_case, nargs="+", metavar="NETWORK[@HxW]", help="size: what it is made for")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--batch", type=parse_count, default=2, help="inputs in the dump, at least 2 (%(default)s)")
    add_spelling_option(parser)
    add_dump_options(parser, values="blocks")
    arguments = parser.parse_args(words)
    if arguments.batch < 2:
        parser.error("--batch: a case needs two inputs, to see their outputs differ")

    with errors_in_one_line():
        reference.set_precision(arguments.dtype)
        for name, (height, width) in arguments.case:
            case = f"{name}-{height}x{width}"
            try:
                print(f"{case}: {make_case(name, (height, width), arguments.output / case, arguments)}", flush=True)
            except ValueError as error:
                raise ValueError(f"{case}: {error}") from error


if __name__ == "__main__":
    main()
