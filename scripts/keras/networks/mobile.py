"""MobileNet and ShuffleNet with the SENet paper's SE blocks and without, in Keras's conventions."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from scripts.keras.networks.words import KERAS, Builder, ChannelShuffle, gate, head, image_input, relu

RATIO = 16
"""Channels of an SE block to those inside: 16 throughout the paper."""


def mobilenet(name: str, se: bool) -> Builder:
    """Howard et al., arXiv:1704.04861, table 1; an SE block after the last ReLU of each separable convolution."""

    def build(height: int | None, width: int | None, classes: int) -> keras.Model:
        inputs = image_input(height, width)
        x = KERAS.conv(inputs, "conv1", 32, 3, strides=2)
        x = relu(KERAS.norm(x, "bn1"), "relu")
        for stage, (depth, channels) in enumerate(((1, 64), (2, 128), (2, 256), (6, 512), (2, 1024)), start=1):
            for index in range(depth):
                prefix = f"layer{stage}.{index}"
                x = KERAS.depthwise(x, f"{prefix}.conv_dw", 3, strides=2 if stage > 1 and index == 0 else 1)
                x = relu(KERAS.norm(x, f"{prefix}.bn_dw"), f"{prefix}.relu_dw")
                x = KERAS.conv(x, f"{prefix}.conv_pw", channels, 1)
                x = relu(KERAS.norm(x, f"{prefix}.bn_pw"), f"{prefix}.relu_pw")
                x = gate(x, f"{prefix}.se", channels // RATIO if se else None)
        return keras.Model(inputs, head(x, classes), name=name)

    return build


def shuffle_unit(
    x: KerasTensor, prefix: str, channels: int, groups: tuple[int, int], strides: int, se: bool
) -> KerasTensor:
    """Zhang et al., arXiv:1707.01083, figure 2 (b), or (c) where it strides; an SE block ends the branch."""
    new = channels - x.shape[-1] if strides == 2 else channels
    y = KERAS.conv(x, f"{prefix}.conv1", channels // 4, 1, groups=groups[0])
    y = relu(KERAS.norm(y, f"{prefix}.bn1"), f"{prefix}.relu1")
    y = ChannelShuffle(groups[1], name=f"{prefix}.shuffle")(y)
    y = KERAS.depthwise(y, f"{prefix}.conv2", 3, strides=strides)
    y = KERAS.norm(y, f"{prefix}.bn2")
    y = KERAS.conv(y, f"{prefix}.conv3", new, 1, groups=groups[1])
    y = KERAS.norm(y, f"{prefix}.bn3")
    y = gate(y, f"{prefix}.se", new // RATIO if se else None)
    if strides == 2:
        x = layers.AveragePooling2D(3, strides=2, padding="same", name=f"{prefix}.avgpool")(x)
        y = layers.Concatenate(name=f"{prefix}.concat")([x, y])
    else:
        y = layers.Add(name=f"{prefix}.add")([y, x])
    return relu(y, f"{prefix}.relu")


def shufflenet(name: str, se: bool) -> Builder:
    """The same paper, table 1, the column of 3 groups."""

    def build(height: int | None, width: int | None, classes: int) -> keras.Model:
        inputs = image_input(height, width)
        x = KERAS.conv(inputs, "conv1", 24, 3, strides=2)
        x = relu(KERAS.norm(x, "bn1"), "relu")
        x = layers.MaxPooling2D(3, strides=2, padding="same", name="maxpool")(x)
        for stage, (depth, channels) in enumerate(((4, 240), (8, 480), (4, 960)), start=2):
            for index in range(depth):
                # Section 3.3: few channels go into the first unit, and are not grouped.
                groups = (1 if (stage, index) == (2, 0) else 3, 3)
                x = shuffle_unit(x, f"layer{stage}.{index}", channels, groups, 2 if index == 0 else 1, se)
        return keras.Model(inputs, head(x, classes), name=name)

    return build
