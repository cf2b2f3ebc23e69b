"""A page is looked at by its elements and by its colours, and refused where any is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.checks.pages import COLOURS, SIZE, Page, check_elements, check_picture

PAGE = Page(Path("page.html"), "ours", {"circle.ok": 3, "tr": 2}, ("paper", "line", "difference"))


def dom(title: str = "ours", more: str = "") -> str:
    points = "<circle class='ok'></circle>" * 3
    head = f"<html><head><meta charset='utf-8'><title>{title}</title></head>"
    return f"{head}<body><svg>{points}</svg><table><tr></tr><tr></tr></table>{more}</body></html>"


def picture(file: Path, *, paper: tuple[int, int, int], drawn: list[tuple[int, int, int]]) -> Path:
    pixels = np.full((SIZE[1], SIZE[0], 3), paper, dtype=np.uint8)
    for row, colour in enumerate(drawn):
        pixels[row, :200] = colour
    Image.fromarray(pixels).save(file)
    return file


def test_a_whole_page_passes() -> None:
    check_elements(dom(more="<img src='data:image/png;base64,AA=='>"), PAGE)


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (dom(more="<script></script>"), "1 of `script`, expected 0"),
        (dom(more="<img src='x'>"), "something is fetched: img src=x"),
        (dom(more="<a href='https://example.com'></a>"), "something is fetched: a href=https"),
        (dom(title="ran"), "the title became `ran`"),
        (dom().replace("<circle class='ok'></circle>", "", 1), "2 of `circle.ok`, expected 3"),
    ],
)
def test_what_is_missing_or_brought_in_by_a_name_is_said(page: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_elements(page, PAGE)


def test_a_picture_without_one_of_its_colours_is_refused(tmp_path: Path) -> None:
    for scheme, colours in COLOURS.items():
        others = [colours["line"], colours["difference"]]
        whole = picture(tmp_path / "whole.png", paper=colours["paper"], drawn=others)
        check_picture(whole, scheme, PAGE.colours)
        blank = picture(tmp_path / "blank.png", paper=colours["paper"], drawn=others[:1])
        with pytest.raises(ValueError, match=f"{scheme}: 0 pixels of `difference`"):
            check_picture(blank, scheme, PAGE.colours)
    light = picture(tmp_path / "light.png", paper=COLOURS["light"]["paper"], drawn=[])
    with pytest.raises(ValueError, match="dark: 0 pixels of `paper`"):
        check_picture(light, "dark", PAGE.colours)
