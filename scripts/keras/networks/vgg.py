"""VGG-16 with batch norms as torchvision has it, and with an SE block after every convolution's ReLU."""

from __future__ import annotations

from dataclasses import replace

import keras
from keras import layers

from scripts.keras.networks.words import TIMM, Builder, gate, image_input, max_pool, relu

VGG = replace(TIMM, bias=True)


def vgg16_bn(name: str, se: bool) -> Builder:
    """Simonyan and Zisserman, arXiv:1409.1556, column D. torchvision's dropout is nothing in inference."""

    def build(height: int | None, width: int | None, classes: int) -> keras.Model:
        inputs = x = image_input(height, width)
        index = 0
        for stage, (depth, channels) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), start=1):
            for place in range(1, depth + 1):
                x = VGG.conv(x, f"features.{index}", channels, 3)
                x = relu(VGG.norm(x, f"features.{index + 1}"), f"features.{index + 2}")
                x = gate(x, f"se{stage}_{place}", channels // 16 if se else None)
                index += 3
            x = max_pool(x, f"features.{index}", 2, strides=2)
            index += 1
        x = layers.AdaptiveAveragePooling2D(7, name="avgpool")(x)
        x = layers.Flatten(name="flatten")(x)
        x = relu(layers.Dense(4096, name="classifier.0")(x), "classifier.1")
        x = relu(layers.Dense(4096, name="classifier.3")(x), "classifier.4")
        return keras.Model(inputs, layers.Dense(classes, name="classifier.6")(x), name=name)

    return build
