"""BN-Inception as pretrainedmodels has it, and SE-BN-Inception as the authors' Caffe network has it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import keras
from keras import KerasTensor, layers

from scripts.keras.networks.words import CADENE, Builder, Convention, gate, head, image_input, max_pool, relu


@dataclass(frozen=True)
class Module:
    """A row of figure 5 in Ioffe and Szegedy, arXiv:1502.03167; one without a 1x1 convolution halves the image."""

    one: int
    three: tuple[int, int]
    double: tuple[int, int]
    proj: int
    pool: str


MODULES = {
    "3a": Module(64, (64, 64), (64, 96), 32, "average"),
    "3b": Module(64, (64, 96), (64, 96), 64, "average"),
    "3c": Module(0, (128, 160), (64, 96), 0, "halving"),
    "4a": Module(224, (64, 96), (96, 128), 128, "average"),
    "4b": Module(192, (96, 128), (96, 128), 128, "average"),
    "4c": Module(160, (128, 160), (128, 160), 128, "average"),
    "4d": Module(96, (128, 192), (160, 192), 128, "average"),
    "4e": Module(0, (128, 192), (192, 256), 0, "halving"),
    "5a": Module(352, (192, 320), (160, 224), 128, "average"),
    "5b": Module(352, (192, 320), (192, 224), 128, "max"),
}


def inception(x: KerasTensor, prefix: str, convention: Convention, module: Module) -> KerasTensor:
    def unit(x: KerasTensor, name: str, filters: int, kernel: int, strides: int = 1) -> KerasTensor:
        x = convention.conv(x, f"{prefix}.{name}", filters, kernel, strides=strides)
        return relu(convention.norm(x, f"{prefix}.{name}_bn"), f"{prefix}.relu_{name}")

    strides = 2 if module.pool == "halving" else 1
    branches = [unit(x, "1x1", module.one, 1)] if module.one else []

    y = unit(x, "3x3_reduce", module.three[0], 1)
    branches.append(unit(y, "3x3", module.three[1], 3, strides))

    y = unit(x, "double_3x3_reduce", module.double[0], 1)
    y = unit(y, "double_3x3_1", module.double[1], 3)
    branches.append(unit(y, "double_3x3_2", module.double[1], 3, strides))

    name = f"{prefix}.pool"
    if module.pool == "average":
        pooled = convention.smooth(x, name)
    elif module.pool == "max":
        pooled = max_pool(x, name, 3, strides=1, pad=1)
    else:
        pooled = max_pool(x, name, 3, strides=2, rounds_up=True)
    branches.append(unit(pooled, "pool_proj", module.proj, 1) if module.proj else pooled)
    return layers.Concatenate(name=f"{prefix}.concat")(branches)


def bn_inception(name: str, se: bool) -> Builder:
    """Only the plain network's convolutions have biases."""
    convention = CADENE if se else replace(CADENE, bias=True)

    def unit(x: KerasTensor, names: tuple[str, str], filters: int, kernel: int, strides: int = 1) -> KerasTensor:
        conv, rectified = names
        x = convention.conv(x, conv, filters, kernel, strides=strides)
        return relu(convention.norm(x, f"{conv}_bn"), rectified)

    def build(height: int | None, width: int | None, classes: int) -> keras.Model:
        inputs = image_input(height, width)
        x = unit(inputs, ("conv1_7x7_s2", "conv1_relu_7x7"), 64, 7, strides=2)
        x = max_pool(x, "pool1_3x3_s2", 3, strides=2, rounds_up=True)
        x = unit(x, ("conv2_3x3_reduce", "conv2_relu_3x3_reduce"), 64, 1)
        x = unit(x, ("conv2_3x3", "conv2_relu_3x3"), 192, 3)
        x = max_pool(x, "pool2_3x3_s2", 3, strides=2, rounds_up=True)
        for place, module in MODULES.items():
            prefix = f"inception_{place}"
            x = inception(x, prefix, convention, module)
            x = gate(x, f"{prefix}.se", x.shape[-1] // 16 if se else None)
        return keras.Model(inputs, head(x, classes), name=name)

    return build
