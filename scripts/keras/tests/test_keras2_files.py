"""Files of Keras 2: what they compute there is what the graph computes, or they are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from scripts.keras import export, keras2_files
from scripts.keras.checked_export import export_checked
from scripts.keras.interpreter import Interpreter
from scripts.keras.model_source import ModelSource, prepare
from scripts.keras.tests import keras2_gates

pytestmark = pytest.mark.usefixtures("precision")

FILES = Path(__file__).parent / "files"

GATES = Path(keras2_gates.__file__)


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
        content.attrs["model_config"] = json.dumps(keras2_files.mended(config, file))
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


def ops_of(source: ModelSource) -> set[str]:
    prepared = prepare(source)
    graph = export_checked(prepared.model, prepared.draw(np.random.default_rng(0), 2)).graph
    return {layer.op for layer in graph.layers if layer.op not in ("conv", "product")}


@pytest.mark.parametrize("gate", ["Named", "Called", "Held"])
def test_hard_sigmoid_of_a_custom_layer_is_that_of_the_keras_that_wrote_the_file(gate: str, tmp_path: Path) -> None:
    file = tmp_path / "model.h5"
    keras2_gates.around(getattr(keras2_gates, gate)()).save(file)
    new = {"Named": "hard_swish"}.get(gate, "hard_sigmoid")
    assert ops_of(ModelSource(str(file), imports=[GATES])) == {new}
    with h5py.File(file, "r+") as content:
        content.attrs["keras_version"] = "2.12.0"
    assert ops_of(ModelSource(str(file), imports=[GATES])) == {"hard_sigmoid_keras2"}
    with h5py.File(file, "r+") as content:
        content.attrs["keras_version"] = "3.0.0"
    assert ops_of(ModelSource(str(file), imports=[GATES])) == {new}


def weights(model: keras.Model, file: Path, version: str) -> Path:
    """As `save_weights` of Keras 2 writes them."""
    with h5py.File(file, "w") as content:
        legacy_h5_format.save_weights_to_hdf5_group(content, model)
        content.attrs["keras_version"] = version
    return file


def test_hard_sigmoid_of_code_is_that_of_the_keras_that_wrote_the_weights(tmp_path: Path) -> None:
    old = weights(keras2_gates.build(), tmp_path / "old.h5", "2.12.0")
    new = weights(keras2_gates.build(), tmp_path / "new.h5", "3.0.0")
    word = f"{GATES}:build"
    assert ops_of(ModelSource(word, weights=old)) == {"hard_sigmoid_keras2"}
    assert ops_of(ModelSource(word, weights=new)) == {"hard_sigmoid", "hard_swish"}
    assert ops_of(ModelSource(word)) == {"hard_sigmoid", "hard_swish"}


def test_the_operation_of_keras_3_with_weights_of_keras_2_is_refused(tmp_path: Path) -> None:
    old = weights(keras2_gates.build_of_operation(), tmp_path / "old.h5", "2.12.0")
    with pytest.raises(ValueError, match=r"`hard` .*hard_sigmoid of Keras 3.*weights of Keras 2.*0\.2 x \+ 0\.5"):
        ops_of(ModelSource(f"{GATES}:build_of_operation", weights=old))
