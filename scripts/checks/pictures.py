"""Make the pictures of the documentation: pages that `senet` writes, as a browser draws them.

A picture differs from browser to browser, but not what the page says: `docs/images/pages.json` has the SHA-256 of the
page that each picture was made of, but for the pictures on it, whose last bits are the processor's, and `--check` sees
that the program still writes that page.

    python -m scripts.checks.pictures --senet target/release/senet
    python -m scripts.checks.pictures --senet target/release/senet --check
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from scripts.checks.pages import browse
from scripts.command_line import errors_in_one_line

IMAGES = Path("docs/images")
SUMS = IMAGES / "pages.json"

CAT = "tests/images/photos/cat.jpg"

PICTURES = {
    "trace": (["trace", "seresnet50", "--format", "html"], (1100, 640)),
    "classify": (["classify", "tests/images/photos", "--top-k", "3", "--format", "html"], (820, 420)),
    "explain": (["explain", CAT, "--weights", "builtin:seresnet20", "--format", "html"], (1000, 680)),
}
"""What the program is asked for, and the window's width and height. Neither page has times, which are new each run."""

SCHEME = "--blink-settings=preferredColorScheme=1"
"""Light, as most pages that a README is read on."""

COLOURS = 256
"""Of a picture: a page has few besides its photographs, and a file of so many is small."""


def page_of(senet: Path, words: list[str]) -> bytes:
    """The page that the program writes.

    Raises:
        ValueError: it fails.
    """
    done = subprocess.run([senet.resolve(), *words], capture_output=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"`senet {' '.join(words)}` ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout


def without_pictures(page: bytes) -> bytes:
    """A page but for the pictures that are part of it."""
    return re.sub(rb"(data:image/\w+;base64,)[\w+/=]*", rb"\1", page)


def draw(page: bytes, size: tuple[int, int], chromium: str, picture: Path) -> None:
    """Draw a page as a PNG of few colours."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "page.html").write_bytes(page)
        drawn = folder / "page.png"
        browse(chromium, folder, folder / "page.html", size, SCHEME, f"--screenshot={drawn}")
        with Image.open(drawn) as image:
            pixels = image.convert("RGB")
        # Rare colours stay, as those of a heat map's lightest places, and others are mixed of them.
        palette = pixels.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE)
        pixels.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(picture, optimize=True)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("--chromium", default="chromium", help="the browser (%(default)s)")
    parser.add_argument("--check", action="store_true", help="only see that the pages are still those")
    arguments = parser.parse_args(words)
    with errors_in_one_line():
        pages = {name: page_of(arguments.senet, words) for name, (words, _) in PICTURES.items()}
        sums = {name: hashlib.sha256(without_pictures(page)).hexdigest() for name, page in pages.items()}
        if arguments.check:
            known = json.loads(SUMS.read_text(encoding="utf-8"))
            others = [name for name in PICTURES if known.get(name) != sums[name] or not picture_of(name).is_file()]
            if others:
                raise ValueError(f"the page changed of which the picture is: {', '.join(others)}; make it anew")
            print(f"{len(sums)} pictures are of the pages that the program writes")
            return
        IMAGES.mkdir(exist_ok=True)
        for name, (_, size) in PICTURES.items():
            draw(pages[name], size, arguments.chromium, picture_of(name))
            print(f"{picture_of(name)}: {picture_of(name).stat().st_size:,} bytes")
        SUMS.write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")


def picture_of(name: str) -> Path:
    """Where a picture is."""
    return IMAGES / f"{name}.png"


if __name__ == "__main__":
    main()
