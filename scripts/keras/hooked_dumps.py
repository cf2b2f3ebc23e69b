"""Are the names of keras.applications' own layers understood in a dump?

A model with lively random weights is run in float64 by the code that docs/dumps.md shows, on every layer, and the dump
compared by `senet parity` on candle, which has the value of every layer. Every value whose name means a layer has to
be equal; left out may be what prepares pixels, pads, reshapes or has a number for its name.

    python -m scripts.keras.hooked_dumps --senet target/release/senet
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np

from scripts.command_line import errors_in_one_line
from scripts.keras import reference
from scripts.keras.applications import APPLICATIONS, IMAGES, enliven, fresh, logits, pixels_of, write
from scripts.page_code import DUMPS, names_of
from scripts.senet_program import compared_under_names, coverage_of
from scripts.structured_images import structured_images

SIZE = (65, 97)

MODELS = ("EfficientNetB0", "EfficientNetV2B0", "MobileNetV3Small")
"""One for each way of naming layers."""

UNDERSTOOD = {
    "EfficientNetB0": ("block2a_se_reduce", "blocks.1.0.se.act1"),
    "EfficientNetV2B0": ("block1a_project_activation", "blocks.0.0.bn1.act"),
    "MobileNetV3Small": ("expanded_conv_squeeze_excite_mul", "blocks.0.0.se.scale"),
}
"""A name of each, and the layer that it means."""

WITHOUT_A_LAYER = (
    keras.layers.Activation,
    keras.layers.Flatten,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.Normalization,
    keras.layers.ReLU,
    keras.layers.Rescaling,
    keras.layers.Reshape,
    keras.layers.ZeroPadding2D,
)
"""Layers that no network here has, or of which Keras numbers those without a name through all models of a program."""

TOLERANCE = "1e-3"
"""Another layer's value differs by some 1, single precision by 1e-5."""

FEWEST_LAYERS = 0.6
"""Of a network's layers, how many have to be compared: MobileNetV3's activations have no names."""


def check(senet: Path, name: str, seed: int) -> str:
    """Compare a model, and say in a line what was compared.

    Raises:
        ValueError: a value differs, or a name is not understood as it should be.
    """
    application = APPLICATIONS[name]
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    model = fresh(name, *SIZE)
    pixels = pixels_of(structured_images(random, IMAGES, SIZE, 3)).astype("float64")
    enliven(model, application, random, pixels)
    model = keras.Model(model.input, logits(model))
    with tempfile.TemporaryDirectory() as folder:
        weights, dump = Path(folder) / "weights.safetensors", Path(folder) / "dump.safetensors"
        write(model, application, weights)
        names_of(DUMPS, "From Keras")["dump"](model, pixels[:2], str(dump), input="pixels")
        words = ("--weights", weights, "--reference", dump)
        _, report = compared_under_names(senet, words, TOLERANCE, *UNDERSTOOD[name])
    for extra in report["extra"]:
        left_out = model.get_layer(extra)
        if not isinstance(left_out, WITHOUT_A_LAYER):
            raise ValueError(f"`{extra}`, a {type(left_out).__name__}, is not understood")
    return f"{name}: {coverage_of(report, FEWEST_LAYERS)}"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (%(default)s)")
    arguments = parser.parse_args(words)
    with errors_in_one_line():
        reference.set_precision("float64")
        for name in MODELS:
            try:
                print(check(arguments.senet, name, arguments.seed), flush=True)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error


if __name__ == "__main__":
    main()
