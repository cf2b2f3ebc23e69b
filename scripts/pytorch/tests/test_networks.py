"""Which of PyTorch's modules is which of the Rust program's layers, and that their outputs are seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from scripts.pytorch import timm_photo
from scripts.pytorch.facts import Published, cost, read_published
from scripts.pytorch.lively import enliven, observe, sums_with_input
from scripts.pytorch.networks import build, canonical_names
from scripts.structured_images import structured_images


def test_cadenes_stem_is_that_of_the_other_networks() -> None:
    shallow = ["layer0.conv1", "layer0.bn1", "layer0.relu1", "pool0", "layer1.0.se_module.fc1", "last_linear"]
    assert list(canonical_names(shallow).values()) == ["conv1", "bn1", "relu", "maxpool", "layer1.0.se.fc1", "fc"]
    deep = [f"layer0.{kind}{place}" for place in (1, 2, 3) for kind in ("conv", "bn", "relu")]
    places = ["conv1.0", "conv1.1", "conv1.2", "conv1.3", "conv1.4", "conv1.5", "conv1.6", "bn1", "relu"]
    assert list(canonical_names(deep).values()) == places


def test_every_block_gate_and_pool_is_observed() -> None:
    model = build("timm", "legacy_seresnet18", 0)
    random = np.random.default_rng(0)
    enliven(model, random, structured_images(random, 4, (32, 32), 3))
    values = observe(model, structured_images(random, 2, (32, 32), 3)).values
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]
    assert set(values) == {"maxpool", *blocks, *(f"{block}.se.sigmoid" for block in blocks)}
    assert all(values[f"{block}.se.sigmoid"].min() >= 0.0 for block in blocks)


def test_blocks_that_add_to_a_norm_of_their_input_are_told_by_it() -> None:
    norms = ["stem.conv_1x1.bn", "stages.0.1.identity", "stages.0.1.conv_1x1.bn", "layer1.0.bn1"]
    assert sums_with_input(norms) == ("stages.0.1.",)
    assert sums_with_input(["layer1.0.bn1"]) == ()


def test_bn_inceptions_concatenations_are_observed_though_they_are_no_modules() -> None:
    model = build("pretrainedmodels", "bn_inception", 0)
    values = observe(model, structured_images(np.random.default_rng(0), 1, (64, 64), 3)).values
    assert [value.shape[1] for value in values.values()] == [256, 320, 576, 576, 576, 608, 608, 1056, 1024, 1024]
    assert list(values) == [
        f"inception_{module}" for module in (["3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b"])
    ]


def test_the_papers_gates_are_put_in_and_observed() -> None:
    images = structured_images(np.random.default_rng(0), 1, (64, 64), 3)
    inception = build("paper", "se_bn_inception", 0)
    gates = {name: value.shape[1] for name, value in observe(inception, images).values.items() if "sigmoid" in name}
    # The paper's authors squeeze 256 channels to 16 first, 1024 to 64 last.
    assert gates["inception_3a.se.sigmoid"] == 256
    assert inception.get_parameter("inception_5b_se.fc1.weight").shape[:2] == (64, 1024)
    assert len(gates) == 10
    vgg = observe(build("paper", "se_vgg16_bn", 0), images).values
    places = {1: 2, 2: 2, 3: 3, 4: 3, 5: 3}
    expected = [f"se{stage}_{place}.sigmoid" for stage, count in places.items() for place in range(1, count + 1)]
    assert [name for name in vgg if name.startswith("se")] == expected


def test_what_runs_in_training_alone_costs_nothing() -> None:
    # timm's, which lacks the second classifier, has as many.
    counted = cost(build("torchvision", "inception_v3", 0), 75, 75)
    assert counted == cost(build("timm", "inception_v3", 0), 75, 75)
    assert counted.parameters == 23_834_568


def test_costs_are_counted_without_computing() -> None:
    with torch.device("meta"):
        model = timm.create_model("resnet18", pretrained=False).eval()
    counted = cost(model, 224, 224)
    # torchvision's metadata: 11,689,512 parameters and 1.814 GMACs.
    assert counted.parameters == 11_689_512
    assert round(counted.macs / 1e9, 3) == 1.814


def test_a_table_that_lacks_a_column_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("name,parameters,published_gmacs,published_gmacs_size\nx,10,0.5,32\n")
    assert read_published(table) == {"x": Published(10, 0.5e9, 32)}
    table.write_text("name,parameters\nx,10\n")
    with pytest.raises(ValueError, match="lacks a column"):
        read_published(table)


def test_photographs_answered_otherwise_are_told() -> None:
    theirs = timm_photo.Answer([3, 1], [0.5, 0.25])
    assert timm_photo.compare(timm_photo.Answer([3, 1], [0.5001, 0.25]), theirs) == pytest.approx(2e-4)
    with pytest.raises(ValueError, match="classes"):
        timm_photo.compare(timm_photo.Answer([1, 3], [0.5, 0.25]), theirs)
    with pytest.raises(ValueError, match="probabilities"):
        timm_photo.compare(timm_photo.Answer([3, 1], [0.5, 0.2503]), theirs)
