"""When the Rust program computes what PyTorch computes: the rule, and the program asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FLOOR = 1e-5
"""A relative error that always passes.

What the documentation promises, and twice what float32 has been seen to lose in the
last stage of SE-ResNet-50.
"""

FACTOR = 3.0
"""How many times PyTorch's own error in float32 passes, where the network is worse conditioned than that.

Two right programs add in different orders, so either may lose more on one
input; a wrong epsilon or weight makes it hundreds of times as much.
"""

ILL_CONDITIONED = 3e-4
"""PyTorch's own relative error in float32 above which a comparison shows nothing.

Three times as much would pass, which is all but what a wrong epsilon makes of the value
that it is found in: 1.2e-3, as `timm_cases` prints at its end.
"""

Doubles = npt.NDArray[np.float64]


def bound(float32: float) -> float:
    """The largest relative error that passes where PyTorch's own float32 has this one."""
    return max(FLOOR, FACTOR * float32)


def relative_error(found: Doubles, exact: Doubles) -> float:
    """max |found - exact| / max |exact|."""
    difference, largest = float(np.abs(found - exact).max()), float(np.abs(exact).max())
    if difference == 0.0:
        return 0.0
    return difference / largest if largest else float("inf")


@dataclass(frozen=True)
class Compared:
    """One value of the network."""

    name: str
    ours: float
    """The program's relative error against PyTorch in float64."""
    float32: float
    """PyTorch's own in float32."""

    @property
    def passed(self) -> bool:
        """Not a comparison with NaN, which is false."""
        return self.ours <= bound(self.float32)

    def __str__(self) -> str:
        return f"`{self.name}` differs by {self.ours:.1e} of its largest value, allowed {bound(self.float32):.1e}"


def compare(report: dict[str, Any], float32: dict[str, float], merged: re.Pattern[str] | None = None) -> list[Compared]:
    """Every value of a report of `senet parity`, in the network's order.

    Values called as in `merged` may be missing: the engine computes the sum that ends a block
    together with the batch norm or function that alone reads it.

    Raises:
        ValueError: it lacks one that was asked for, or did not compare every block; or PyTorch's own
            float32 is so far off that the case is no evidence.
    """
    for name, error in float32.items():
        if not error <= ILL_CONDITIONED:
            raise ValueError(
                f"invalid case: PyTorch's own float32 is off by {error:.1e} in `{name}`, "
                f"which is more than {ILL_CONDITIONED:.0e}"
            )
    compared = []
    for layer in report["layers"]:
        error = layer["max_rel"]
        if error is None:
            # No ratio: infinite, or of values that are all zero.
            error = 0.0 if layer["max_abs"] == 0.0 else float("inf")
        compared.append(Compared(layer["name"], error, float32[layer["name"]]))
    missing = set(float32) - {value.name for value in compared}
    if unexplained := {name for name in missing if not (merged and merged.fullmatch(name))}:
        raise ValueError(f"`senet parity` did not compare {', '.join(sorted(unexplained))}")
    coverage = report["coverage"]
    if coverage["blocks"] + len(missing) != coverage["of_blocks"]:
        raise ValueError(f"compared {coverage['blocks']} of {coverage['of_blocks']} blocks")
    return compared
