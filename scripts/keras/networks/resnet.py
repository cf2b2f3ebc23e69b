"""Residual networks: the published SE examples, those in Keras's conventions and two as timm has them."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from scripts.keras.networks.words import (
    KERAS,
    TIMM,
    Builder,
    SqueezeExcitation,
    gate,
    head,
    image_input,
    max_pool,
    relu,
)


def se_block(height: int | None, width: int | None, _classes: int) -> keras.Model:
    """The layer alone on 32 channels, squeezed to 16."""
    x = image_input(height, width, 32)
    return keras.Model(x, SqueezeExcitation(16, name="se")(x), name="se_block")


def se_bottleneck(height: int | None, width: int | None, _classes: int) -> keras.Model:
    """The published SEBottleneck example: convolutions with bias, identity add, stride 1."""
    x = image_input(height, width, 32)
    y = KERAS.conv(x, "conv1", 16, 1, bias=True)
    y = relu(KERAS.norm(y, "bn1"), "relu1")
    y = KERAS.conv(y, "conv2", 16, 3, bias=True)
    y = relu(KERAS.norm(y, "bn2"), "relu2")
    y = KERAS.conv(y, "conv3", 32, 1, bias=True)
    y = KERAS.norm(y, "bn3")
    y = gate(y, "se", 16)
    y = layers.Add(name="add")([y, x])
    return keras.Model(x, relu(y, "relu"), name="se_bottleneck")


def shortcut(x: KerasTensor, prefix: str, channels: int, strides: int) -> KerasTensor:
    """The identity, or a strided 1x1 convolution and batch norm where the shape changes."""
    if strides == 1 and x.shape[-1] == channels:
        return x
    x = KERAS.conv(x, f"{prefix}.downsample.0", channels, 1, strides=strides)
    return KERAS.norm(x, f"{prefix}.downsample.1")


def basic_block(x: KerasTensor, prefix: str, width: int, strides: int, squeeze: int | None) -> KerasTensor:
    identity = shortcut(x, prefix, width, strides)
    y = KERAS.conv(x, f"{prefix}.conv1", width, 3, strides=strides)
    y = relu(KERAS.norm(y, f"{prefix}.bn1"), f"{prefix}.relu1")
    y = KERAS.conv(y, f"{prefix}.conv2", width, 3)
    y = KERAS.norm(y, f"{prefix}.bn2")
    return residual(y, identity, prefix, squeeze)


def bottleneck(x: KerasTensor, prefix: str, width: int, strides: int, squeeze: int | None) -> KerasTensor:
    channels = 4 * width
    identity = shortcut(x, prefix, channels, strides)
    y = KERAS.conv(x, f"{prefix}.conv1", width, 1)
    y = relu(KERAS.norm(y, f"{prefix}.bn1"), f"{prefix}.relu1")
    y = KERAS.conv(y, f"{prefix}.conv2", width, 3, strides=strides)
    y = relu(KERAS.norm(y, f"{prefix}.bn2"), f"{prefix}.relu2")
    y = KERAS.conv(y, f"{prefix}.conv3", channels, 1)
    y = KERAS.norm(y, f"{prefix}.bn3")
    return residual(y, identity, prefix, squeeze)


def residual(y: KerasTensor, identity: KerasTensor, prefix: str, squeeze: int | None) -> KerasTensor:
    y = gate(y, f"{prefix}.se", squeeze)
    y = layers.Add(name=f"{prefix}.add")([y, identity])
    return relu(y, f"{prefix}.relu")


def cifar_resnet(name: str, depth: int, se: bool) -> Builder:
    """He et al., arXiv:1512.03385, section 4.2, with projection shortcuts."""

    def build(height: int | None, width: int | None, classes: int) -> keras.Model:
        inputs = image_input(height, width)
        x = relu(KERAS.norm(KERAS.conv(inputs, "conv1", 16, 3), "bn1"), "relu")
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
        inputs = image_input(height, width)
        x = relu(KERAS.norm(KERAS.conv(inputs, "conv1", 64, 7, strides=2), "bn1"), "relu")
        x = layers.MaxPooling2D(3, strides=2, padding="same", name="maxpool")(x)
        for stage, depth in enumerate(depths, start=1):
            width_ = 64 * 2 ** (stage - 1)
            squeeze = 4 * width_ // 16 if se else None
            for block in range(depth):
                strides = 2 if stage > 1 and block == 0 else 1
                x = bottleneck(x, f"layer{stage}.{block}", width_, strides, squeeze)
        return keras.Model(inputs, head(x, classes), name=name)

    return build


def timm_squeeze(channels: int) -> int:
    """A sixteenth of the channels, rounded to a multiple of 8."""
    return max(8, (channels + 64) // 128 * 8)


def grouped_bottleneck(
    x: KerasTensor, prefix: str, widths: tuple[int, int, int], *, groups: int, strides: int, shortcut_kernel: int
) -> KerasTensor:
    """ResNeXt's bottleneck with an SE block, as timm has it."""
    reduced, spatial, channels = widths
    identity = x
    if strides != 1 or x.shape[-1] != channels:
        kernel = shortcut_kernel if strides > 1 else 1
        identity = TIMM.conv(x, f"{prefix}.downsample.0", channels, kernel, strides=strides)
        identity = TIMM.norm(identity, f"{prefix}.downsample.1")
    y = TIMM.conv(x, f"{prefix}.conv1", reduced, 1)
    y = relu(TIMM.norm(y, f"{prefix}.bn1"), f"{prefix}.relu1")
    y = TIMM.conv(y, f"{prefix}.conv2", spatial, 3, strides=strides, groups=groups)
    y = relu(TIMM.norm(y, f"{prefix}.bn2"), f"{prefix}.relu2")
    y = TIMM.conv(y, f"{prefix}.conv3", channels, 1)
    y = TIMM.norm(y, f"{prefix}.bn3")
    return residual(y, identity, prefix, timm_squeeze(channels))


def stages(
    x: KerasTensor, depths: tuple[int, ...], *, groups: int, reduce_first: int, shortcut_kernel: int
) -> KerasTensor:
    """Four stages of grouped bottlenecks whose groups are 4 wide in the first."""
    for stage, depth in enumerate(depths, start=1):
        spatial = 4 * groups * 2 ** (stage - 1)
        widths = (spatial // reduce_first, spatial, 256 * 2 ** (stage - 1))
        for block in range(depth):
            x = grouped_bottleneck(
                x,
                f"layer{stage}.{block}",
                widths,
                groups=groups,
                strides=2 if stage > 1 and block == 0 else 1,
                shortcut_kernel=shortcut_kernel,
            )
    return x


def seresnext50_32x4d(height: int | None, width: int | None, classes: int) -> keras.Model:
    """Xie et al., arXiv:1611.05431, with SE blocks."""
    inputs = image_input(height, width)
    x = relu(TIMM.norm(TIMM.conv(inputs, "conv1", 64, 7, strides=2), "bn1"), "relu")
    x = max_pool(x, "maxpool", 3, strides=2, pad=1)
    x = stages(x, (3, 4, 6, 3), groups=32, reduce_first=1, shortcut_kernel=1)
    return keras.Model(inputs, head(x, classes), name="seresnext50_32x4d")


def senet154(height: int | None, width: int | None, classes: int) -> keras.Model:
    """Hu et al., arXiv:1709.01507, appendix: a deep stem, 3x3 shortcuts, half as many channels after a first 1x1."""
    inputs = image_input(height, width)
    x = TIMM.conv(inputs, "conv1.0", 64, 3, strides=2)
    x = relu(TIMM.norm(x, "conv1.1"), "conv1.2")
    x = relu(TIMM.norm(TIMM.conv(x, "conv1.3", 64, 3), "conv1.4"), "conv1.5")
    x = relu(TIMM.norm(TIMM.conv(x, "conv1.6", 128, 3), "bn1"), "relu")
    x = max_pool(x, "maxpool", 3, strides=2, pad=1)
    x = stages(x, (3, 8, 36, 3), groups=64, reduce_first=2, shortcut_kernel=3)
    return keras.Model(inputs, head(x, classes), name="senet154")
