"""The rule by which the program is held against PyTorch, and the reading of its reports."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.pytorch.comparison import FLOOR, Compared, bound, compare, relative_error
from scripts.senet_program import ProgramError, ask


def report(max_rel: float | None, max_abs: float = 1.0, blocks: int = 1) -> dict[str, Any]:
    layer = {"name": "layer1.0", "max_rel": max_rel, "max_abs": max_abs}
    return {"layers": [layer], "coverage": {"blocks": blocks, "of_blocks": 1}}


def test_a_well_conditioned_network_may_be_off_by_1e_5_and_another_by_three_times_pytorch() -> None:
    assert bound(1e-7) == FLOOR == 1e-5
    assert bound(1e-4) == pytest.approx(3e-4)


def test_the_error_is_relative_to_the_largest_exact_value() -> None:
    assert relative_error(np.array([1.0, -4.5]), np.array([1.0, -4.0])) == pytest.approx(0.125)
    assert relative_error(np.zeros(2), np.zeros(2)) == 0.0
    assert relative_error(np.ones(2), np.zeros(2)) == float("inf")


def test_nan_never_passes() -> None:
    assert not Compared("fc", float("nan"), 1.0).passed
    assert Compared("fc", 1e-6, 0.0).passed
    assert not Compared("fc", 1.1e-5, 0.0).passed


def test_an_error_without_ratio_is_infinite_unless_there_is_none() -> None:
    assert compare(report(None, max_abs=0.0), {"layer1.0": 0.0})[0].ours == 0.0
    assert compare(report(None), {"layer1.0": 0.0})[0].ours == float("inf")


def test_where_pytorch_itself_is_far_off_the_case_is_invalid() -> None:
    assert compare(report(8e-4), {"layer1.0": 3e-4})[0].passed
    for error in (3.1e-4, float("nan")):
        with pytest.raises(ValueError, match=r"invalid case: .* in `output`"):
            compare(report(0.0), {"layer1.0": 0.0, "output": error})


def test_what_was_not_compared_is_an_error() -> None:
    with pytest.raises(ValueError, match="did not compare output"):
        compare(report(0.0), {"layer1.0": 0.0, "output": 0.0})
    with pytest.raises(ValueError, match="compared 0 of 1 blocks"):
        compare(report(0.0, blocks=0), {"layer1.0": 0.0})


def test_a_block_may_be_merged_with_what_follows_but_nothing_else() -> None:
    block = re.compile(r"layer\d\.\d")
    merged = report(0.0) | {"coverage": {"blocks": 1, "of_blocks": 2}}
    assert len(compare(merged, {"layer1.0": 0.0, "layer1.1": 0.0}, block)) == 1
    with pytest.raises(ValueError, match=r"did not compare layer1\.0\.se\.gate"):
        compare(merged, {"layer1.0": 0.0, "layer1.1": 0.0, "layer1.0.se.gate": 0.0}, block)


def test_a_program_that_could_not_run_is_quoted(tmp_path: Path) -> None:
    program = tmp_path / "senet"
    program.write_text("#!/bin/sh\necho 'error: no such network' >&2\nexit 2\n")
    program.chmod(0o755)
    with pytest.raises(ProgramError, match="error: no such network") as raised:
        ask(program, "parity")
    assert raised.value.status == 2
