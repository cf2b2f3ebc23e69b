"""Files and cases of keras.applications' networks: what they hold, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from scripts.keras import applications, reference

pytestmark = pytest.mark.usefixtures("precision")

SMALLEST = "MobileNetV3Small"
SIZE = (33, 47)


def metadata(file: Path) -> dict[str, str]:
    with safetensors.safe_open(file, framework="numpy") as content:
        said: dict[str, str] = content.metadata()
    return said


def saved(model: keras.Model, folder: Path) -> str:
    file = folder / "model.keras"
    model.save(file)
    return str(file)


def normalised(model: keras.Model, pixels: reference.Values) -> tuple[reference.Values, reference.Values]:
    """Pixels as a file's metadata says that they are prepared, and what the model itself makes of them."""
    said: dict[str, Any] = applications.preprocessing(model, pixels.shape[1:3])
    ours = (pixels / said["divisor"] - said["mean"]) / said["std"]
    return ours, np.asarray(keras.Model(model.input, applications.prepared(model))(pixels))


@pytest.fixture
def pixels() -> reference.Values:
    return np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)).astype(np.float32)


def test_a_case_has_every_block_and_gate_and_is_the_same_every_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("one", "two"):
        applications.main([f"{SMALLEST}@33x47", "--case", str(tmp_path / folder), "--seed", "5"])
    said = capsys.readouterr().out
    assert said.startswith(f"{SMALLEST}-33x47: gates ")
    assert "float32 is off by" in said
    for file in ("weights.safetensors", "reference.safetensors"):
        one, two = (tmp_path / folder / f"{SMALLEST}-33x47" / file for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()

    case = tmp_path / "one" / f"{SMALLEST}-33x47"
    dump = safetensors.numpy.load_file(case / "reference.safetensors")
    blocks = ["0.0", "1.0", "1.1", "2.0", "2.1", "2.2", "3.0", "3.1", "4.0", "4.1", "4.2", "5.0"]
    gated = [block for block in blocks if block[0] not in "15"]
    expected = {f"blocks.{block}" for block in blocks} | {f"blocks.{block}.se.gate" for block in gated}
    assert set(dump) == expected | {"input", "output"}
    assert dump["blocks.1.1"].shape == (2, 5, 6, 24)
    assert dump["blocks.5.0"].shape == (2, 2, 2, 576)
    assert dump["output"].shape == (2, 1000)
    assert dump["output"].dtype == np.float64
    np.testing.assert_array_equal(dump["input"], np.clip(np.rint(dump["input"]), 0, 255))
    assert metadata(case / "reference.safetensors").items() >= {"layout": "nhwc", "input": "pixels"}.items()

    stored = safetensors.numpy.load_file(case / "weights.safetensors")
    assert stored["conv.kernel"].shape == (3, 3, 3, 16)
    assert stored["expanded_conv_10_depthwise.kernel"].shape == (5, 5, 576, 1)
    assert stored["expanded_conv_squeeze_excite_conv_1.bias"].shape == (16,)
    assert stored["logits.kernel"].shape == (1, 1, 1024, 1000)
    # The dump is what the weights of the file compute.
    model = applications.fresh(SMALLEST, *SIZE)
    named = dict(applications.named_weights(model, applications.APPLICATIONS[SMALLEST]))
    assert named.keys() == stored.keys()
    for name, variable in named.items():
        variable.assign(stored[name])
    np.testing.assert_allclose(np.asarray(model(dump["input"])), dump["output"], rtol=1e-12)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"GATE_BIAS": (-0.1, 0.1), "GATE_GAINS": dict.fromkeys(applications.GATE_GAINS, 0.1)}, "spread by less than"),
        ({"pixels_of": lambda images: np.full_like(images, 127.0)}, r"outputs differ by 0\.000"),
        ({"FLOAT32_ERROR": 1e-9}, "float32 is off by .*, more than 1e-09"),
    ],
)
def test_a_case_that_could_not_tell_right_from_wrong_is_invalid(
    changed: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in changed.items():
        monkeypatch.setattr(applications, name, value)
    with pytest.raises(SystemExit, match=f"error: {SMALLEST}-33x47: invalid case: .*{message}"):
        applications.main([f"{SMALLEST}@33x47", "--case", str(tmp_path)])
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_trained_model_is_written_with_every_variable_of_it(tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    model = keras.applications.MobileNetV3Small(weights=None, input_shape=(64, 64, 3), classes=7)
    file = tmp_path / "weights.safetensors"
    applications.main([SMALLEST, "--model", saved(model, tmp_path), "--output", str(file)])
    stored = safetensors.numpy.load_file(file)
    assert len(stored) == len(model.weights)
    np.testing.assert_array_equal(stored["logits.kernel"], model.get_layer("logits").kernel)
    np.testing.assert_array_equal(stored["conv_1_bn.gamma"], model.get_layer("conv_1_bn").gamma)
    said = metadata(file)
    assert said["network"] == "keras_mobilenetv3_small"
    prepared = json.loads(said["preprocessing"])
    assert prepared["size"] == [64, 64]
    np.testing.assert_allclose(prepared["mean"], 0.5, rtol=1e-6)
    np.testing.assert_allclose(prepared["std"], 0.5, rtol=1e-6)


def test_what_is_adapted_to_pixels_is_written_and_said(tmp_path: Path, pixels: reference.Values) -> None:
    model = keras.applications.EfficientNetB0(weights=None, input_shape=(*SIZE, 3))
    layer = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    layer.adapt(np.array([0.1, 0.2, 0.4], np.float32) * pixels / 255)
    ours, keras_own = normalised(model, pixels)
    # Single precision, of values of up to 9.
    np.testing.assert_allclose(ours, keras_own, rtol=0, atol=1e-5)
    file = tmp_path / "weights.safetensors"
    applications.write(model, applications.APPLICATIONS["EfficientNetB0"], file)
    np.testing.assert_array_equal(safetensors.numpy.load_file(file)["normalization.mean"], layer.adapt_mean)


@pytest.mark.parametrize("name", ["MobileNetV3Large", "EfficientNetV2B0", "EfficientNetV2S"])
def test_pixels_are_said_to_be_prepared_as_the_model_prepares_them(name: str, pixels: reference.Values) -> None:
    ours, keras_own = normalised(applications.fresh(name, *SIZE), pixels)
    np.testing.assert_allclose(ours, keras_own, rtol=0, atol=1e-5)


def test_what_is_not_the_same_for_every_pixel_or_darkens_is_refused() -> None:
    image = keras.Input((*SIZE, 3))

    def model(layer: keras.layers.Layer) -> keras.Model:
        return keras.Model(image, keras.layers.Conv2D(4, 3)(layer(image)))

    place = keras.layers.Normalization(axis=(1, 2, 3))
    place.adapt(np.random.default_rng(0).uniform(0, 255, (4, *SIZE, 3)))
    with pytest.raises(ValueError, match="not the same for every pixel"):
        applications.preprocessing(model(place), SIZE)
    for scale in (0.0, -1.0):
        with pytest.raises(ValueError, match="does not make brighter pixels larger"):
            applications.preprocessing(model(keras.layers.Rescaling(scale)), SIZE)


@pytest.mark.parametrize(
    ("name", "made", "message"),
    [
        (SMALLEST, {"include_top": False}, "has no classifier"),
        (SMALLEST, {"alpha": 0.75}, r"`expanded_conv_3_project.kernel` has shape \(1, 1, 96, 32\), expected \(1"),
        (SMALLEST, {"minimalistic": True}, r"`expanded_conv_squeeze_excite_conv.kernel` has shape none, expected"),
        ("MobileNetV3Large", {}, r"is not MobileNetV3Large as it is by default: `.*` has shape"),
        ("EfficientNetB0", {}, "`expanded_conv_depthwise` is a layer of no known place"),
    ],
)
def test_a_model_of_another_network_is_refused(name: str, made: dict[str, Any], message: str, tmp_path: Path) -> None:
    model = keras.applications.MobileNetV3Small(weights=None, input_shape=(32, 32, 3), **made)
    output = tmp_path / "weights.safetensors"
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        applications.main([name, "--model", saved(model, tmp_path), "--output", str(output)])
    assert not output.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["MobileNetV2", "--case", "x"], "unknown network `MobileNetV2`; known: MobileNetV3Small, "),
        (["EfficientNetB0@32", "--case", "x"], "expected HEIGHTxWIDTH"),
        (["EfficientNetB0"], "expected --model and --output, or --case"),
        (["EfficientNetB0", "--model", "x"], "expected --model and --output, or --case"),
        (
            ["EfficientNetB0", "--model", "x", "--output", "y", "--case", "z"],
            "expected --model and --output, or --case",
        ),
        (["EfficientNetB0", "EfficientNetB1", "--model", "x", "--output", "y"], "--model: expected one network"),
        (["EfficientNetB0@32x32", "--model", "x", "--output", "y"], "--model: expected one network, without a size"),
    ],
)
def test_what_the_command_line_cannot_mean_is_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        applications.main(words)
    assert message in capsys.readouterr().err
