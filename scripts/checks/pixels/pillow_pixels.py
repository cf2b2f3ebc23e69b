"""Answer as `examples/pixels.rs` does, with what timm makes of an image: `Image.open(file).convert("RGB")`.

Decoders written in C may crash, hang or ask for much memory over a damaged
file, so this is a program of its own, which `decoder.py` drives.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from PIL import Image


def main() -> None:
    """Answer every line of standard input."""
    # They stop nothing: pixels follow all the same.
    warnings.simplefilter("ignore")
    for line in sys.stdin.buffer:
        pixels = b""
        header: dict[str, object]
        try:
            # Opened as timm's reader does: of a path Pillow would map the samples of some files, and
            # of gray TIFFs that lie on their side it then mixes up height and width.
            with Path(json.loads(line)["image"]).open("rb") as file:
                rgb = Image.open(file).convert("RGB")
            header = {"height": rgb.height, "width": rgb.width}
            pixels = rgb.tobytes()
        except Exception as error:
            # Of any kind: plugins let SyntaxError, struct.error, KeyError and others through.
            header = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + pixels)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
