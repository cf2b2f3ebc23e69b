"""A program that stands in for `senet`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture
def program(tmp_path: Path) -> str:
    file = tmp_path / "bin" / "senet"
    file.parent.mkdir()
    file.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_IN} "$@"\n')
    file.chmod(0o755)
    return str(file)
