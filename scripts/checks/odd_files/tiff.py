"""TIFF files: tags that change what the samples mean, and every kind of sample and compression."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from scripts.checks.odd_files import jpeg
from scripts.checks.odd_files.made import Made, encode, noise, noise_image

Samples = npt.NDArray[np.uint16]
"""[height, width, channels]."""

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIPS, ORIENTATION, CHANNELS, ROWS, STRIP_SIZES, PLANAR = 273, 274, 277, 278, 279, 284
PREDICTOR, PALETTE, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES = 317, 320, 322, 323, 324, 325
INKS, EXTRA, SAMPLE_FORMAT, SUBSAMPLING, POSITIONING = 332, 338, 339, 530, 531
OLD_JPEG_START, OLD_JPEG_LENGTH = 513, 514

LONG = {WIDTH, HEIGHT, ROWS, STRIPS, STRIP_SIZES, TILES, TILE_SIZES, OLD_JPEG_START, OLD_JPEG_LENGTH}

RAW, FAX_RLE, FAX_3, FAX_4, OLD_JPEG, JPEG, DEFLATE, PACK_BITS = 1, 2, 3, 4, 6, 7, 8, 32773
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, INDEXED, MASK, CMYK, YCBCR, CIE_LAB = 0, 1, 2, 3, 4, 5, 6, 8

Tags = dict[int, int | Sequence[int]]


def tiff(tags: Tags, parts: Sequence[bytes], *, order: str = "<", big: bool = False) -> bytes:
    """A file of one image: its strips, or its tiles where it has a tile's width."""
    tiled = TILE_WIDTH in tags
    starts, sizes = (TILES, TILE_SIZES) if tiled else (STRIPS, STRIP_SIZES)
    first = 16 if big else 8
    places = list(itertools.accumulate(map(len, parts), initial=first))
    tags = {**tags, starts: places[:-1], sizes: [len(part) for part in parts]}
    body = b"".join(parts)
    after = first + len(body) + len(body) % 2
    count, entry, offset, room = ("Q", "HHQ", "Q", 8) if big else ("H", "HHI", "I", 4)
    directory_size = struct.calcsize(f"={count}{offset}") + len(tags) * (struct.calcsize(f"={entry}") + room)
    entries, values = b"", b""
    for tag in sorted(tags):
        value = tags[tag]
        numbers = [value] if isinstance(value, int) else list(value)
        kind, letter = (4, "I") if tag in LONG else (3, "H")
        packed = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        entries += struct.pack(order + entry, tag, kind, len(numbers))
        if len(packed) <= room:
            entries += packed.ljust(room, b"\0")
        else:
            entries += struct.pack(order + offset, after + directory_size + len(values))
            values += packed + b"\0" * (len(packed) % 2)
    mark = b"II" if order == "<" else b"MM"
    if big:
        head = mark + struct.pack(order + "HHHQ", 43, 8, 0, after)
    else:
        head = mark + struct.pack(order + "HI", 42, after)
    directory = struct.pack(order + count, len(tags)) + entries + struct.pack(order + offset, 0)
    return head + body + b"\0" * (len(body) % 2) + directory + values


def packed(samples: Samples, bits: int, order: str = "<") -> bytes:
    """Rows of samples, each row from a whole byte on."""
    if bits in (16, 32):
        return samples.astype(f"{order}u{bits // 8}").tobytes()
    rows = samples.reshape(samples.shape[0], -1)
    spread = (rows[..., None] >> np.arange(bits)[::-1] & 1).astype(np.uint8)
    return np.packbits(spread.reshape(rows.shape[0], -1), axis=1).tobytes()


def wide_noise(height: int, width: int, channels: int, bits: int) -> Samples:
    """Samples of any number of bits."""
    both = noise(height, width, 2 * channels).astype(np.uint16)
    return ((both[..., :channels] << 8 | both[..., channels:]) >> (16 - bits)).astype(np.uint16)


def described(samples: Samples, bits: int, photometric: int) -> Tags:
    """The tags that say what samples are like."""
    height, width, channels = samples.shape
    tags: Tags = {WIDTH: width, HEIGHT: height, COMPRESSION: RAW, PHOTOMETRIC: photometric}
    tags |= {BITS: [bits] * channels, CHANNELS: channels, ROWS: height}
    return tags


def plain(
    photometric: int,
    channels: int,
    bits: int,
    tags: Tags | None = None,
    *,
    order: str = "<",
    big: bool = False,
    compress: bool = False,
    height: int = 37,
    width: int = 53,
) -> bytes:
    """Noise in one strip."""
    samples = wide_noise(height, width, channels, bits)
    data = packed(samples, bits, order)
    made = described(samples, bits, photometric) | (tags or {})
    if compress:
        made[COMPRESSION], data = DEFLATE, zlib.compress(data)
    return tiff(made, [data], order=order, big=big)


def reversed_bits(data: bytes) -> bytes:
    """Each byte's lowest bit first."""
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)


def palette_of(bits: int) -> list[int]:
    """All reds, greens and blues, of 16 bits."""
    colours: list[int] = wide_noise(3, 1 << bits, 1, 16).reshape(-1).tolist()
    return colours


def meanings() -> Iterator[Made]:
    """Tags that change what samples of the same layout mean."""
    for turn in range(1, 9):
        yield Made(f"orientation_{turn}.tiff", plain(RGB, 3, 8, {ORIENTATION: turn}))
        yield Made(f"orientation_{turn}_gray.tiff", plain(BLACK_IS_ZERO, 1, 8, {ORIENTATION: turn}))
    line = packed(wide_noise(37, 53, 1, 1), 1)
    shape = described(wide_noise(37, 53, 1, 1), 1, BLACK_IS_ZERO)
    for name, compression, pack in (("raw", RAW, bytes), ("deflate", DEFLATE, zlib.compress)):
        tags = shape | {FILL_ORDER: 2, COMPRESSION: compression}
        yield Made(f"fill_order_2_{name}.tiff", tiff(tags, [reversed_bits(pack(line))]))
    eight = packed(wide_noise(37, 53, 1, 8), 8)
    tags = described(wide_noise(37, 53, 1, 8), 8, BLACK_IS_ZERO) | {FILL_ORDER: 2}
    yield Made("fill_order_2_eight_bits.tiff", tiff(tags, [reversed_bits(eight)]))
    for extra in range(3):
        yield Made(f"extra_{extra}_rgba.tiff", plain(RGB, 4, 8, {EXTRA: extra}))
        expected, why = ("only senet", "Pillow cannot unmultiply gray") if extra == 1 else ("same", "")
        yield Made(f"extra_{extra}_gray.tiff", plain(BLACK_IS_ZERO, 2, 8, {EXTRA: extra}), expected, why)
    yield Made("extra_none_rgba.tiff", plain(RGB, 4, 8))
    yield Made("extra_two.tiff", plain(RGB, 5, 8, {EXTRA: [0, 0]}))
    for name, photometric in (("white", WHITE_IS_ZERO), ("black", BLACK_IS_ZERO)):
        for bits in (1, 2, 4, 8):
            yield Made(f"{name}_is_zero_{bits}_bits.tiff", plain(photometric, 1, bits))
        for width in (1, 7, 8, 9, 16, 31):
            yield Made(f"{name}_is_zero_width_{width}.tiff", plain(photometric, 1, 1, width=width))


def kinds() -> Iterator[Made]:
    """Kinds of samples."""
    for order, name in (("<", "little"), (">", "big")):
        yield Made(f"gray_16_bits_{name}.tiff", plain(BLACK_IS_ZERO, 1, 16, order=order))
        yield Made(f"rgb_16_bits_{name}.tiff", plain(RGB, 3, 16, order=order))
        expected, why = ("same", "") if order == "<" else ("only senet", "Pillow takes this order for a small TIFF")
        yield Made(f"bigtiff_{name}.tiff", plain(RGB, 3, 8, order=order, big=True), expected, why)
    yield Made("gray_12_bits.tiff", plain(BLACK_IS_ZERO, 1, 12))
    yield Made("rgba_16_bits.tiff", plain(RGB, 4, 16, {EXTRA: 2}))
    yield Made("rgba_16_bits_premultiplied.tiff", plain(RGB, 4, 16, {EXTRA: 1}))
    yield Made("cmyk.tiff", plain(CMYK, 4, 8, {INKS: 1}))
    yield Made("cmyk_16_bits.tiff", plain(CMYK, 4, 16, {INKS: 1}))
    for bits in (1, 2, 4, 8):
        yield Made(f"palette_{bits}_bits.tiff", plain(INDEXED, 1, bits, {PALETTE: palette_of(bits)}))
    yield Made("palette_alpha.tiff", plain(INDEXED, 2, 8, {PALETTE: palette_of(8), EXTRA: 2}))
    yield Made("lab.tiff", plain(CIE_LAB, 3, 8), "only Pillow", "its RGB depends on profiles of colour")
    yield Made("gray_signed.tiff", plain(BLACK_IS_ZERO, 1, 8, {SAMPLE_FORMAT: 2}))
    signed = plain(BLACK_IS_ZERO, 1, 16, {SAMPLE_FORMAT: 2})
    yield Made("gray_16_bits_signed.tiff", signed, "only Pillow", "what number is white is unsaid")
    floating = Image.fromarray(np.linspace(-20, 300, 37 * 53, dtype=np.float32).reshape(37, 53))
    yield Made(
        "float.tiff", encode(floating, "TIFF"), "only Pillow", "what range of numbers is black to white is unsaid"
    )
    for horizontal, vertical in ((1, 1), (2, 1), (2, 2)):
        made = ycbcr(horizontal, vertical)
        yield Made(f"ycbcr_{horizontal}x{vertical}.tiff", made, "only Pillow", "read in JPEG alone")


def ycbcr(horizontal: int, vertical: int, height: int = 36, width: int = 52) -> bytes:
    """Brightness and colour apart, the colour of one for several pixels."""
    across, down = width // horizontal, height // vertical
    units = noise(down, across, horizontal * vertical + 2)
    tags: Tags = {WIDTH: width, HEIGHT: height, COMPRESSION: DEFLATE, PHOTOMETRIC: YCBCR, ROWS: height}
    tags |= {BITS: [8] * 3, CHANNELS: 3, SUBSAMPLING: [horizontal, vertical], POSITIONING: 1}
    return tiff(tags, [zlib.compress(units.tobytes())])


def layouts() -> Iterator[Made]:
    """Strips, tiles and planes."""
    for bits, compression in itertools.product((8, 16), (RAW, DEFLATE)):
        samples = wide_noise(37, 53, 3, bits)
        pack = zlib.compress if compression == DEFLATE else bytes
        name = f"{bits}_bits_{'deflate' if compression == DEFLATE else 'raw'}"
        shape = described(samples, bits, RGB) | {COMPRESSION: compression}
        planes = [pack(packed(samples[..., [channel]], bits)) for channel in range(3)]
        # So of planes of 16 bits that are not compressed.
        twice = (bits, compression) == (16, RAW)
        expected, why = ("differs", "Pillow takes each byte for a sample") if twice else ("same", "")
        yield Made(f"planar_{name}.tiff", tiff(shape | {PLANAR: 2}, planes), expected, why)
        strips = [pack(packed(samples[row : row + 10], bits)) for row in range(0, 37, 10)]
        yield Made(f"strips_{name}.tiff", tiff(shape | {ROWS: 10}, strips))
        framed = np.zeros((48, 64, 3), np.uint16)
        framed[:37, :53] = samples
        corners = list(itertools.product(range(0, 48, 16), range(0, 64, 32)))
        tiles = [framed[row : row + 16, column : column + 32] for row, column in corners]
        tags = {tag: value for tag, value in shape.items() if tag != ROWS} | {TILE_WIDTH: 32, TILE_HEIGHT: 16}
        yield Made(f"tiles_{name}.tiff", tiff(tags, [pack(packed(tile, bits)) for tile in tiles]))
        planar = [pack(packed(tile[..., [channel]], bits)) for channel in range(3) for tile in tiles]
        yield Made(f"tiles_planar_{name}.tiff", tiff(tags | {PLANAR: 2}, planar), expected, why)
    samples = wide_noise(37, 53, 3, 8)
    differences = samples.copy()
    differences[:, 1:] = samples[:, 1:] - samples[:, :-1] & 0xFF
    tags = described(samples, 8, RGB) | {COMPRESSION: DEFLATE, PREDICTOR: 2}
    yield Made("predictor.tiff", tiff(tags, [zlib.compress(packed(differences, 8))]))


def compressions() -> Iterator[Made]:
    """Every compression that Pillow writes, and the old form of JPEG."""
    image = noise_image(37, 53)
    for name in ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "zstd"):
        yield Made(f"{name}.tiff", encode(image, "TIFF", compression=name))
    yield Made("lzma.tiff", encode(image, "TIFF", compression="lzma"), "only Pillow", "refused by name")
    yield Made("jpeg.tiff", encode(image, "TIFF", compression="jpeg"))
    yield Made("jpeg_gray.tiff", encode(image.convert("L"), "TIFF", compression="jpeg"))
    inks = encode(image.convert("CMYK"), "TIFF", compression="jpeg")
    yield Made("jpeg_cmyk.tiff", inks, "only Pillow", "refused by name")
    bilevel = image.convert("1")
    for name in ("tiff_ccitt", "group3", "group4"):
        yield Made(f"{name}.tiff", encode(bilevel, "TIFF", compression=name))
    subsampled = jpeg.Jpeg(((2, 2), (1, 1), (1, 1)))
    file = subsampled.write()
    tags: Tags = {WIDTH: subsampled.width, HEIGHT: subsampled.height, COMPRESSION: OLD_JPEG, PHOTOMETRIC: YCBCR}
    tags |= {BITS: [8] * 3, CHANNELS: 3, ROWS: subsampled.height, SUBSAMPLING: [2, 2]}
    # One part is the whole file, which begins behind the header of 8 bytes.
    tags |= {OLD_JPEG_START: 8, OLD_JPEG_LENGTH: len(file)}
    yield Made("old_jpeg.tiff", tiff(tags, [file]), "only Pillow", "refused by name")


def files() -> Iterator[Made]:
    """Every TIFF file."""
    yield from meanings()
    yield from kinds()
    yield from layouts()
    yield from compressions()
