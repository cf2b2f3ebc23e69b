"""The reference: every network of the catalogue in Keras 3.

The Rust program is checked against what is written here, so this file states
the networks a second time, on purpose, in the words of another framework. All
layers carry the canonical names of the Rust side (`layer1.0.conv1`), batch
norms have Keras's epsilon of 1e-3 and convolutions TensorFlow's SAME padding.

Run as a program it prints a network's layers with their shapes:

    python scripts/reference.py seresnet20 --input-size 32x32
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# The reference is Keras on TensorFlow, whatever the user's own Keras is set to;
# below log level 2 TensorFlow tells everybody about its build.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from command_line import parse_size

import keras
import numpy as np
import numpy.typing as npt
from keras import KerasTensor, layers

EPSILON = 1e-3
"""Keras's default epsilon of a batch norm, and the `keras` convention's."""


Values = npt.NDArray[np.float64] | npt.NDArray[np.float32]
Builder = Callable[[int | None, int | None, int], keras.Model]
"""Makes a network for images of a height and width, None for any, and a number of classes."""


@keras.saving.register_keras_serializable("senet")
class SqueezeExcitation(layers.Layer):
    """Squeeze-and-Excitation (Hu et al., arXiv:1709.01507), Dense spelling.

    The layer published as `Squeeze_excitation_layer(filter_sq)`, with one thing
    mended: there the second Dense is created inside `call`, so that it is drawn
    anew at every eager call and never saved. Here `build` creates both, once.

    Sublayers: `squeeze`, `fc1`, `relu`, `fc2`, `sigmoid`, `scale`, each called by
    this layer's name, a dot and its own: a model's layers need different names.
    """

    def __init__(self, filter_sq: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.filter_sq = filter_sq

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(f"`{self.name}` needs a known number of channels, found {input_shape}")

        def options(name: str) -> dict[str, object]:
            # The sublayers compute in this layer's precision, whatever the global one is.
            return {"name": f"{self.name}.{name}", "dtype": self.dtype_policy}

        self.squeeze = layers.GlobalAveragePooling2D(**options("squeeze"))
        self.fc1 = layers.Dense(self.filter_sq, **options("fc1"))
        self.relu = layers.ReLU(**options("relu"))
        self.fc2 = layers.Dense(channels, **options("fc2"))
        self.sigmoid = layers.Activation("sigmoid", **options("sigmoid"))
        self.reshape = layers.Reshape((1, 1, channels), **options("reshape"))
        self.scale = layers.Multiply(**options("scale"))
        self.fc1.build((None, channels))
        self.fc2.build((None, self.filter_sq))
        self.built = True

    def stages(self, x: KerasTensor) -> dict[str, KerasTensor]:
        """Every intermediate value by the name of the sublayer that made it."""
        squeezed = self.squeeze(x)
        reduced = self.fc1(squeezed)
        rectified = self.relu(reduced)
        expanded = self.fc2(rectified)
        gate = self.sigmoid(expanded)
        return {
            "squeeze": squeezed,
            "fc1": reduced,
            "relu": rectified,
            "fc2": expanded,
            "sigmoid": gate,
            "scale": self.scale([x, self.reshape(gate)]),
        }

    def call(self, x: KerasTensor) -> KerasTensor:
        return self.stages(x)["scale"]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "filter_sq": self.filter_sq}


def conv(x: KerasTensor, name: str, filters: int, kernel: int, *, strides: int = 1, bias: bool = False) -> KerasTensor:
    return layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=bias,
        kernel_initializer="he_normal",
        name=name,
    )(x)


def norm(x: KerasTensor, name: str) -> KerasTensor:
    return layers.BatchNormalization(epsilon=EPSILON, momentum=0.9, name=name)(x)


def relu(x: KerasTensor, name: str) -> KerasTensor:
    return layers.ReLU(name=name)(x)


def shortcut(x: KerasTensor, prefix: str, channels: int, strides: int) -> KerasTensor:
    """The identity, or a strided 1x1 convolution and batch norm where the shape changes."""
    if strides == 1 and x.shape[-1] == channels:
        return x
    x = conv(x, f"{prefix}.downsample.0", channels, 1, strides=strides)
    return norm(x, f"{prefix}.downsample.1")


def basic_block(x: KerasTensor, prefix: str, width: int, strides: int, squeeze: int | None) -> KerasTensor:
    identity = shortcut(x, prefix, width, strides)
    y = conv(x, f"{prefix}.conv1", width, 3, strides=strides)
    y = relu(norm(y, f"{prefix}.bn1"), f"{prefix}.relu1")
    y = conv(y, f"{prefix}.conv2", width, 3)
    y = norm(y, f"{prefix}.bn2")
    return residual(y, identity, prefix, squeeze)


def bottleneck(x: KerasTensor, prefix: str, width: int, strides: int, squeeze: int | None) -> KerasTensor:
    channels = 4 * width
    identity = shortcut(x, prefix, channels, strides)
    y = conv(x, f"{prefix}.conv1", width, 1)
    y = relu(norm(y, f"{prefix}.bn1"), f"{prefix}.relu1")
    y = conv(y, f"{prefix}.conv2", width, 3, strides=strides)
    y = relu(norm(y, f"{prefix}.bn2"), f"{prefix}.relu2")
    y = conv(y, f"{prefix}.conv3", channels, 1)
    y = norm(y, f"{prefix}.bn3")
    return residual(y, identity, prefix, squeeze)


def residual(y: KerasTensor, identity: KerasTensor, prefix: str, squeeze: int | None) -> KerasTensor:
    if squeeze is not None:
        y = SqueezeExcitation(squeeze, name=f"{prefix}.se")(y)
    y = layers.Add(name=f"{prefix}.add")([y, identity])
    return relu(y, f"{prefix}.relu")


def head(x: KerasTensor, classes: int) -> KerasTensor:
    """Global average pool and classifier; the output is logits."""
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    return layers.Dense(classes, name="fc")(x)


def image_input(height: int | None, width: int | None, channels: int) -> KerasTensor:
    return keras.Input((height, width, channels), name="input")


def se_block(height: int | None, width: int | None, _classes: int) -> keras.Model:
    """The layer alone on 32 channels, squeezed to 16."""
    x = image_input(height, width, 32)
    return keras.Model(x, SqueezeExcitation(16, name="se")(x), name="se_block")


def se_bottleneck(height: int | None, width: int | None, _classes: int) -> keras.Model:
    """The published SEBottleneck example: convolutions with bias, identity add, stride 1."""
    x = image_input(height, width, 32)
    y = conv(x, "conv1", 16, 1, bias=True)
    y = relu(norm(y, "bn1"), "relu1")
    y = conv(y, "conv2", 16, 3, bias=True)
    y = relu(norm(y, "bn2"), "relu2")
    y = conv(y, "conv3", 32, 1, bias=True)
    y = norm(y, "bn3")
    y = SqueezeExcitation(16, name="se")(y)
    y = layers.Add(name="add")([y, x])
    return keras.Model(x, relu(y, "relu"), name="se_bottleneck")


def cifar_resnet(name: str, depth: int, se: bool) -> Builder:
    """He et al., arXiv:1512.03385, section 4.2, with projection shortcuts."""

    def build(height: int | None, width: int | None, classes: int) -> keras.Model:
        inputs = image_input(height, width, 3)
        x = relu(norm(conv(inputs, "conv1", 16, 3), "bn1"), "relu")
        for stage, channels in enumerate((16, 32, 64), start=1):
            squeeze = max(4, channels // 8) if se else None
            for block in range((depth - 2) // 6):
                strides = 2 if stage > 1 and block == 0 else 1
                x = basic_block(x, f"layer{stage}.{block}", channels, strides, squeeze)
        return keras.Model(inputs, head(x, classes), name=name)

    return build


def imagenet_resnet(name: str, depths: tuple[int, ...], se: bool) -> Builder:
    """ResNet-50's layout, the stride on the 3x3, in Keras's conventions."""

    def build(height: int | None, width: int | None, classes: int) -> keras.Model:
        inputs = image_input(height, width, 3)
        x = relu(norm(conv(inputs, "conv1", 64, 7, strides=2), "bn1"), "relu")
        x = layers.MaxPooling2D(3, strides=2, padding="same", name="maxpool")(x)
        for stage, depth in enumerate(depths, start=1):
            width_ = 64 * 2 ** (stage - 1)
            squeeze = 4 * width_ // 16 if se else None
            for block in range(depth):
                strides = 2 if stage > 1 and block == 0 else 1
                x = bottleneck(x, f"layer{stage}.{block}", width_, strides, squeeze)
        return keras.Model(inputs, head(x, classes), name=name)

    return build


@dataclass(frozen=True)
class Reference:
    """A network of the catalogue, the input it is made for and how many classes it tells apart, if any."""

    build: Builder
    input_size: tuple[int, int]
    channels: int = 3
    classes: int = 0


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
    "keras_seresnet50": Reference(imagenet_resnet("keras_seresnet50", (3, 4, 6, 3), True), (224, 224), classes=1000),
    "keras_resnet50": Reference(imagenet_resnet("keras_resnet50", (3, 4, 6, 3), False), (224, 224), classes=1000),
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


def named_layers(model: keras.Model) -> Iterator[tuple[str, keras.layers.Layer]]:
    """The layers but the input, in order; an SE block is one layer, named by the prefix of its sublayers."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
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


def blocks_and_stages(names: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The groups among layer names, `layer1.0` and `layer1`, each with the layer whose output is the group's."""
    blocks: dict[str, str] = {}
    stages: dict[str, str] = {}
    for name in names:
        parts = name.split(".")
        for length in range(2, len(parts)):
            if parts[length - 1].isdigit():
                blocks[".".join(parts[:length])] = name
                stages[".".join(parts[: length - 1])] = name
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
    logits = {name for name, value in values.items() if value is model.output and len(value.shape) == 2}
    computed = {name: np.asarray(value) for name, value in outputs.items()}
    return {
        name: value[:, None, None, :] if value.ndim == 2 and name not in logits else value
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
