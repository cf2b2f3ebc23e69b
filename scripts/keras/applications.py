"""Networks of keras.applications as weights files of this program: MobileNetV3, EfficientNet, EfficientNetV2.

They compute what timm's networks of TensorFlow's weights compute, so a file names such a network, and its tensors by
timm's layers. The layers that Keras puts before the first convolution (Rescaling, Normalization) go into the metadata
as what images are prepared by; that both give the same is checked.

    python -m scripts.keras.applications EfficientNetB0 --model trained.keras --output efficientnet_b0.safetensors
    python -m scripts.keras.applications EfficientNetB0@97x131 --case cases --seed 7

The first writes a trained model; the second a case for `senet parity`, as make_case does, of fresh lively weights: the
dump begins at the pixels as the first convolution sees them, and has every block and the logits.
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
from scripts.liveliness import CALIBRATION_IMAGES, GATE_GAIN, LAST_GAMMA, Liveliness, check_lively
from scripts.safetensors_file import write_safetensors
from scripts.structured_images import Images, structured_images

PREPARING = (keras.layers.InputLayer, keras.layers.Rescaling, keras.layers.Normalization)
"""What may stand before the network proper."""

GATE_GAINS = {"conv_reduce": 2.0, "conv_expand": 2.0 * GATE_GAIN}
"""What the limits of Glorot's weights are multiplied by in the layers of a gate, whose blocks have a SiLU before it."""

HARD_GATE_GAINS = {"conv_reduce": 1.0, "conv_expand": 3.0 * GATE_GAIN}
"""The same where its function is a hard sigmoid, which is less steep and closes altogether."""


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
    "MobileNetV3Small": Application("tf_mobilenetv3_small_100", 224, (1, 2, 3, 2, 3)),
    "MobileNetV3Large": Application("tf_mobilenetv3_large_100", 224, (1, 2, 3, 4, 2, 3)),
    **{
        f"EfficientNetB{number}": Application(f"tf_efficientnet_b{number}", size)
        for number, size in enumerate((224, 240, 260, 300, 380, 456, 528, 600))
    },
    **{
        f"EfficientNetV2B{number}": Application(f"tf_efficientnetv2_b{number}", size)
        for number, size in enumerate((224, 240, 260, 300))
    },
    "EfficientNetV2S": Application("tf_efficientnetv2_s", 384),
    "EfficientNetV2M": Application("tf_efficientnetv2_m", 480),
    "EfficientNetV2L": Application("tf_efficientnetv2_l", 480),
}

OUTSIDE = {
    "stem_conv": "conv_stem",
    "stem_bn": "bn1",
    "top_conv": "conv_head",
    "top_bn": "bn2",
    "predictions": "classifier",
    "conv": "conv_stem",
    "conv_bn": "bn1",
    "conv_2": "conv_head",
    "logits": "classifier",
}
"""Layers outside of blocks, of EfficientNet and of MobileNetV3."""

MOBILE_LAYERS = {
    "expand": "expand_conv",
    "depthwise": "dwconv",
    "depthwise_bn": "bn",
    "squeeze_excite_conv": "se_reduce",
    "squeeze_excite_conv_1": "se_expand",
    "project": "project_conv",
}
"""MobileNetV3's names of a block's layers in those of EfficientNet, where they differ."""


def block_of(layer: str, application: Application) -> tuple[str, str] | None:
    """The block that a layer is in, by timm's name, and its name within, by EfficientNet's."""
    if match := re.fullmatch(r"block(\d+)([a-z])_(.+)", layer):
        return f"blocks.{int(match[1]) - 1}.{ord(match[2]) - ord('a')}", match[3]
    if match := re.fullmatch(r"expanded_conv_(?:(\d+)_)?(.+)", layer):
        index = int(match[1] or 0)
        for stage, blocks in enumerate(application.stages):
            if index < blocks:
                return f"blocks.{stage}.{index}", MOBILE_LAYERS.get(match[2], match[2])
            index -= blocks
    return None


def names_within(layers: set[str]) -> dict[str, str]:
    """timm's names for a block's layers: they follow from which there are."""
    depthwise = "dwconv" if "dwconv" in layers else "dwconv2"
    if depthwise not in layers and "expand_conv" not in layers:
        return {"project_conv": "conv", "project_bn": "bn1"}
    gate = {"se_reduce": "se.conv_reduce", "se_expand": "se.conv_expand"}
    if depthwise not in layers:
        return gate | {"expand_conv": "conv_exp", "expand_bn": "bn1", "project_conv": "conv_pwl", "project_bn": "bn2"}
    if "expand_conv" not in layers:
        return gate | {depthwise: "conv_dw", "bn": "bn1", "project_conv": "conv_pw", "project_bn": "bn2"}
    widening = {"expand_conv": "conv_pw", "expand_bn": "bn1"}
    return gate | widening | {depthwise: "conv_dw", "bn": "bn2", "project_conv": "conv_pwl", "project_bn": "bn3"}


def names(model: keras.Model, application: Application) -> dict[str, str]:
    """timm's name of each layer that has tensors.

    Raises:
        ValueError: a layer of no known name.
    """
    places = {layer.name: block_of(layer.name, application) for layer in model.layers}
    blocks: dict[str, set[str]] = {}
    for place in places.values():
        if place:
            blocks.setdefault(place[0], set()).add(place[1])
    end = {"conv_1": f"blocks.{len(application.stages)}.0.conv", "conv_1_bn": f"blocks.{len(application.stages)}.0.bn1"}
    found = {}
    for layer in model.layers:
        if not layer.weights or isinstance(layer, PREPARING):
            continue
        if place := places[layer.name]:
            block, within = place
            name = names_within(blocks[block]).get(within)
            name = name and f"{block}.{name}"
        else:
            name = (OUTSIDE | end).get(layer.name)
        if name is None:
            raise ValueError(f"`{layer.name}` is a layer of no known place")
        found[layer.name] = name
    return found


def named_weights(model: keras.Model, application: Application) -> Iterator[tuple[str, keras.Variable]]:
    """Each variable and what it is called in a file."""
    for layer, name in names(model, application).items():
        for variable in model.get_layer(layer).weights:
            yield f"{name}.{variable.name}", variable


def stored(name: str, variable: keras.Variable) -> reference.Values:
    """A variable as a file has it: HWIO, where a depthwise convolution has one input a group, which Keras has last."""
    value = np.asarray(variable.value).astype(np.float32)
    return value.swapaxes(2, 3) if name.endswith("conv_dw.kernel") else value


def prepared(model: keras.Model) -> tuple[KerasTensor, KerasTensor]:
    """What the first convolution sees, before its padding, and the logits."""
    last: keras.layers.Layer = model.layers[0]
    for layer in model.layers[1:]:
        if not isinstance(layer, PREPARING):
            break
        last = layer
    end = model.layers[-1]
    # MobileNetV3's softmax is a layer, EfficientNet's an activation, which is left out where the model is made here.
    return last.output, end.input if isinstance(end, keras.layers.Activation) else end.output


def preprocessing(model: keras.Model, size: tuple[int, int]) -> dict[str, object]:
    """How images are prepared, as the metadata of a file says it: red, green and blue are affine in what they were.

    Raises:
        ValueError: they are not.
    """
    before = keras.Model(model.input, prepared(model)[0])
    levels = np.array([0.0, 255.0, 51.0])
    image = np.broadcast_to(levels[:, None, None, None], (3, *size, 3))
    black, white, between = np.asarray(before(image.astype(np.float32)))[:, 0, 0].astype(np.float64)
    std = 1 / (white - black)
    mean = -black * std
    if not np.allclose((51 / 255 - mean) / std, between, rtol=0, atol=1e-5):
        raise ValueError("what stands before the first convolution is not affine")
    return {"preset": "tf", "size": size, "divisor": 255.0, "mean": mean.tolist(), "std": std.tolist()}


def write(model: keras.Model, application: Application, file: Path, **more: str) -> None:
    """Write a model's weights."""
    height, width = (side or application.size for side in model.input.shape[1:3])
    metadata = {
        "network": application.network,
        "versions": json.dumps(versions()),
        "preprocessing": json.dumps(preprocessing(model, (height, width))),
        **more,
    }
    write_safetensors(file, {name: stored(name, each) for name, each in named_weights(model, application)}, metadata)


def enliven(model: keras.Model, application: Application, random: np.random.Generator, images: Images) -> None:
    """Draw what initialisers leave constant, amplify the gates, and calibrate the batch norms."""
    gains = HARD_GATE_GAINS if application.stages else GATE_GAINS
    for name, variable in named_weights(model, application):
        layer, _, kind = name.rpartition(".")
        if kind == "gamma":
            last = layer.endswith(("bn3", "bn2")) and layer != "bn2"
            variable.assign((LAST_GAMMA if last else 1.0) * random.uniform(0.8, 1.2, variable.shape))
        elif kind in ("beta", "bias"):
            variable.assign(random.uniform(-0.2, 0.2, variable.shape))
        elif gain := gains.get(layer.rpartition(".")[2]):
            # Keras's own for these networks make gates that are all but shut or open, which from block to block
            # multiply what is rounded off.
            limit = gain * np.sqrt(6.0 / sum(variable.shape[-2:]))
            variable.assign(random.uniform(-limit, limit, variable.shape))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    seen, logits = prepared(model)
    output = keras.Model(seen, logits)(images, training=True)
    bias = dict(named_weights(model, application))["classifier.bias"]
    bias.assign(bias - np.mean(np.asarray(output).reshape(len(images), -1), axis=0))
    # What a float32 file holds is what is computed with.
    for _, variable in named_weights(model, application):
        variable.assign(np.asarray(variable.value).astype(np.float32))


def values(model: keras.Model, application: Application) -> tuple[dict[str, KerasTensor], list[KerasTensor]]:
    """The output of every block, by timm's name, and every gate."""
    blocks, gates = {}, []
    for layer in model.layers:
        place = block_of(layer.name, application)
        if place and place[1] in ("project_bn", "project_activation", "add"):
            blocks[place[0]] = layer.output
        if place and place[1] in ("se_excite", "squeeze_excite_mul"):
            gates.append(layer.input[1])
    if application.stages:
        # The last convolution, which timm has as a block, and the last pool of the model reads.
        pools = [layer for layer in model.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D)]
        blocks[f"blocks.{len(application.stages)}.0"] = pools[-1].input
    return blocks, gates


def make_case(name: str, size: tuple[int, int], folder: Path, seed: int) -> Liveliness:
    """Write weights and a dump of what Keras computes with them in float64, and say how lively they are.

    Raises:
        ValueError: they are not.
    """
    application = APPLICATIONS[name]
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    maker = getattr(keras.applications, name)
    model = maker(weights=None, input_shape=(*size, 3), classifier_activation=None)
    enliven(model, application, random, structured_images(random, CALIBRATION_IMAGES, size, 3))
    folder.mkdir(parents=True, exist_ok=True)
    write(model, application, folder / "weights.safetensors")
    seen, logits = prepared(model)
    blocks, gates = values(model, application)
    x = structured_images(random, 2, size, 3).astype(np.float32)
    computed = keras.Model(seen, [logits, *blocks.values(), *gates])(x.astype(keras.config.floatx()), training=False)
    output, *rest = (np.asarray(each) for each in computed)
    output = output.reshape(len(x), -1)
    used = versions()
    metadata = {
        "layout": "nhwc",
        "framework": f"keras {used['keras']} tensorflow {used['tensorflow']} {keras.config.floatx()}",
        "network": application.network,
    }
    dumped = {"input": x, **dict(zip(blocks, rest, strict=False)), "output": output}
    write_safetensors(folder / "reference.safetensors", dumped, metadata)
    return check_lively(np.concatenate([gate.ravel() for gate in rest[len(blocks) :]]), output)


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
    with errors_in_one_line():
        if arguments.model:
            ((name, _),) = arguments.application
            model = keras.models.load_model(arguments.model, compile=False)
            write(model, APPLICATIONS[name], arguments.output)
            return
        reference.set_precision("float64")
        for name, size in arguments.application:
            height, width = size or (APPLICATIONS[name].size,) * 2
            case = f"{name}-{height}x{width}"
            print(f"{case}: {make_case(name, (height, width), arguments.case / case, arguments.seed)}", flush=True)


if __name__ == "__main__":
    main()
