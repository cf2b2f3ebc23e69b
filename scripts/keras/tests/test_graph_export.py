"""Models that people write, as graphs: every layer is there under its name and computes what the model does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from scripts.graph_file import Graph
from scripts.keras.checked_export import TOLERANCE_FLOAT32, Checked, export_checked
from scripts.keras.model_source import ModelSource, prepare
from scripts.keras.tests import own_models

pytestmark = pytest.mark.usefixtures("precision")


def exported(model: keras.Model, shape: tuple[int, ...] | None = None) -> Checked:
    """The graph of a model whose weights are all drawn, seen to compute what the model does."""
    random = np.random.default_rng(0)
    prepared = prepare(ModelSource("model", input_shape=shape), model)
    for variable in prepared.model.variables:
        if "float" in str(variable.dtype):
            drawn = random.uniform(0.5, 1.5, variable.shape) * random.choice([-1, 1], variable.shape)
            variable.assign(np.float32(np.abs(drawn) if "variance" in variable.path else drawn))
    checked = export_checked(prepared.model, prepared.draw(random, 2))
    checked.graph.check()
    return checked


def graph_of(model: keras.Model, shape: tuple[int, ...] | None = None) -> Graph:
    return exported(model, shape).graph


def ops_of(graph: Graph) -> dict[str, str]:
    return {layer.name: layer.op for layer in graph.layers}


def attributes(graph: Graph, name: str) -> dict[str, Any]:
    return next(layer.document() for layer in graph.layers if layer.name == name)


def test_a_functional_network_has_its_own_names() -> None:
    graph = graph_of(own_models.functional())
    assert graph.name == "own_functional"
    assert (graph.input_name, graph.input_shape, graph.layout) == ("photo", [12, 10, 3], "hwc")
    assert ops_of(graph) == {
        "rescale": "affine",
        "conv_a": "conv",
        "norm_a": "batch_norm",
        "leak_a": "leaky_relu",
        "se_a_squeeze/pool": "global_average_pool",
        "se_a_squeeze": "flatten",
        "se_a_fc1/pre": "linear",
        "se_a_fc1": "relu",
        "se_a_fc2/pre": "linear",
        "se_a_fc2": "sigmoid",
        "se_a_scale/unflatten": "unflatten",
        "se_a_scale": "scale",
        "pool_a": "max_pool",
        "deep_b/pre": "conv",
        "deep_b": "silu",
        "project_b": "conv",
        "add_b": "add",
        "flat": "flatten",
        "norm_flat": "batch_norm",
        "classes/pre": "linear",
        "classes": "softmax",
    }
    assert graph.outputs == ["classes"]
    assert attributes(graph, "leak_a")["slope"] == pytest.approx(0.3)
    assert attributes(graph, "deep_b/pre")["groups"] == 8
    assert attributes(graph, "norm_a") == {
        "name": "norm_a",
        "op": "batch_norm",
        "inputs": ["conv_a"],
        "epsilon": 1e-3,
        "weight": False,
    }
    assert graph.tensors["deep_b/pre.weight"].shape == (16, 1, 3, 3)


def test_a_flattened_map_is_read_channel_by_channel() -> None:
    model = own_models.functional()
    graph = graph_of(model)
    kernel = np.asarray(model.get_layer("classes").kernel)
    # Of the map of 6 x 5 pixels of 8 channels: row 2, column 3, channel 4.
    pixel, ours = (2 * 5 + 3) * 8 + 4, (4 * 6 + 2) * 5 + 3
    np.testing.assert_array_equal(graph.tensors["classes/pre.weight"][:, ours], kernel[pixel].astype(np.float32))
    gamma = np.asarray(model.get_layer("norm_flat").gamma)
    assert graph.tensors["norm_flat.weight"][ours] == np.float32(gamma[pixel])


def test_the_published_bottleneck_with_its_layer_mended() -> None:
    graph = graph_of(own_models.SENet(), (16, 16, 3))
    names = ops_of(graph)
    block = {name.removeprefix("blocks.0."): op for name, op in names.items() if name.startswith("blocks.0")}
    assert block == {
        "conv1": "conv",
        "bn1": "batch_norm",
        "relu": "relu",
        "conv2": "conv",
        "bn2": "batch_norm",
        "relu#2": "relu",
        "conv3": "conv",
        "bn3": "batch_norm",
        "se.avepool/pool": "global_average_pool",
        "se.avepool": "flatten",
        "se.dense": "linear",
        "se.relu": "relu",
        "se.dense2": "linear",
        "se.sigmoid": "sigmoid",
        "se.reshape": "unflatten",
        "se/multiply": "scale",
        "blocks.0/add": "add",
        "relu#3": "relu",
    }
    assert [name for name in names if not name.startswith("blocks")] == ["stem/pre", "stem", "pool/pool", "pool", "fc"]
    assert graph.blocks == ["blocks.0", "blocks.1"]


def test_a_sequence_with_what_vanishes_and_what_splits() -> None:
    graph = graph_of(own_models.sequential())
    assert ops_of(graph) == {
        "pad": "zero_pad",
        "separable/pre/depthwise": "conv",
        "separable/pre": "conv",
        "separable": "relu6",
        "mean": "average_pool",
        "most/pool": "global_max_pool",
        "most": "flatten",
        "fc": "linear",
    }
    assert attributes(graph, "mean")["padding_counts"] is False
    assert attributes(graph, "pad")["padding"] == [[0, 1], [0, 1]]


def test_a_shared_layer_is_two_layers_of_one_tensor() -> None:
    graph = graph_of(own_models.nested())
    assert list(ops_of(graph)) == ["shared", "shared#2", "inner.clip", "inner.mix", "both"]
    assert attributes(graph, "shared#2")["tensors"] == {"weight": "shared.weight", "bias": "shared.bias"}
    assert len(graph.tensors) == 4


def test_functions_and_operations_are_named_by_what_they_are_in() -> None:
    checked = exported(own_models.mixed())
    assert ops_of(checked.graph) == {
        "block/conv2d": "conv",
        "block/bias_add": "affine",
        "block/relu": "relu",
        "block/multiply": "affine",
        "block/reduce_mean/pool": "global_average_pool",
        "block/reduce_mean": "flatten",
        "block/reshape": "unflatten",
        "block/sigmoid": "sigmoid",
        "block/multiply_1": "scale",
        "block/subtract": "affine",
        "block/multiply_2": "learnt_factor",
        "block/true_divide": "multiply",
        "block": "add",
        "act": "hard_swish",
        "shuffle": "shuffle_channels",
        "split/0": "slice",
        "split/1": "slice",
        "multiply": "silu",
        "concatenate": "concat",
        "get_item": "crop",
        "mean": "global_average_pool",
        "conv/pre": "conv",
        "conv": "leaky_relu",
        "vector": "flatten",
    }


def test_what_networks_of_keras_applications_lack_is_there_all_the_same() -> None:
    ops = set(ops_of(graph_of(own_models.varied())).values())
    assert ops == {
        *("affine", "zero_pad", "conv", "layer_norm", "gelu", "group_norm", "gelu_tanh", "add", "max_pool"),
        *("pad_channels", "leaky_relu", "average_pool", "shuffle_channels", "slice", "global_average_pool", "flatten"),
        *("linear", "hard_sigmoid", "hard_sigmoid_keras2", "unflatten", "scale", "learnt_factor", "concat", "product"),
        *("multiply", "crop", "upsample", "upsample_like", "global_max_pool", "adaptive_average_pool", "softmax"),
    }


@pytest.mark.parametrize("groups", [2, 4])
def test_slices_convolutions_and_a_concatenation_are_a_grouped_convolution(groups: int) -> None:
    graph = graph_of(own_models.sliced_groups(groups))
    assert ops_of(graph) == {"grouped": "conv", "relu": "relu"}
    grouped = attributes(graph, "grouped")
    assert (grouped["groups"], grouped["out_channels"]) == (groups, 3 * groups)
    assert graph.tensors["grouped.weight"].shape == (3 * groups, 8 // groups, 3, 3)


def test_a_model_with_constants_of_float32_is_compared_in_float32() -> None:
    image = keras.Input((6, 6, 3))
    x = layers.Lambda(lambda z: z * tf.constant([1.0, 2.0, 3.0]) - tf.constant(0.1), name="prepare")(image)
    checked = exported(keras.Model(image, layers.Conv2D(4, 3, name="conv")(x)))
    assert ops_of(checked.graph) == {"prepare/multiply": "affine", "prepare": "affine", "conv": "conv"}
    assert 1e-9 < checked.error < TOLERANCE_FLOAT32


def unequal(change: Callable[[Any, int], Any]) -> keras.Model:
    """Slices, convolutions and a concatenation that are no grouped convolution."""
    image = keras.Input((6, 6, 8))
    parts = [layers.Conv2D(2, 3, name=f"part_{at}")(change(image, at)) for at in range(2)]
    return keras.Model(image, layers.Concatenate(name="all")(parts))


@pytest.mark.parametrize(
    "change",
    [
        lambda x, at: x[..., 4 - 4 * at : 8 - 4 * at],
        lambda x, at: x[..., 3 * at : 3 * at + 3],
        lambda x, at: ops.relu(x[..., 4 * at : 4 * at + 4]),
    ],
    ids=["swapped", "not all channels", "with more between"],
)
def test_what_looks_like_a_grouped_convolution_stays_as_it_is(change: Callable[[Any, int], Any]) -> None:
    assert ops_of(graph_of(unequal(change)))["all"] == "concat"


class PadAndConvolve(layers.Layer):
    """Channels of zeros behind the others, as a shortcut without weights has them, and a convolution in slices."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.kernels = [self.add_weight(shape=(1, 1, 4, 2), name=f"kernel_{at}") for at in range(2)]

    def call(self, x: Any) -> Any:
        wide = tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, 5]], name="wide")
        parts = [
            tf.nn.conv2d(wide[..., 4 * at : 4 * at + 4], kernel, 1, "SAME") for at, kernel in enumerate(self.kernels)
        ]
        return tf.concat(parts, -1)


def test_padded_channels_are_told_by_how_many_are_added() -> None:
    graph = graph_of(keras.Model(image := keras.Input((6, 6, 3)), PadAndConvolve(name="layer")(image)))
    assert ops_of(graph) == {"layer/pad": "pad_channels", "layer": "conv"}
    assert attributes(graph, "layer/pad") == {
        "name": "layer/pad",
        "op": "pad_channels",
        "inputs": ["input"],
        "channels": 5,
    }
    assert attributes(graph, "layer")["groups"] == 2


@pytest.mark.parametrize("shape", [(1, 1, 5), (4, 3, 1)])
def test_a_flattened_map_of_one_pixel_or_channel_is_an_output(shape: tuple[int, int, int]) -> None:
    image = keras.Input(shape)
    graph = graph_of(keras.Model(image, layers.Flatten(name="flat")(layers.ReLU(name="relu")(image))))
    assert (ops_of(graph), graph.outputs) == ({"relu": "relu", "flat": "flatten"}, ["flat"])


@pytest.mark.parametrize("function", [lambda x: ops.max(x, (1, 2), True), lambda x: tf.reduce_max(x, [1, 2], True)])
def test_the_largest_of_all_pixels_is_of_any_size(function: Callable[[Any], Any]) -> None:
    image = keras.Input((6, 7, 3))
    graph = graph_of(keras.Model(image, layers.Lambda(function, name="most")(layers.ReLU(name="relu")(image))))
    assert attributes(graph, "most") == {"name": "most", "op": "global_max_pool", "inputs": ["relu"]}


def test_what_a_model_returns_twice_is_one_output() -> None:
    image = keras.Input((6, 6, 3))
    x = layers.ReLU(name="relu")(image)
    y = layers.Conv2D(2, 1, name="conv")(x)
    graph = graph_of(keras.Model(image, [y, x, layers.Dropout(0.5)(y)]))
    assert graph.outputs == ["conv", "relu"]


def test_an_input_of_whole_numbers_is_cast_to_what_it_is() -> None:
    image = keras.Input((6, 6, 3), dtype="uint8")
    x = layers.Rescaling(1 / 255, name="rescale")(image)
    graph = graph_of(keras.Model(image, layers.Conv2D(4, 3, name="conv")(x)))
    assert ops_of(graph) == {"rescale": "multiply", "conv": "conv"}


def test_what_no_cpu_convolves_in_float64_is_computed_in_float32() -> None:
    image = keras.Input((4, 6, 5))
    x = layers.Conv2D(3, 2, data_format="channels_first", name="conv")(image)
    assert prepare(ModelSource("model"), keras.Model(image, x)).dtype == "float32"


def test_channels_first_networks_are_exported_as_such() -> None:
    image = keras.Input((4, 6, 5))
    first = {"data_format": "channels_first"}
    x = layers.ZeroPadding2D(((0, 1), (1, 0)), **first)(image)
    x = layers.BatchNormalization(axis=1, name="norm")(x)
    x = layers.MaxPooling2D(2, **first, name="most")(x)
    y = layers.GlobalAveragePooling2D(keepdims=True, **first, name="mean")(x)
    x = layers.Flatten(name="flat", **first)(layers.Multiply(name="scale")([x, y]))
    graph = graph_of(keras.Model(image, layers.Dense(3, name="fc")(x)))
    assert (graph.layout, graph.input_shape) == ("chw", [4, 6, 5])
    assert ops_of(graph)["scale"] == "scale"
