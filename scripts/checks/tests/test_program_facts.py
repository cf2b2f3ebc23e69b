"""The page's table is read as it is written, and what is no longer true is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.checks.program_facts import BEGIN, END, Facts, differences, stated

FACTS = Facts(stripped=20_000_000, weights=10_500_000, milliseconds=2.5, packages=203, library=148)


def test_a_table_is_read_as_it_is_written() -> None:
    assert stated(f"# Page\n{BEGIN}{FACTS.table()}{END}rest") == FACTS


def test_a_page_without_the_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="no table of five rows"):
        stated(f"# Page\n{BEGIN}{FACTS.table()}")


def test_a_package_more_is_said_and_so_is_a_size_that_is_far_off() -> None:
    assert differences(FACTS, FACTS) == []
    assert differences(FACTS, replace(FACTS, stripped=20_900_000, milliseconds=50.0)) == []
    assert differences(FACTS, replace(FACTS, packages=204)) == ["packages: 203 are stated, there are 204"]
    assert differences(FACTS, replace(FACTS, stripped=30_000_000)) == ["stripped: 20.0 MB are stated, 30.0 MB measured"]
