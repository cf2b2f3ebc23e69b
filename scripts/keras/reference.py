"""The reference: every network of the catalogue in Keras 3.

The Rust program is checked against what is written here and in `networks`, so
they state the networks a second time, on purpose, in the words of another
framework. All layers carry the canonical names of the Rust side
(`layer1.0.conv1`).

Run as a program it prints a network's layers with their shapes:

    python -m scripts.keras.reference seresnet20 --input-size 32x32
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
from keras import KerasTensor, layers

from scripts.command_line import parse_size
from scripts.keras.networks.bn_inception import bn_inception
from scripts.keras.networks.inception import inception_resnet_v2, inception_v3
from scripts.keras.networks.mobile import mobilenet, shufflenet
from scripts.keras.networks.resnet import (
    cifar_resnet,
    imagenet_resnet,
    se_block,
    se_bottleneck,
    senet154,
    seresnext50_32x4d,
)
from scripts.keras.networks.vgg import vgg16_bn
from scripts.keras.networks.words import CADENE, KERAS, TIMM, Builder, Convention, LowestPadding2D, SqueezeExcitation

Values = npt.NDArray[np.float64] | npt.NDArray[np.float32]


@dataclass(frozen=True)
class Reference:
    """A network of the catalogue, the input it is made for and how many classes it tells apart, if any."""

    build: Builder
    input_size: tuple[int, int]
    channels: int = 3
    classes: int = 0
    convention: str = KERAS.name


def imagenet(build: Builder, side: int, convention: Convention) -> Reference:
    """A network for ImageNet-1k."""
    return Reference(build, (side, side), classes=1000, convention=convention.name)


NETWORKS: dict[str, Reference] = {
    "se_block": Reference(se_block, (32, 32), channels=32),
    "se_bottleneck": Reference(se_bottleneck, (32, 32), channels=32),
    **{
        f"{prefix}{depth}": Reference(
            cifar_resnet(f"{prefix}{depth}", depth, prefix == "seresnet"), (32, 32), classes=10
        )
        for prefix in ("seresnet", "resnet")
        for depth in (20, 32, 44, 56, 110)
    },
    "keras_seresnet50": imagenet(imagenet_resnet("keras_seresnet50", (3, 4, 6, 3), True), 224, KERAS),
    "keras_resnet50": imagenet(imagenet_resnet("keras_resnet50", (3, 4, 6, 3), False), 224, KERAS),
    "seresnext50_32x4d": imagenet(seresnext50_32x4d, 224, TIMM),
    "senet154": imagenet(senet154, 224, TIMM),
    "bn_inception": imagenet(bn_inception("bn_inception", False), 224, CADENE),
    "se_bn_inception": imagenet(bn_inception("se_bn_inception", True), 224, CADENE),
    "inception_v3": imagenet(inception_v3("inception_v3", False), 299, TIMM),
    "se_inception_v3": imagenet(inception_v3("se_inception_v3", True), 299, KERAS),
    "inception_resnet_v2": imagenet(inception_resnet_v2("inception_resnet_v2", False), 299, TIMM),
    "se_inception_resnet_v2": imagenet(inception_resnet_v2("se_inception_resnet_v2", True), 299, KERAS),
    "vgg16_bn": imagenet(vgg16_bn("vgg16_bn", False), 224, TIMM),
    "se_vgg16_bn": imagenet(vgg16_bn("se_vgg16_bn", True), 224, TIMM),
    "mobilenet": imagenet(mobilenet("mobilenet", False), 224, KERAS),
    "se_mobilenet": imagenet(mobilenet("se_mobilenet", True), 224, KERAS),
    "shufflenet": imagenet(shufflenet("shufflenet", False), 224, KERAS),
    "se_shufflenet": imagenet(shufflenet("se_shufflenet", True), 224, KERAS),
}


def build(network: str, size: tuple[int, int] | None = None, classes: int | None = None) -> keras.Model:
    """The named network for images of `size` (height, width), or of any size where it is None.

    Raises:
        ValueError: the catalogue has no such network.
    """
    if network not in NETWORKS:
        raise ValueError(f"unknown network `{network}`; known: {', '.join(NETWORKS)}")
    height, width = size or (None, None)
    return NETWORKS[network].build(height, width, classes or NETWORKS[network].classes)


UNNAMED = (layers.InputLayer, layers.ZeroPadding2D, LowestPadding2D, layers.Flatten)
"""Layers that the Rust program has not: it pads in the layer that needs it, and flattens channel by channel."""


def named_layers(model: keras.Model) -> Iterator[tuple[str, keras.layers.Layer]]:
    """The layers that the Rust program has too, in order; an SE block is one, named by the prefix of its sublayers."""
    for layer in model.layers:
        if isinstance(layer, UNNAMED):
            continue
        # The SE block alone is a network whose layers have no prefix.
        alone = model.name == "se_block" and isinstance(layer, SqueezeExcitation)
        yield ("" if alone else layer.name), layer


def dotted(*parts: str) -> str:
    """The parts that are not empty, joined with dots."""
    return ".".join(part for part in parts if part)


def named_values(model: keras.Model) -> dict[str, KerasTensor]:
    """Every layer's symbolic output by canonical name, those inside SE blocks included, in order."""
    values: dict[str, KerasTensor] = {}
    for name, layer in named_layers(model):
        if isinstance(layer, SqueezeExcitation):
            values |= {dotted(name, part): value for part, value in layer.stages(layer.input).items()}
        else:
            values[name] = layer.output
    return values


def named_weights(model: keras.Model) -> dict[str, keras.Variable]:
    """Every parameter and batch norm statistic as `<canonical layer>.<kernel, gamma, ...>`, in order."""
    weights: dict[str, keras.Variable] = {}
    for name, layer in named_layers(model):
        parts = {"fc1": layer.fc1, "fc2": layer.fc2} if isinstance(layer, SqueezeExcitation) else {"": layer}
        for part, owner in parts.items():
            weights |= {dotted(name, part, variable.name): variable for variable in owner.weights}
    return weights


def count(weights: list[keras.Variable]) -> int:
    """How many numbers the weights are."""
    return sum(math.prod(weight.shape) for weight in weights)


STAGE = r"layer\d|repeat(_\d)?"
BLOCK = rf"({STAGE})\.\d+|[Mm]ixed_\d\w|block8|inception_\d\w|features\.(6|13|23|33|43)"
"""A residual block, an Inception module or the pool that ends a stage of VGG, by its canonical name."""


def blocks_and_stages(names: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The groups among layer names, `layer1.0` and `layer1`, each with the layer whose output is the group's."""
    blocks: dict[str, str] = {}
    stages: dict[str, str] = {}
    for name in names:
        for pattern, groups in ((BLOCK, blocks), (STAGE, stages)):
            if group := re.match(rf"({pattern})(\.|$)", name):
                groups[group[1]] = name
    return blocks, stages


def set_precision(dtype: str) -> None:
    """Let every model built from now on hold its weights and compute in `float32` or `float64`."""
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)


def run(model: keras.Model, values: dict[str, KerasTensor], x: Values) -> dict[str, Values]:
    """What the symbolic `values` of the model are for the input `x`, NHWC.

    Keras gives what a global average pool makes as [N, C]. Up to the classifier
    it is a feature map of one pixel, [N, 1, 1, C], in the reports and dumps.
    """
    outputs = keras.Model(model.input, values)(x, training=False)
    vectors = {
        name
        for name, value in values.items()
        if len(value.shape) == 2 and (value is model.output or name.startswith("classifier."))
    }
    computed = {name: np.asarray(value) for name, value in outputs.items()}
    return {
        name: value[:, None, None, :] if value.ndim == 2 and name not in vectors else value
        for name, value in computed.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Print a reference network's layers, their shapes and parameters.")
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--input-size", type=parse_size, metavar="HxW", help="default: what the network is made for")
    arguments = parser.parse_args()
    model = build(arguments.network, arguments.input_size or NETWORKS[arguments.network].input_size)
    for name, value in named_values(model).items():
        print(f"{name:32} {list(value.shape)}")
    trainable, buffers = count(model.trainable_weights), count(model.non_trainable_weights)
    print(f"{trainable} parameters, and {buffers} batch norm statistics")


if __name__ == "__main__":
    main()
