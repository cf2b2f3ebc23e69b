"""Training: a run that was cut short and resumed is the run that was not."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from scripts.keras import cifar10, reference, train_cifar10

EPOCHS, BATCH, STEPS_PER_EPOCH = 4, 16, 2


def words(network: str, images: Path, output: Path, *more: str) -> list[str]:
    paths = ["--train", str(images), "--test", str(images), "--output", str(output)]
    return [network, *paths, "--epochs", str(EPOCHS), "--batch-size", str(BATCH), *more]


def log(output: Path) -> list[dict[str, str]]:
    """The log but for the time each epoch took."""
    with (output / train_cifar10.LOG).open(newline="") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def checkpoint(output: Path) -> dict[str, reference.Values]:
    model = keras.models.load_model(output / train_cifar10.CHECKPOINT)
    assert int(model.optimizer.iterations) == EPOCHS * STEPS_PER_EPOCH
    weights = reference.named_weights(model)
    return {name: np.asarray(variable.value) for name, variable in weights.items()}


@pytest.mark.usefixtures("precision")
def test_an_interrupted_and_resumed_run_equals_the_unbroken_one(
    tiny: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train_cifar10.main(words(tiny, images, whole))

    # Ends in the third epoch, after its line in the log and before its checkpoint.
    save = keras.Model.save
    saved: list[Path] = []

    def save_twice(model: keras.Model, file: Path) -> None:
        if len(saved) == 2:
            raise KeyboardInterrupt
        saved.append(file)
        save(model, file)

    with monkeypatch.context() as patched:
        patched.setattr(keras.Model, "save", save_twice)
        with pytest.raises(KeyboardInterrupt):
            train_cifar10.main(words(tiny, images, broken))
    assert len(log(broken)) == 3
    train_cifar10.main(words(tiny, images, broken, "--resume"))

    assert log(broken) == log(whole)
    expected, found = checkpoint(whole), checkpoint(broken)
    assert expected.keys() == found.keys()
    for name, weights in expected.items():
        np.testing.assert_array_equal(found[name], weights, err_msg=name)


@pytest.mark.usefixtures("precision")
def test_a_run_is_not_resumed_with_another_recipe(tiny: str, images: Path, tmp_path: Path) -> None:
    (tmp_path / train_cifar10.CHECKPOINT).touch()
    (tmp_path / train_cifar10.RECIPE).write_text(json.dumps({"network": tiny}))
    with pytest.raises(SystemExit, match="was made with other options"):
        train_cifar10.main(words(tiny, images, tmp_path, "--resume"))


@pytest.mark.usefixtures("precision")
def test_a_run_is_not_overwritten(tiny: str, images: Path, tmp_path: Path) -> None:
    (tmp_path / train_cifar10.CHECKPOINT).touch()
    with pytest.raises(SystemExit, match="add --resume"):
        train_cifar10.main(words(tiny, images, tmp_path))


def test_schedules_rise_and_fall_where_they_should() -> None:
    one_cycle = train_cifar10.Schedule("one-cycle", 0.4, 100)
    assert [round(float(one_cycle(step)), 4) for step in (0, 10, 25, 40, 100)] == [0.0, 0.16, 0.4, 0.32, 0.0]
    cosine = train_cifar10.Schedule("cosine", 0.4, 100)
    assert [round(float(cosine(step)), 4) for step in (0, 50, 100)] == [0.4, 0.2, 0.0]


def test_augmented_images_are_crops_of_the_padded_ones_or_of_their_mirror() -> None:
    random = np.random.default_rng(0)
    image = random.integers(1, 256, (32, 32, 3)).astype(np.uint8)
    padded = np.pad(image, ((4, 4), (4, 4), (0, 0)))
    crops = [padded[row : row + 32, column : column + 32] for row in range(9) for column in range(9)]
    straight = {crop.tobytes() for crop in crops}
    mirrored = {crop[:, ::-1].tobytes() for crop in crops}
    found = [crop.tobytes() for crop in train_cifar10.augment(np.stack([image] * 64), random)]
    assert straight.isdisjoint(mirrored)
    assert set(found) <= straight | mirrored
    assert len(set(found)) > 30
    assert 16 < sum(crop in mirrored for crop in found) < 48


def test_a_fused_batch_norm_trains_and_infers_as_keras_does() -> None:
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(8, 4, 4, 6)).astype(np.float32)
    ours, theirs = train_cifar10.FusedBatchNormalization(), keras.layers.BatchNormalization()
    np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), atol=1e-5)
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, rtol=1e-5)
    n = x.size // 6
    batch = (np.asarray(theirs.moving_variance) - 0.99) * n / (n - 1)
    np.testing.assert_allclose(ours.moving_variance, 0.99 + batch, rtol=1e-4)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_array_equal(ours(x, training=False), theirs(x, training=False))


def test_a_folder_that_is_no_class_is_named(tmp_path: Path) -> None:
    (tmp_path / "whale").mkdir()
    (tmp_path / "whale" / "1.jpg").touch()
    with pytest.raises(ValueError, match="`whale`, which is no class"):
        cifar10.load(tmp_path)
