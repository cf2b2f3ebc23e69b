"""Functions that models spell out, as the one operation that they are."""

from __future__ import annotations

import math
from collections.abc import Callable

from scripts.pytorch.lowering.draft import Draft


def respelled(drafts: list[Draft]) -> list[Draft]:
    """The layers, the last of each such function in the place of all of it.

    What comes before the last is left for whoever else reads it.
    """
    for draft in drafts:
        for rule in RULES:
            if found := rule(draft):
                draft.op, draft.inputs = found
                draft.attributes, draft.tensors = {}, {}
                break
    return drafts


Found = tuple[str, list[Draft]]


def sixth(draft: Draft) -> bool:
    return draft.op == "multiply" and math.isclose(draft.attributes["factor"], 1.0 / 6.0, rel_tol=1e-6)


def of_three(draft: Draft) -> Draft | None:
    """The x of relu6(x + 3)."""
    if draft.op == "relu6" and draft.inputs[0].op == "affine" and draft.inputs[0].number == 3.0:
        return draft.inputs[0].inputs[0]
    return None


def hard_sigmoid(draft: Draft) -> Found | None:
    """relu6(x + 3) / 6."""
    if sixth(draft) and (inner := of_three(draft.inputs[0])):
        return "hard_sigmoid", [inner]
    return None


def hard_swish_of_product(draft: Draft) -> Found | None:
    """x relu6(x + 3) / 6."""
    if sixth(draft) and draft.inputs[0].op == "product":
        one, other = draft.inputs[0].inputs
        for x, gate in ((one, other), (other, one)):
            if of_three(gate) is x:
                return "hard_swish", [x]
    return None


GATED = {"sigmoid": "silu", "hard_sigmoid": "hard_swish"}


def gated_by_itself(draft: Draft) -> Found | None:
    """x sigmoid(x), and the same with a hard sigmoid."""
    if draft.op == "product":
        one, other = draft.inputs
        for x, gate in ((one, other), (other, one)):
            if gate.op in GATED and gate.inputs[0] is x:
                return GATED[gate.op], [x]
    return None


RULES: tuple[Callable[[Draft], Found | None], ...] = (hard_sigmoid, hard_swish_of_product, gated_by_itself)
