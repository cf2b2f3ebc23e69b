"""Compare the pixels that senet sees with those of timm's own evaluation transform.

Lossless images of many sizes, modes and formats go through every filter and
crop mode, photographs as JPEG files of many kinds through some. The 8-bit pixels
after resize and crop must be those of Pillow, bit for bit, and so must the
normalised floats, as gray, in colour and with opacity, for networks of 1, 3 and
4 channels; the first that differ end the program with status 1.

    cargo build --release --example pixels
    python -m scripts.pytorch.timm_pixels target/release/examples/pixels
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import struct
import subprocess
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image
from timm.data import create_transform
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, IMAGENET_INCEPTION_MEAN
from timm.data.loader import adapt_to_chs
from torchvision.transforms import Compose, Normalize, ToTensor

from scripts.checks.make_test_images import ORIENTATION, encode, odd_images, png16, png_chunk
from scripts.command_line import errors_in_one_line

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# It resizes columns before rows where the height shrinks more than twice as much as the width.
OLDEST_PILLOW = 13

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos")
CROP_MODES = ("center", "squash", "border")
CROP_PCTS = (0.875, 0.9, 0.95, 1.0)
# Height and width.
SIZES = ((224, 224), (288, 288), (97, 160), (160, 97), (33, 32))
MEANS = (IMAGENET_DEFAULT_MEAN, IMAGENET_INCEPTION_MEAN, (0.3, 0.1, 0.7))

ORDERS = {"L": "gray", "RGB": "rgb", "RGBA": "rgba"}
"""What senet calls the mode of Pillow that timm's `input_img_mode` names."""

OTHER_MODES = ("L", "RGBA")

OPACITY = (0.4, 0.3)
"""Mean and deviation of opacity."""

# Tags of TIFF.
ROWS_PER_STRIP, PREDICTOR = 278, 317

PHOTOS = Path(__file__).resolve().parents[2] / "tests" / "images" / "photos"
QUALITIES = (50, 75, 90, 95)
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
# Of so many transforms a JPEG goes through one: what the file changes is the decoding alone.
EACH = 6


@dataclass(frozen=True)
class Way:
    """What timm's transform is told."""

    size: tuple[int, int]
    crop_pct: float
    crop_mode: str
    interpolation: str
    mode: str = "RGB"
    colours: tuple[float, ...] = IMAGENET_DEFAULT_MEAN

    @property
    def channels(self) -> int:
        """As many as a pixel has samples."""
        return len(self.mean)

    @property
    def mean(self) -> tuple[float, ...]:
        """A number for each channel."""
        return self.for_channels(self.colours, OPACITY[0])

    @property
    def std(self) -> tuple[float, ...]:
        """A number for each channel."""
        return self.for_channels(IMAGENET_DEFAULT_STD, OPACITY[1])

    def for_channels(self, colours: tuple[float, ...], opacity: float) -> tuple[float, ...]:
        """What timm's loader makes of numbers of three channels for gray; beside them that of opacity."""
        averaged: tuple[float, ...] = adapt_to_chs(colours, 1)
        return {"L": averaged, "RGB": colours, "RGBA": (*colours, opacity)}[self.mode]

    def preprocessing(self) -> dict[str, object]:
        """The same for senet."""
        return {
            "preset": "timm",
            "size": self.size,
            "crop_pct": self.crop_pct,
            "crop_mode": self.crop_mode,
            "interpolation": self.interpolation,
            "mean": self.mean if self.mode == "RGBA" else self.colours,
            "channel_order": ORDERS[self.mode],
        } | ({"std": self.std} if self.mode == "RGBA" else {})

    def __str__(self) -> str:
        """As it appears in a message."""
        height, width = self.size
        geometry = f"{self.crop_mode} {height}x{width}, crop_pct {self.crop_pct}, {self.interpolation}"
        return f"{self.mode}, {geometry}, mean {self.mean}"


class Senet:
    """The example program `pixels`, running."""

    def __init__(self, program: Path) -> None:
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Senet:
        """The program itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """Let it end."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait() != 0 and kind is None:
            raise ValueError(f"{self.process.args!r} ended with status {self.process.returncode}")

    def ask(self, image: Path, preprocessing: dict[str, object], *, decoded: bool) -> dict[str, int | str]:
        """The header of the answer."""
        assert self.process.stdin
        assert self.process.stdout
        question = {"image": str(image), "preprocessing": preprocessing, "decoded": decoded}
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        header: dict[str, int | str] = json.loads(self.process.stdout.readline())
        return header

    def read(self, count: int) -> bytes:
        """The next bytes of the answer."""
        assert self.process.stdout
        return self.process.stdout.read(count)

    def decode(self, image: Path) -> Bytes | str:
        """[height, width, channels] as decoded, or an error."""
        header = self.ask(image, {"preset": "timm", "size": [224, 224]}, decoded=True)
        if "error" in header:
            return str(header["error"])
        height, width = int(header["height"]), int(header["width"])
        return np.frombuffer(self.read(3 * height * width), np.uint8).reshape(height, width, 3)

    def see(self, image: Path, way: Way) -> tuple[Bytes, Floats] | str:
        """Pixels [height, width, channels] and values [channels, height, width], or an error."""
        header = self.ask(image, way.preprocessing(), decoded=False)
        if "error" in header:
            return str(header["error"])
        height, width = int(header["height"]), int(header["width"])
        count = way.channels * height * width
        pixels = np.frombuffer(self.read(count), np.uint8)
        values = np.frombuffer(self.read(4 * count), "<f4")
        return pixels.reshape(height, width, way.channels), values.reshape(way.channels, height, width)


class Timm:
    """timm's evaluation transform."""

    def __init__(self, way: Way) -> None:
        transform = create_transform(
            input_size=(way.channels, *way.size),
            is_training=False,
            interpolation=way.interpolation,
            crop_pct=way.crop_pct,
            crop_mode=way.crop_mode,
            mean=way.mean,
            std=way.std,
        )
        *self.geometry, to_tensor, normalise = transform.transforms
        if not isinstance(to_tensor, ToTensor) or not isinstance(normalise, Normalize):
            raise ValueError(f"timm's transform has another form than expected: {transform}")
        self.values = Compose([to_tensor, normalise])

    def see(self, image: Image.Image) -> tuple[Bytes, Floats] | str:
        """Pixels [height, width, channels] and values [channels, height, width], or an error."""
        try:
            pixels = Compose(self.geometry)(image)
        except ValueError as error:
            return str(error)
        samples = np.asarray(pixels)
        return samples.reshape(*samples.shape[:2], -1), self.values(pixels).numpy()


def noise(height: int, width: int, channels: int, bits: int = 8) -> npt.NDArray[np.uint16]:
    """Samples of which nothing can be guessed from the neighbours, the same in every run."""
    generator = np.random.default_rng(height * 100_003 + width * 101 + channels)
    return generator.integers(0, 2**bits, (height, width, channels), np.uint16)


def rgb(height: int, width: int) -> Image.Image:
    """Noise in colour."""
    return Image.fromarray(noise(height, width, 3).astype(np.uint8))


def png_with(data: bytes, name: bytes, content: bytes) -> bytes:
    """A PNG file with one chunk more, before its pixels."""
    place = data.index(b"IDAT") - 4
    return data[:place] + png_chunk(name, content) + data[place:]


def packed_gray(height: int, width: int, bits: int) -> bytes:
    """A gray PNG of fewer than 8 bits, which Pillow writes of 1 bit alone."""
    samples = noise(height, width, 1, bits)[..., 0].astype(np.uint8)
    lines = np.unpackbits(samples[..., None], axis=-1)[..., -bits:].reshape(height, -1)
    rows = b"".join(b"\0" + np.packbits(line).tobytes() for line in lines)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def palette(colours: int, height: int, width: int) -> Image.Image:
    """Noise among colours of a palette."""
    samples = (noise(height, width, 1)[..., 0] % colours).astype(np.uint8)
    image = Image.fromarray(samples, "P")
    image.putpalette(noise(colours, 1, 3).astype(np.uint8).tobytes())
    return image


def transparent_gif(height: int, width: int) -> bytes:
    """A GIF of which one colour in the palette is transparent."""
    return encode(palette(16, height, width), "GIF", transparency=3)


def lossless_images(height: int = 37, width: int = 53) -> dict[str, bytes]:
    """Images of every kind by file name."""
    gray = Image.fromarray(noise(height, width, 1)[..., 0].astype(np.uint8))
    colour = rgb(height, width)
    gray_alpha = Image.fromarray(noise(height, width, 2).astype(np.uint8), "LA")
    colour_alpha = Image.fromarray(noise(height, width, 4).astype(np.uint8), "RGBA")
    wide = noise(height, width, 1, 16)
    # A few below 256, where saturating is not white.
    wide[::2, ::3] %= 300
    gray16 = png16(wide, colour_type=0)
    rgb16 = png16(noise(height, width, 3, 16), colour_type=2)
    indexed, opacity = palette(256, height, width), bytes(range(256))
    exif = Image.Exif()
    exif[0x0112] = 6

    sizes = [(1, 1), (1, 2), (2, 1), (1, 60), (60, 1), (2, 700), (3, 5), (31, 47), (64, 33), (224, 224), (225, 223)]
    sizes += [(256, 256), (300, 200), (200, 301), (375, 500), (500, 375), (480, 640), (1021, 768)]
    images = {f"rgb_{h}x{w}.png": encode(rgb(h, w), "PNG", compress_level=1) for h, w in sizes}
    images |= {
        "gray.png": encode(gray, "PNG"),
        "gray_transparent.png": encode(gray, "PNG", transparency=int(gray.getpixel((0, 0)))),  # type: ignore[arg-type]
        "gray_alpha.png": encode(gray_alpha, "PNG"),
        "rgb_transparent.png": encode(colour, "PNG", transparency=colour.getpixel((0, 0))),
        "rgb_orientation.png": encode(colour, "PNG", exif=exif),
        "rgba.png": encode(colour_alpha, "PNG"),
        "one_bit.png": encode(gray.convert("1"), "PNG"),
        **{f"gray_{bits}_bits.png": packed_gray(height, width, bits) for bits in (1, 2, 4)},
        **{f"palette_{colours}.png": encode(palette(colours, height, width), "PNG") for colours in (2, 4, 16, 256)},
        "palette_one_transparent.png": encode(indexed, "PNG", transparency=7),
        "palette_opacities.png": encode(indexed, "PNG", transparency=opacity),
        "palette_16_opacities.png": encode(palette(16, height, width), "PNG", transparency=opacity[100:116]),
        "gray16.png": gray16,
        "gray16_transparent.png": png_with(gray16, b"tRNS", struct.pack(">H", int(wide[0, 0, 0]))),
        "gray16_alpha.png": png16(noise(height, width, 2, 16), colour_type=4),
        "rgb16.png": rgb16,
        "rgb16_transparent.png": png_with(rgb16, b"tRNS", struct.pack(">3H", 1, 2, 3)),
        "rgba16.png": png16(noise(height, width, 4, 16), colour_type=6),
        "gamma.png": png_with(encode(colour, "PNG"), b"gAMA", struct.pack(">I", 100_000)),
        "gray.bmp": encode(gray, "BMP"),
        "one_bit.bmp": encode(gray.convert("1"), "BMP"),
        "palette.bmp": encode(indexed, "BMP"),
        "rgb.bmp": encode(colour, "BMP"),
        "rgba.bmp": encode(colour_alpha, "BMP"),
        "palette.gif": encode(indexed, "GIF"),
        "transparent.gif": transparent_gif(height, width),
        "gray.gif": encode(gray, "GIF"),
        "rgb.webp": encode(colour, "WEBP", lossless=True),
        "rgba.webp": encode(colour_alpha, "WEBP", lossless=True, exact=True),
    }
    drawn = ("two_frames.gif", "scene.png", "1x300.png", "orientation6.png")
    return images | tiffs() | {name: odd_images()[name] for name in drawn}


def tiffs(height: int = 37, width: int = 53) -> dict[str, bytes]:
    """TIFF files of every kind that Pillow writes."""
    samples = noise(height, width, 4).astype(np.uint8)
    colour, gray = Image.fromarray(samples[..., :3]), Image.fromarray(samples[..., 0])
    one_bit = gray.convert("1")
    wide = noise(height, width, 1, 16)[..., 0]
    # A few below 256, where saturating is not white.
    wide[::2, ::3] %= 300
    return {
        "gray.tiff": encode(gray, "TIFF"),
        "gray16.tiff": encode(Image.fromarray(wide), "TIFF"),
        "gray16_big_endian.tiff": encode(Image.fromarray(wide.astype(">u2")), "TIFF"),
        "gray_alpha.tiff": encode(Image.fromarray(samples[..., :2], "LA"), "TIFF"),
        "one_bit.tiff": encode(one_bit, "TIFF"),
        **{
            f"one_bit_{compression}.tiff": encode(one_bit, "TIFF", compression=compression)
            for compression in ("tiff_ccitt", "group3", "group4", "packbits", "tiff_lzw")
        },
        "palette.tiff": encode(palette(256, height, width), "TIFF"),
        "cmyk.tiff": encode(Image.fromarray(samples, "CMYK"), "TIFF"),
        "cmyk_lzw.tiff": encode(Image.fromarray(samples, "CMYK"), "TIFF", compression="tiff_lzw"),
        "rgba.tiff": encode(Image.fromarray(samples, "RGBA"), "TIFF"),
        "rgb.tiff": encode(colour, "TIFF"),
        "rgb_big.tiff": encode(colour, "TIFF", big_tiff=True),
        **{
            f"rgb_{compression}.tiff": encode(colour, "TIFF", compression=compression)
            for compression in ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits")
        },
        "rgb_differences.tiff": encode(colour, "TIFF", compression="tiff_lzw", tiffinfo={PREDICTOR: 2}),
        "rgb_strips.tiff": encode(colour, "TIFF", compression="tiff_lzw", tiffinfo={ROWS_PER_STRIP: 5}),
        **{
            f"rgb_orientation_{number}.tiff": encode(colour, "TIFF", tiffinfo={ORIENTATION: number})
            for number in range(1, 9)
        },
    }


def ways(number: int, *, every: bool) -> Iterator[Way]:
    """Every filter in every crop mode; what else there is in turn, or in `every` combination.

    In colour, and in turn as gray and with opacity, which of every combination a few are.
    """
    kinds = list(itertools.product(CROP_MODES, INTERPOLATIONS))
    rest = list(itertools.product(SIZES, CROP_PCTS))
    for place, (crop_mode, interpolation) in enumerate(kinds):
        # 18 kinds and 20 combinations: a step of 7 goes through all of them.
        for turn in range(len(rest)) if every else [7 * (place + len(kinds) * number)]:
            size, crop_pct = rest[turn % len(rest)]
            colours = MEANS[(place + turn) % len(MEANS)]
            yield Way(size, crop_pct, crop_mode, interpolation, "RGB", colours)
            if turn < len(OTHER_MODES) or not every:
                yield Way(size, crop_pct, crop_mode, interpolation, OTHER_MODES[(place + number) % 2], colours)


def first_difference(found: Bytes | Floats, expected: Bytes | Floats) -> str | None:
    """Where two arrays differ first, or None."""
    if found.shape != expected.shape:
        return f"shape {found.shape}, timm's {expected.shape}"
    differ = np.argwhere(found != expected)
    if len(differ) == 0:
        return None
    place = tuple(int(index) for index in differ[0])
    share = len(differ) / found.size
    return f"at {place}: {found[place]}, timm's {expected[place]}; {share:.1%} of the samples differ"


def compare(senet: Senet, path: Path, way: Way) -> str | None:
    """What differs, or None. Where timm refuses an image senet has to refuse it too."""
    with warnings.catch_warnings():
        # Pillow advises against what timm does with a palette's opacities.
        warnings.simplefilter("ignore", UserWarning)
        image = Image.open(path).convert(way.mode)
    found, expected = senet.see(path, way), Timm(way).see(image)
    if isinstance(found, str) and isinstance(expected, str):
        return None
    if isinstance(found, str):
        return f"senet says: {found}"
    if isinstance(expected, str):
        return f"timm says: {expected}"
    for what, apart in (
        ("pixels", first_difference(found[0], expected[0])),
        ("values", first_difference(found[1], expected[1])),
    ):
        if apart is not None:
            return f"{what} {apart}"
    return None


def compare_lossless(senet: Senet, folder: Path) -> None:
    """Compare every lossless image."""
    compared = 0
    images = lossless_images()
    for number, (name, data) in enumerate(images.items()):
        path = folder / name
        path.write_bytes(data)
        for way in ways(number, every=name in ("rgb_31x47.png", "rgb_300x200.png")):
            difference = compare(senet, path, way)
            if difference is not None:
                raise ValueError(f"{name}, {way}: {difference}")
            compared += 1
    print(f"{len(images)} lossless images, {compared} transforms: pixels and values identical")


def jpegs() -> dict[str, list[bytes]]:
    """Photographs as JPEG files, by kind."""
    files = sorted(PHOTOS.glob("*.jpg"))
    if not files:
        raise FileNotFoundError(f"no photographs in {PHOTOS}")
    photos = [Image.open(file).convert("RGB") for file in files]
    made = {"as they are": [file.read_bytes() for file in files]}
    for subsampling, quality in itertools.product(SUBSAMPLINGS, QUALITIES):
        made[f"{subsampling}, quality {quality}"] = [
            encode(photo, "JPEG", quality=quality, subsampling=subsampling) for photo in photos
        ]
    # Odd sizes end in the middle of a block, and of a colour sample.
    cropped = [photo.crop((0, 0, photo.width - 7, photo.height - 5)) for photo in photos]
    made["4:2:0, quality 75, odd size"] = [encode(photo, "JPEG") for photo in cropped]
    made["4:2:0, quality 75, progressive"] = [encode(photo, "JPEG", progressive=True) for photo in photos]
    made["gray, quality 75"] = [encode(photo.convert("L"), "JPEG") for photo in photos]
    made["CMYK, quality 75"] = [encode(photo.convert("CMYK"), "JPEG") for photo in photos]
    return made


def difference(found: Bytes, expected: Bytes) -> Bytes:
    """Absolute, of two arrays of one shape."""
    if found.shape != expected.shape:
        raise ValueError(f"shape {found.shape}, Pillow's {expected.shape}")
    return np.abs(found.astype(np.int16) - expected.astype(np.int16)).astype(np.uint8)


def compare_jpeg(senet: Senet, folder: Path) -> None:
    """Compare every photograph of every kind."""
    compared = 0
    for number, (kind, files) in enumerate(jpegs().items()):
        for data in files:
            path = folder / "photo.jpg"
            path.write_bytes(data)
            whole = senet.decode(path)
            if isinstance(whole, str):
                raise ValueError(f"JPEG, {kind}: {whole}")
            apart = first_difference(whole, np.asarray(Image.open(path).convert("RGB")))
            for way in itertools.islice(ways(number, every=False), number % EACH, None, EACH):
                apart = apart or compare(senet, path, way)
                if apart is not None:
                    raise ValueError(f"JPEG, {kind}, {way}: {apart}")
                compared += 1
    print(f"{len(jpegs())} kinds of JPEG, {compared} transforms: pixels and values identical")


def main() -> None:
    """Parse the arguments, compare, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="the example `pixels`, built")
    arguments = parser.parse_args()
    # That means and deviations are averaged for gray is what is asked for here.
    logging.getLogger("timm.data.loader").setLevel(logging.ERROR)
    with errors_in_one_line(), tempfile.TemporaryDirectory() as name, Senet(arguments.program) as senet:
        if int(PIL.__version__.split(".")[0]) < OLDEST_PILLOW:
            raise ValueError(f"Pillow {PIL.__version__} resizes in another order; needs {OLDEST_PILLOW} or later")
        compare_lossless(senet, Path(name))
        compare_jpeg(senet, Path(name))


if __name__ == "__main__":
    main()
