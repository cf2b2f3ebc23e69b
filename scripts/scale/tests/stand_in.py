"""A program that answers as `senet classify --null --format ndjson -` does, and does what images tell it to do wrong.

The first two classes of an image are its length and the sum of its bytes. It reads in batches as the program does, so
that what ends it takes the images beside it along.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

BATCH = 16


def paths() -> Iterator[list[bytes]]:
    """Those that are there, up to a batch at a time."""
    rest = b""
    while some := os.read(0, 4096):
        *names, rest = (rest + some).split(b"\0")
        for start in range(0, len(names), BATCH):
            yield names[start : start + BATCH]


def obey(content: bytes) -> None:
    what, _, argument = content.decode(errors="replace").partition(" ")
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "kill-once":
        # Made by the first who comes by.
        flag = Path(argument)
        if not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    elif what == "exit":
        print("it is broken", file=sys.stderr)
        sys.exit(int(argument))
    elif what == "hang":
        time.sleep(3600)
    elif what == "torn":
        print('{"input":"/proc', end="", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "two":
        print(json.dumps({"input": "another", "top": [], "error": "another"}), flush=True)


def answer(content: bytes) -> dict[str, object]:
    if content.startswith(b"unread"):
        return {"top": [], "error": "no image"}
    places = [len(content), sum(content)]
    top = [
        {"class": place, "label": f"label {place}", "probability": 1 / (1 + place), "logit": -place} for place in places
    ]
    return {"top": top, "error": None}


def main() -> None:
    if "--version" in sys.argv:
        print(
            f"senet 0.0.0\nfeatures      {os.environ.get('FEATURES')}\ninstructions  {os.environ.get('INSTRUCTIONS')}"
        )
        return
    if "--broken" in sys.argv:
        sys.exit("error: no such weights")
    for batch in paths():
        contents = [Path(os.fsdecode(path)).read_bytes() for path in batch]
        for content in contents:
            obey(content)
        for path, content in zip(batch, contents, strict=True):
            print(json.dumps({"input": os.fsdecode(path), **answer(content)}), flush=False)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
