"""Write small JPEG files of every kind, and the hashes of the pixels that Pillow makes of them, for the Rust tests.

The files are those of `odd_files/jpeg.py`'s encoder; some are coded anew by
jpegtran, which comes with libjpeg-turbo. The fixture holds each under its name
and, under `NAME sha256`, the hash of its RGB pixels, turned as a camera noted.

    python -m scripts.checks.jpeg_files --output tests/fixtures/jpeg_files.safetensors
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image, ImageOps
from safetensors.numpy import save_file

from scripts.checks.odd_files.jpeg import JFIF, Jpeg, adobe, marker
from scripts.command_line import errors_in_one_line

OLDEST_PILLOW = 13

ORIENTATION = 0x0112
ONE = (1, 1)
# Horizontal and vertical.
USUAL = (ONE, (2, 1), (1, 2), (2, 2))
UNUSUAL = ((3, 1), (1, 3), (3, 2), (4, 1), (1, 4), (4, 2), (2, 4))
# By name; the first of all components in one.
SCANS = {"one": Jpeg(), "each": Jpeg(one_scan_a_component=True), "progressive": Jpeg(progressive=True)}
MOST_BLOCKS_IN_A_UNIT = 10
# With an edge in the midst of a block, and of a colour sample.
SMALL = Jpeg(((2, 2), ONE, ONE), 17, 18, markers=(JFIF,))


def describe(*factors: tuple[int, int]) -> str:
    """Sampling factors in a name."""
    return " ".join(f"{horizontal}x{vertical}" for horizontal, vertical in factors)


def samplings() -> dict[str, Jpeg]:
    """Three components with the usual factors in every combination, and with unusual ones."""
    made = {}
    for factors, (name, scans) in itertools.product(itertools.product(USUAL, repeat=3), SCANS.items()):
        if name == "each" or sum(h * v for h, v in factors) <= MOST_BLOCKS_IN_A_UNIT:
            made[f"{describe(*factors)}, {name}"] = replace(scans, sampling=factors, height=17, width=18)
    for luma, name in itertools.product(UNUSUAL, ("one", "each")):
        factors = (luma, ONE, ONE)
        made[f"{describe(*factors)}, {name}"] = replace(SCANS[name], sampling=factors, height=9, width=9)
    return made


def colours() -> dict[str, Jpeg]:
    """What says which colours the components are, in every order and combination."""
    kinds = {"JFIF": JFIF, **{f"Adobe {transform}": adobe(transform) for transform in range(3)}}
    orders: dict[str, tuple[bytes, ...]] = {"no marker": ()} | {name: (kind,) for name, kind in kinds.items()}
    for one, other in itertools.permutations(kinds, 2):
        if "JFIF" in (one, other):
            orders[f"{one}, {other}"] = (kinds[one], kinds[other])
    made = {}
    for (order, markers), ids in itertools.product(orders.items(), (b"\1\2\3", b"RGB", b"\0\1\2")):
        name = ids.decode() if ids.isalpha() else "".join(map(str, ids))
        made[f"{order}, ids {name}"] = Jpeg(height=7, width=9, ids=tuple(ids), markers=markers)
    for order in ("no marker", "Adobe 0", "Adobe 1", "Adobe 2", "JFIF, Adobe 2"):
        made[f"four components, {order}"] = Jpeg((ONE,) * 4, 7, 9, markers=orders[order])
    made["four components, subsampled"] = Jpeg(((2, 2), ONE, ONE, (2, 2)), 17, 18, markers=(adobe(2),))
    return made


def others() -> dict[str, Jpeg]:
    """Gray, small sizes, restarts, and notes of cameras, whole and broken."""
    made = {f"gray {describe(factors)}": replace(SMALL, sampling=(factors,)) for factors in USUAL}
    made["gray progressive"] = replace(SMALL, sampling=(ONE,), progressive=True)
    for luma, (height, width) in itertools.product(
        USUAL, ((1, 1), (1, 2), (2, 1), (5, 3), (9, 7), (8, 8), (8, 9), (16, 16), (15, 17), (17, 16))
    ):
        made[f"{width}x{height}, luma {describe(luma)}"] = Jpeg((luma, ONE, ONE), height, width)
    for restart, (name, scans) in itertools.product((1, 2, 3), SCANS.items()):
        made[f"restart {restart}, {name}"] = replace(
            scans, sampling=SMALL.sampling, height=33, width=17, restart=restart
        )
    for orientation in range(10):
        made[f"orientation {orientation}"] = replace(SMALL, markers=(notes(orientation),))
    whole = exif(6)
    broken = {"empty": b"", "cut": whole[:-8], "far": whole[:4] + b"\xff" * 4, "of no byte order": b"XX" + whole[2:]}
    for name, tags in broken.items():
        made[f"notes {name}"] = replace(SMALL, markers=(marker(0xE1, b"Exif\0\0" + tags),))
    made["JFIF 3"] = replace(SMALL, markers=(JFIF.replace(b"JFIF\0\1", b"JFIF\0\3"),))
    made["Adobe 9"] = replace(SMALL, markers=(adobe(9),))
    return made


def exif(orientation: int) -> bytes:
    """A camera's notes."""
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags.tobytes().removeprefix(b"Exif\0\0")


def notes(orientation: int) -> bytes:
    """The segment of a camera's notes."""
    return marker(0xE1, b"Exif\0\0" + exif(orientation))


def harmless(whole: bytes) -> dict[str, bytes]:
    """Files with something in them that belongs to no image."""
    data, end = whole[:-2], whole[-2:]
    tables = data.index(b"\xff\xdb")
    band = data.index(b"\xff\xda") + 11
    return {
        "bytes between segments": data[:tables] + b"\0\1\2" + data[tables:] + end,
        # As drones of DJI, among others, write them.
        "bytes before the end": data + bytes(range(1, 101)) + end,
        "filled up before the end": data + b"\xff\xff" + end,
        "bytes after the end": whole + b"\0\xff\xd8\xff",
        "another image after the end": whole + Jpeg(height=3, width=3).write(),
        "zeros for a scan's band": data[:band] + bytes(3) + data[band + 3 :] + end,
    }


def arithmetic(files: dict[str, bytes]) -> dict[str, bytes]:
    """Some of the files with arithmetic instead of Huffman codes."""
    some = ("2x2 1x1 1x1, one", "2x1 1x1 1x2, each", "gray 1x1", "four components, Adobe 2", "restart 2, one")
    made = {}
    for name, (kind, options) in itertools.product(some, (("sequential", []), ("progressive", ["-progressive"]))):
        command = ["jpegtran", "-arithmetic", "-copy", "all", *options]
        answer = subprocess.run(command, input=files[name], capture_output=True, check=True)
        made[f"arithmetic, {kind}, {name}"] = answer.stdout
    # With refinements, which the encoder here leaves out.
    for name in some:
        command = ["jpegtran", "-progressive", "-copy", "all"]
        answer = subprocess.run(command, input=files[name], capture_output=True, check=True)
        made[f"refined, {name}"] = answer.stdout
    return made


def jpeg_files() -> dict[str, bytes]:
    """All files by name."""
    files = {name: jpeg.write() for name, jpeg in (samplings() | colours() | others()).items()}
    return files | harmless(SMALL.write()) | arithmetic(files)


def pixels(data: bytes) -> npt.NDArray[np.uint8]:
    """[height, width, 3] as Pillow sees the file, turned as its camera noted."""
    with warnings.catch_warnings():
        # Notes that cannot be read turn nothing, and Pillow says so.
        warnings.simplefilter("ignore", UserWarning)
        return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def main() -> None:
    """Parse the arguments and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="safetensors file to write")
    arguments = parser.parse_args()
    with errors_in_one_line():
        if int(PIL.__version__.split(".")[0]) < OLDEST_PILLOW:
            raise ValueError(f"Pillow {PIL.__version__} is too old; needs {OLDEST_PILLOW} or later")
        tensors: dict[str, npt.NDArray[np.uint8]] = {}
        for name, data in jpeg_files().items():
            tensors[name] = np.frombuffer(data, np.uint8)
            tensors[f"{name} sha256"] = np.frombuffer(hashlib.sha256(pixels(data).tobytes()).digest(), np.uint8)
        save_file(tensors, arguments.output)
        print(f"{len(tensors) // 2} files")


if __name__ == "__main__":
    main()
