"""What several test files need: a network small enough to train, and images to train it on."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.keras import cifar10, reference
from scripts.keras.networks.resnet import cifar_resnet
from scripts.structured_images import structured_images

TINY = "seresnet8"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a network with one block a stage, in the catalogue for this test."""
    network = reference.Reference(cifar_resnet(TINY, 8, True), (32, 32), classes=10)
    monkeypatch.setitem(reference.NETWORKS, TINY, network)
    monkeypatch.setattr(cifar10, "NETWORKS", [*cifar10.NETWORKS, TINY])
    return TINY


@pytest.fixture
def precision() -> Iterator[None]:
    """Give back float32, which these programs change for their whole process."""
    yield
    reference.set_precision("float32")


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tar file of 40 images in the class folders of CIFAR-10."""
    folder = tmp_path_factory.mktemp("images")
    drawn = structured_images(np.random.default_rng(0), 40, cifar10.SIZE, 3)
    with tarfile.open(folder / "images.tar", "w") as archive:
        for index, image in enumerate(drawn):
            name = f"{cifar10.LABELS[index % 10]}/{index:04}.jpg"
            file = folder / f"{index}.jpg"
            Image.fromarray(np.clip(64 * image + 128, 0, 255).astype(np.uint8)).save(file)
            archive.add(file, name)
    return folder / "images.tar"
