"""Networks of keras.applications as weights files of this program: MobileNetV3, EfficientNet, EfficientNetV2.

A file has every variable of a model by the names of Keras, `block1a_dwconv.kernel`. The layers that Keras puts before
the first convolution (Rescaling, Normalization) go into the metadata too, as what is done to the pixels of images.

    python -m scripts.keras.applications EfficientNetB0 --model trained.keras --output efficientnet_b0.safetensors
    python -m scripts.keras.applications EfficientNetB0@97x131 --case cases --seed 7

The first writes a trained model; the second a case for `senet parity`, as make_case does, of fresh lively weights: the
dump begins at pixels of 0 to 255, as the model sees them, and has every block, every gate and the logits.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import KerasTensor

from scripts.command_line import errors_in_one_line, parse_size
from scripts.keras import reference
from scripts.keras.weights_file import versions
from scripts.liveliness import BETA, BETA_OF_SEQUENCES, LAST_GAMMA_UNGATED, check_lively
from scripts.safetensors_file import write_safetensors
from scripts.structured_images import Images, structured_images

PREPARING = (keras.layers.InputLayer, keras.layers.Rescaling, keras.layers.Normalization)
"""What may stand before the network proper."""

IMAGES = 32
"""Images whose statistics a case's batch norms get, the two of the dump among them. Where each block has a gate, what
is a little larger than in any of the images that a network is calibrated on is multiplied from block to block, and what
is rounded off with it: of fewer images, or of two others, Keras's own float32 was off in the fourth digit."""

GATE_GAINS = {"se_reduce": 1.0, "se_expand": 2.0, "squeeze_excite_conv": 1.0, "squeeze_excite_conv_1": 2.0}
"""What the limits of Glorot's weights are multiplied by in the layers of a gate. Keras's own for these networks make
gates that are all but shut or open; larger ones than these, and a gate's rounding grows from block to block."""

GATE_BIASES = {"se_expand", "squeeze_excite_conv_1"}
GATE_BIAS = (-2.0, 2.0)
"""Between what the bias of a gate is drawn: it is what spreads them."""

LAST_NORM = "project_bn"
"""The batch norm that ends a block. No activation follows it but in EfficientNetV2's first stage."""

HEAD_NORMS = {"top_bn", "conv_1_bn"}
"""Batch norms before the last pool: what all pixels have in common there is taken from the logits again."""

FLOAT32_ERROR = 6e-6
"""What TensorFlow's own float32 may be off by in a case, as a share of a value's largest magnitude.

Parity allows 1e-5, and a right program may round as much in another order.
"""


@dataclass(frozen=True)
class Application:
    """A network of keras.applications."""

    network: str
    """The same in this program's catalogue."""
    size: int
    """Height and width that it is made for."""
    stages: tuple[int, ...] = ()
    """Blocks of each stage, of a network whose names count blocks alone: MobileNetV3."""


APPLICATIONS = {
    "MobileNetV3Small": Application("keras_mobilenetv3_small", 224, (1, 2, 3, 2, 3)),
    "MobileNetV3Large": Application("keras_mobilenetv3_large", 224, (1, 2, 3, 4, 2, 3)),
    **{
        f"EfficientNetB{number}": Application(f"keras_efficientnet_b{number}", size)
        for number, size in enumerate((224, 240, 260, 300, 380, 456, 528, 600))
    },
    **{
        f"EfficientNetV2B{number}": Application(f"keras_efficientnetv2_b{number}", size)
        for number, size in enumerate((224, 240, 260, 300))
    },
    "EfficientNetV2S": Application("keras_efficientnetv2_s", 384),
    "EfficientNetV2M": Application("keras_efficientnetv2_m", 480),
    "EfficientNetV2L": Application("keras_efficientnetv2_l", 480),
}

STEMS_AND_HEADS = {"stem_conv", "stem_bn", "top_conv", "top_bn", "predictions"} | {
    *("conv", "conv_bn", "conv_1", "conv_1_bn", "conv_2", "logits")
}
"""Layers outside of blocks that have variables, of EfficientNet and of MobileNetV3."""

CLASSIFIERS = {"predictions", "logits"}
CLASSIFIER_BIASES = {f"{name}.bias" for name in CLASSIFIERS}


def block_of(layer: str, application: Application) -> tuple[str, str] | None:
    """The block that a layer is in, by this program's name, and the layer's own within."""
    if match := re.fullmatch(r"block(\d+)([a-z])_(.+)", layer):
        return f"blocks.{int(match[1]) - 1}.{ord(match[2]) - ord('a')}", match[3]
    if match := re.fullmatch(r"expanded_conv_(?:(\d+)_)?(.+)", layer):
        index = int(match[1] or 0)
        for stage, blocks in enumerate(application.stages):
            if index < blocks:
                return f"blocks.{stage}.{index}", match[2]
            index -= blocks
    return None


def named_weights(model: keras.Model, application: Application) -> Iterator[tuple[str, keras.Variable]]:
    """Each variable and what it is called in a file: as in Keras.

    Raises:
        ValueError: a layer of no known place, or no classifier.
    """
    if not any(layer.name in CLASSIFIERS and layer.weights for layer in model.layers):
        raise ValueError(f"`{model.name}` has no classifier: include_top=True makes one")
    for layer in model.layers:
        known = layer.name in STEMS_AND_HEADS or isinstance(layer, PREPARING) or block_of(layer.name, application)
        if layer.weights and not known:
            raise ValueError(f"`{layer.name}` is a layer of no known place")
        # What has no name of its own is counted through all models of a program.
        name = "normalization" if isinstance(layer, keras.layers.Normalization) else layer.name
        for variable in layer.weights:
            yield f"{name}.{variable.name}", variable


def prepared(model: keras.Model) -> KerasTensor:
    """What the first convolution sees, before its padding."""
    last: keras.layers.Layer = model.layers[0]
    for layer in model.layers[1:]:
        if not isinstance(layer, PREPARING):
            break
        last = layer
    return last.output


def logits(model: keras.Model) -> KerasTensor:
    """What a model computes before its softmax, which in MobileNetV3 is a layer: a case is made without the other's."""
    end = model.layers[-1]
    return end.input if isinstance(end, keras.layers.Activation) else end.output


def fresh(name: str, height: int | None, width: int | None, classes: int = 1000) -> keras.Model:
    """A network of keras.applications that makes logits, with weights as Keras initialises them."""
    maker = getattr(keras.applications, name)
    model: keras.Model = maker(
        weights=None, input_shape=(height, width, 3), classes=classes, classifier_activation=None
    )
    return model


def check_is(model: keras.Model, name: str) -> None:
    """See that a model is the network of that name, with any number of classes.

    Raises:
        ValueError: it has other variables: what Keras makes with `alpha` or `minimalistic` has other shapes.
    """
    application = APPLICATIONS[name]
    found = {name: tuple(each.shape) for name, each in named_weights(model, application)}
    classes = next(shape[0] for name, shape in found.items() if name in CLASSIFIER_BIASES)
    like = fresh(name, None, None, classes)
    expected = {name: tuple(each.shape) for name, each in named_weights(like, application)}
    for variable in expected | found:
        if found.get(variable) != expected.get(variable):
            raise ValueError(
                f"`{model.name}` is not {name} as it is by default: `{variable}` has shape "
                f"{found.get(variable, 'none')}, expected {expected.get(variable, 'none')}"
            )


def preprocessing(model: keras.Model, size: tuple[int, int]) -> dict[str, object]:
    """How images are prepared, as the metadata of a file says it: red, green and blue are affine in what they were.

    Raises:
        ValueError: they are not, or not alike in every pixel.
    """
    before = keras.Model(model.input, prepared(model))
    levels = np.array([0.0, 1.0, 0.2])[:, None, None, None]
    images = np.broadcast_to(255 * levels, (3, *size, 3))
    found = np.asarray(before(images.astype(np.float32))).astype(np.float64)
    black, white, _ = found[:, 0, 0]
    if not np.all(white > black):
        raise ValueError("what stands before the first convolution does not make brighter pixels larger")
    std = 1 / (white - black)
    mean = -black * std
    # Keras computes this in single precision, whose numbers are up to 1e-6 apart there.
    if not np.allclose((levels - mean) / std, found, rtol=0, atol=1e-5):
        raise ValueError("what stands before the first convolution is not the same for every pixel")
    return {"preset": "tf", "size": size, "divisor": 255.0, "mean": mean.tolist(), "std": std.tolist()}


def as_stored(variable: keras.Variable) -> reference.Values:
    return np.asarray(variable.value).astype(np.float32)


def write(model: keras.Model, application: Application, file: Path, **more: str) -> None:
    """Write a model's weights."""
    height, width = (side or application.size for side in model.input.shape[1:3])
    metadata = {
        "network": application.network,
        "versions": json.dumps(versions()),
        "preprocessing": json.dumps(preprocessing(model, (height, width))),
        **more,
    }
    tensors = {name: as_stored(each) for name, each in named_weights(model, application)}
    write_safetensors(file, tensors, metadata)


def enliven(model: keras.Model, application: Application, random: np.random.Generator, pixels: Images) -> None:
    """Draw what initialisers leave constant, amplify the gates, and calibrate the batch norms."""
    for name, variable in named_weights(model, application):
        layer, _, kind = name.rpartition(".")
        _, within = block_of(layer, application) or ("", layer)
        if kind == "gamma":
            last = LAST_GAMMA_UNGATED if within == LAST_NORM else 1.0
            variable.assign(last * random.uniform(0.8, 1.2, variable.shape))
        elif kind == "bias" and within in GATE_BIASES:
            variable.assign(random.uniform(*GATE_BIAS, variable.shape))
        elif kind == "beta":
            # At -0.2 to 0.2 each batch norm and activation made a small difference a fifth larger, and
            # TensorFlow's own float32 was 5e-5 of the largest value off in EfficientNetV2L, 3e-5 in EfficientNetB5.
            bounds = BETA if within == LAST_NORM or within in HEAD_NORMS else BETA_OF_SEQUENCES
            variable.assign(random.uniform(*bounds, variable.shape))
        elif kind == "bias":
            variable.assign(random.uniform(-0.2, 0.2, variable.shape))
        elif gain := GATE_GAINS.get(within):
            limit = gain * np.sqrt(6.0 / sum(variable.shape[-2:]))
            variable.assign(random.uniform(-limit, limit, variable.shape))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.adapt_mean.assign(random.uniform(0.4, 0.6, 3))
            layer.adapt_variance.assign(random.uniform(0.04, 0.09, 3))
            layer.finalize_state()
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    output = keras.Model(model.input, logits(model))(pixels, training=True)
    bias = next(each for name, each in named_weights(model, application) if name in CLASSIFIER_BIASES)
    bias.assign(bias - np.mean(np.asarray(output).reshape(len(pixels), -1), axis=0))
    # What a float32 file holds is what is computed with.
    for _, variable in named_weights(model, application):
        variable.assign(as_stored(variable))
    finalize(model)


def finalize(model: keras.Model) -> None:
    """Let Keras's Normalization compute with its variables as they are now."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def values(model: keras.Model, application: Application) -> dict[str, KerasTensor]:
    """The output of every block and every gate, and the logits, by this program's names."""
    blocks, gates = {}, {}
    for layer in model.layers:
        place = block_of(layer.name, application)
        if place and place[1] in ("project_bn", "project_activation", "add"):
            blocks[place[0]] = layer.output
        if place and place[1] in ("se_excite", "squeeze_excite_mul"):
            gates[f"{place[0]}.se.gate"] = layer.input[1]
    if application.stages:
        # The last convolution, which timm has as a block, and the last pool of the model reads.
        pools = [layer for layer in model.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D)]
        blocks[f"blocks.{len(application.stages)}.0"] = pools[-1].input
    return {**blocks, **gates, "output": logits(model)}


def computed(model: keras.Model, application: Application, pixels: Images) -> dict[str, reference.Values]:
    """What a model computes from pixels, in its own precision."""
    wanted = values(model, application)
    outputs = keras.Model(model.input, list(wanted.values()))(pixels.astype(keras.config.floatx()), training=False)
    found = {name: np.asarray(value) for name, value in zip(wanted, outputs, strict=True)}
    return {**found, "output": found["output"].reshape(len(pixels), -1)}


def float32_error(model: keras.Model, name: str, pixels: Images, exact: dict[str, reference.Values]) -> float:
    """How far TensorFlow's own float32 is off at most, as a share of a value's largest magnitude."""
    reference.set_precision("float32")
    _, height, width, _ = model.input.shape
    rounded = fresh(name, height, width)
    rounded.set_weights(model.get_weights())
    finalize(rounded)
    found = computed(rounded, APPLICATIONS[name], pixels)
    reference.set_precision("float64")
    # NumPy's largest of several is no number where one is none; Python's may pass over it.
    return float(np.max([np.abs(found[each] - exact[each]).max() / np.abs(exact[each]).max() for each in exact]))


def pixels_of(images: Images) -> Images:
    """Pixels of 0 to 255 of images of deviation 1, a few of whose values are cut off."""
    return np.rint(np.clip(127.5 + 42.5 * images, 0.0, 255.0)).astype(np.float32)


def make_case(name: str, size: tuple[int, int], folder: Path, seed: int) -> str:
    """Write weights and a dump of what Keras computes with them in float64, and say how good a case it is.

    Raises:
        ValueError: it is none: an error could hide, or float32 is too far off to tell one.
    """
    application = APPLICATIONS[name]
    reference.set_precision("float64")
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    model = fresh(name, *size)
    pixels = pixels_of(structured_images(random, IMAGES, size, 3))
    enliven(model, application, random, pixels.astype(keras.config.floatx()))
    x = pixels[:2]
    dumped = computed(model, application, x)
    gates = [value.ravel() for each, value in dumped.items() if each.endswith(".gate")]
    lively = check_lively(np.concatenate(gates), dumped["output"])
    error = float32_error(model, name, x, dumped)
    if not error <= FLOAT32_ERROR:
        raise ValueError(f"invalid case: {lively}: float32 is off by {error:.1e}, more than {FLOAT32_ERROR:.0e}")
    folder.mkdir(parents=True, exist_ok=True)
    write(model, application, folder / "weights.safetensors")
    used = versions()
    metadata = {
        "layout": "nhwc",
        "input": "pixels",
        "framework": f"keras {used['keras']} tensorflow {used['tensorflow']} {keras.config.floatx()}",
        "network": application.network,
    }
    write_safetensors(folder / "reference.safetensors", {"input": x, **dumped}, metadata)
    return f"{lively}, float32 is off by {error:.1e}"


def parse_application(text: str) -> tuple[str, tuple[int, int] | None]:
    """`NAME` or `NAME@HxW`, for argparse."""
    name, at, size = text.partition("@")
    if name not in APPLICATIONS:
        raise argparse.ArgumentTypeError(f"unknown network `{name}`; known: {', '.join(APPLICATIONS)}")
    return name, parse_size(size) if at else None


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("application", type=parse_application, nargs="+", metavar="NAME[@HxW]")
    parser.add_argument("--model", type=Path, metavar="FILE.keras", help="the one network, trained")
    parser.add_argument("--output", type=Path, metavar="FILE.safetensors", help="the file to write it to")
    parser.add_argument("--case", type=Path, metavar="FOLDER", help="write a case of each, of fresh weights")
    parser.add_argument("--seed", type=int, default=0, help="of the weights (%(default)s)")
    arguments = parser.parse_args(words)
    if (arguments.model is None) != (arguments.output is None) or (arguments.model is None) == (arguments.case is None):
        parser.error("expected --model and --output, or --case")
    if arguments.model and (len(arguments.application) > 1 or arguments.application[0][1]):
        parser.error("--model: expected one network, without a size")
    with errors_in_one_line():
        if arguments.model:
            name, _ = arguments.application[0]
            model = keras.models.load_model(arguments.model, compile=False)
            check_is(model, name)
            write(model, APPLICATIONS[name], arguments.output)
            return
        for name, size in arguments.application:
            height, width = size or (APPLICATIONS[name].size,) * 2
            case = f"{name}-{height}x{width}"
            try:
                print(f"{case}: {make_case(name, (height, width), arguments.case / case, arguments.seed)}", flush=True)
            except ValueError as error:
                raise ValueError(f"{case}: {error}") from error


if __name__ == "__main__":
    main()
