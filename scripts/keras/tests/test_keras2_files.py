"""Files of Keras 2: what they compute there is what the graph computes, or they are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from scripts.keras import export, keras2_files
from scripts.keras.checked_export import export_checked
from scripts.keras.interpreter import Interpreter
from scripts.keras.model_source import ModelSource, prepare

pytestmark = pytest.mark.usefixtures("precision")

FILES = Path(__file__).parent / "files"


def difference(file: Path) -> float:
    """Of what the graph computes from what Keras 2 did."""
    with h5py.File(file) as content:
        x, expected = np.asarray(content["made/input"]), np.asarray(content["made/output"])
    prepared = prepare(ModelSource(str(file)))
    graph = export_checked(prepared.model, x.astype(np.float64)).graph
    interpreter = Interpreter(graph, x)
    for layer in graph.layers:
        found = interpreter.step(layer)
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def test_a_file_of_keras_2_is_what_it_was_there() -> None:
    # What Keras 2 computed is in float32.
    assert difference(FILES / "keras2_mobile.h5") < 1e-6


def test_as_keras_3_reads_hard_sigmoid_it_would_be_another_network(tmp_path: Path) -> None:
    file = tmp_path / "model.h5"
    shutil.copy(FILES / "keras2_mobile.h5", file)
    with h5py.File(file, "r+") as content:
        config = json.loads(keras2_files.text_of(content.attrs["model_config"]))
        content.attrs["model_config"] = json.dumps(keras2_files.mended(config, file)).replace(
            "senet>hard_sigmoid_keras2", "hard_sigmoid"
        )
        content.attrs["keras_version"] = "3.0.0"
    assert difference(file) > 1e-2


def test_functions_of_tensorflow_in_a_file_are_refused_with_what_to_do(tmp_path: Path) -> None:
    message = r"has 3 functions of TensorFlow in its graph \(.*`tf.nn.relu6`.*\).*export the code that makes the model"
    with pytest.raises(SystemExit, match=message):
        export.main([str(FILES / "keras2_functions.h5"), "--output", str(tmp_path / "graph.safetensors")])


def test_a_keras_file_of_keras_2_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"was written by Keras 2.*save the model as \.h5"):
        export.main([str(FILES / "keras2_mobile.keras"), "--output", str(tmp_path / "graph.safetensors")])


def test_hard_sigmoid_of_keras_3_is_its_own(tmp_path: Path) -> None:
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, keras.layers.Activation("hard_sigmoid", name="hard")(image))
    file = tmp_path / "model.h5"
    model.save(file)
    prepared = prepare(ModelSource(str(file)))
    graph = export_checked(prepared.model, prepared.draw(np.random.default_rng(0), 2)).graph
    assert [layer.op for layer in graph.layers] == ["hard_sigmoid"]
