"""What becomes of the times that programs took: ratios, files, tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.peers.results import OURS, Competitor, Result, merge, order, paired, read, write
from scripts.peers.table import around, markdown, marker, put_into

PAGE = Path(__file__).parents[3] / "docs" / "speed.md"
MEASURED = PAGE.parent / "measured"
"""Results that the page shows, each between markers that end in the file's name."""

MARKER = marker(Path("runs/new.json"))
BEGIN, END = "<!-- peers-new -->", "<!-- /peers-new -->"


def result(network: str = "seresnet50", batch: int = 1, threads: int = 2, **more: object) -> Result:
    """One in which we took 1, 2 and 3 ms and ONNX Runtime always 4."""
    programs = {
        OURS: Competitor("0.1.0", "", {}, 2e-6, [1.0, 2.0, 3.0]),
        "onnxruntime": Competitor("1.32.0", "", {}, 1e-6, [4.0, 4.0, 4.0], 2.0),
        "pytorch": Competitor("2.15.0", "compiled", {"compiled": 8.0, "traced": 9.0}, 3e-6, [8.0, 8.0, 8.0], 2.0),
    }
    fields: dict[str, object] = {
        "network": network,
        "batch": batch,
        "threads": threads,
        "neighbour": False,
        "date": "2026-01-01",
        "machine": "a machine",
        "command": "python -m scripts.peers.bench_networks",
        "allowed": 1e-5,
        "programs": programs,
    }
    return Result(**{**fields, **more})  # type: ignore[arg-type]


def test_a_ratio_is_the_median_of_the_rounds_ratios_not_the_ratio_of_medians() -> None:
    # A round in which both were slowed by ten says of them what it would have said.
    ratio = paired([1.0, 20.0, 3.0], [2.0, 40.0, 3.0])
    assert ratio.median == 0.5
    assert (ratio.low, ratio.high) == (0.5, 0.75)


def test_a_single_round_has_no_spread() -> None:
    ratio = paired([1.0], [4.0])
    assert (ratio.low, ratio.median, ratio.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([1.0], [1.0, 2.0])])
def test_times_of_other_rounds_are_not_compared(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(ValueError, match="same rounds"):
        paired(ours, theirs)


def test_a_batch_is_divided_among_its_images() -> None:
    assert result(batch=8).milliseconds("pytorch") == 1.0
    assert result(batch=8).ratio("pytorch").median == 0.25


def test_each_program_is_at_each_place_of_a_round_equally_often() -> None:
    names = ["a", "b", "c"]
    rounds = [order(names, round_) for round_ in range(3)]
    assert all(sorted(round_) == names for round_ in rounds)
    assert all(sorted(place) == names for place in zip(*rounds, strict=True))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    assert read(file) == []
    results = [result(), result(neighbour=True)]
    write(file, results)
    assert read(file) == results
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"network": "seresnet50"}]', '{"programs": 1}'])
def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path, content: str) -> None:
    file = tmp_path / "results.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=r"results\.json"):
        read(file)


def test_a_newer_result_of_the_same_configuration_takes_the_older_ones_place() -> None:
    old = [result(date="old"), result(threads=1, date="old"), result(neighbour=True, date="old")]
    merged = merge(old, [result(date="new"), result("senet154", date="new")])
    assert [(one.network, one.threads, one.neighbour, one.date) for one in merged] == [
        ("seresnet50", 2, False, "new"),
        ("seresnet50", 1, False, "old"),
        ("seresnet50", 2, True, "old"),
        ("senet154", 2, False, "new"),
    ]


def test_a_table_has_a_row_for_each_network_and_blanks_for_what_was_not_measured() -> None:
    text = markdown([result("senet154", batch=8), result()])
    fastest, fast, everybody, folded, errors = (
        [line for line in part.splitlines() if line.startswith("| `")]
        for part in text.split("\n\n")
        if part.startswith("| network")
    )
    assert fastest == [
        "| `seresnet50` |  | 0.50 ONNX Runtime |  |  |",
        "| `senet154` |  |  |  | 0.50 ONNX Runtime |",
    ]
    assert fast == [
        "| `seresnet50` |  | 0.50 |  |  |",
        "| `senet154` |  |  |  | 0.50 |",
    ]
    assert everybody == ["| `seresnet50` | 2.00 ms | 0.50 | 0.25 |"]
    assert folded == ["| `senet154` | 0.25 ms | 0.50 | 0.25 |"]
    assert errors == ["| `seresnet50` | 2.0e-06 | 1.0e-06 | 3.0e-06 |", "| `senet154` | 2.0e-06 | 1.0e-06 | 3.0e-06 |"]


def test_a_table_says_machine_versions_rounds_ways_and_command() -> None:
    text = markdown([result()])
    for said in (
        "a machine",
        "2026-01-01",
        "ONNX Runtime 1.32.0",
        "of 3 rounds",
        "compiled (1)",
        "python -m scripts.peers.bench_networks",
    ):
        assert said in text


def test_the_table_of_all_programs_is_open_for_one_image_on_two_threads_and_unfolds_for_the_rest() -> None:
    text = markdown([result(threads=1), result()])
    _, _, after = text.partition("</details>")
    before, folded, after = after.partition("<details>")
    assert "All programs, a batch of 1 on 2 threads:" in before
    assert "<summary>All programs, a batch of 1 on 1 thread</summary>\n\n| network" in folded + after
    assert text.count("<details>") == text.count("</details>") == 2


def test_the_first_table_names_the_fastest_of_the_programs_to_beat_and_no_other() -> None:
    one = result()
    one.programs["litert"] = Competitor("of TensorFlow 2.21.0", "", {}, 1e-6, [2.5, 2.5, 2.5], 2.0)
    one.programs["tract"] = Competitor("0.23.9", "", {}, 1e-6, [1.0, 1.0, 1.0], 2.0)
    text = markdown([one])
    assert "Beside the fastest of ONNX Runtime and LiteRT that ran it:" in text
    assert "| `seresnet50` |  | 0.80 LiteRT |  |  |" in text
    assert "LiteRT of TensorFlow 2.21.0" in text


def test_without_a_program_to_beat_there_is_no_table_of_the_fastest() -> None:
    one = result()
    del one.programs["onnxruntime"]
    assert "Beside the fastest" not in markdown([one])


def test_the_fastest_programs_alone_need_no_table_of_all() -> None:
    alone = result()
    del alone.programs["pytorch"]
    assert "All programs" not in markdown([alone])


def test_networks_are_in_the_order_in_which_they_are_timed_and_strangers_last() -> None:
    lines = [line for line in markdown([result("other"), result("senet154"), result()]).splitlines() if "| `" in line]
    assert [line.split("`")[1] for line in lines[:3]] == ["seresnet50", "senet154", "other"]


def test_the_page_shows_what_was_measured() -> None:
    shown = PAGE.read_text()
    files = sorted(MEASURED.glob("*.json"))
    assert files
    for file in files:
        before, after = around(PAGE, marker(file))
        assert shown[len(before) : -len(after)].strip("\n") == markdown(read(file))


def test_results_beside_a_neighbour_have_a_table_of_their_own() -> None:
    quiet = markdown([result()])
    busy = markdown([result(), result("senet154", neighbour=True)])
    assert "neighbour" not in quiet
    assert "| `senet154` |  | 0.50 |" in busy.partition("With a neighbour")[2]
    assert "senet154" not in busy.partition("With a neighbour")[0]
    assert "All programs" not in markdown([result(neighbour=True)])


def test_no_results_make_no_table() -> None:
    with pytest.raises(ValueError, match="no results"):
        markdown([])


def test_a_page_changes_between_the_markers_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put_into(page, MARKER, "new")
    put_into(page, MARKER, "newer")
    assert page.read_text() == f"before\n{BEGIN}\nnewer\n{END}\nafter\n"


@pytest.mark.parametrize("content", ["", f"{BEGIN}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n"])
def test_a_page_without_both_markers_is_left_alone(tmp_path: Path, content: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(content)
    with pytest.raises(ValueError, match=r"page\.md"):
        put_into(page, MARKER, "new")
    assert page.read_text() == content


def test_results_are_json_that_others_can_read(tmp_path: Path) -> None:
    write(tmp_path / "results.json", [result()])
    (row,) = json.loads((tmp_path / "results.json").read_text())
    assert row["programs"]["onnxruntime"]["rounds"] == [4.0, 4.0, 4.0]


def test_who_took_no_part_is_said_with_the_reason() -> None:
    without = markdown([result(batch=8, refused={"litert": "litert ended with 1: no kernel"})])
    assert "Who took no part, and why:\n\n- LiteRT, `seresnet50`, 8 on 2: litert ended with 1: no kernel\n" in without
    assert "took no part" not in markdown([result()])
