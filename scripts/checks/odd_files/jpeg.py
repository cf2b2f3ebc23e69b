"""JPEG files: every sampling, order of markers and way of coding.

The coefficients are noise, so that a picture in which two of them are mixed up
is another picture. All Huffman codes of a table are of one length, which is as
good as any other table to a decoder, and needs none to be computed.
"""

from __future__ import annotations

import base64
import io
import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from scripts.checks.odd_files.made import Made, encode, noise, noise_image

Blocks = npt.NDArray[np.int64]
"""[row of blocks, column of blocks, coefficient in zigzag order]."""

DC_SYMBOLS = tuple(range(16))
AC_SYMBOLS = (0x00, 0xF0, *(run << 4 | size for run in range(16) for size in range(1, 13)))
DC_BITS, AC_BITS = 5, 8
NON_ZERO = 12
"""Of a block's 64 coefficients."""


class Bits:
    """Entropy-coded data in the making."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.pending = 0
        self.count = 0

    def put(self, value: int, count: int) -> None:
        """The lowest `count` bits of `value`."""
        self.pending = self.pending << count | value & (1 << count) - 1
        self.count += count
        while self.count >= 8:
            self.count -= 8
            byte = self.pending >> self.count & 0xFF
            self.data += b"\xff\0" if byte == 0xFF else bytes([byte])

    def number(self, value: int, size: int) -> None:
        """A number whose size in bits has been said."""
        self.put(value if value >= 0 else value - 1, size)

    def end(self) -> None:
        """Fill the last byte with ones."""
        if self.count:
            self.put(0x7F, 8 - self.count)


@dataclass(frozen=True)
class Jpeg:
    """A file as it will be written."""

    sampling: tuple[tuple[int, int], ...] = ((1, 1), (1, 1), (1, 1))
    """Horizontal and vertical, by component."""
    height: int = 37
    width: int = 53
    ids: tuple[int, ...] = (1, 2, 3, 4)
    markers: tuple[bytes, ...] = ()
    """Before the tables."""
    progressive: bool = False
    one_scan_a_component: bool = False
    restart: int = 0
    """Units between two restart markers."""
    precision: int = 8

    def units(self) -> tuple[int, int]:
        """Rows and columns of interleaved units."""
        high = 8 * max(vertical for _, vertical in self.sampling)
        wide = 8 * max(horizontal for horizontal, _ in self.sampling)
        return -(-self.height // high), -(-self.width // wide)

    def own_blocks(self, component: int) -> tuple[int, int]:
        """Rows and columns of blocks where a component is alone in its scan."""
        horizontal, vertical = self.sampling[component]
        most_horizontal = max(horizontal for horizontal, _ in self.sampling)
        most_vertical = max(vertical for _, vertical in self.sampling)
        high, wide = -(-self.height * vertical // most_vertical), -(-self.width * horizontal // most_horizontal)
        return -(-high // 8), -(-wide // 8)

    def coefficients(self) -> list[Blocks]:
        """Noise for each component, the padding of interleaved units included."""
        generator = np.random.default_rng(7)
        rows, columns = self.units()
        made = []
        for horizontal, vertical in self.sampling:
            blocks = np.zeros((rows * vertical, columns * horizontal, 64), np.int64)
            blocks[..., 0] = generator.integers(-500, 500, blocks.shape[:2])
            blocks[..., 1:NON_ZERO] = generator.integers(-60, 60, (*blocks.shape[:2], NON_ZERO - 1))
            made.append(blocks << (self.precision - 8))
        return made

    def scan(self, blocks: list[Blocks], components: Sequence[int], first: int, last: int) -> bytes:
        """One scan over a band of coefficients."""
        bits = Bits()
        before = dict.fromkeys(components, 0)
        if len(components) > 1:
            high, wide = self.units()
        else:
            high, wide = self.own_blocks(components[0])
        for unit, (row, column) in enumerate(itertools.product(range(high), range(wide))):
            if self.restart and unit and unit % self.restart == 0:
                bits.end()
                bits.data += bytes([0xFF, 0xD0 + (unit // self.restart - 1) % 8])
                before = dict.fromkeys(components, 0)
            for component in components:
                horizontal, vertical = self.sampling[component] if len(components) > 1 else (1, 1)
                for down, right in itertools.product(range(vertical), range(horizontal)):
                    block = blocks[component][row * vertical + down, column * horizontal + right]
                    if first == 0:
                        size = int(abs(block[0] - before[component])).bit_length()
                        bits.put(size, DC_BITS)
                        bits.number(int(block[0]) - before[component], size)
                        before[component] = int(block[0])
                    if last > 0:
                        put_band(bits, block, max(first, 1), last)
        bits.end()
        header = b"".join(bytes([self.ids[component], 0x00]) for component in components)
        return marker(0xDA, bytes([len(components)]) + header + bytes([first, last, 0])) + bytes(bits.data)

    def write(self) -> bytes:
        """The file."""
        frame = struct.pack(">BHHB", self.precision, self.height, self.width, len(self.sampling))
        for component, (horizontal, vertical) in enumerate(self.sampling):
            frame += bytes([self.ids[component], horizontal << 4 | vertical, 0])
        kind = 0xC2 if self.progressive else 0xC0 if self.precision == 8 else 0xC1
        data = b"\xff\xd8" + b"".join(self.markers)
        data += marker(0xDB, b"\0" + bytes([2] + [3] * 63)) + marker(kind, frame)
        data += huffman_table(0x00, DC_SYMBOLS, DC_BITS) + huffman_table(0x10, AC_SYMBOLS, AC_BITS)
        if self.restart:
            data += marker(0xDD, struct.pack(">H", self.restart))
        blocks, every = self.coefficients(), list(range(len(self.sampling)))
        together = [[component] for component in every] if self.one_scan_a_component else [every]
        if self.progressive:
            bands = [(components, 0, 0) for components in together]
            bands += [([component], *band) for band in ((1, 5), (6, 63)) for component in every]
        else:
            bands = [(components, 0, 63) for components in together]
        return data + b"".join(self.scan(blocks, *band) for band in bands) + b"\xff\xd9"


def put_band(bits: Bits, block: Blocks, first: int, last: int) -> None:
    """The coefficients of a block but the first, and their end."""
    run = 0
    for value in block[first : last + 1].tolist():
        if value == 0:
            run += 1
            continue
        while run > 15:
            bits.put(AC_SYMBOLS.index(0xF0), AC_BITS)
            run -= 16
        size = abs(value).bit_length()
        bits.put(AC_SYMBOLS.index(run << 4 | size), AC_BITS)
        bits.number(value, size)
        run = 0
    if run:
        bits.put(AC_SYMBOLS.index(0x00), AC_BITS)


def marker(kind: int, content: bytes) -> bytes:
    """A segment."""
    return bytes([0xFF, kind]) + struct.pack(">H", len(content) + 2) + content


def huffman_table(slot: int, symbols: Sequence[int], bits: int) -> bytes:
    """A table of codes of one length, the all-ones code being left free."""
    assert len(symbols) < 1 << bits
    lengths = [len(symbols) if length == bits else 0 for length in range(1, 17)]
    return marker(0xC4, bytes([slot, *lengths, *symbols]))


JFIF = marker(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def adobe(transform: int) -> bytes:
    """What Adobe's programs say of the colours."""
    return marker(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


def samplings() -> Iterator[Made]:
    """64 combinations of three components, and what else is allowed."""
    factors = ((1, 1), (2, 1), (1, 2), (2, 2))
    for sampling in itertools.product(factors, repeat=3):
        name = "_".join(f"{horizontal}x{vertical}" for horizontal, vertical in sampling)
        for way, jpeg in (
            ("", Jpeg(sampling)),
            ("_scans", Jpeg(sampling, one_scan_a_component=True)),
            ("_progressive", Jpeg(sampling, progressive=True)),
        ):
            too_many = sampling == ((2, 2),) * 3 and way != "_scans"
            yield Made(
                f"sampling_{name}{way}.jpg",
                jpeg.write(),
                "neither" if too_many else "same",
                "a unit has 12 blocks, of which the standard allows 10" if too_many else "",
            )
    # Three to one, and what is no whole multiple of the rest.
    for sampling in (
        ((3, 1), (1, 1), (1, 1)),
        ((4, 1), (1, 1), (1, 1)),
        ((1, 4), (1, 1), (1, 1)),
        ((4, 1), (2, 1), (1, 1)),
    ):
        name = "_".join(f"{horizontal}x{vertical}" for horizontal, vertical in sampling)
        yield Made(f"sampling_{name}.jpg", Jpeg(sampling).write())


def sizes() -> Iterator[Made]:
    """Small images, where the edges of subsampled colour are most of what there is."""
    for height, width in ((1, 1), (1, 2), (2, 1), (1, 33), (33, 1), (7, 9), (16, 16), (17, 15), (24, 40), (31, 31)):
        for name, luma in (("420", (2, 2)), ("422", (2, 1)), ("440", (1, 2))):
            jpeg = Jpeg((luma, (1, 1), (1, 1)), height, width)
            yield Made(f"size_{height}x{width}_{name}.jpg", jpeg.write())
            yield Made(f"size_{height}x{width}_{name}_progressive.jpg", replace(jpeg, progressive=True).write())


def colours() -> Iterator[Made]:
    """Orders of markers and names of components, which say what the colours are."""
    orders = {
        "none": (),
        "jfif": (JFIF,),
        **{f"adobe{transform}": (adobe(transform),) for transform in range(3)},
        **{f"jfif_adobe{transform}": (JFIF, adobe(transform)) for transform in range(3)},
        **{f"adobe{transform}_jfif": (adobe(transform), JFIF) for transform in range(3)},
    }
    names = {"123": (1, 2, 3, 4), "rgb": tuple(b"RGBA"), "012": (0, 1, 2, 3), "small_rgb": tuple(b"rgba")}
    for (order, markers), (name, ids) in itertools.product(orders.items(), names.items()):
        yield Made(f"colour_{order}_{name}.jpg", Jpeg(markers=markers, ids=ids).write())
    for order, markers in orders.items():
        jpeg = Jpeg(((1, 1),) * 4, markers=markers)
        yield Made(f"four_{order}.jpg", jpeg.write())
        yield Made(f"four_{order}_subsampled.jpg", replace(jpeg, sampling=((2, 2), (1, 1), (1, 1), (2, 2))).write())
    yield Made("gray.jpg", Jpeg(((1, 1),)).write())
    # The factors of a component that is alone mean nothing.
    yield Made("gray_2x2.jpg", Jpeg(((2, 2),)).write())
    yield Made("two_components.jpg", Jpeg(((1, 1),) * 2).write(), "neither", "Pillow knows no such kind")


def codings() -> Iterator[Made]:
    """Ways of coding."""
    luma_twice = ((2, 2), (1, 1), (1, 1))
    yield Made("restart.jpg", Jpeg(luma_twice, restart=3).write())
    yield Made("restart_scans.jpg", Jpeg(luma_twice, restart=5, one_scan_a_component=True).write())
    yield Made("restart_progressive.jpg", Jpeg(luma_twice, restart=4, progressive=True).write())
    image = noise_image(37, 53)
    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        name = subsampling.replace(":", "")
        # As libjpeg-turbo writes them: with refinements, too.
        yield Made(f"refined_{name}.jpg", encode(image, "JPEG", progressive=True, subsampling=subsampling))
        yield Made(f"best_{name}.jpg", encode(image, "JPEG", quality=100, subsampling=subsampling))
    yield Made("cmyk.jpg", encode(image.convert("CMYK"), "JPEG"))
    yield Made("gray_refined.jpg", encode(image.convert("L"), "JPEG", progressive=True))
    yield Made("arithmetic.jpg", base64.b64decode(ARITHMETIC))
    yield Made("arithmetic_progressive.jpg", base64.b64decode(ARITHMETIC_PROGRESSIVE))
    yield Made("lossless.jpg", lossless(), "only Pillow", "no such decoder in Rust or in libjpeg-turbo 2")
    yield Made("twelve_bits.jpg", Jpeg(precision=12).write(), "neither", "Pillow reads 8 bits")
    exif = Image.Exif()
    exif[0x0112] = 6
    yield Made("orientation.jpg", encode(image, "JPEG", exif=exif))
    multi = io.BytesIO()
    image.save(multi, "MPO", save_all=True, append_images=[image.rotate(180)])
    yield Made("two_pictures.jpg", multi.getvalue())


# Jpeg(((2, 2), (1, 1), (1, 1)), 24, 40).write(), coded anew by libjpeg-turbo 2.1.5:
# jpegtran -copy none -arithmetic, the second with -progressive.
ARITHMETIC = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD"
    "AwMDAwMDAwP/yQARCAAYACgDASIAAhEAAxEA/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwDS5dUBXg50C0QVTBWWytcYuWiXbB7oDHgZvu7z"
    "9yUXKg7ymd1jF20IJhO5MbFEJ4J2WycIXEN1Hz63QXSLR4SvrTk+4aul0INmwoaTuL3AYnxmy48hlo8WVecnFPoPkhT9yS8bNvd1fCT/AE6w"
    "1ow/vyt41b8XOKEW4oUPEEnFO7se+WzpfjJAMG1WCHZpRG+/Z3IlZ/XVEUv64InOgXVyW6kIbrSulaT0TJQDqs/u4xgQ8SJUlBwvV8XlWXde"
    "RPQs+oeXNEzXmxRrK+Fygp9Rre/1M7WVQcyfuGHCrivjVrMufT4Vpz3YD7j9WLZBoceUlmg4G8XJiNfnh3PfrQCE/EAjjBZxRLchBdrn+bOT"
    "Z52lrWS5/Aih4NFL/U6C0wetWReO6Pd8CYEAXp2VWFWilSlOGqbBft6FRmcg5yymwnQqe7RYJA563CKIhI4+8LwyCQr2zX+egT1gm+eEEXD0"
    "aJI3lmmclYWNJ2j/2Q=="
)
ARITHMETIC_PROGRESSIVE = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD"
    "AwMDAwMDAwP/ygARCAAYACgDASIAAhEAAxEA/8wABgAQARD/2gAMAwEAAhADEAAAAdLaPI9kl8ZSDfeSvJNLeDQYqIfoUg2apkmcioTYpsiT"
    "9aIGvw+Oe6BMf8x0atdwEP/MAAQQBf/aAAgBAQABBQI1dFjw/dafLLx7iSAg7kopmCdXRc1wFlEBgtW9EcBz3AmhPAdmPKPz6mSChrSkPnYb"
    "t6SJ6QPA/8wABBEF/9oACAEDAQE/ATq2RScxxzCc97giZB5HgnUr1kzxm3yqfG2vcT+epupW3fwYDS2ye68MOK202KmaqzJRbs5uQ1SCnRpX"
    "Bs2bJhDn+ID/zAAEEQX/2gAIAQIBAT8BFfXD3c8eyXgXqQzEbsrk/wDTXHu0w6cwAOZ7RGTwxyqU7Yf718cmPpCA5oeBrJdDJt6C5vOBPMSz"
    "fauWaD1EIq6g/8wABBAF/9oACAEBAAY/Ao6u4fqfRkjIQ5RgYIeorxXIwzIC8wNFtkiTrXk2Ym+9rIYzpmjsCd6rpBeGcdmlLyaJrdyDtCly"
    "4JH9CvxERUD/zAAEEAX/2gAIAQEAAT8h/alsMwyfMK4gnJSvcN3geFQTqXh7HyM0Yv/aAAwDAQACAAMAAAAQFKYy8tD/zAAEEQX/2gAIAQMB"
    "AT8QofJwS+uiX+YQ3xj/zAAEEQX/2gAIAQIBAT8Q6wk9IhxeKhDc8P/MAAQQBf/aAAgBAQABPxBxVyUUULIt0JuYiNwvLPWwfGMyHyN5ztb/"
    "2Q=="
)


def lossless(height: int = 9, width: int = 11) -> bytes:
    """Each sample as its difference to the one at its left, or, in the first column, above it."""
    samples = noise(height, width, 1)[..., 0].astype(np.int64)
    guesses = np.empty_like(samples)
    guesses[:, 1:], guesses[1:, 0], guesses[0, 0] = samples[:, :-1], samples[:-1, 0], 1 << 7
    bits = Bits()
    for value in (samples - guesses).reshape(-1).tolist():
        size = abs(value).bit_length()
        bits.put(size, DC_BITS)
        bits.number(value, size)
    bits.end()
    frame = marker(0xC3, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0))
    scan = marker(0xDA, bytes([1, 1, 0, 1, 0, 0])) + bytes(bits.data)
    return b"\xff\xd8" + frame + huffman_table(0x00, DC_SYMBOLS, DC_BITS) + scan + b"\xff\xd9"


def damaged() -> Iterator[Made]:
    """Files of which something is left."""
    whole = encode(noise_image(64, 64), "JPEG", quality=90)
    restarted = Jpeg(((2, 2), (1, 1), (1, 1)), restart=3).write()
    second = restarted.index(b"\xff\xd1")
    yield Made("lost_data.jpg", restarted[: second - 40] + restarted[second:], "same, damaged")
    yield Made("lost_restart.jpg", restarted[:second] + restarted[restarted.index(b"\xff\xd2") :], "same, damaged")
    unread = "Pillow refuses what ends without an end"
    yield Made("truncated.jpg", whole[: len(whole) // 2], "only senet, damaged", unread)
    yield Made("no_end.jpg", whole[:-2], "only senet, damaged", unread)
    larger = bytearray(whole)
    frame = larger.index(b"\xff\xc0")
    larger[frame + 5 : frame + 9] = struct.pack(">HH", 1_200, 1_200)
    nothing = "not even the first row of blocks is there"
    yield Made("claims_1200x1200.jpg", bytes(larger), "only Pillow", nothing)
    yield Made("claims_1200x1200_no_end.jpg", bytes(larger[:-2]), "neither", nothing)
    yield Made("trailing.jpg", whole + b"whatever follows")
    filled = whole.replace(b"\xff\xdb", b"\xff\xff\xff\xdb")
    yield Made("fill_bytes.jpg", filled)


def files() -> Iterator[Made]:
    """Every JPEG file."""
    yield from samplings()
    yield from sizes()
    yield from colours()
    yield from codings()
    yield from damaged()
