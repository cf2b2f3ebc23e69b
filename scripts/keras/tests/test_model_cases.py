"""Cases and dumps of any model: every layer of the graph, in the framework's own words and from lively weights."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from scripts.graph_file import read_graph
from scripts.keras import dump_activations, export, model_cases
from scripts.keras.checked_export import share
from scripts.keras.interpreter import Interpreter
from scripts.keras.tests import own_models

pytestmark = pytest.mark.usefixtures("precision")

OWN = f"{Path(__file__).parent / 'own_models.py'}"


def check_dump(weights: Path, dump: Path) -> int:
    """See that a dump has every layer of a graph as the graph computes it, and count them."""
    graph, dumped = read_graph(weights), safetensors.numpy.load_file(dump)
    interpreter = Interpreter(graph, dumped["input"])
    # What Keras has no value of: it computes both convolutions of a separable one at once, stretches in a sum.
    lacking = {layer.name for layer in graph.layers if layer.name.endswith(("/pre/depthwise", "/like"))}
    for layer in graph.layers:
        found = interpreter.step(layer)
        if layer.name in lacking:
            continue
        expected = dumped[layer.name]
        assert expected.dtype == np.float64
        assert found.shape == expected.shape, layer.name
        # Constants of the file are float32; in these few layers that does not grow.
        assert share(found, expected) < 1e-6, layer.name
    np.testing.assert_array_equal(dumped["output"], dumped[graph.outputs[0]])
    names = {layer.name for layer in graph.layers} - lacking
    assert set(dumped) == names | set(graph.blocks) | {"input", "output"}
    with safetensors.safe_open(dump, framework="numpy") as content:
        assert content.metadata()["network"] == graph.name
        assert content.metadata()["layout"] == "nhwc"
    return len(graph.layers)


def test_a_case_is_lively_has_every_layer_and_is_the_same_every_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("one", "two"):
        model_cases.main(["MobileNetV3Small@33x47", "--output", str(tmp_path / folder), "--seed", "5"])
    assert "gates" in (said := capsys.readouterr().out)
    assert "TensorFlow's own float32 by" in said
    cases = [tmp_path / folder / "MobileNetV3Small-33x47" for folder in ("one", "two")]
    for file in ("weights.safetensors", "reference.safetensors"):
        one, two = (case / file for case in cases)
        assert one.read_bytes() == two.read_bytes()
    layers = check_dump(cases[0] / "weights.safetensors", cases[0] / "reference.safetensors")
    assert layers == 162
    ops = {layer.op for layer in read_graph(cases[0] / "weights.safetensors").layers}
    assert {"hard_swish", "hard_sigmoid", "scale", "unflatten"} & ops == {"hard_swish", "hard_sigmoid", "scale"}


@pytest.mark.parametrize("model", ["functional", "sequential", "mixed", "varied"])
def test_a_dump_of_a_model_has_the_names_of_its_file(model: str, tmp_path: Path) -> None:
    weights, dump = tmp_path / "weights.safetensors", tmp_path / "dump.safetensors"
    for program, file in ((export, weights), (dump_activations, dump)):
        program.main([f"{OWN}:{model}", "--output", str(file), "--seed", "3"])
    assert check_dump(weights, dump) > 5


def test_a_subclassed_network_is_exported_and_dumped_by_its_blocks(tmp_path: Path) -> None:
    weights, dump = tmp_path / "weights.safetensors", tmp_path / "dump.safetensors"
    words = [f"{OWN}:SENet", "--input-shape", "16x16x3", "--seed", "3"]
    export.main([*words, "--output", str(weights)])
    dump_activations.main([*words, "--output", str(dump)])
    check_dump(weights, dump)
    dumped = safetensors.numpy.load_file(dump)
    np.testing.assert_array_equal(dumped["blocks.1"], dumped["blocks.1.relu#3"])
    dump_activations.main([*words, "--output", str(dump), "--values", "blocks", "--dtype", "float32"])
    assert set(safetensors.numpy.load_file(dump)) == {"input", "blocks.0", "blocks.1", "output"}


def test_weights_of_a_file_are_those_that_are_exported(tmp_path: Path) -> None:
    keras.utils.set_random_seed(9)
    model = own_models.functional()
    saved, graph = tmp_path / "own.weights.h5", tmp_path / "graph.safetensors"
    model.save_weights(saved)
    export.main([f"{OWN}:functional", "--weights", str(saved), "--output", str(graph)])
    stored = safetensors.numpy.load_file(graph)
    kernel = np.asarray(model.get_layer("conv_a").kernel)
    np.testing.assert_array_equal(stored["conv_a.weight"], kernel.transpose(3, 2, 0, 1))


def test_a_keras_file_of_classes_needs_the_module_that_has_them(tmp_path: Path) -> None:
    file, graph = tmp_path / "own.keras", tmp_path / "graph.safetensors"
    own_models.mixed().save(file)
    with pytest.raises(SystemExit, match=r"cannot be loaded: .*: name the module of its class with --import"):
        export.main([str(file), "--output", str(graph)])
    export.main([str(file), "--import", OWN, "--output", str(graph)])
    assert "act" in {layer.name for layer in read_graph(graph).layers}


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_code_in_a_file_is_run_only_where_that_is_asked_for(suffix: str, tmp_path: Path) -> None:
    file, graph = tmp_path / f"own.{suffix}", tmp_path / "graph.safetensors"
    image = keras.Input((6, 6, 4))
    keras.Model(image, keras.layers.Lambda(lambda x: x * 2.0 + 1.0, name="twice")(image)).save(file)
    words = [str(file), "--output", str(graph)]
    with pytest.raises(SystemExit, match=r"cannot be loaded: .*it holds code: with --unsafe that is run"):
        export.main(words)
    export.main([*words, "--unsafe"])
    assert [layer.name for layer in read_graph(graph).layers] == ["twice/multiply", "twice"]


def test_labels_and_preprocessing_are_kept(tmp_path: Path) -> None:
    graph, names, prepared = tmp_path / "graph.safetensors", tmp_path / "labels.txt", tmp_path / "prepared.json"
    names.write_text("cat\ndog\nbird\nfish\n")
    prepared.write_text('{"size": [9, 9]}')
    words = [f"{OWN}:sequential", "--output", str(graph), "--labels", str(names)]
    export.main([*words, "--preprocessing", str(prepared)])
    with safetensors.safe_open(graph, framework="numpy") as content:
        metadata = content.metadata()
    assert metadata["labels"] == '["cat", "dog", "bird", "fish"]'
    assert metadata["preprocessing"] == '{"size": [9, 9]}'
    names.write_text("cat\n")
    with pytest.raises(SystemExit, match=r"--labels has 1 names, for a model with outputs of shape \[2, 4\]"):
        export.main(words)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("nothing.keras", "`nothing.keras` is no file and no network; expected a .keras or .h5 file"),
        ("keras.applications.ResNet51", "keras.applications has no `ResNet51`; it has ConvNeXtBase, "),
        (".", "`.` is a SavedModel, which holds no layers"),
        (f"{OWN}:nothing", "has no `nothing`"),
        (f"{OWN}:gate", "fails: TypeError"),
        ("missing.py:model", "`missing.py` is no file"),
    ],
)
def test_words_that_are_no_model_are_refused(word: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        export.main([word, "--output", str(tmp_path / "graph.safetensors")])


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_a_file_of_weights_alone_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "own.weights.h5"
    own_models.sequential().save_weights(file)
    with pytest.raises(SystemExit, match=r"holds weights alone: say `module.py:factory --weights own.weights.h5`"):
        export.main([str(file), "--output", str(tmp_path / "graph.safetensors")])
    with pytest.raises(SystemExit, match=r"`.*own.weights.h5` does not fit `own_functional`"):
        export.main([f"{OWN}:functional", "--weights", str(file), "--output", str(tmp_path / "graph.safetensors")])


def test_a_dump_is_not_made_of_a_graph_file(tmp_path: Path) -> None:
    graph = tmp_path / "graph.safetensors"
    export.main([f"{OWN}:sequential", "--output", str(graph)])
    with pytest.raises(SystemExit, match="describes a network of its own: say the MODEL that it was exported from"):
        dump_activations.main([str(graph), "--output", str(tmp_path / "dump.safetensors")])


def test_a_reference_network_can_be_described_too(tmp_path: Path) -> None:
    file = tmp_path / "graph.safetensors"
    export.main(["seresnet20", "--graph", "--output", str(file)])
    graph = read_graph(file)
    names = {layer.name: layer.op for layer in graph.layers}
    assert names["layer3.2.conv2"] == "conv"
    assert names["fc"] == "linear"
    assert sum(op == "scale" for op in names.values()) == 9
    export.main(["seresnet20", "--output", str(file)])
    assert "layer3.2.se.fc1.kernel" in safetensors.numpy.load_file(file)
