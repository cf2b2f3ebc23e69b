"""The comparison of two decoders: what it says of files, and what no file can do to it."""

from __future__ import annotations

import io
import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.checks import corpora
from scripts.checks.odd_files import Made, made_files
from scripts.checks.pixels.comparison import Outcome, compare, differences, format_of, reasons, table
from scripts.checks.pixels.decoder import SCALAR, Decoder, Failed, Limits, Pixels, Refused, pillow

SIDE = 8

# Answers as examples/pixels.rs does; what it does to an image is the name of the file.
PROGRAM = """
import json, os, signal, sys, time
for line in sys.stdin:
    name = os.path.basename(json.loads(line)["image"]).split(".")[0]
    header, pixels = {"height": 8, "width": 8}, bytes(3 * 8 * 8)
    if name == "off":
        pixels = bytes([3]) + pixels[1:]
    if name == "overflow" and "JSIMD_FORCENONE" not in os.environ:
        pixels = bytes([3]) + pixels[1:]
    if name == "narrow":
        header, pixels = {"height": 8, "width": 4}, pixels[:96]
    if name == "damaged":
        header["damage"] = "its data is damaged"
    if name == "refused":
        header, pixels = {"error": "unsupported:\\nthese samples"}, b""
    if name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "ended":
        sys.exit("no memory left")
    if name == "cut":
        pixels = pixels[:5]
    if name == "hung":
        time.sleep(60)
    if name == "greedy":
        bytearray(1 << 32)
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\\n" + pixels)
    sys.stdout.buffer.flush()
    if name == "cut":
        sys.exit(3)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Something to be run as senet's."""
    file = tmp_path / "program"
    file.write_text(f"#!{sys.executable}\n{PROGRAM}")
    file.chmod(0o755)
    return file


@pytest.fixture
def ours(program: Path) -> Iterator[Decoder]:
    with closing(Decoder([program], Limits(seconds=30, memory=1 << 30))) as decoder:
        yield decoder


def answer(decoder: Decoder, name: str) -> Pixels | Refused | Failed:
    decoder.ask(Path(name))
    return decoder.answer()


def black(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (SIDE, SIDE)).save(folder / name, "PNG")
    return folder / name


def outcome_of(ours: Decoder, name: str, theirs: Pixels | Refused | Failed | None = None) -> Outcome:
    whole = Pixels(np.zeros((SIDE, SIDE, 3), np.uint8))
    return compare(Path(name), "PNG", answer(ours, name), theirs or whole)


@pytest.mark.parametrize(
    ("name", "outcome", "apart"),
    [
        ("whole", "same", ""),
        ("off", "differs", "by up to 3 of 255 in 0.5% of the samples"),
        ("narrow", "differs", "of another size"),
        ("refused", "only Pillow", ""),
        ("killed", "failed", ""),
    ],
)
def test_the_outcome_says_who_read_what(ours: Decoder, name: str, outcome: str, apart: str) -> None:
    found = outcome_of(ours, name)
    assert (found.outcome, found.apart) == (outcome, apart)


def test_pixels_that_pillow_has_without_vector_instructions_are_the_same_scalar(program: Path, tmp_path: Path) -> None:
    with closing(corpora.Sides(program, Limits())) as sides:
        sides.pillow, sides.scalar = (Decoder([program], Limits(), {**environment}) for environment in ({}, SCALAR))
        sides.senet = sides.scalar
        outcomes = [sides.outcome(black(tmp_path, name)) for name in ("overflow", "whole")]
        sides.senet = sides.pillow
        outcomes += [sides.outcome(black(tmp_path, "overflow"))]
    assert [outcome and outcome.outcome for outcome in outcomes] == ["same scalar", "same", "same"]


def test_a_difference_is_its_size_whichever_side_is_lighter() -> None:
    light, dark = (Pixels(np.full((SIDE, SIDE, 3), level, np.uint8)) for level in (250, 3))
    assert compare(Path("x"), "PNG", light, dark).largest == 247
    assert compare(Path("x"), "PNG", dark, light).largest == 247


def test_a_file_that_pillow_refuses_is_neithers_or_senets_alone(ours: Decoder) -> None:
    refused, failed = Refused("OSError: broken"), Failed("ended by SIGSEGV")
    assert outcome_of(ours, "refused", refused).outcome == "neither"
    assert outcome_of(ours, "whole", refused).outcome == "only senet"
    assert outcome_of(ours, "whole", failed).outcome == "Pillow failed"
    assert outcome_of(ours, "killed", failed).outcome == "failed"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("killed", "ended by SIGKILL"),
        ("ended", "ended with status 1: no memory left"),
        ("cut", "ended with status 3"),
        ("greedy", "ended with status 1: MemoryError"),
    ],
)
def test_a_crash_costs_its_own_file_alone(ours: Decoder, name: str, said: str) -> None:
    assert answer(ours, name) == Failed(said)
    assert isinstance(answer(ours, "whole"), Pixels)


def test_a_hang_costs_its_own_file_alone(program: Path) -> None:
    with closing(Decoder([program], Limits(seconds=5))) as ours:
        assert answer(ours, "hung") == Failed("no answer in 5 seconds")
        assert isinstance(answer(ours, "whole"), Pixels)


def test_pillow_refuses_in_its_own_words(tmp_path: Path) -> None:
    image = black(tmp_path, "black.png")
    cut = tmp_path / "cut.png"
    cut.write_bytes(image.read_bytes()[:43])
    with closing(pillow(Limits())) as theirs:
        assert answer(theirs, str(cut)) == Refused("OSError: image file is truncated")
        whole = answer(theirs, str(image))
    assert isinstance(whole, Pixels)
    assert np.array_equal(whole.rgb, np.zeros((SIDE, SIDE, 3), np.uint8))


def test_the_table_counts_damaged_files_apart(ours: Decoder) -> None:
    outcomes = [outcome_of(ours, name) for name in ("whole", "off", "narrow", "damaged", "refused", "refused")]
    assert list(table(outcomes)) == [
        "format         files    same  same scalar  differs  neither  only Pillow  only senet  failed  Pillow failed",
        "PNG                5       1            0        2        0            2           0       0              0",
        "PNG, damaged       1       1            0        0        0            0           0       0              0",
    ]
    assert list(differences(outcomes)) == ["PNG: 1 by 2 to 4, 1 of another size"]
    assert list(reasons(outcomes)) == ["     2  PNG: unsupported: these samples"]


def test_reasons_are_cut_where_there_are_many() -> None:
    said = [compare(Path("x"), "PNG", Refused(words), Pixels(np.zeros((1, 1, 3), np.uint8))) for words in "aabc"]
    assert list(reasons(said, most=1)) == ["     2  PNG: a", "        and 2 others, which --list shows"]


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"RIFF\1\2\3\4WEBPVP8 ", "WebP"),
        (b"RIFF\1\2\3\4WAVEfmt ", None),
        (b"MM\0+\0\x08\0\0", "TIFF"),
        (b"", None),
        (b"P6 1 1 255", None),
    ],
)
def test_the_first_bytes_say_the_format(tmp_path: Path, start: bytes, kind: str | None) -> None:
    file = tmp_path / "named.png"
    file.write_bytes(start)
    assert format_of(file) == kind


def test_a_folder_is_compared_whole(tmp_path: Path, program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = tmp_path / "images"
    black(images, "whole.jpg")
    black(images / "below", "refused")
    (images / "notes.txt").write_text("no image")
    corpora.main([str(images), "--program", str(program), "--list"])
    said = capsys.readouterr().out
    assert said.startswith("Pillow ")
    assert "libjpeg-turbo" in said
    assert "1 files of other formats were passed over" in said
    assert "    senet:  unsupported: these samples\n    Pillow: 8x8\n" in said

    black(images, "off.png")
    with pytest.raises(SystemExit, match="error: 1 of 3 files differ or failed"):
        corpora.main([str(images), "--program", str(program), "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert found["passed_over"] == 1
    assert [file["outcome"] for file in found["files"]] == ["only Pillow", "differs", "same"]
    assert found["files"][1]["largest"] == 3


def test_what_cannot_be_compared_is_said_in_a_line(tmp_path: Path, program: Path) -> None:
    with pytest.raises(SystemExit, match="no such file or folder"):
        corpora.main([str(tmp_path / "missing"), "--program", str(program)])
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="error: no images found"):
        corpora.main([str(tmp_path / "empty"), "--program", str(program)])
    with pytest.raises(SystemExit, match="No such file"):
        corpora.main([str(black(tmp_path, "black.png")), "--program", str(tmp_path / "missing")])


@pytest.mark.parametrize(
    ("name", "expected", "said"),
    [
        ("whole.png", "same", None),
        ("damaged.png", "same, damaged", None),
        ("damaged.png", "same", "damaged.png: expected `same`, found `same, damaged`"),
        ("off.png", "same", "off.png: expected `same`, found `differs`"),
        ("whole.png", "only Pillow", "whole.png: expected `only Pillow` (it is so), found `same`"),
    ],
)
def test_a_made_file_has_to_come_out_as_it_says(
    tmp_path: Path, ours: Decoder, name: str, expected: str, said: str | None
) -> None:
    why = "" if expected.startswith("same") else "it is so"
    made = Made(name, black(tmp_path, "black.png").read_bytes(), expected, why)
    assert corpora.unexpected(made, outcome_of(ours, name)) == said


def test_pillow_reads_and_refuses_the_made_files_as_they_say() -> None:
    """What Pillow does with a file decides what may be expected of it."""
    names = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for made in made_files():
            assert made.name not in names
            names.add(made.name)
            read = True
            try:
                Image.open(io.BytesIO(made.data)).convert("RGB")
            except (OSError, ValueError, SyntaxError):
                read = False
            assert read != made.expected.startswith(("neither", "only senet")), made.name
    assert len(names) > 500


def test_made_files_are_the_same_each_time() -> None:
    assert list(made_files()) == list(made_files())
