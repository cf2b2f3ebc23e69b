"""Make the images that tests/images.rs reads.

The photographs come from an installed scikit-image package, which says whose
they are and that they are free; tests/images/photos/README.md repeats it. The
odd images are drawn here by formulas that tests/images.rs repeats, and the
expected ones are what Pillow, from version 13 on, makes of one of them.
Nothing is random.

    pip install pillow numpy scikit-image
    python -m scripts.checks.make_test_images
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.uint16]
# Height and width.
Size = tuple[int, int]

# What to call each photograph, and its name in scikit-image.
PHOTOS = {"cat.jpg": "chelsea.png", "coffee.jpg": "coffee.png", "rocket.jpg": "rocket.jpg"}
LONGER_SIDE = 360

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 40), (30, 40, 210), (255, 255, 255)
# An Exif tag, and its value for an image whose top is stored at its right.
ORIENTATION, TURN_CLOCKWISE = 0x0112, 6
# [round(255 * mean) for mean in (0.485, 0.5, 0.3)], as timm colours borders.
BORDER = (124, 128, 76)


def pattern(height: int = 6, width: int = 8) -> Pixels:
    """A small image in which every pixel differs."""
    y, x = np.mgrid[:height, :width]
    return np.stack([30 * x, 40 * y, 255 - 20 * x - 15 * y], axis=-1).astype(np.uint8)


def quadrants(side: int = 32) -> Image.Image:
    """Red and green above blue and white: flat blocks, which JPEG keeps but for rounding."""
    pixels = np.empty((side, side, 3), np.uint8)
    half = side // 2
    pixels[:half, :half], pixels[:half, half:] = RED, GREEN
    pixels[half:, :half], pixels[half:, half:] = BLUE, WHITE
    return Image.fromarray(pixels)


def scene(height: int = 37, width: int = 53) -> Image.Image:
    """Waves and edges to resize."""
    y, x = np.mgrid[:height, :width]
    waves = 127.5 + 100 * np.sin(x / 3.0) * np.cos(y / 4.0)
    edges = np.where((x // 9 + y // 7) % 2 == 0, 235, 20)
    ramp = 255 * (x + y) / (height + width - 2)
    return Image.fromarray(np.stack([waves, edges, ramp], axis=-1).round().astype(np.uint8))


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of `image` as a file of a kind."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, colour_type: int, rows: bytes) -> bytes:
    """A PNG file of 16-bit samples, some kinds of which Pillow cannot write."""
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows, 9)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png16(samples: Samples, colour_type: int) -> bytes:
    """A PNG file of [height, width, channels] samples of 16 bits."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return png(samples.shape[1], samples.shape[0], colour_type, rows)


def with_exif_thumbnail(jpeg: bytes) -> bytes:
    """`jpeg` with an Exif segment that holds a whole JPEG of its own."""
    thumbnail = encode(Image.new("RGB", (8, 8), RED), "JPEG")
    # A TIFF header, an empty directory, then one with the thumbnail's place and size.
    directory = (
        struct.pack(">H", 2)
        + struct.pack(">HHII", 0x0201, 4, 1, 44)
        + struct.pack(">HHII", 0x0202, 4, 1, len(thumbnail))
    )
    tiff = b"MM\0*" + struct.pack(">I", 8) + struct.pack(">HI", 0, 14) + directory + struct.pack(">I", 0)
    segment = b"Exif\0\0" + tiff + thumbnail
    assert len(tiff) == 44
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def two_frames() -> bytes:
    """A GIF whose first frame is the pattern in a palette of its own, its second black."""
    pixels = pattern()
    first = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8), "P")
    first.putpalette(pixels.reshape(-1).tobytes())
    return encode(first, "GIF", save_all=True, append_images=[Image.new("P", (8, 6))], duration=100)


def odd_images() -> dict[str, bytes]:
    """The odd images by name."""
    y, x = np.mgrid[:6, :8]
    colour = Image.fromarray(pattern())
    opacity = (36 * x).astype(np.uint8)
    gray = (5 * (x + 8 * y)).astype(np.uint8)
    wide = (29 * (x + 8 * y) ** 2).astype(np.uint16)[..., None]
    # Between the samples that 8 bits can hold, but for white.
    wide_colour = 257 * pattern().astype(np.uint16)
    wide_colour[wide_colour < 65535] += 200
    wide_opacity = (9362 * x).astype(np.uint16)[..., None]

    palette = Image.fromarray((x % 2).astype(np.uint8), "P")
    palette.putpalette([*RED, *GREEN])

    jpeg = encode(quadrants(), "JPEG", quality=95)
    large_jpeg = encode(quadrants(64), "JPEG", quality=95)
    exif = Image.Exif()
    exif[ORIENTATION] = TURN_CLOCKWISE
    # As a camera would store the quadrants: turned the other way, with a note to turn them back.
    turned = quadrants().transpose(Image.Transpose.ROTATE_90)
    cmyk = Image.fromarray(255 - np.dstack([np.asarray(quadrants()), np.full((32, 32), 255, np.uint8)]), "CMYK")
    whole_png = encode(scene(), "PNG")

    return {
        "pattern.png": encode(colour, "PNG"),
        "pattern.webp": encode(colour, "WEBP", lossless=True),
        "pattern.bmp": encode(colour, "BMP"),
        "pattern.tiff": encode(colour, "TIFF"),
        "two_frames.gif": two_frames(),
        "gray.png": encode(Image.fromarray(gray), "PNG"),
        "gray_alpha.png": encode(Image.fromarray(np.stack([gray, opacity], axis=-1), "LA"), "PNG"),
        "gray16.png": png16(wide, colour_type=0),
        "rgb16.png": png16(wide_colour, colour_type=2),
        "rgba16.png": png16(np.concatenate([wide_colour, wide_opacity], axis=-1), colour_type=6),
        "rgba.png": encode(Image.fromarray(np.dstack([pattern(), opacity]), "RGBA"), "PNG"),
        "palette_transparent.png": encode(palette, "PNG", transparency=1),
        "float.tiff": encode(Image.fromarray((x / 7.0).astype(np.float32)), "TIFF"),
        "1x1.png": encode(Image.new("RGB", (1, 1), RED), "PNG"),
        "1x300.png": encode(Image.new("RGB", (300, 1), GREEN), "PNG"),
        "1x60000.png": encode(Image.new("L", (60000, 1)), "PNG", optimize=True),
        "quadrants.jpg": jpeg,
        "progressive.jpg": encode(quadrants(), "JPEG", quality=95, progressive=True),
        "gray.jpg": encode(quadrants().convert("L"), "JPEG", quality=95),
        "cmyk.jpg": encode(cmyk, "JPEG", quality=95),
        "orientation6.jpg": encode(turned, "JPEG", quality=95, exif=exif),
        "orientation6.png": encode(turned, "PNG", exif=exif),
        "truncated.jpg": large_jpeg[: len(large_jpeg) - 40],
        "truncated_thumbnail.jpg": with_exif_thumbnail(large_jpeg)[:-40],
        "thumbnail.jpg": with_exif_thumbnail(large_jpeg),
        "truncated.png": whole_png[: len(whole_png) // 2],
        "huge.png": png(100_000, 100_000, 2, b"\0" * 64),
        "text.jpg": b"This is text, whatever its name says.\n",
        "empty.jpg": b"",
        "scene.png": whole_png,
    }


def before_crop(size: Size, crop_pct: float) -> Size:
    """floor(size / crop_pct)."""
    return math.floor(size[0] / crop_pct), math.floor(size[1] / crop_pct)


def center(image: Image.Image, size: Size, crop_pct: float, filter_: Image.Resampling) -> Image.Image:
    """The shorter side to floor(size / crop_pct), then the centre."""
    height, width = before_crop(size, crop_pct)
    if height != width:
        # As timm's ResizeKeepRatio.
        ratio = min(image.height / height, image.width / width)
        resized = (round(image.width / ratio), round(image.height / ratio))
    elif image.width < image.height:
        # As torchvision, which truncates the longer side.
        resized = (width, int(width * image.height / image.width))
    else:
        resized = (int(height * image.width / image.height), height)
    return crop(image.resize(resized, filter_), size)


def squash(image: Image.Image, size: Size, crop_pct: float, filter_: Image.Resampling) -> Image.Image:
    """Both sides to floor(size / crop_pct), whatever the aspect ratio."""
    height, width = before_crop(size, crop_pct)
    return crop(image.resize((width, height), filter_), size)


def border(image: Image.Image, size: Size, crop_pct: float, filter_: Image.Resampling) -> Image.Image:
    """The longer side to floor(size / crop_pct), in a frame of BORDER, as timm's CenterCropOrPad."""
    height, width = before_crop(size, crop_pct)
    ratio = max(image.height / height, image.width / width)
    image = image.resize((round(image.width / ratio), round(image.height / ratio)), filter_)
    framed = Image.new("RGB", (max(size[1], image.width), max(size[0], image.height)), BORDER)
    framed.paste(image, ((framed.width - image.width) // 2, (framed.height - image.height) // 2))
    return crop(framed, size)


def crop(image: Image.Image, size: Size) -> Image.Image:
    """The centre, rounded as torchvision's center_crop."""
    height, width = size
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))


def expected_images() -> dict[str, bytes]:
    """What the transform should make of scene.png, by name."""
    filters = Image.Resampling
    image = scene()
    odd = odd_images()
    made = {
        "center_16_bilinear.png": center(image, (16, 16), 1.0, filters.BILINEAR),
        "center_16_bicubic.png": center(image, (16, 16), 0.875, filters.BICUBIC),
        "center_80_bilinear.png": center(image, (80, 80), 0.95, filters.BILINEAR),
        "center_20x33_lanczos.png": center(image, (20, 33), 0.9, filters.LANCZOS),
        "squash_12x20_bilinear.png": squash(image, (12, 20), 0.8, filters.BILINEAR),
        "squash_50x45_bicubic.png": squash(image, (50, 45), 0.9, filters.BICUBIC),
        # Shrinks so much more in height that Pillow resizes the columns first.
        "squash_10x50_hamming.png": squash(image, (10, 50), 1.0, filters.HAMMING),
        "squash_24x40_nearest.png": squash(image, (24, 40), 1.0, filters.NEAREST),
        "border_24x24_box.png": border(image, (24, 24), 1.0, filters.BOX),
        "border_31x20_bicubic.png": border(image, (31, 20), 0.9, filters.BICUBIC),
        # For networks of one channel and of four: converted first, as timm's loader does.
        "gray_16_bicubic.png": center(image.convert("L"), (16, 16), 0.875, filters.BICUBIC),
        **{
            f"opacity_{name}_5x3.png": squash(
                Image.open(io.BytesIO(odd[name + ".png"])).convert("RGBA"), (5, 3), 1.0, kind
            )
            for name, kind in (
                ("rgba", filters.BICUBIC),
                ("gray_alpha", filters.LANCZOS),
                ("palette_transparent", filters.BILINEAR),
                ("rgba16", filters.NEAREST),
                ("gray16", filters.BOX),
            )
        },
    }
    return {name: encode(image, "PNG", optimize=True) for name, image in made.items()}


def photos() -> dict[str, bytes]:
    """The photographs of scikit-image, made smaller."""
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        raise SystemExit("error: scikit-image is not installed\nhint: pip install scikit-image")
    data = Path(package.origin).parent / "data"
    made = {}
    for name, source in PHOTOS.items():
        image = Image.open(data / source).convert("RGB")
        image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
        made[name] = encode(image, "JPEG", quality=90, optimize=True)
    return made


def write(folder: Path, images: dict[str, bytes]) -> None:
    """Write each image under its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in images.items():
        (folder / name).write_bytes(data)
        print(f"{len(data):7} {folder.name}/{name}")


def main() -> None:
    """Parse the arguments and write everything asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    default = Path(__file__).resolve().parents[2] / "tests" / "images"
    parser.add_argument("--output", type=Path, default=default, help="folder to write to (tests/images)")
    parser.add_argument("--no-photos", action="store_true", help="leave the photographs alone: no scikit-image needed")
    arguments = parser.parse_args()
    write(arguments.output / "odd", odd_images())
    write(arguments.output / "expected", expected_images())
    if not arguments.no_photos:
        write(arguments.output / "photos", photos())


if __name__ == "__main__":
    main()
