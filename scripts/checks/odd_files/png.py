"""PNG files: what is wrong in them without a pixel being lost."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from scripts.checks.odd_files.made import Made, encode, noise, noise_image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, data: bytes, *, wrong: bool = False) -> bytes:
    """A chunk, with another checksum than its own where that is asked for."""
    checksum = zlib.crc32(name + data) ^ (0xFFFF if wrong else 0)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


def chunks(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The name and content of each chunk."""
    place = len(SIGNATURE)
    while place < len(file):
        (length,) = struct.unpack_from(">I", file, place)
        yield file[place + 4 : place + 8], file[place + 8 : place + 8 + length]
        place += 12 + length


def with_wrong_checksum(file: bytes, wrong: bytes) -> bytes:
    """`file` with wrong checksums on all chunks of a name."""
    parts = [chunk(name, data, wrong=name == wrong) for name, data in chunks(file)]
    return SIGNATURE + b"".join(parts)


def interlaced(colour_type: int, channels: int, bits: int, height: int = 13, width: int = 11) -> bytes:
    """Noise in the seven passes of Adam7."""
    rows = b""
    for number, (left, top, right, down) in enumerate(
        ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    ):
        high, wide = -(-(height - top) // down), -(-(width - left) // right)
        if high <= 0 or wide <= 0:
            continue
        line = noise(high, -(-wide * channels * bits // 8) + number, 1)[:, number:].reshape(high, -1)
        rows += b"".join(b"\0" + row.tobytes() for row in line)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 1)
    palette = chunk(b"PLTE", noise(1 << bits, 1).tobytes()) if colour_type == 3 else b""
    return SIGNATURE + chunk(b"IHDR", header) + palette + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def files() -> Iterator[Made]:
    """Every PNG file."""
    image = noise_image(22, 30)
    whole = encode(image, "PNG", dpi=(72, 72), pnginfo=None)
    yield Made("wrong_crc_pixels.png", with_wrong_checksum(whole, b"IDAT"))
    yield Made("wrong_crc_end.png", with_wrong_checksum(whole, b"IEND"))
    yield Made("wrong_crc_header.png", with_wrong_checksum(whole, b"IHDR"), "neither")
    yield Made("wrong_crc_ancillary.png", with_wrong_checksum(whole, b"pHYs"), "neither")
    end = whole.index(b"IEND") - 4
    yield Made("no_end.png", whole[:end])
    yield Made("truncated.png", whole[: end - 200], "only senet, damaged")
    yield Made("trailing.png", whole + b"whatever follows")
    parts = dict(chunks(whole))
    pixels = bytearray(zlib.decompress(parts[b"IDAT"]))
    header = chunk(b"IHDR", parts[b"IHDR"])
    wrong_sum = zlib.compress(bytes(pixels))[:-4] + b"\0\0\0\0"
    yield Made(
        "wrong_adler.png", SIGNATURE + header + chunk(b"IDAT", wrong_sum) + chunk(b"IEND", b""), "only senet, damaged"
    )
    split = parts[b"IDAT"]
    data = b"".join(chunk(b"IDAT", split[place : place + 100]) for place in range(0, len(split), 100))
    yield Made("split.png", SIGNATURE + header + data + chunk(b"IEND", b""))
    # Pillow leaves colours alone, whatever a profile says.
    profile = b"profile\0\0" + zlib.compress(bytes(1 << 19))
    yield Made("profile.png", SIGNATURE + header + chunk(b"iCCP", profile) + data + chunk(b"IEND", b""))
    kinds = {"gray": (0, 1, (1, 2, 4, 8, 16)), "rgb": (2, 3, (8, 16)), "palette": (3, 1, (1, 2, 4, 8))}
    kinds |= {"gray_alpha": (4, 2, (8, 16)), "rgba": (6, 4, (8, 16))}
    for name, (colour_type, channels, depths) in kinds.items():
        for bits in depths:
            yield Made(f"interlaced_{name}_{bits}_bits.png", interlaced(colour_type, channels, bits))
    for height, width in itertools.product((1, 2, 3), repeat=2):
        yield Made(f"interlaced_{height}x{width}.png", interlaced(2, 3, 8, height, width))
    frames = [noise_image(22, 30), noise_image(22, 30).rotate(180)]
    yield Made("animated.png", encode(frames[0], "PNG", save_all=True, append_images=frames[1:]))
    apart = encode(frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=True)
    yield Made("animated_default.png", apart)
    turned = Image.Exif()
    turned[0x0112] = 6
    yield Made("orientation.png", encode(image, "PNG", exif=turned))
