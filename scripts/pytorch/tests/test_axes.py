"""What a view shows: followed through reshapes and permutations as PyTorch makes them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scripts.pytorch.lowering.axes import View, aligned

SHAPE = (12, 4, 6)


def of(shape: tuple[int, ...] = SHAPE) -> tuple[torch.Tensor, View]:
    return torch.arange(3 * int(np.prod(shape))).reshape(3, *shape), View.whole(3, shape)


def test_any_way_of_reshapes_and_permutations_leads_back_to_the_value() -> None:
    random = np.random.default_rng(0)
    factors = [3, 2, 6, 2, 2, 3, 2]
    for _ in range(50):
        value, view = of()
        tensor = value
        for _ in range(3):
            order = [int(place) for place in random.permutation(tensor.dim())]
            tensor, view = tensor.permute(order), view.permuted(order)
        assert torch.equal(view.to_whole(tensor), value)
        # In its factors, in any order, and joined again.
        split = View.whole(3, SHAPE).reshaped(factors)
        assert split is not None
        order = [int(place) for place in random.permutation(len(factors))]
        shown, view = value.reshape(factors).permute(order), split.permuted(order)
        assert view.sizes() == list(shown.shape)
        assert torch.equal(view.to_whole(shown), value)
        joined = view.reshaped([shown.shape[0], -1 * -int(np.prod(shown.shape[1:]))])
        assert joined is not None
        assert torch.equal(joined.to_whole(shown.reshape(shown.shape[0], -1)), value)


def test_a_view_that_is_undone_is_the_value_again() -> None:
    _, view = of()
    split = view.reshaped([3, 3, 4, 4, 6])
    assert split is not None
    assert not split.is_whole()
    again = split.reshaped([3, 12, 4, 6])
    assert again is not None
    assert again.is_whole()


def test_what_cuts_an_axis_between_factors_is_no_view() -> None:
    assert View.whole(3, SHAPE).reshaped([3, 8, 36]) is None
    assert View.whole(3, SHAPE).reshaped([3, 12, 5]) is None


def test_dimensions_of_size_1_are_of_no_axis() -> None:
    view = View.whole(3, (8, 1, 1))
    flat = view.reshaped([3, 8])
    assert flat is not None
    assert flat.dims == View.whole(3, (8,)).dims


@pytest.mark.parametrize(("sizes", "fits"), [([3, 12, 1, 1], True), ([3, 1, 12, 1], False), ([12, 1, 1], False)])
def test_only_the_same_axes_stand_beside_each_other(sizes: list[int], fits: bool) -> None:
    gate = View.whole(3, (12,)).reshaped(sizes) if sizes[0] == 3 else View((12,), View.whole(3, (12,)).dims)
    assert gate is not None
    assert (aligned(View.whole(3, (12, 5, 7)), gate) is not None) is fits
