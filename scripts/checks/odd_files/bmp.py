"""BMP files: headers of every age, run lengths, and samples of fewer bits."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator

from scripts.checks.odd_files.made import Made, noise

RLE8, RLE4, BITFIELDS = 1, 2, 3
OS2_SIZE, OS2_V2_SIZE, V3_SIZE, V4_SIZE, V5_SIZE = 12, 64, 40, 108, 124


def palette_of(colours: int, entry: int = 4) -> bytes:
    """Colours, blue first."""
    return noise(colours, 2, entry)[:, 0].tobytes()


def rows_of(width: int, height: int, bits: int) -> bytes:
    """Noise, each row in whole words of four bytes."""
    return noise(height, -(-width * bits // 32) * 4, 1).tobytes()


def bmp(
    width: int,
    height: int,
    bits: int,
    data: bytes,
    *,
    compression: int = 0,
    palette: bytes = b"",
    masks: tuple[int, ...] = (),
    header_size: int = V3_SIZE,
    colours: int = 0,
) -> bytes:
    """A file; a negative height says that the top row comes first."""
    if header_size == OS2_SIZE:
        header = struct.pack("<IHHHH", header_size, width, height, 1, bits)
    else:
        sizes = (len(data), 2835, 2835, colours, 0)
        header = struct.pack("<IiiHHIIiiII", header_size, width, height, 1, bits, compression, *sizes)
        packed = b"".join(struct.pack("<I", mask) for mask in masks)
        header = (header + packed).ljust(header_size, b"\0")
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + palette + data


RUNS_8 = (
    # A run, then values of their own, of which there is an odd number.
    b"\x05\x11\x00\x03\x21\x22\x23\x00\x00\x00"
    # Two to the right and one up.
    b"\x02\x31\x00\x02\x02\x01\x04\x41\x00\x00"
    # A line that ends early, two whole ones, and the end.
    b"\x03\x51\x00\x00\x0d\x61\x00\x00\x0d\x71\x00\x01"
)
RUNS_4 = (
    b"\x05\x12\x00\x05\x12\x34\x50\x00\x00\x00"
    b"\x02\x67\x00\x02\x02\x01\x04\x89\x00\x00"
    b"\x03\xab\x00\x00\x0d\xcd\x00\x00\x0d\xef\x00\x01"
)


def run_lengths() -> Iterator[Made]:
    """Pixels that are skipped, lines that end early, whatever is first."""
    for height in (6, -6):
        name = "top_down" if height < 0 else "bottom_up"
        yield Made(f"rle8_{name}.bmp", bmp(13, height, 8, RUNS_8, compression=RLE8, palette=palette_of(256)))
        yield Made(f"rle4_{name}.bmp", bmp(13, height, 4, RUNS_4, compression=RLE4, palette=palette_of(16)))
    yield Made("rle8_no_end.bmp", bmp(13, 6, 8, RUNS_8[:-2], compression=RLE8, palette=palette_of(256)))
    yield Made(
        "rle8_long_run.bmp", bmp(13, 6, 8, b"\x20\x11\x00\x00" * 6 + b"\0\1", compression=RLE8, palette=palette_of(256))
    )
    yield Made("rle8_delta_beyond.bmp", bmp(13, 6, 8, b"\0\2\x40\x40\0\1", compression=RLE8, palette=palette_of(256)))


def samples() -> Iterator[Made]:
    """Samples of every number of bits, from either end."""
    for height in (21, -21):
        name = "top_down" if height < 0 else "bottom_up"
        for bits in (1, 4, 8):
            data = rows_of(31, 21, bits)
            yield Made(f"palette_{bits}_bits_{name}.bmp", bmp(31, height, bits, data, palette=palette_of(1 << bits)))
        for bits in (16, 24, 32):
            yield Made(f"rgb_{bits}_bits_{name}.bmp", bmp(31, height, bits, rows_of(31, 21, bits)))
    black, white = b"\0\0\0\0", b"\xff\xff\xff\0"
    for name, colours in (("black_white", black + white), ("white_black", white + black)):
        yield Made(f"{name}.bmp", bmp(31, 21, 1, rows_of(31, 21, 1), palette=colours))
    few = bmp(31, 21, 8, (noise(21, 32, 1) % 7).tobytes(), palette=palette_of(7), colours=7)
    yield Made("few_colours.bmp", few)
    for bits in (4, 8):
        indices = noise(21, 32 * bits // 8, 1) & (0x11 if bits == 4 else 0x01)
        why = "of a palette of black and white Pillow takes each index for bits"
        file = bmp(31, 21, bits, indices.tobytes(), palette=black + white, colours=2)
        yield Made(f"black_white_{bits}_bits.bmp", file, "differs", why)
    gray = bytes(level for index in range(256) for level in (index, index, index, 0))
    yield Made("gray_palette.bmp", bmp(31, 21, 8, rows_of(31, 21, 8), palette=gray))


def masked() -> Iterator[Made]:
    """Where the bits of a colour are said."""
    kinds = {
        "555": (16, (0x7C00, 0x03E0, 0x001F)),
        "565": (16, (0xF800, 0x07E0, 0x001F)),
        "rgb32": (32, (0xFF0000, 0xFF00, 0xFF)),
        "bgr32": (32, (0xFF, 0xFF00, 0xFF0000)),
        "rgb32_high": (32, (0xFF000000, 0xFF0000, 0xFF00)),
        "argb32": (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
        "abgr32": (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
        "444": (16, (0x0F00, 0x00F0, 0x000F)),
        "10_bits": (32, (0x3FF00000, 0x000FFC00, 0x000003FF)),
    }
    unusual = {"444", "10_bits", "bgr32"}
    for (name, (bits, masks)), size in itertools.product(kinds.items(), (V3_SIZE, V4_SIZE, V5_SIZE)):
        known = name not in unusual and (name, size) != ("abgr32", V3_SIZE)
        expected, why = ("same", "") if known else ("only senet", "Pillow knows no such masks")
        data = rows_of(31, 21, bits)
        file = bmp(
            31, 21, bits, data, compression=BITFIELDS, masks=masks, header_size=max(size, V3_SIZE + 4 * len(masks))
        )
        if size == V3_SIZE:
            # The masks follow a header that does not count them.
            file = file[:14] + struct.pack("<I", V3_SIZE) + file[18:]
        yield Made(f"masks_{name}_header_{size}.bmp", file, expected, why)


def headers() -> Iterator[Made]:
    """Headers of OS/2, and of later versions without masks."""
    for bits in (1, 4, 8):
        data = rows_of(31, 21, bits)
        palette = palette_of(1 << bits, entry=3)
        yield Made(f"os2_{bits}_bits.bmp", bmp(31, 21, bits, data, palette=palette, header_size=OS2_SIZE))
    yield Made("os2_24_bits.bmp", bmp(31, 21, 24, rows_of(31, 21, 24), header_size=OS2_SIZE))
    for size in (OS2_V2_SIZE, V4_SIZE, V5_SIZE):
        data = rows_of(31, 21, 8)
        yield Made(f"header_{size}_8_bits.bmp", bmp(31, 21, 8, data, palette=palette_of(256), header_size=size))
        yield Made(f"header_{size}_24_bits.bmp", bmp(31, 21, 24, rows_of(31, 21, 24), header_size=size))
        yield Made(f"header_{size}_32_bits.bmp", bmp(31, 21, 32, rows_of(31, 21, 32), header_size=size))


def files() -> Iterator[Made]:
    """Every BMP file."""
    yield from run_lengths()
    yield from samples()
    yield from masked()
    yield from headers()
    whole = bmp(31, 21, 24, rows_of(31, 21, 24))
    yield Made("truncated.bmp", whole[:-100], "neither")
    yield Made("trailing.bmp", whole + b"whatever follows")
