"""The reference networks: the SE formula, names and groups."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from scripts.keras import reference
from scripts.keras.networks.words import KERAS, TIMM, SqueezeExcitation, max_pool


def test_squeeze_excitation_is_its_formula() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(3, 4, 7, 10))
    layer = SqueezeExcitation(5, dtype="float64")
    layer.build(x.shape)
    w1, b1, w2, b2 = (random.normal(size=weight.shape) for weight in layer.weights)
    layer.set_weights([w1, b1, w2, b2])

    squeezed = x.mean(axis=(1, 2))
    gate = 1.0 / (1.0 + np.exp(-(np.maximum(squeezed @ w1 + b1, 0.0) @ w2 + b2)))
    np.testing.assert_allclose(np.asarray(layer(x)), x * gate[:, None, None, :], rtol=1e-12)


@pytest.mark.parametrize(("network", "prefix"), [("se_block", ""), ("se_bottleneck", "se.")])
def test_layers_inside_an_se_block_are_named_and_of_rank_4(network: str, prefix: str) -> None:
    model = reference.build(network, (6, 5))
    values = reference.named_values(model)
    computed = reference.run(model, values, np.ones((2, 6, 5, 32), np.float32))
    shapes = {name: value.shape for name, value in computed.items() if name.startswith(prefix)}
    for name, channels in {"squeeze": 32, "fc1": 16, "relu": 16, "fc2": 32, "sigmoid": 32}.items():
        assert shapes[prefix + name] == (2, 1, 1, channels)
    assert shapes[f"{prefix}scale"] == (2, 6, 5, 32)


def test_pooled_features_are_of_rank_4_and_logits_of_rank_2() -> None:
    model = reference.build("resnet20", (32, 32))
    computed = reference.run(model, reference.named_values(model), np.zeros((1, 32, 32, 3), np.float32))
    assert computed["avgpool"].shape == (1, 1, 1, 64)
    assert computed["fc"].shape == (1, 10)


def test_a_block_and_a_stage_end_with_their_last_layer() -> None:
    names = list(reference.named_values(reference.build("seresnet20")))
    blocks, stages = reference.blocks_and_stages(names)
    assert list(blocks) == [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in range(3)]
    assert blocks["layer2.0"] == "layer2.0.relu"
    assert stages == {f"layer{stage}": f"layer{stage}.2.relu" for stage in (1, 2, 3)}


@pytest.mark.parametrize(
    ("network", "blocks", "last"),
    [
        ("se_bn_inception", 10, "inception_5b.se.scale"),
        ("inception_v3", 11, "Mixed_7c.concat"),
        ("se_inception_resnet_v2", 43, "block8.se.scale"),
        ("vgg16_bn", 5, "features.43"),
    ],
)
def test_a_module_is_a_block_and_a_pool_ends_one_of_vgg(network: str, blocks: int, last: str) -> None:
    found, _ = reference.blocks_and_stages(list(reference.named_values(reference.build(network))))
    assert len(found) == blocks
    assert list(found.values())[-1] == last


def test_a_max_pool_rounds_up_and_padding_never_wins() -> None:
    x = np.arange(-16.0, 0.0).reshape(1, 4, 4, 1)
    inputs = keras.Input((None, None, 1))
    for pool, expected in (
        (max_pool(inputs, "up", 3, strides=2, rounds_up=True), (-6.0, -5.0, -2.0, -1.0)),
        (max_pool(inputs, "padded", 3, strides=2, pad=1), (-11.0, -9.0, -3.0, -1.0)),
    ):
        np.testing.assert_array_equal(np.ravel(keras.Model(inputs, pool)(x)), expected)


def test_padding_that_counts_makes_an_average_smaller() -> None:
    inputs = keras.Input((None, None, 1))
    corners = [
        np.asarray(keras.Model(inputs, words.smooth(inputs, "pool"))(np.ones((1, 3, 3, 1))))[0, 0, 0, 0]
        for words in (KERAS, TIMM)
    ]
    np.testing.assert_allclose(corners, [1.0, 4 / 9], rtol=1e-6)


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(ValueError, match="unknown network `resnet21`"):
        reference.build("resnet21")
