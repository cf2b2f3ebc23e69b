"""A page is looked at by its elements and by its colours, and refused where any is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.checks.parity_page import COLOURS, FIRST, SIZE, VALUES, check_elements, check_picture


def dom(title: str = "ours.safetensors", more: str = "") -> str:
    points = "<circle class='ok'></circle>" * FIRST + "<rect class='bad'></rect>" * (VALUES - FIRST)
    lines = "<polyline class='line'/><line class='tolerance'/><line class='first'></line>"
    rows = (
        "<tr></tr>" * (1 + FIRST)
        + "<tr class='differs first'></tr>"
        + "<tr class='differs'></tr>" * (VALUES - FIRST - 1)
    )
    head = f"<html><head><meta charset='utf-8'><title>{title}</title></head>"
    return f"{head}<body><svg>{points}{lines}</svg><table>{rows}</table>{more}</body></html>"


def picture(file: Path, *, paper: tuple[int, int, int], drawn: list[tuple[int, int, int]]) -> Path:
    pixels = np.full((SIZE[1], SIZE[0], 3), paper, dtype=np.uint8)
    for row, colour in enumerate(drawn):
        pixels[row, :200] = colour
    Image.fromarray(pixels).save(file)
    return file


def test_a_whole_page_passes() -> None:
    check_elements(dom())


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (dom(more="<script></script>"), "1 of `script`, expected 0"),
        (dom(more="<img>"), "1 of `img`, expected 0"),
        (dom(title="ran"), "the title became `ran`"),
        (dom().replace("<circle class='ok'></circle>", "", 1), f"{FIRST - 1} of `circle.ok`"),
        (dom().replace("tolerance", "grid"), "0 of `line.tolerance`"),
    ],
)
def test_what_is_missing_or_brought_in_by_a_name_is_said(page: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_elements(page)


def test_a_picture_without_one_of_its_colours_is_refused(tmp_path: Path) -> None:
    for scheme, colours in COLOURS.items():
        others = [colours["line"], colours["difference"]]
        whole = picture(tmp_path / "whole.png", paper=colours["paper"], drawn=others)
        check_picture(whole, scheme)
        blank = picture(tmp_path / "blank.png", paper=colours["paper"], drawn=others[:1])
        with pytest.raises(ValueError, match=f"{scheme}: 0 pixels of `difference`"):
            check_picture(blank, scheme)
    light = picture(tmp_path / "light.png", paper=COLOURS["light"]["paper"], drawn=[])
    with pytest.raises(ValueError, match="dark: 0 pixels of `paper`"):
        check_picture(light, "dark")
