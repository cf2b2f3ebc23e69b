"""Inception-v3 and Inception-ResNet-v2, plain as torchvision and timm have them, with SE blocks in Keras's conventions.

The plain ones are stated after timm's code, those with SE blocks after
keras-squeeze-excite-network, which has them where Keras's applications end a
module, and whose SE blocks, other than these here, have no biases.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import keras
from keras import KerasTensor, layers

from scripts.keras.networks.words import (
    KERAS,
    TIMM,
    Builder,
    Convention,
    Kernel,
    gate,
    head,
    image_input,
    max_pool,
    relu,
)

PYTORCH_V3 = replace(TIMM, epsilon=1e-3)
PYTORCH_RESNET = replace(PYTORCH_V3, counts_padding=False)
APPLICATIONS = replace(KERAS, gamma=False)
"""Keras's own Inceptions have batch norms without gamma."""


@dataclass(frozen=True)
class Conv:
    """A convolution of a branch; one of stride 2 is not padded."""

    filters: int
    kernel: Kernel
    strides: int = 1


@dataclass(frozen=True)
class Inception:
    """What the modules of a network are built with."""

    convention: Convention
    se: bool

    def unit(self, x: KerasTensor, name: str, conv: Conv, *, valid: bool = False) -> KerasTensor:
        """Convolution, batch norm, ReLU."""
        valid = valid or conv.strides == 2
        x = self.convention.conv(x, f"{name}.conv", conv.filters, conv.kernel, strides=conv.strides, valid=valid)
        return relu(self.convention.norm(x, f"{name}.bn"), f"{name}.relu")

    def branch(self, x: KerasTensor, names: list[str], *convs: Conv) -> KerasTensor:
        for name, conv in zip(names, convs, strict=True):
            x = self.unit(x, name, conv)
        return x

    def end(self, x: KerasTensor, prefix: str) -> KerasTensor:
        """The SE block of a module."""
        return gate(x, f"{prefix}.se" if prefix else "se", x.shape[-1] // 16 if self.se else None)

    def concat(self, branches: list[KerasTensor], prefix: str) -> KerasTensor:
        return layers.Concatenate(name=f"{prefix}.concat")(branches)

    def stem(self, x: KerasTensor, names: list[str]) -> KerasTensor:
        x = self.unit(x, names[0], Conv(32, 3, strides=2))
        x = self.unit(x, names[1], Conv(32, 3), valid=True)
        x = self.unit(x, names[2], Conv(64, 3))
        x = max_pool(x, names[3], 3, strides=2)
        x = self.unit(x, names[4], Conv(80, 1))
        x = self.unit(x, names[5], Conv(192, 3), valid=True)
        return max_pool(x, names[6], 3, strides=2)


def numbered(name: str, count: int) -> list[str]:
    """torchvision's names of a branch's convolutions."""
    return [f"{name}_{place}" for place in range(1, count + 1)]


def module_a(net: Inception, x: KerasTensor, prefix: str, pool_features: int) -> KerasTensor:
    one = net.branch(x, [f"{prefix}.branch1x1"], Conv(64, 1))
    five = net.branch(x, numbered(f"{prefix}.branch5x5", 2), Conv(48, 1), Conv(64, 5))
    names = numbered(f"{prefix}.branch3x3dbl", 3)
    three = net.branch(x, names, Conv(64, 1), Conv(96, 3), Conv(96, 3))
    pooled = net.convention.smooth(x, f"{prefix}.pool")
    pooled = net.branch(pooled, [f"{prefix}.branch_pool"], Conv(pool_features, 1))
    return net.concat([one, five, three, pooled], prefix)


def module_b(net: Inception, x: KerasTensor, prefix: str) -> KerasTensor:
    three = net.branch(x, [f"{prefix}.branch3x3"], Conv(384, 3, strides=2))
    names = numbered(f"{prefix}.branch3x3dbl", 3)
    double = net.branch(x, names, Conv(64, 1), Conv(96, 3), Conv(96, 3, strides=2))
    return net.concat([three, double, max_pool(x, f"{prefix}.pool", 3, strides=2)], prefix)


def module_c(net: Inception, x: KerasTensor, prefix: str, c7: int) -> KerasTensor:
    one = net.branch(x, [f"{prefix}.branch1x1"], Conv(192, 1))
    names = numbered(f"{prefix}.branch7x7", 3)
    seven = net.branch(x, names, Conv(c7, 1), Conv(c7, (1, 7)), Conv(192, (7, 1)))
    names = numbered(f"{prefix}.branch7x7dbl", 5)
    narrow = [Conv(c7, 1), Conv(c7, (7, 1)), Conv(c7, (1, 7)), Conv(c7, (7, 1))]
    double = net.branch(x, names, *narrow, Conv(192, (1, 7)))
    pooled = net.convention.smooth(x, f"{prefix}.pool")
    pooled = net.branch(pooled, [f"{prefix}.branch_pool"], Conv(192, 1))
    return net.concat([one, seven, double, pooled], prefix)


def module_d(net: Inception, x: KerasTensor, prefix: str) -> KerasTensor:
    three = net.branch(x, numbered(f"{prefix}.branch3x3", 2), Conv(192, 1), Conv(320, 3, strides=2))
    names = numbered(f"{prefix}.branch7x7x3", 4)
    convs = [Conv(192, 1), Conv(192, (1, 7)), Conv(192, (7, 1)), Conv(192, 3, strides=2)]
    seven = net.branch(x, names, *convs)
    return net.concat([three, seven, max_pool(x, f"{prefix}.pool", 3, strides=2)], prefix)


def module_e(net: Inception, x: KerasTensor, prefix: str) -> KerasTensor:
    def fork(x: KerasTensor, name: str) -> list[KerasTensor]:
        return [net.unit(x, f"{name}a", Conv(384, (1, 3))), net.unit(x, f"{name}b", Conv(384, (3, 1)))]

    one = net.branch(x, [f"{prefix}.branch1x1"], Conv(320, 1))
    three = net.branch(x, [f"{prefix}.branch3x3_1"], Conv(384, 1))
    three_ends = fork(three, f"{prefix}.branch3x3_2")
    double = net.branch(x, numbered(f"{prefix}.branch3x3dbl", 2), Conv(448, 1), Conv(384, 3))
    double_ends = fork(double, f"{prefix}.branch3x3dbl_3")
    pooled = net.convention.smooth(x, f"{prefix}.pool")
    pooled = net.branch(pooled, [f"{prefix}.branch_pool"], Conv(192, 1))
    return net.concat([one, *three_ends, *double_ends, pooled], prefix)


def inception_v3(name: str, se: bool) -> Builder:
    """Szegedy et al., arXiv:1512.00567."""
    net = Inception(APPLICATIONS if se else PYTORCH_V3, se)
    convs = [f"Conv2d_{part}" for part in ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")]

    def build(height: int | None, width: int | None, classes: int) -> keras.Model:
        inputs = image_input(height, width)
        x = net.stem(inputs, [*convs[:3], "maxpool1", *convs[3:], "maxpool2"])
        for letter, pool_features in (("b", 32), ("c", 64), ("d", 64)):
            x = net.end(module_a(net, x, f"Mixed_5{letter}", pool_features), f"Mixed_5{letter}")
        x = net.end(module_b(net, x, "Mixed_6a"), "Mixed_6a")
        for letter, c7 in (("b", 128), ("c", 160), ("d", 160), ("e", 192)):
            x = net.end(module_c(net, x, f"Mixed_6{letter}", c7), f"Mixed_6{letter}")
        x = net.end(module_d(net, x, "Mixed_7a"), "Mixed_7a")
        for letter in "bc":
            x = net.end(module_e(net, x, f"Mixed_7{letter}"), f"Mixed_7{letter}")
        return keras.Model(inputs, head(x, classes), name=name)

    return build


def sequence(name: str, count: int) -> list[str]:
    """timm's names of a branch's layers in Inception-ResNet-v2."""
    return [f"{name}.{place}" for place in range(count)]


BLOCKS: dict[str, list[list[Conv]]] = {
    "35": [[Conv(32, 1)], [Conv(32, 1), Conv(32, 3)], [Conv(32, 1), Conv(48, 3), Conv(64, 3)]],
    "17": [[Conv(192, 1)], [Conv(128, 1), Conv(160, (1, 7)), Conv(192, (7, 1))]],
    "8": [[Conv(192, 1)], [Conv(192, 1), Conv(224, (1, 3)), Conv(256, (3, 1))]],
}
"""The branches of the residual modules, named after the image's size at 299x299."""


def branches(net: Inception, x: KerasTensor, prefix: str, convs: list[list[Conv]]) -> list[KerasTensor]:
    made = []
    for index, branch in enumerate(convs):
        name = f"{prefix}.branch{index}"
        made.append(net.branch(x, [name] if len(branch) == 1 else sequence(name, len(branch)), *branch))
    return made


def residual_module(
    net: Inception, x: KerasTensor, prefix: str, block: str, scale: float, *, rectified: bool = True
) -> KerasTensor:
    mixed = net.concat(branches(net, x, prefix, BLOCKS[block]), prefix)
    up = net.convention.conv(mixed, f"{prefix}.conv2d", x.shape[-1], 1, bias=True)
    up = layers.Rescaling(scale, name=f"{prefix}.scale")(up)
    x = layers.Add(name=f"{prefix}.add")([up, x])
    return net.end(relu(x, f"{prefix}.relu") if rectified else x, prefix)


def mixed_5b(net: Inception, x: KerasTensor, prefix: str) -> KerasTensor:
    convs = [[Conv(96, 1)], [Conv(48, 1), Conv(64, 5)], [Conv(64, 1), Conv(96, 3), Conv(96, 3)]]
    pooled = net.convention.smooth(x, f"{prefix}.branch3.0")
    pooled = net.unit(pooled, f"{prefix}.branch3.1", Conv(64, 1))
    return net.end(net.concat([*branches(net, x, prefix, convs), pooled], prefix), prefix)


def reduction(net: Inception, x: KerasTensor, prefix: str, convs: list[list[Conv]]) -> KerasTensor:
    pooled = max_pool(x, f"{prefix}.branch{len(convs)}", 3, strides=2)
    return net.end(net.concat([*branches(net, x, prefix, convs), pooled], prefix), prefix)


def inception_resnet_v2(name: str, se: bool) -> Builder:
    """Szegedy et al., arXiv:1602.07261, as wide as in TensorFlow-slim."""
    net = Inception(APPLICATIONS if se else PYTORCH_RESNET, se)
    convs = [f"conv2d_{part}" for part in ("1a", "2a", "2b", "3b", "4a")]
    to_17 = [[Conv(384, 3, strides=2)], [Conv(256, 1), Conv(256, 3), Conv(384, 3, strides=2)]]
    to_8 = [
        [Conv(256, 1), Conv(384, 3, strides=2)],
        [Conv(256, 1), Conv(288, 3, strides=2)],
        [Conv(256, 1), Conv(288, 3), Conv(320, 3, strides=2)],
    ]

    def build(height: int | None, width: int | None, classes: int) -> keras.Model:
        inputs = image_input(height, width)
        x = net.stem(inputs, [*convs[:3], "maxpool_3a", *convs[3:], "maxpool_5a"])
        x = mixed_5b(net, x, "mixed_5b")
        for index in range(10):
            x = residual_module(net, x, f"repeat.{index}", "35", 0.17)
        x = reduction(net, x, "mixed_6a", to_17)
        for index in range(20):
            x = residual_module(net, x, f"repeat_1.{index}", "17", 0.1)
        x = reduction(net, x, "mixed_7a", to_8)
        for index in range(9):
            x = residual_module(net, x, f"repeat_2.{index}", "8", 0.2)
        x = residual_module(net, x, "block8", "8", 1.0, rectified=False)
        x = net.end(x, "")
        x = net.unit(x, "conv2d_7b", Conv(1536, 1))
        return keras.Model(inputs, head(x, classes, "classif"), name=name)

    return build
