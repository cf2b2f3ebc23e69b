"""Which axis of a feature map each dimension of a tensor is, through every view, permutation and split.

The graph's values are feature maps [N, C, H, W] and vectors [N, C]. A model views them as it likes: [N, H, W, C] for a
dense layer, [N, 2, C / 2, H, W] for a shuffle. Such views compute nothing. So each of a tensor's dimensions is
written as the factors of the map's axes that it is made of, and only where a view comes to what an operation of the
graph makes (`flatten`, `shuffle_channels`, ...) is there a layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class Axis:
    """An axis of a value, or a factor of one: `size` positions that are `stride` apart."""

    of: str
    """`N`, `C`, `H` or `W`."""
    size: int
    stride: int = 1


Dim = tuple[Axis, ...]
"""What a dimension is made of, its slowest factor first; nothing where it is of size 1."""

ORDER = "NCHW"


@dataclass(frozen=True)
class View:
    """How a tensor shows a value of the graph."""

    shape: tuple[int, ...]
    """Of the value, without the batch: (C, H, W) or (C,)."""
    dims: tuple[Dim, ...]

    @classmethod
    def whole(cls, batch: int, shape: Sequence[int]) -> View:
        """The value as it is."""
        sizes = zip(ORDER, (batch, *shape), strict=False)
        return cls(tuple(shape), tuple((Axis(of, size),) if size > 1 else () for of, size in sizes))

    @property
    def batch(self) -> int:
        return next(axis.size for dim in self.dims for axis in dim if axis.of == "N")

    def is_whole(self) -> bool:
        """Whether the tensor is the value as it is."""
        return self.dims == View.whole(self.batch, self.shape).dims

    def sizes(self) -> list[int]:
        return [math.prod(axis.size for axis in dim) for dim in self.dims]

    def axes(self) -> list[Axis]:
        return [axis for dim in self.dims for axis in dim]

    def dim_of(self, of: str) -> int | None:
        """The dimension that is this axis, all of it and nothing else; None where none is."""
        place = ORDER.index(of)
        size = self.batch if of == "N" else self.shape[place - 1]
        found = [index for index, dim in enumerate(self.dims) if dim == (Axis(of, size),)]
        return found[0] if found else None

    def permuted(self, order: Sequence[int]) -> View:
        return replace(self, dims=tuple(self.dims[index] for index in order))

    def reshaped(self, sizes: Sequence[int]) -> View | None:
        """The view in other dimensions; None where they cut an axis elsewhere than at a factor."""
        factors = self.axes()
        dims: list[Dim] = []
        for size in sizes:
            dim: list[Axis] = []
            left = size
            while left > 1:
                if not factors:
                    return None
                first = factors.pop(0)
                if first.size > left:
                    if first.size % left:
                        return None
                    inner = first.size // left
                    factors.insert(0, Axis(first.of, inner, first.stride))
                    first = Axis(first.of, left, first.stride * inner)
                elif left % first.size:
                    return None
                dim.append(first)
                left //= first.size
            dims.append(joined(dim))
        return None if factors else replace(self, dims=tuple(dims))

    def to_whole(self, tensor: torch.Tensor) -> torch.Tensor:
        """The value as it is, of a tensor that shows it thus."""
        axes = self.axes()
        order = sorted(range(len(axes)), key=lambda index: (ORDER.index(axes[index].of), -axes[index].stride))
        split = tensor.reshape([axis.size for axis in axes])
        return split.permute(order).reshape(self.batch, *self.shape)


def joined(dim: Sequence[Axis]) -> Dim:
    """With factors that follow each other in one axis made one again."""
    result: list[Axis] = []
    for axis in dim:
        if result and result[-1].of == axis.of and result[-1].stride == axis.size * axis.stride:
            axis = Axis(axis.of, result.pop().size * axis.size, axis.stride)
        result.append(axis)
    return tuple(result)


def aligned(one: View, other: View) -> tuple[tuple[Dim, ...], tuple[Dim, ...]] | None:
    """Both views' dimensions as broadcasting lays them beside each other; None where they are of different axes."""
    rank = max(len(one.dims), len(other.dims))
    first, second = (((),) * (rank - len(view.dims)) + view.dims for view in (one, other))
    if any(a and b and a != b for a, b in zip(first, second, strict=True)):
        return None
    return first, second
