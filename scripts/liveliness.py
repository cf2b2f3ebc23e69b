"""Whether errors would show in a case: how far apart its gates and its outputs are.

With weights as initialised an error can hide: gates stay at a half, and two
inputs get nearly the same logits. What the makers of cases do against that with
either framework is here, and the check that it worked.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.floating]

CALIBRATION_IMAGES = 8
"""Images whose statistics a case's batch norms get."""

GATE_GAIN = 4.0
"""What the second layer of every gate is multiplied by."""

LAST_GAMMA = 0.5
"""What the last gamma of a residual block is multiplied by, where a gate follows."""

LAST_GAMMA_UNGATED = 0.25
"""The same where no gate follows, which would halve the branch on average.

Only halved, rounding errors would grow from block to block: for resnet110
TensorFlow's own float32 then differs from its float64 by up to 2.2e-5 of the
largest value, so a right program would fail parity at 1e-5. Quartered, by up to
5.1e-6 (four seeds).
"""

DEEP = 40
"""With more blocks than that the last gamma is quartered even where a gate follows, and the gates doubled instead.

For senet154, which has 50, TensorFlow's own float32 differs from its float64 by
2.3e-5 of the largest value where it is halved, by 6e-6 where it is quartered;
but then the blocks differ less, and so would their gates.
"""

GATE_BIAS_OF_SUMS = (1.0, 8.0)
"""Between what the bias of a gate is drawn that follows the sum of a residual block, as in SE-Inception-ResNet-v2.

Such a gate multiplies what comes from all the blocks before, not only what its
own block adds. Forty of them near a half, and amplified as the others are,
leave nothing of the first blocks, and make a small change explode:
TensorFlow's own float32 was wrong in the first digit. So these are not
amplified, and stay above 0.7; what spreads them is their bias.
"""

BETA = (-0.2, 0.2)
"""Between what a batch norm's beta is drawn."""

BETA_OF_SEQUENCES = (0.8, 1.2)
"""The same where nothing leads around a network's layers undiminished, as in VGG and Inception.

Each of a batch norm and a ReLU that cuts half its values off makes a small
difference a little larger (Yang et al., arXiv:1902.08129), and after 40 of them
TensorFlow's own float32 is 5e-5 of the largest value off in se_inception_v3. Of
these a sixth is cut off, and it is 7e-6; 4e-6 where the last maps are 3x4
pixels, not 1x2, and give the batch norms more to calibrate on.
"""

GATE_SPREAD = 0.2
"""The least distance of the 5th and 95th percentile of the gates.

A gate that is left out, stuck at a half or given to another channel then changes
a tenth or more of the values by 20 % and more: 10,000 times what parity allows.
"""

OUTPUT_DIFFERENCE = 0.15
"""The least difference of two inputs' outputs, as a share of the largest output.

Below it the output is mostly a constant of the weights, and what goes wrong on
the way from the input is scaled down with what goes right.
"""


@dataclass(frozen=True)
class Liveliness:
    """How lively a case is."""

    gates: tuple[float, float] | None
    """The 5th and 95th percentile of all gates, where there are any."""
    difference: float
    """The least difference of two inputs' outputs, as a share of the largest output."""

    def __str__(self) -> str:
        facts = [f"outputs differ by {self.difference:.3f} of the largest"]
        if self.gates:
            low, high = self.gates
            facts.insert(0, f"gates {low:.3f} to {high:.3f} (5th to 95th percentile)")
        return ", ".join(facts)


def last_norms(names: Iterable[str]) -> set[str]:
    """The batch norms that end residual branches, among the canonical names of all, in order."""
    ends = {match[1]: name for name in names if (match := re.fullmatch(r"(.+)\.(?:bn\d+|conv\d+\.bn|norm\d+)", name))}
    return set(ends.values())


def check_lively(gates: Values, output: Values) -> Liveliness:
    """How far apart all gates and the outputs of the inputs are.

    Raises:
        ValueError: not far enough for a valid case.
    """
    spread = None
    if gates.size:
        low, high = (float(edge) for edge in np.percentile(gates, (5, 95)))
        spread = (low, high)
    pairs = itertools.combinations(output, 2)
    difference = min(float(np.abs(one - other).max()) for one, other in pairs) / float(np.abs(output).max())
    lively = Liveliness(spread, difference)
    if spread and not spread[1] - spread[0] >= GATE_SPREAD:
        raise ValueError(f"invalid case: {lively}: gates spread by less than {GATE_SPREAD}")
    if not difference >= OUTPUT_DIFFERENCE:
        raise ValueError(f"invalid case: {lively}, which is less than {OUTPUT_DIFFERENCE}")
    return lively
