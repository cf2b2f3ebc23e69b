"""A timed command's output, its time, and its failure."""

import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from scripts.peers.command import BYTES, SIZE, Command, make_photo


def python(program: str) -> Command:
    return Command([sys.executable, "-c", program])


def test_output_and_time_are_kept() -> None:
    command = python("import sys; print('rows'); print('times', file=sys.stderr)")
    assert command.run() == "rows\n"
    assert command.run() == "rows\n"
    assert command.errors == "times\n"
    assert len(command.seconds) == 2
    assert all(seconds > 0 for seconds in command.seconds)


def test_the_memory_is_the_commands_own() -> None:
    ours = b"1" * (200 << 20)
    command = python("theirs = b'1' * (50 << 20); import time; time.sleep(0.1)")
    command.watch()
    assert 50 << 20 < command.peak < len(ours)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; sys.exit(sys.stderr.write('no such weights') and 3)", "ended with 3: no such weights"),
        ("import sys; sys.exit(sys.stderr.write('note\\nerror: x\\nhint: y') and 2)", "ended with 2: error: x"),
        ("raise KeyError('x')", "ended with 1: KeyError: 'x'"),
    ],
)
def test_a_failure_says_what_the_command_said(program: str, said: str) -> None:
    for run in (python(program).run, python(program).watch):
        with pytest.raises(ValueError, match=said):
            run()


def test_a_photo_is_of_typical_size(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    make_photo(file)
    content = file.read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == SIZE
    assert abs(len(content) - BYTES) < BYTES // 10
