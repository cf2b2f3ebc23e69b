"""What is said where Ray gives up, with errors as Ray makes them, and no cluster."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import ray
from ray.exceptions import ActorDiedError, RayError, RayTaskError, UserCodeException

from scripts.scale import ray_classify


def of_task(error: Exception) -> RayTaskError:
    try:
        raise error
    except Exception:
        return RayTaskError("MapWorker.submit()", traceback.format_exc(), error, "ray::MapWorker", 1, "192.0.2.2")  # type: ignore[no-untyped-call]


def of_a_part() -> RayError:
    """What Ray Data has of an error that is raised in a part: wrapped, in an error of the same class as its wrapper."""
    try:
        try:
            raise OSError("it broke")
        except OSError as error:
            raise UserCodeException("UDF failed to process a data block.\nFailed after 1/1 attempts") from error
    except UserCodeException as error:
        raised: RayError = of_task(error).as_instanceof_cause()  # type: ignore[no-untyped-call]
        return raised


def of_an_actor() -> RayError:
    return ActorDiedError(of_task(OSError("it broke")))


@pytest.mark.parametrize("made", [of_a_part, of_an_actor])
def test_an_error_of_ray_is_one_line_and_status_2(
    program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    made: Callable[[], RayError],
) -> None:
    def broken(*_: Any, **__: Any) -> NoReturn:
        raise made()

    monkeypatch.setattr(ray, "init", lambda *_, **__: None)
    monkeypatch.setattr(ray.data, "from_items", broken)
    image = tmp_path / "image.jpg"
    image.write_text("image")
    assert ray_classify.main([str(image), "--senet", program, "--output", str(tmp_path / "rows")]) == 2
    assert capsys.readouterr().err.splitlines()[1:] == ["error: it broke"]
