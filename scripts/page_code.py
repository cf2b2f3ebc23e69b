"""Code that a page of the documentation shows, so that it can be run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DUMPS = Path("docs/dumps.md")
"""The page that shows how dumps are made."""


def code_of(page: Path, heading: str) -> str:
    """The first block of Python below a heading.

    Raises:
        ValueError: the page has no such heading, or no code below it.
    """
    text = page.read_text(encoding="utf-8")
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    block = section and re.search(r"^```python\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    if not block:
        raise ValueError(f"`{page}` has no code of Python below `{heading}`")
    return block[1]


def names_of(page: Path, heading: str) -> dict[str, Any]:
    """What that code defines."""
    names: dict[str, Any] = {}
    exec(compile(code_of(page, heading), f"{page}, {heading}", "exec"), names)
    return names
