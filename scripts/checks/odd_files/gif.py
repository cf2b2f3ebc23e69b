"""GIF files whose first frame is not simply the screen."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from scripts.checks.odd_files.made import Made, noise

COLOURS_IN_BITS = 4


@dataclass(frozen=True)
class Gif:
    """A file of one frame."""

    screen: tuple[int, int] = (23, 31)
    """Height and width."""
    frame: tuple[int, int] = (23, 31)
    at: tuple[int, int] = (0, 0)
    """Row and column of the frame's corner."""
    global_palette: bool = True
    local_palette: bool = False
    transparent: int | None = None
    background: int = 5
    interlaced: bool = False
    before: bytes = b""
    """Blocks before the frame."""
    end: bytes = b";"
    version: bytes = b"GIF89a"

    def write(self) -> bytes:
        """The file."""
        palette = noise(1 << COLOURS_IN_BITS, 1).tobytes()
        flags = (0x80 if self.global_palette else 0) | (COLOURS_IN_BITS - 1)
        height, width = self.screen
        data = self.version + struct.pack("<HHBBB", width, height, flags, self.background, 0)
        data += palette if self.global_palette else b""
        if self.transparent is not None:
            data += b"!\xf9\x04" + struct.pack("<BHB", 1, 0, self.transparent) + b"\0"
        data += self.before
        flags = (0x80 | (COLOURS_IN_BITS - 1) if self.local_palette else 0) | (0x40 if self.interlaced else 0)
        (height, width), (top, left) = self.frame, self.at
        data += b"," + struct.pack("<HHHHB", left, top, width, height, flags)
        data += palette[::-1] if self.local_palette else b""
        pixels = (noise(height, width, 1) % (1 << COLOURS_IN_BITS)).tobytes()
        return data + bytes([COLOURS_IN_BITS]) + blocks(compressed(pixels)) + self.end


def compressed(pixels: bytes) -> bytes:
    """LZW codes without a table: it is cleared before its codes would need another bit."""
    clear, size = 1 << COLOURS_IN_BITS, COLOURS_IN_BITS + 1
    value = count = 0
    for number, pixel in enumerate(pixels):
        for code in (clear, pixel) if number % (clear - 2) == 0 else (pixel,):
            value |= code << count
            count += size
    value |= clear + 1 << count
    return value.to_bytes((count + size + 7) // 8, "little")


def blocks(data: bytes) -> bytes:
    """`data` in blocks of 255 bytes at most, and the end of them."""
    parts = [data[start : start + 255] for start in range(0, len(data), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def files() -> Iterator[Made]:
    """Every GIF file."""
    whole = Gif()
    kinds = {
        "whole": whole,
        "gif87": replace(whole, version=b"GIF87a"),
        "interlaced": replace(whole, interlaced=True),
        "local_palette": replace(whole, local_palette=True),
        "only_local_palette": replace(whole, global_palette=False, local_palette=True),
        "no_palette": replace(whole, global_palette=False),
        "transparent": replace(whole, transparent=3),
        "background_beyond_palette": replace(whole, frame=(10, 10), background=200),
        "smaller": replace(whole, frame=(9, 12), at=(5, 7)),
        "smaller_transparent": replace(whole, frame=(9, 12), at=(5, 7), transparent=3),
        "smaller_local_palette": replace(whole, frame=(9, 12), at=(5, 7), local_palette=True),
        "larger": replace(whole, frame=(40, 50)),
        "larger_transparent": replace(whole, frame=(40, 50), transparent=3),
        "beyond": replace(whole, frame=(20, 20), at=(15, 25)),
        "beyond_transparent": replace(whole, frame=(20, 20), at=(15, 25), transparent=3),
        "outside": replace(whole, frame=(5, 5), at=(40, 50)),
        "zero_screen": replace(whole, screen=(0, 0)),
        "zero_width": replace(whole, screen=(23, 0)),
        "comment": replace(whole, before=b"!\xfe" + blocks(b"words")),
        "unknown_extension": replace(whole, before=b"!\x42" + blocks(b"whatever")),
        "unknown_block": replace(whole, before=b"\0\0\0"),
        "application": replace(whole, before=b"!\xff\x0bNETSCAPE2.0\x03\1\0\0\0"),
        "no_end": replace(whole, end=b""),
        "trailing": replace(whole, end=b";whatever follows"),
    }
    for name, gif in kinds.items():
        yield Made(f"{name}.gif", gif.write())
