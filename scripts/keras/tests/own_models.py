"""Models as people write them, none of them in the catalogue: what the exporter is tested on."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from scripts.keras.tracing.keras2_activation import hard_sigmoid_keras2


class SqueezeExcitationLayer(tf.keras.Model):
    """The published layer, mended: both Denses are made once, in `build` the second, whose width is the input's."""

    def __init__(self, filter_sq: int) -> None:
        super().__init__()
        self.avepool = tf.keras.layers.GlobalAveragePooling2D()
        self.dense = tf.keras.layers.Dense(filter_sq)
        self.relu = tf.keras.layers.Activation("relu")
        self.sigmoid = tf.keras.layers.Activation("sigmoid")

    def build(self, input_shape: Any) -> None:
        self.dense2 = tf.keras.layers.Dense(input_shape[-1])
        self.built = True

    def call(self, inputs: Any) -> Any:
        excitation = self.relu(self.dense(self.avepool(inputs)))
        excitation = self.sigmoid(self.dense2(excitation))
        return inputs * tf.keras.layers.Reshape((1, 1, inputs.shape[-1]))(excitation)


class SEBottleneck(tf.keras.Model):
    """The published block around it."""

    def __init__(self, filter_sq: int, filters: int, strides: int = 1) -> None:
        super().__init__()
        self.conv1 = tf.keras.layers.Conv2D(filters, 1)
        self.bn1 = tf.keras.layers.BatchNormalization()
        self.conv2 = tf.keras.layers.Conv2D(filters, 3, strides, padding="same")
        self.bn2 = tf.keras.layers.BatchNormalization()
        self.conv3 = tf.keras.layers.Conv2D(4 * filters, 1)
        self.bn3 = tf.keras.layers.BatchNormalization()
        self.relu = tf.keras.layers.Activation("relu")
        self.se = SqueezeExcitationLayer(filter_sq)

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = self.relu(self.bn1(self.conv1(inputs), training=training))
        x = self.relu(self.bn2(self.conv2(x), training=training))
        x = self.se(self.bn3(self.conv3(x), training=training))
        return self.relu(x + inputs)


class SENet(tf.keras.Model):
    """A network of such blocks, which says nothing of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = tf.keras.layers.Conv2D(16, 3, 2, padding="same", activation="relu")
        self.blocks = [SEBottleneck(4, 4) for _ in range(2)]
        self.pool = tf.keras.layers.GlobalAveragePooling2D()
        self.fc = tf.keras.layers.Dense(5)

    def call(self, inputs: Any) -> Any:
        x = self.stem(inputs)
        for block in self.blocks:
            x = block(x)
        return self.fc(self.pool(x))


def gate(x: Any, name: str, reduction: int = 4) -> Any:
    """SE in functional style, with names of its own."""
    channels = x.shape[-1]
    y = layers.GlobalAveragePooling2D(name=f"{name}_squeeze")(x)
    y = layers.Dense(channels // reduction, activation="relu", name=f"{name}_fc1")(y)
    y = layers.Dense(channels, activation="sigmoid", name=f"{name}_fc2")(y)
    return layers.Multiply(name=f"{name}_scale")([x, y])


def functional() -> keras.Model:
    """An SE-CNN of flattened maps, with everything in one graph."""
    image = keras.Input((12, 10, 3), name="photo")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv_a")(x)
    x = layers.BatchNormalization(scale=False, name="norm_a")(x)
    x = layers.LeakyReLU(name="leak_a")(x)
    x = gate(x, "se_a")
    x = layers.MaxPooling2D(2, name="pool_a")(x)
    y = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="swish", name="deep_b")(x)
    y = layers.Conv2D(8, 1, name="project_b")(y)
    x = layers.Add(name="add_b")([x, y])
    x = layers.Dropout(0.5, name="drop")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.BatchNormalization(name="norm_flat")(x)
    return keras.Model(image, layers.Dense(7, activation="softmax", name="classes")(x), name="own_functional")


def sequential() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((9, 9, 3)),
            layers.RandomFlip(name="flip"),
            layers.ZeroPadding2D(((0, 1), (0, 1)), name="pad"),
            layers.SeparableConv2D(6, 3, strides=2, activation="relu6", name="separable"),
            layers.AveragePooling2D(3, 1, padding="same", name="mean"),
            layers.GlobalMaxPooling2D(name="most"),
            layers.Dense(4, name="fc"),
        ],
        name="own_sequential",
    )


def nested() -> keras.Model:
    """A model in a model, and a layer that is called twice."""
    part = keras.Input((None, None, 6))
    inner = keras.Model(part, layers.Conv2D(6, 1, name="mix")(layers.ReLU(name="clip")(part)), name="inner")
    shared = layers.Conv2D(6, 3, padding="same", name="shared")
    image = keras.Input((8, 8, 6))
    x = inner(shared(shared(image)))
    return keras.Model(image, layers.Concatenate(name="both")([x, image]), name="own_nested")


class TensorFlowBlock(layers.Layer):
    """Functions of TensorFlow on the layer's own variables."""

    def build(self, input_shape: Any) -> None:
        channels = input_shape[-1]
        self.kernel = self.add_weight(shape=(3, 3, channels, channels), name="kernel")
        self.offset = self.add_weight(shape=(channels,), initializer="random_normal", name="offset")
        self.gamma = self.add_weight(shape=(channels,), initializer="random_normal", name="gamma")
        self.factor = self.add_weight(shape=(), initializer="random_normal", name="factor")

    def call(self, x: Any) -> Any:
        y = tf.nn.bias_add(tf.nn.conv2d(x, self.kernel, [1, 1, 1, 1], "SAME"), self.offset)
        y = self.gamma * tf.nn.relu(y)
        squeezed = tf.reshape(tf.reduce_mean(y, [1, 2]), [tf.shape(y)[0], 1, 1, y.shape[-1]])
        y = y * tf.sigmoid(squeezed)
        return x + self.factor * (y - 0.5) / 2


class HardSwish(layers.Layer):
    """The activation of MobileNetV3 spelt out."""

    def call(self, x: Any) -> Any:
        return x * tf.nn.relu6(x + 3.0) / 6.0


class Shuffle(layers.Layer):
    """Channels of two groups in turn."""

    def call(self, x: Any) -> Any:
        _, height, width, channels = x.shape
        y = ops.reshape(x, (-1, height, width, 2, channels // 2))
        return ops.reshape(ops.transpose(y, (0, 1, 2, 4, 3)), (-1, height, width, channels))


def mixed() -> keras.Model:
    """Functions and operations, in a model and in layers of its own."""
    image = keras.Input((8, 8, 4))
    x = TensorFlowBlock(name="block")(image)
    x = HardSwish(name="act")(x)
    x = Shuffle(name="shuffle")(x)
    left, right = ops.split(x, 2, axis=-1)
    x = ops.concatenate([right, left * ops.sigmoid(left)], axis=-1)
    x = x[:, 1:, :-1, :]
    x = ops.mean(x, axis=(1, 2), keepdims=True)
    x = layers.Conv2D(3, 1, name="conv", activation=layers.LeakyReLU(0.1))(x)
    return keras.Model(image, layers.Reshape((3,), name="vector")(x), name="own_mixed")


def sliced_groups(groups: int = 4) -> keras.Model:
    """A grouped convolution as old code writes it."""
    image = keras.Input((6, 6, 8))
    width = 8 // groups
    parts = []
    for group in range(groups):
        part = layers.Lambda(lambda z, at=group * width: z[..., at : at + width], name=f"slice_{group}")(image)
        parts.append(layers.Conv2D(3, 3, strides=2, padding="same", use_bias=False, name=f"part_{group}")(part))
    x = layers.Concatenate(name="grouped")(parts)
    return keras.Model(image, layers.ReLU(name="relu")(x), name="own_groups")


class Factor(layers.Layer):
    """Everything times one learnt number."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.factor = self.add_weight(shape=(1,), initializer="ones", name="factor")

    def call(self, x: Any) -> Any:
        return x * self.factor


def varied() -> keras.Model:
    """The operations of graph files that networks of keras.applications have not."""
    image = keras.Input((20, 19, 3), name="image")
    x = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.8, 1.0, 1.2], name="prepare")(image)
    x = layers.ZeroPadding2D(((1, 0), (0, 2)), name="border")(x)
    x = layers.Conv2D(12, 3, strides=2, name="stem")(x)
    x = layers.LayerNormalization(name="norm_of_pixels")(x)
    x = layers.Activation("gelu", name="exact")(x)
    y = layers.Conv2D(12, 3, padding="same", groups=3, name="grouped")(x)
    y = layers.GroupNormalization(4, name="norm_of_groups")(y)
    x = layers.Add(name="sum")([x, ops.gelu(y, approximate=True)])
    # A shortcut of half the size and with more channels, without weights.
    short = ops.pad(x[:, ::2, ::2, :], [[0, 0], [0, 0], [0, 0], [0, 4]])
    y = layers.DepthwiseConv2D(3, padding="same", dilation_rate=2, name="dilated")(x)
    y = layers.LeakyReLU(0.1, name="leaky")(y)
    y = layers.AveragePooling2D(3, 2, padding="same", name="halved")(y)
    y = layers.Conv2D(16, 1, name="wider")(y)
    x = layers.Add(name="longer")([y, short])
    x = Shuffle(name="shuffle")(x)
    left, right = ops.split(x, 2, axis=-1)
    gate = layers.GlobalAveragePooling2D(name="squeeze")(right)
    new = layers.Dense(8, activation="hard_sigmoid", name="excite")(gate)
    old = layers.Dense(8, activation=hard_sigmoid_keras2, name="excite_more")(gate)
    right = layers.Multiply(name="gated")([right, new])
    left = layers.Multiply(name="gated_more")([left, old])
    x = layers.Concatenate(name="swapped")([right, Factor(name="factor")(left)])
    x = x * x / 2.0 + x
    x = layers.Cropping2D(((1, 0), (0, 1)), name="cropped")(x)
    x = layers.UpSampling2D((2, 1), name="higher")(x)
    x = x + layers.GlobalMaxPooling2D(keepdims=True, name="most")(x)
    x = layers.MaxPooling2D(2, padding="same", name="pooled")(x)
    x = layers.AdaptiveAveragePooling2D((2, 3), name="parts")(x)
    x = layers.Dense(5, name="classes")(layers.Flatten(name="flat")(x))
    return keras.Model(image, layers.Softmax(name="shares")(x), name="own_varied")
