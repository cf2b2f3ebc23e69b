"""Weights files: from a checkpoint to a file and back into a model."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import safetensors.numpy

from scripts.keras import cifar10, export, reference, train_cifar10, weights_file
from scripts.safetensors_file import write_safetensors


@pytest.mark.parametrize("network", ["se_block", "se_bottleneck", "seresnet20"])
def test_exported_weights_come_back(network: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    export.main(["--network", network, "--seed", "3", "--output", str(file)])
    stored = safetensors.numpy.load_file(file)
    model = reference.build(network)
    weights_file.load_weights(model, file)
    loaded = {name: np.asarray(variable.value) for name, variable in reference.named_weights(model).items()}
    assert stored.keys() == loaded.keys()
    assert len(stored) == len(model.weights)
    for name, tensor in stored.items():
        np.testing.assert_array_equal(loaded[name], tensor, err_msg=name)


def test_tensors_are_named_as_the_layers_and_laid_out_as_keras_has_them(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    export.main(["--network", "seresnet20", "--output", str(file)])
    shapes = {name: tensor.shape for name, tensor in safetensors.numpy.load_file(file).items()}
    assert shapes["conv1.kernel"] == (3, 3, 3, 16)
    assert shapes["layer2.0.downsample.0.kernel"] == (1, 1, 16, 32)
    assert shapes["layer1.0.bn1.moving_variance"] == (16,)
    assert shapes["layer3.0.se.fc1.kernel"] == (64, 8)
    assert shapes["fc.kernel"] == (64, 10)
    export.main(["--network", "se_block", "--output", str(file)])
    assert set(safetensors.numpy.load_file(file)) == {"fc1.kernel", "fc1.bias", "fc2.kernel", "fc2.bias"}


@pytest.mark.parametrize("network", ["se_block", "se_bottleneck"])
def test_gates_spelt_as_convolutions_come_back_as_dense_layers(network: str, tmp_path: Path) -> None:
    dense, conv = tmp_path / "dense.safetensors", tmp_path / "conv.safetensors"
    export.main(["--network", network, "--output", str(dense)])
    export.main(["--network", network, "--output", str(conv), "--se-spelling", "conv"])
    expected, found = safetensors.numpy.load_file(dense), safetensors.numpy.load_file(conv)
    changed = {name for name in expected if expected[name].shape != found[name].shape}
    assert {name.rpartition("se.")[2] for name in changed} == {"fc1.kernel", "fc2.kernel"}
    assert all(found[name].shape == (1, 1, *expected[name].shape) for name in changed)
    model = reference.build(network)
    weights_file.load_weights(model, conv)
    for name, variable in reference.named_weights(model).items():
        np.testing.assert_array_equal(variable.value, expected[name], err_msg=name)


def test_a_file_names_the_convention_of_its_network(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    for network, convention in {"se_block": "keras", "se_bn_inception": "cadene"}.items():
        export.main(["--network", network, "--output", str(file)])
        with safetensors.safe_open(file, framework="numpy") as content:
            assert content.metadata()["convention"] == convention


@pytest.mark.usefixtures("precision")
def test_a_training_checkpoint_is_exported_as_the_plain_network(tiny: str, images: Path, tmp_path: Path) -> None:
    run = ["--train", str(images), "--test", str(images), "--output", str(tmp_path)]
    train_cifar10.main([tiny, *run, "--epochs", "1", "--batch-size", "16"])
    file = tmp_path / "weights.safetensors"
    checkpoint = tmp_path / train_cifar10.CHECKPOINT
    export.main([str(checkpoint), "--output", str(file), "--test", str(images)])

    with safetensors.safe_open(file, framework="numpy") as content:
        metadata = content.metadata()
    assert metadata["network"] == tiny
    assert metadata["convention"] == "keras"
    assert json.loads(metadata["labels"])[3] == "cat"
    assert json.loads(metadata["preprocessing"])["size"] == [32, 32]
    assert json.loads(metadata["recipe"])["policy"] == "mixed_bfloat16"

    trained = keras.models.load_model(checkpoint, compile=False)
    model = reference.build(tiny, cifar10.SIZE)
    weights_file.load_weights(model, file)
    for name, variable in reference.named_weights(trained).items():
        np.testing.assert_array_equal(reference.named_weights(model)[name].value, variable.value, err_msg=name)
    assert model.layers[1].compute_dtype == "float32"
    assert metadata["test_accuracy"] == f"{cifar10.accuracy(model, *cifar10.load(images)):.4f}"


def test_a_file_that_lacks_a_tensor_or_has_a_wrong_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    model = reference.build("se_block")
    weights_file.save_weights(model, file)
    tensors = safetensors.numpy.load_file(file)

    def refused(changed: dict[str, reference.Values], message: str) -> None:
        write_safetensors(file, changed, {})
        with pytest.raises(ValueError, match=message):
            weights_file.load_weights(model, file)

    refused({name: tensor for name, tensor in tensors.items() if name != "fc2.bias"}, "lacks `fc2.bias`")
    refused(tensors | {"fc3.bias": tensors["fc2.bias"]}, "has `fc3.bias`, which se_block lacks")
    transposed = np.ascontiguousarray(tensors["fc1.kernel"].T)
    refused(tensors | {"fc1.kernel": transposed}, r"shape \[16, 32\], expected \[32, 16\]")


def test_what_is_no_keras_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    file.write_text("no model")
    with pytest.raises(SystemExit, match="error: "):
        export.main([str(file), "--output", str(tmp_path / "weights.safetensors")])


def changed(model: keras.Model, **more: float) -> keras.Model:
    """A model with the same layers and weights, some of whose settings are others."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        return type(layer).from_config({**config, **{key: value for key, value in more.items() if key in config}})

    copy: keras.Model = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def metadata_of_export(model: keras.Model, folder: Path) -> dict[str, str]:
    file, output = folder / "model.keras", folder / "exported.safetensors"
    model.save(file)
    export.main([str(file), "--output", str(output)])
    with safetensors.safe_open(output, framework="numpy") as content:
        metadata: dict[str, str] = content.metadata()
    return metadata


@pytest.mark.usefixtures("precision")
def test_what_computes_otherwise_than_the_reference_network_of_its_name_is_a_graph(tiny: str, tmp_path: Path) -> None:
    model = reference.build(tiny, cifar10.SIZE)
    assert metadata_of_export(changed(model), tmp_path)["network"] == tiny
    # Keras's own default beside that of PyTorch: seen in float64, whatever the weights.
    metadata = metadata_of_export(changed(model, epsilon=1.1e-3), tmp_path)
    assert "network" not in metadata
    graph = json.loads(metadata["graph"])
    assert {layer["epsilon"] for layer in graph["layers"] if layer["op"] == "batch_norm"} == {1.1e-3}


@pytest.mark.usefixtures("precision")
def test_a_checkpoint_that_computes_otherwise_is_refused(tiny: str, tmp_path: Path) -> None:
    (tmp_path / train_cifar10.RECIPE).write_text("{}")
    model = reference.build(tiny, cifar10.SIZE)
    assert metadata_of_export(changed(model), tmp_path)["network"] == tiny
    with pytest.raises(SystemExit, match=f"{tiny} .* computes something else"):
        metadata_of_export(changed(model, epsilon=0.1), tmp_path)
