"""What `bench_folder.py` accepts as a folder classified."""

import json

import pytest

from scripts.peers.bench_folder import check_rows

GOOD = json.dumps({"file": "a.jpg", "top": [{"class": 1}]})
BAD = json.dumps({"file": "b.jpg", "error": "no image"})


def test_a_row_for_every_image_passes() -> None:
    check_rows("the folder", f"{GOOD}\n{GOOD}\n", 2)


@pytest.mark.parametrize("said", ["", f"{GOOD}\n", f"{GOOD}\n{BAD}\n"])
def test_what_is_missing_or_failed_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match="expected 2 classified images"):
        check_rows("the folder", said, 2)
