"""Means and variances over channels, from which models spell a layer norm out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scripts.pytorch.lowering.draft import Value


@dataclass(frozen=True)
class Statistic:
    """What a layer norm over the channels of a value is computed from, as far as it is computed.

    `mean`, `centred` (the value less it), `squared` (that squared), `variance`, `deviation` (its root) and `inverse`.
    """

    kind: str
    value: Value
    epsilon: float | None = None

    @property
    def said(self) -> str:
        return f"a {self.kind} over channels"

    def to(self, kind: str, epsilon: float | None = None) -> Statistic:
        return replace(self, kind=kind, epsilon=self.epsilon if epsilon is None else epsilon)


def same(one: object, other: object) -> bool:
    """Whether both are of one value."""
    first, second = (each.value if isinstance(each, Statistic) else each for each in (one, other))
    if not isinstance(first, Value) or not isinstance(second, Value):
        return False
    return first.draft is second.draft and first.view == second.view
