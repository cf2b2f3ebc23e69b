"""The layer as it was published, what is wrong with it, and that ours mends it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import KerasTensor

from scripts.keras import reference
from scripts.keras.networks.words import SqueezeExcitation

CHANNELS, SQUEEZE = 8, 4


class Squeeze_excitation_layer(tf.keras.Model):  # noqa: N801
    """Copied from the published code, down to its name: the second Dense is created in `call`."""

    def __init__(self, filter_sq: int) -> None:
        super().__init__()
        self.filter_sq = filter_sq
        self.avepool = tf.keras.layers.GlobalAveragePooling2D()
        self.dense = tf.keras.layers.Dense(filter_sq)
        self.relu = tf.keras.layers.Activation("relu")
        self.sigmoid = tf.keras.layers.Activation("sigmoid")

    def call(self, inputs: KerasTensor) -> KerasTensor:
        squeeze = self.avepool(inputs)
        excitation = self.dense(squeeze)
        excitation = self.relu(excitation)
        excitation = tf.keras.layers.Dense(inputs.shape[-1])(excitation)
        excitation = self.sigmoid(excitation)
        excitation = tf.keras.layers.Reshape((1, 1, inputs.shape[-1]))(excitation)
        return inputs * excitation


@pytest.fixture
def images() -> reference.Values:
    return np.random.default_rng(0).normal(size=(2, 5, 6, CHANNELS)).astype(np.float32)


def test_two_calls_of_the_published_layer_on_one_input_differ(images: reference.Values) -> None:
    layer = Squeeze_excitation_layer(SQUEEZE)
    assert np.abs(layer(images) - layer(images)).max() > 0.01


def test_the_published_layer_keeps_only_its_first_dense(images: reference.Values) -> None:
    layer = Squeeze_excitation_layer(SQUEEZE)
    layer(images)
    assert [tuple(weight.shape) for weight in layer.weights] == [(CHANNELS, SQUEEZE), (SQUEEZE,)]


def test_the_published_layer_cannot_be_traced(images: reference.Values) -> None:
    with pytest.raises(ValueError, match=r"singleton tf\.Variables created on the first call"):
        Squeeze_excitation_layer(SQUEEZE).predict(images, verbose=0)


def test_our_layer_is_a_function_of_its_input(images: reference.Values) -> None:
    layer = SqueezeExcitation(SQUEEZE)
    once, again = np.asarray(layer(images)), np.asarray(layer(images))
    np.testing.assert_array_equal(once, again)
    model = keras.Sequential([keras.Input(images.shape[1:]), layer])
    np.testing.assert_allclose(model.predict(images, verbose=0), once, rtol=1e-5, atol=1e-6)


def test_our_layer_keeps_both_denses(images: reference.Values) -> None:
    layer = SqueezeExcitation(SQUEEZE)
    layer(images)
    shapes = [tuple(weight.shape) for weight in layer.weights]
    assert shapes == [(CHANNELS, SQUEEZE), (SQUEEZE,), (SQUEEZE, CHANNELS), (CHANNELS,)]
