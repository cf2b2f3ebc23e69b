"""What becomes of images and rows where the program ends, hangs or says something else."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from scripts.scale import senet_process
from scripts.scale.image import Image, Problem, Row
from scripts.scale.senet_process import WINDOW, SenetProcess
from scripts.senet_program import ProgramError


def numbered(count: int) -> list[Image]:
    return [Image(f"image {number}", f"{number}".encode()) for number in range(count)]


def right(image: Image) -> Row:
    assert isinstance(image.content, bytes)
    places = [len(image.content), sum(image.content)]
    return Row(
        image.name,
        None,
        places,
        [f"label {place}" for place in places],
        [1 / (1 + place) for place in places],
        [-place for place in places],
    )


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_rows_come_in_order_whatever_their_number(program: str) -> None:
    with SenetProcess([program]) as process:
        for count in (0, 1, WINDOW, WINDOW + 1, 1000):
            images = numbered(count)
            assert list(process.rows(images)) == [right(image) for image in images]
        assert process.restarts == 0


def test_no_file_stays_open(program: str, tmp_path: Path) -> None:
    before = open_files()
    with SenetProcess([program]) as process:
        list(process.rows([*numbered(100), Image("killer", b"kill"), Image("none", tmp_path)]))
        list(islice(process.rows(numbered(100)), 3))
    assert open_files() == before


def test_an_image_that_kills_is_an_error_and_those_beside_it_are_computed(program: str) -> None:
    images = numbered(300)
    for place in (0, 17, 150, 299):
        images[place] = Image(f"killer {place}", b"kill")
    images[200] = Image("ends it", b"exit 3")
    images[201] = Image("torn", b"torn")
    with SenetProcess([program]) as process:
        rows = list(process.rows(images))
    assert [row.name for row in rows] == [image.name for image in images]
    errors = {row.name: row.error for row in rows if row.error}
    killed = "it ended the program 2 times, alone with it: killed by SIGKILL"
    assert errors == {
        **{f"killer {place}": killed for place in (0, 17, 150, 299)},
        "ends it": "it ended the program 2 times, alone with it: exit status 3: it is broken",
        "torn": killed,
    }
    for image, row in zip(images, rows, strict=True):
        assert row.error or row == right(image)


def test_an_image_beside_which_it_was_killed_once_is_none_to_blame(program: str, tmp_path: Path) -> None:
    images = numbered(100)
    images[50] = Image("innocent", f"kill-once {tmp_path / 'flag'}".encode())
    with SenetProcess([program]) as process:
        assert list(process.rows(images)) == [right(image) for image in images]
        assert process.restarts == 1


def test_kills_at_any_moment_lose_and_double_nothing(program: str) -> None:
    images = numbered(3000)
    moments = random.Random(20).sample(range(len(images)), 20)

    def killing(process: SenetProcess) -> Iterator[Image]:
        for place, image in enumerate(images):
            if place in moments:
                os.kill(process.number, signal.SIGKILL)
            yield image

    with SenetProcess([program]) as process:
        assert list(process.rows(killing(process))) == [right(image) for image in images]
        assert process.restarts >= 10


def test_one_that_hangs_is_ended(program: str) -> None:
    images = [*numbered(3), Image("hangs", b"hang"), *numbered(3)]
    with SenetProcess([program], stall=4.0) as process:
        rows = list(process.rows(images))
    assert [row.error for row in rows if row.error] == [
        "it ended the program 2 times, alone with it: it gave no answer for 4 seconds"
    ]


def test_a_row_of_another_name_is_never_taken_for_an_answer(program: str) -> None:
    images = [*numbered(3), Image("answers twice", b"two"), *numbered(3)]
    with SenetProcess([program]) as process:
        rows = list(process.rows(images))
    errors = [(row.name, row.error) for row in rows if row.error]
    assert errors == [
        (
            "answers twice",
            "it ended the program 2 times, alone with it: it answered with what is not the row of the image",
        )
    ]
    assert [row for row in rows if not row.error] == [right(image) for image in [*images[:3], *images[4:]]]


def test_what_is_no_file_is_an_error_in_its_place(program: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"123")
    # Names as no list of lines could have them.
    hostile = tmp_path / "a\nb\udcff 'c'.tar"
    hostile.write_bytes(b"4567")
    images = [
        Image("gone", tmp_path / "gone"),
        Image("file", tmp_path / "file"),
        Image("folder", tmp_path),
        Image("pipe", tmp_path / "pipe"),
        Image("zero", Path("/dev/zero")),
        Image("nul", Path("a\0b")),
        Image("none", Problem("no bytes")),
        Image("unread", b"unread"),
        Image("hostile", hostile),
    ]
    with SenetProcess([program]) as process:
        rows = list(process.rows(images))
        assert process.restarts == 0
    assert [row.error for row in rows] == [
        "cannot open it: No such file or directory (os error 2)",
        None,
        "expected a file, found a folder",
        "expected a file, found a device or pipe",
        "expected a file, found a device or pipe",
        "its path holds a NUL byte",
        "no bytes",
        "no image",
        None,
    ]
    assert rows[1].classes[0] == 3
    assert rows[8].classes[0] == 4


def test_rows_that_nobody_took_do_not_answer_the_next_images(program: str) -> None:
    with SenetProcess([program]) as process:
        assert len(list(islice(process.rows(numbered(100)), 3))) == 3
        images = [Image(f"other {number}", b"x" * number) for number in range(50)]
        assert list(process.rows(images)) == [right(image) for image in images]


def test_large_images_wait_for_each_other(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senet_process, "BYTES_IN_HAND", 1000)
    taken = 0

    def images() -> Iterator[Image]:
        nonlocal taken
        for number in range(20):
            taken += 1
            yield Image(f"{number}", bytes(400))

    with SenetProcess([program]) as process:
        for count, _ in enumerate(process.rows(images()), 1):
            # Two in hand and the next.
            assert taken <= count + 3
    assert taken == 20


def test_flags_that_it_refuses_are_its_own_error(program: str) -> None:
    with pytest.raises(ProgramError, match="exit status 1: error: no such weights"):
        SenetProcess([program, "--broken"])
    with pytest.raises(ProgramError, match="cannot run `/nowhere/senet`: No such file"):
        SenetProcess(["/nowhere/senet"])
    started = time.monotonic()
    with pytest.raises(ProgramError, match="exit status 0"):
        SenetProcess(["/bin/true"])
    assert time.monotonic() - started < 60
