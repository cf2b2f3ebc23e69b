"""What the reference networks are written in: Keras's layers as one code base or another uses them.

Where Keras has no such padding it is a layer of its own, called `<layer>.pad`,
which is no layer of the Rust program's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import KerasTensor, layers

Builder = Callable[[int | None, int | None, int], keras.Model]
"""Makes a network for images of a height and width, None for any, and a number of classes."""

Kernel = int | tuple[int, int]


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


@keras.saving.register_keras_serializable("senet")
class LowestPadding2D(layers.Layer):
    """Rows above and below and columns on either side that never win in a max pool."""

    def __init__(self, padding: tuple[tuple[int, int], tuple[int, int]], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, x: KerasTensor) -> KerasTensor:
        return keras.ops.pad(x, ((0, 0), *self.padding, (0, 0)), constant_values=-float("inf"))

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable("senet")
class ChannelShuffle(layers.Layer):
    """Channels in groups, the first of each group first (Zhang et al., arXiv:1707.01083, figure 1)."""

    def __init__(self, groups: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.groups = groups

    def call(self, x: KerasTensor) -> KerasTensor:
        *outer, channels = keras.ops.shape(x)
        x = keras.ops.reshape(x, (*outer, self.groups, channels // self.groups))
        return keras.ops.reshape(keras.ops.swapaxes(x, -1, -2), (*outer, channels))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "groups": self.groups}


@dataclass(frozen=True)
class Convention:
    """The choices of a code base that its networks share."""

    name: str
    """What a weights file calls it."""
    symmetric: bool
    """Whether a convolution pads alike on all sides, not as TensorFlow's SAME has it."""
    epsilon: float
    """Of batch norms."""
    gamma: bool = True
    """Whether batch norms have one."""
    bias: bool = False
    """Whether convolutions have one though a batch norm follows."""
    counts_padding: bool = False
    """Whether average pools divide by their padding too."""

    def conv(
        self,
        x: KerasTensor,
        name: str,
        filters: int,
        kernel: Kernel,
        *,
        strides: int = 1,
        groups: int = 1,
        valid: bool = False,
        bias: bool = False,
    ) -> KerasTensor:
        """A convolution, padded as the code base pads unless it is `valid`."""
        rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = "valid" if valid or self.symmetric else "same"
        if self.symmetric and not valid and (rows, columns) != (1, 1):
            x = layers.ZeroPadding2D((rows // 2, columns // 2), name=f"{name}.pad")(x)
        return layers.Conv2D(
            filters,
            (rows, columns),
            strides=strides,
            groups=groups,
            padding=padding,
            use_bias=bias or self.bias,
            kernel_initializer="he_normal",
            name=name,
        )(x)

    def depthwise(self, x: KerasTensor, name: str, kernel: int, *, strides: int = 1) -> KerasTensor:
        """A depthwise convolution, padded as the code base pads."""
        if self.symmetric:
            x = layers.ZeroPadding2D(kernel // 2, name=f"{name}.pad")(x)
        return layers.DepthwiseConv2D(
            kernel,
            strides=strides,
            padding="valid" if self.symmetric else "same",
            use_bias=self.bias,
            depthwise_initializer="he_normal",
            name=name,
        )(x)

    def norm(self, x: KerasTensor, name: str) -> KerasTensor:
        return layers.BatchNormalization(epsilon=self.epsilon, scale=self.gamma, momentum=0.9, name=name)(x)

    def smooth(self, x: KerasTensor, name: str) -> KerasTensor:
        """A 3x3 average pool that keeps the image's size. Keras's own leaves the padding out."""
        if not self.counts_padding:
            return layers.AveragePooling2D(3, strides=1, padding="same", name=name)(x)
        x = layers.ZeroPadding2D(1, name=f"{name}.pad")(x)
        return layers.AveragePooling2D(3, strides=1, padding="valid", name=name)(x)


KERAS = Convention("keras", symmetric=False, epsilon=1e-3)
"""Keras's defaults, on TensorFlow."""

TIMM = Convention("timm", symmetric=True, epsilon=1e-5, counts_padding=True)
"""timm's and torchvision's residual networks."""

CADENE = Convention("cadene", symmetric=True, epsilon=1e-5, counts_padding=True)
"""Cadene's and the authors' Caffe networks, whose max pools round up."""


def relu(x: KerasTensor, name: str) -> KerasTensor:
    return layers.ReLU(name=name)(x)


def max_pool(
    x: KerasTensor, name: str, size: int, *, strides: int, pad: int = 0, rounds_up: bool = False
) -> KerasTensor:
    """A max pool as PyTorch has it: padded alike on all sides, and where it rounds up also beyond the image."""
    beyond = pad + (strides - 1 if rounds_up else 0)
    if beyond:
        x = LowestPadding2D(((pad, beyond), (pad, beyond)), name=f"{name}.pad")(x)
    return layers.MaxPooling2D(size, strides=strides, padding="valid", name=name)(x)


def gate(x: KerasTensor, name: str, squeeze: int | None) -> KerasTensor:
    """An SE block of this width, if any."""
    return x if squeeze is None else SqueezeExcitation(squeeze, name=name)(x)


def head(x: KerasTensor, classes: int, name: str = "fc") -> KerasTensor:
    """Global average pool and classifier; the output is logits."""
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    return layers.Dense(classes, name=name)(x)


def image_input(height: int | None, width: int | None, channels: int = 3) -> KerasTensor:
    return keras.Input((height, width, channels), name="input")
