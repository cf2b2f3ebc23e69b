"""`senet`, but it dies of certain images: what `check_kills` puts in its place."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

CHUNK = 4096
"""Bytes of the list that are read at once, so that images are in hand beside one that kills."""


def program(senet: Path, deadly: Collection[str]) -> str:
    """The text of a program that runs this with Python's own words, wherever it lies."""
    here = str(Path(__file__).parents[2])
    return (
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {here!r})\n"
        f"from scripts.scale.deadly import main\nsys.exit(main({str(senet)!r}, {sorted(deadly)!r}))\n"
    )


def main(senet: str, deadly: Collection[str]) -> int:
    """Run `senet` on the same words and list, and die before an image whose SHA-256 is among `deadly`."""
    process = subprocess.Popen([senet, *sys.argv[1:]], stdin=subprocess.PIPE)
    assert process.stdin is not None
    rest = b""
    while some := os.read(0, CHUNK):
        *names, rest = (rest + some).split(b"\0")
        for name in names:
            if hashlib.sha256(Path(os.fsdecode(name)).read_bytes()).hexdigest() in deadly:
                process.kill()
                os.kill(os.getpid(), signal.SIGKILL)
            process.stdin.write(name + b"\0")
        process.stdin.flush()
    process.stdin.close()
    return process.wait()
