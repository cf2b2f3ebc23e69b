"""The code that the page on dumps shows for Keras writes what a model computes, as `senet parity` reads it."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
from safetensors import safe_open

from scripts.page_code import DUMPS, code_of, names_of


def test_every_layer_of_keras_is_dumped(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 3)).astype("float32")
    inputs = keras.Input((6, 5, 3))
    conv = keras.layers.Conv2D(4, 3, name="block1_conv")(inputs)
    twice = keras.layers.ReLU(6, name="relu")
    shared = twice(twice(conv) - 1)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.Dropout(0.5)(shared))
    twice(pooled)  # a call that is not the model's
    model = keras.Model(inputs, keras.layers.Dense(2, name="logits")(pooled))

    file = tmp_path / "dump.safetensors"
    names_of(DUMPS, "From Keras")["dump"](model, x, str(file))
    with safe_open(file, "np") as dump:
        metadata = dump.metadata()
        values = {name: dump.get_tensor(name) for name in dump.keys()}  # noqa: SIM118
    order = json.loads(metadata["order"])
    order = [name for name in order if not name.startswith("subtract")]
    assert order == ["input", "block1_conv", "relu", "relu#2", "pool", "logits", "output"]
    assert {*order} <= {*values}
    assert metadata["layout"] == "nhwc"
    assert metadata["framework"] == f"keras {keras.__version__}"

    np.testing.assert_array_equal(values["input"], x)
    before = keras.ops.convert_to_numpy(model.get_layer("block1_conv")(x))
    assert before.min() < 0
    np.testing.assert_allclose(values["block1_conv"], before, rtol=0, atol=1e-6)
    first = np.clip(before, 0, 6)
    np.testing.assert_allclose(values["relu"], first, rtol=0, atol=1e-6)
    np.testing.assert_allclose(values["relu#2"], np.maximum(first - 1, 0), rtol=0, atol=1e-6)
    expected = keras.ops.convert_to_numpy(model(x))
    np.testing.assert_allclose(values["output"], expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(values["output"], values["logits"])


def test_the_code_for_keras_takes_some_twenty_lines() -> None:
    assert len(code_of(DUMPS, "From Keras").splitlines()) <= 25
