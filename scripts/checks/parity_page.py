"""Open the page that `senet parity --format html` writes in a browser, and see that all of it is drawn.

Two dumps are made whose values differ more and more, with names that are markup and would run a script. The page has
to have a point and a row for each, the tolerance and the first difference marked, no script, and colours that show on
the light and on the dark background.

    python -m scripts.checks.parity_page --senet target/release/senet
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.command_line import errors_in_one_line
from scripts.safetensors_file import write_safetensors

VALUES = 40
FIRST = 25
"""Of the values, the first that differs by more than the tolerance."""

HOSTILE = "</title></svg><script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"

SIZE = (1000, 900)
"""Of the browser's window."""

SCHEMES = {"dark": 0, "light": 1}
"""What Chromium calls the colours that a reader prefers."""

COLOURS = {
    "light": {"paper": (255, 255, 255), "line": (0x25, 0x63, 0xA8), "difference": (0xB3, 0x26, 0x1E)},
    "dark": {"paper": (0x16, 0x16, 0x16), "line": (0x7D, 0xB4, 0xF0), "difference": (0xFF, 0x8A, 0x80)},
}

FEWEST_PIXELS = 100
"""Of a colour, where it is drawn: the line is as wide as the plot, and a point has some 40."""

SECONDS = 120
"""That a browser may take: the first start on a busy machine takes some ten."""


class Elements(HTMLParser):
    """Counts the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.title = ""
        self._path: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = f"{tag}.{dict(attrs).get('class')}" if dict(attrs).get("class") else tag
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if tag != "meta":
            self._path.append(tag)

    def handle_endtag(self, _tag: str) -> None:
        self._path.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        if self._path[-2:] == ["head", "title"]:
            self.title += data


def write_page(senet: Path, folder: Path) -> Path:
    """Compare two dumps that differ from `FIRST` on, and write the page of that.

    Raises:
        ValueError: the program does not say that they differ.
    """
    names = [f"layer{index}.{HOSTILE}" for index in range(VALUES)]
    errors = 10.0 ** np.linspace(-8, 0, VALUES)
    errors *= 1e-5 / errors[FIRST - 1 : FIRST + 1].prod() ** 0.5
    theirs = {name: np.linspace(-1, 1, 24).reshape(1, 2, 3, 4) for name in names}
    ours = {name: value * (1 + error) for (name, value), error in zip(theirs.items(), errors, strict=True)}
    files = [folder / "ours.safetensors", folder / "reference.safetensors"]
    for file, values in zip(files, (ours, theirs), strict=True):
        write_safetensors(file, values, {"layout": "nchw", "framework": HOSTILE})
    words: list[str | Path] = [senet, "parity", "--ours", files[0], "--reference", files[1], "--format", "html"]
    done = subprocess.run(words, capture_output=True, check=False)
    if done.returncode != 1:
        raise ValueError(f"`senet parity` ended with {done.returncode}, expected 1: {done.stderr.decode()}")
    page = folder / "parity.html"
    page.write_bytes(done.stdout)
    return page


def browse(chromium: str, folder: Path, page: Path, *flags: str) -> str:
    """Open a page as a browser without a window does, each time as a new user, and return what it prints.

    Raises:
        ValueError: the browser fails.
    """
    with tempfile.TemporaryDirectory(dir=folder) as user:
        # A container has no sandbox to start one in; the page is our own.
        words = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-extensions"]
        words += [f"--user-data-dir={user}", f"--window-size={SIZE[0]},{SIZE[1]}", *flags, page.resolve().as_uri()]
        try:
            done = subprocess.run(words, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise ValueError(f"`{chromium}` took more than {SECONDS} seconds") from None
    if done.returncode != 0:
        raise ValueError(f"`{chromium}` ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout.decode()


def check_elements(dom: str) -> None:
    """See what the browser made of the page.

    Raises:
        ValueError: something is not there, or something is that a name brought in.
    """
    elements = Elements()
    elements.feed(dom)
    expected = {
        "svg": 1,
        "circle.ok": FIRST,
        "rect.bad": VALUES - FIRST,
        "polyline.line": 1,
        "line.tolerance": 1,
        "line.first": 1,
        "tr": 1 + FIRST,
        "tr.differs first": 1,
        "tr.differs": VALUES - FIRST - 1,
        "script": 0,
        "img": 0,
    }
    for kind, count in expected.items():
        if elements.counts.get(kind, 0) != count:
            raise ValueError(f"{elements.counts.get(kind, 0)} of `{kind}`, expected {count}")
    if "ours.safetensors" not in elements.title:
        raise ValueError(f"the title became `{elements.title}`")


def check_picture(file: Path, scheme: str) -> None:
    """See that the page's colours are on its picture.

    Raises:
        ValueError: one is not.
    """
    pixels = np.asarray(Image.open(file).convert("RGB"))
    if pixels.shape != (SIZE[1], SIZE[0], 3):
        raise ValueError(f"a picture of {pixels.shape}, expected {SIZE[0]}x{SIZE[1]}")
    for what, colour in COLOURS[scheme].items():
        count = int((pixels == np.array(colour)).all(axis=2).sum())
        if count < FEWEST_PIXELS:
            raise ValueError(f"{scheme}: {count} pixels of `{what}`, expected {FEWEST_PIXELS}")
        print(f"{scheme}: {count:,} pixels of `{what}`")


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("--chromium", default="chromium", help="the browser (%(default)s)")
    arguments = parser.parse_args(words)
    with errors_in_one_line(), tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        page = write_page(arguments.senet, folder)
        flags = {"dom": ("--dump-dom",)} | {
            scheme: (f"--blink-settings=preferredColorScheme={number}", f"--screenshot={folder / scheme}.png")
            for scheme, number in SCHEMES.items()
        }
        # Each takes seconds to start.
        with ThreadPoolExecutor() as pool:
            opened = {
                what: pool.submit(browse, arguments.chromium, folder, page, *given) for what, given in flags.items()
            }
            printed = {what: done.result() for what, done in opened.items()}
        check_elements(printed["dom"])
        for scheme in SCHEMES:
            check_picture(folder / f"{scheme}.png", scheme)


if __name__ == "__main__":
    main()
