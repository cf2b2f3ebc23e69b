"""WebP files: animations, and alpha that nothing is said of."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from PIL import Image

from scripts.checks.odd_files.made import Made, encode, noise, noise_image


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk, to an even length."""
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp(*chunks: bytes) -> bytes:
    """A file."""
    data = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(data)) + data


def three_bytes(number: int) -> bytes:
    """As sizes are written here."""
    return struct.pack("<I", number)[:3]


def extended(width: int, height: int, flags: int) -> bytes:
    """The chunk that says what follows."""
    return chunk(b"VP8X", bytes([flags, 0, 0, 0]) + three_bytes(width - 1) + three_bytes(height - 1))


def bits_of(image: Image.Image, **options: object) -> bytes:
    """The chunks of an image alone."""
    file = encode(image, "WEBP", **options)
    start = 12
    if file[12:16] == b"VP8X":
        start += 8 + 10
    return file[start:]


def animated(
    image: Image.Image, at: tuple[int, int], screen: tuple[int, int], *, blend: bool, background: int
) -> bytes:
    """A file of one frame, at an even row and column of a screen."""
    top, left = at
    height, width = screen
    frame = (
        three_bytes(left // 2) + three_bytes(top // 2) + three_bytes(image.width - 1) + three_bytes(image.height - 1)
    )
    frame += three_bytes(100) + bytes([0 if blend else 2])
    bits = bits_of(image, lossless=True, exact=True)
    animation = chunk(b"ANIM", struct.pack("<IH", background, 0))
    return webp(extended(width, height, 0x12), animation, chunk(b"ANMF", frame + bits))


def files() -> Iterator[Made]:
    """Every WebP file."""
    opaque = noise_image(22, 30)
    clear = Image.fromarray(noise(22, 30, 4), "RGBA")
    bare = noise(22, 30, 4)
    bare[::2, :, 3] = 0
    hidden = Image.fromarray(bare, "RGBA")
    images = {"opaque": opaque, "alpha": clear, "hidden": hidden}
    for name, image in images.items():
        yield Made(f"{name}_lossless.webp", encode(image, "WEBP", lossless=True, exact=True))
        yield Made(f"{name}_lossy.webp", encode(image, "WEBP", quality=60))
        for blend in (False, True):
            how = "blended" if blend else "placed"
            for background in (0, 0xFF2080C0):
                of = f"{name}_{how}_over_{background:08x}"
                yield Made(f"{of}.webp", animated(image, (0, 0), (22, 30), blend=blend, background=background))
                yield Made(f"{of}_inside.webp", animated(image, (6, 10), (40, 50), blend=blend, background=background))
    pair = [noise_image(22, 30), noise_image(22, 30).rotate(180)]
    yield Made("two_frames_lossy.webp", encode(pair[0], "WEBP", save_all=True, append_images=pair[1:], quality=70))
    lossy = bits_of(opaque, quality=60)
    yield Made("extended_unknown_chunk.webp", webp(extended(30, 22, 0), chunk(b"WHAT", b"ever"), lossy))
    yield Made("truncated.webp", encode(opaque, "WEBP", quality=60)[:-100], "neither")
    yield Made("trailing.webp", encode(opaque, "WEBP", quality=60) + b"whatever follows")
    exif = Image.Exif()
    exif[0x0112] = 6
    yield Made("orientation.webp", encode(opaque, "WEBP", lossless=True, exif=exif))
