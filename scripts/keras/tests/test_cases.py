"""Parity cases and dumps: what they hold, and that one in which errors could hide is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from scripts import structured_images
from scripts.keras import dump_activations, make_case, mistaken_dump, reference

pytestmark = pytest.mark.usefixtures("precision")


def test_a_case_is_lively_and_the_same_every_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("one", "two"):
        make_case.main(["seresnet20", "--output", str(tmp_path / folder), "--seed", "5"])
    assert "outputs differ by" in capsys.readouterr().out
    for file in ("weights.safetensors", "reference.safetensors"):
        one, two = (tmp_path / folder / "seresnet20-32x32" / file for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_a_case_whose_inputs_are_alike_is_invalid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def alike(
        random: np.random.Generator, count: int, size: tuple[int, int], channels: int
    ) -> structured_images.Images:
        return np.repeat(structured_images.structured_images(random, 1, size, channels), count, axis=0)

    monkeypatch.setattr(make_case, "structured_images", alike)
    with pytest.raises(SystemExit, match=r"resnet20-32x32: invalid case: outputs differ by 0\.000"):
        make_case.main(["resnet20", "--output", str(tmp_path)])


def test_a_case_whose_gates_hardly_open_is_invalid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_case, "GATE_GAIN", 0.1)
    with pytest.raises(SystemExit, match=r"invalid case: gates .* spread by less than"):
        make_case.main(["se_bottleneck", "--output", str(tmp_path)])


def test_calibrated_batch_norms_have_the_statistics_of_their_inputs() -> None:
    reference.set_precision("float64")
    random = np.random.default_rng(0)
    images = structured_images.structured_images(random, 4, (32, 32), 3)
    model = reference.build("resnet20", (32, 32))
    make_case.enliven(model, random, images)
    values, weights = reference.named_values(model), reference.named_weights(model)
    seen = reference.run(model, {"conv": values["layer3.2.conv1"]}, images)["conv"]
    np.testing.assert_allclose(weights["layer3.2.bn1.moving_mean"], seen.mean(axis=(0, 1, 2)), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(weights["layer3.2.bn1.moving_variance"], seen.var(axis=(0, 1, 2)), rtol=1e-6)


def test_mistakes_change_their_layers_and_what_follows(tmp_path: Path) -> None:
    fixtures = Path(__file__).resolve().parents[3] / "tests" / "fixtures"
    words = [str(fixtures / "se_bottleneck" / f"{name}.safetensors") for name in ("weights", "reference")]
    words += ["--output", str(tmp_path / "mistaken.safetensors")]
    mistaken_dump.main([*words, "epsilon:bn1", "flipped:conv2", "no-bias:se.fc2"])
    found = safetensors.numpy.load_file(tmp_path / "mistaken.safetensors")
    kept = safetensors.numpy.load_file(fixtures / "mistaken_se_bottleneck" / "reference.safetensors")
    right = safetensors.numpy.load_file(fixtures / "se_bottleneck" / "reference.safetensors")
    assert set(found) == set(kept)
    for name, value in kept.items():
        # float64, rounded once: the last digit of float32 may differ by machine.
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(found["conv1"], right["conv1"])
    assert not np.allclose(found["bn1"], right["bn1"], atol=1e-5)
    for wrong in ("epsilon:conv1", "flipped:bn1", "no-bias:bn1", "half:conv1"):
        with pytest.raises(SystemExit, match="error: "):
            mistaken_dump.main([*words, wrong])


def test_a_dump_of_a_given_input_has_every_layer_block_and_stage(tmp_path: Path) -> None:
    make_case.main(["seresnet20", "--output", str(tmp_path), "--values", "output"])
    folder = tmp_path / "seresnet20-32x32"
    case = safetensors.numpy.load_file(folder / "reference.safetensors")
    assert set(case) == {"input", "output"}
    np.save(tmp_path / "x.npy", case["input"])
    options = ["--input", str(tmp_path / "x.npy"), "--output", str(tmp_path / "dump.safetensors")]
    dump_activations.main([str(folder / "weights.safetensors"), *options])
    dump = safetensors.numpy.load_file(tmp_path / "dump.safetensors")

    layers = set(reference.named_values(reference.build("seresnet20")))
    groups = {f"layer{stage}" for stage in (1, 2, 3)} | {f"layer{s}.{b}" for s in (1, 2, 3) for b in range(3)}
    assert set(dump) == layers | groups | {"input", "output"}
    assert {tensor.dtype for tensor in dump.values()} == {np.dtype("float64")}
    np.testing.assert_array_equal(dump["layer3"], dump["layer3.2.relu"])
    np.testing.assert_allclose(dump["output"], case["output"], rtol=1e-12)
    scaled = dump["layer1.0.bn2"] * dump["layer1.0.se.sigmoid"]
    np.testing.assert_allclose(dump["layer1.0.se.scale"], scaled, rtol=1e-12)


def test_an_input_that_float32_cannot_hold_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((1, 4, 4, 32), 0.1))
    with pytest.raises(ValueError, match="float32 cannot hold"):
        dump_activations.read_input(tmp_path / "x.npy", 32)
    with pytest.raises(ValueError, match=r"shape \[1, 4, 4, 32\], expected"):
        dump_activations.read_input(tmp_path / "x.npy", 3)
