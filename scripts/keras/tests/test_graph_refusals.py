"""What cannot be exported is refused in one line that says where and why, all of it at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from scripts.keras import checked_export
from scripts.keras.checked_export import export_checked
from scripts.keras.lowering import layers as lowered_layers
from scripts.keras.model_source import ModelSource, prepare
from scripts.keras.tests import own_models
from scripts.keras.tests.test_published_layer import Squeeze_excitation_layer

pytestmark = pytest.mark.usefixtures("precision")


def refused(model: keras.Model, message: str, shape: tuple[int, ...] | None = None) -> str:
    def export() -> None:
        prepared = prepare(ModelSource("model", input_shape=shape), model)
        export_checked(prepared.model, prepared.draw(np.random.default_rng(0), 2))

    with pytest.raises(ValueError, match=message) as caught:
        export()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def around(layer: Callable[[Any], Any], shape: tuple[int | None, ...] = (8, 8, 4)) -> keras.Model:
    image = keras.Input(shape)
    return keras.Model(image, layer(image), name="around")


class Calling(layers.Layer):
    """A layer whose `call` is a function."""

    def __init__(self, function: Callable[[Any], Any], **more: Any) -> None:
        super().__init__(**more)
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)


def test_all_that_is_not_supported_is_said_at_once() -> None:
    image = keras.Input((8, 8, 4))
    x = layers.Conv2DTranspose(4, 3, padding="same", name="up")(image)
    x = layers.Conv2D(4, 1, activation="tanh", name="conv_a")(x)
    x = layers.Conv2D(4, 1, activation="tanh", name="conv_b")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="bigger")(x)
    said = refused(keras.Model(image, ops.sin(x), name="much"), "`much` cannot be exported")
    assert "`up` (Conv2DTranspose: no operation of graph files)" in said
    assert "`conv_a`, `conv_b` (tanh: activation tanh)" in said
    assert "`bigger` (UpSampling2D: interpolation `bilinear`; there is `nearest`)" in said
    assert "`sin` (keras.ops Sin: no operation of graph files)" in said


def test_the_published_layer_is_refused_with_what_is_wrong_with_it() -> None:
    said = refused(around(Squeeze_excitation_layer(4)), "reads variables that the model does not own")
    assert "squeeze_excitation_layer.dense_1" in said or ".dense" in said
    assert "make it once, in `__init__` or `build`" in said


def test_a_layer_that_only_a_closure_holds_is_not_the_models() -> None:
    hidden = layers.Dense(4, name="hidden")
    refused(around(layers.Lambda(lambda x: hidden(x), name="outer")), "`outer.hidden` .*does not own")


class Within(keras.Model):
    """A model that is run before it is traced, so that Keras does not see first what is wrong with its layer."""

    def __init__(self, layer: layers.Layer, **called: Any) -> None:
        super().__init__(name="around")
        self.layer = layer
        self.called = called

    def call(self, x: Any) -> Any:
        return self.layer(x, **self.called)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Within(Calling(lambda x: x if ops.sum(x) > 0 else -x)), "`layer` cannot be traced: TypeError"),
        (Within(Calling(lambda x: x * float(np.mean(x.numpy())))), "`layer` cannot be traced: AttributeError: .*numpy"),
        (
            Within(layers.BatchNormalization(), training=True),
            r"`layer` \(BatchNormalization: called with training=True",
        ),
        (Within(layers.Dropout(0.5), training=True), r"`layer` \(Dropout: called with training=True"),
    ],
    ids=["choice", "eager", "norm", "dropout"],
)
def test_what_a_subclass_does_that_no_graph_can_is_refused(model: keras.Model, message: str) -> None:
    refused(model, message, (8, 8, 4))


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization(name="layer"),
        layers.Dropout(0.5, name="layer"),
        layers.GaussianNoise(0.1, name="layer"),
        keras.Sequential([layers.BatchNormalization()], name="layer"),
    ],
    ids=["norm", "dropout", "noise", "model"],
)
def test_training_recorded_in_a_functional_model_is_refused_and_changes_nothing(layer: layers.Layer) -> None:
    image = keras.Input((8, 8, 4))
    inner = keras.Model(image, layers.Conv2D(4, 3)(layer(image, training=True)), name="inner")
    before = [np.asarray(variable.value) for variable in inner.variables if "seed" not in variable.name]
    refused(inner, rf"`layer` \({type(layer).__name__}: called with training=True")
    after = [np.asarray(variable.value) for variable in inner.variables if "seed" not in variable.name]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    refused(around(keras.Sequential([inner], name="outer")), r"`layer` .*called with training=True")


def random_factor(x: Any) -> Any:
    return x * keras.random.uniform((1,))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Calling(random_factor), "another output each time it is called: .* random outside of training"),
        (Calling(lambda x: x * ops.mean(x, (1, 2)), name="gate"), "cannot be run on an input of shape"),
        (Calling(lambda x: x * ops.mean(x, -1, keepdims=True), name="gate"), r"`gate/mean` .*mean over axes \[-1\]"),
        (Calling(lambda x: x * tf.ones((8, 8, 1), x.dtype), name="mask"), "not one number a channel"),
        (Calling(lambda x: tf.image.adjust_contrast(x, 2.0), name="contrast"), "`contrast"),
        (layers.BatchNormalization(axis=1, name="rows"), r"`rows` .*over axis 1 of a tensor of shape \[2, 8, 8, 4\]"),
        (layers.Softmax(axis=1, name="rows"), "softmax over axis 1"),
        (layers.Reshape((4, 64), name="rows"), r"a reshape from \[2, 8, 8, 4\] to \[2, 4, 64\]"),
        (layers.Permute((3, 1, 2), name="turned"), "`turned` .*no operation of graph files"),
        (layers.Resizing(4, 4, name="smaller"), "`smaller` .*no operation of graph files"),
        (layers.ReLU(max_value=2.0, name="two"), "max_value=2.0"),
        (layers.Identity(), "an output that no layer computes"),
        (lambda x: ops.cast(ops.cast(x, "uint8"), "float32"), r"`cast` .*a cast to uint8"),
        (layers.Flatten(name="flat"), "an output that is a flattened map, in another order"),
        (
            lambda x: layers.Multiply(name="gate")([layers.Dense(256)(y := layers.Flatten()(x)), y]),
            "`gate` .* which are in",
        ),
        (lambda x: layers.Add(name="sum")([layers.Dense(256)(y := layers.Flatten()(x)), y]), "`sum` .* which are in"),
        (lambda x: layers.ReLU(name="last")(layers.Flatten()(x)), "an output that is a flattened map"),
    ],
)
def test_what_cannot_be_said_is_refused(layer: Callable[[Any], Any], message: str) -> None:
    refused(around(layer), message)


def test_several_inputs_are_refused_by_name() -> None:
    left, right = keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 3), name="right")
    refused(keras.Model([left, right], layers.Add()([left, right])), r"has 2 inputs \(`left`, `right`\), expected one")


def test_a_shape_that_is_not_said_or_is_another_is_asked_for() -> None:
    refused(own_models.SENet(), "says nothing of its input's shape: say it with --input-shape HxWxC")
    refused(around(layers.ReLU(), (None, None, 3)), r"says \[None, None, 3\] of its input's shape")
    refused(own_models.functional(), r"takes inputs of shape \[12, 10, 3\], not \[12, 12, 3\]", (12, 12, 3))
    refused(around(layers.Dense(3), (5,)), r"takes inputs of shape \[5\], expected height, width and channels")


def test_what_was_understood_wrongly_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {**lowered_layers.ACTIVATIONS, "leaky_relu": ("leaky_relu", {"slope": 0.21})}
    monkeypatch.setattr(lowered_layers, "ACTIVATIONS", wrong)
    model = around(layers.Activation("leaky_relu", name="leaky"))
    refused(model, r"`leaky` \(leaky_relu\) of the graph differs from the model's by")


def test_a_wrong_epsilon_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    original = lowered_layers.batch_norm

    def other(network: Any, call: Any, layer: Any, x: Any) -> None:
        original(network, call, layer, x)
        network.graph.layers[-1].attributes["epsilon"] = 1.1e-3

    monkeypatch.setitem(lowered_layers.LAYERS, layers.BatchNormalization, other)
    refused(around(layers.BatchNormalization(name="norm")), r"`norm` \(batch_norm\) .* differs")


def test_the_tolerance_is_wider_than_float32_rounds_constants() -> None:
    model = around(layers.Normalization(mean=[0.1, 0.2, 0.3, 0.7], variance=[0.3, 0.7, 1.1, 0.9], name="norm"))
    prepared = prepare(ModelSource("model"), model)
    checked = export_checked(prepared.model, prepared.draw(np.random.default_rng(0), 2))
    assert 1e-10 < checked.error < checked_export.TOLERANCE
