"""The results as `docs/speed.md` shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from scripts.peers.networks import NETWORKS
from scripts.peers.results import OURS, OURS_BF16, Result


def marker(results: Path) -> str:
    """Between which markers the tables of a file of results stand in a page: each machine has its own.

    Those of `avx2.json` stand between `<!-- peers-avx2 -->` and `<!-- /peers-avx2 -->`.
    """
    return f"peers-{results.stem}"


CONFIGURATIONS = ((1, 1), (1, 2), (8, 1), (8, 2))
"""Batch and threads, as the columns have them."""

LATENCY = (1, 2)
"""The configuration whose table of all programs is open; those of the others unfold."""

FAST = ("onnxruntime", "openvino", "litert")
"""Whom to beat: the programs whose configurations stand side by side."""

TITLES = {
    OURS: "`senet`",
    OURS_BF16: "`senet`, bf16",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "litert": "LiteRT",
    "pytorch": "PyTorch",
    "tensorflow": "TensorFlow",
    "tract": "tract",
    "candle": "candle, a layer at a time",
    "openvino-bf16": "OpenVINO, bf16",
    "pytorch-bf16": "PyTorch, bf16",
}


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table, its first column of names."""
    return [row(head), f"| --- |{' ---: |' * (len(head) - 1)}", *map(row, rows)]


def networks(results: list[Result]) -> list[str]:
    """Each once, in the order of the results."""
    return list(dict.fromkeys(result.network for result in results))


def in_order(results: list[Result]) -> list[Result]:
    """In the order of `NETWORKS`, others after them."""
    places = {network: place for place, network in enumerate(NETWORKS)}
    return sorted(results, key=lambda result: places.get(result.network, len(places)))


def programs(results: list[Result]) -> list[str]:
    """All that took part in float32 but ours, in the order of `TITLES`."""
    return [name for name in TITLES if name in there(results) and name != OURS and not name.endswith("-bf16")]


def there(results: list[Result]) -> set[str]:
    """All that took part in any of them."""
    return {name for result in results for name in result.programs}


def ratio(result: Result | None, program: str, ours: str = OURS) -> str:
    """Our time over the program's; blank where it was not measured."""
    if result is None or not {program, ours} <= set(result.programs):
        return ""
    return f"{result.ratio(program, ours).median:.2f}"


def fastest(result: Result | None) -> str:
    """Our time over that of the fastest program to beat, and which it is."""
    if result is None:
        return ""
    beside = {result.ratio(name).median: TITLES[name] for name in FAST if name in result.programs}
    return f"{max(beside):.2f} {beside[max(beside)]}" if beside else ""


def fast_tables(results: list[Result]) -> list[list[str]]:
    """All configurations beside the fastest program of each, and beside every one of those to beat."""
    found = {(result.network, result.batch, result.threads): result for result in results}
    rivals = [name for name in FAST if name in programs(results)]
    if not rivals:
        return []

    def configured(network: str) -> list[Result | None]:
        return [found.get((network, *configuration)) for configuration in CONFIGURATIONS]

    best = [[f"`{network}`", *map(fastest, configured(network))] for network in networks(results)]
    each = [
        [f"`{network}`", *(ratio(result, rival) for rival in rivals for result in configured(network))]
        for network in networks(results)
    ]
    columns = [f"{batch} on {threads}" for batch, threads in CONFIGURATIONS]
    head = ["network", *(f"{TITLES[rival]}, {column}" for rival in rivals for column in columns)]
    return [
        [f"Beside the fastest of {listed([TITLES[rival] for rival in rivals])} that ran it:"],
        table(["network", *columns], [cells for cells in best if any(cells[1:])]),
        ["<details>", "<summary>Beside each of them</summary>"],
        table(head, [cells for cells in each if any(cells[1:])]),
        ["</details>"],
    ]


def listed(words: list[str]) -> str:
    """In a sentence."""
    *all_but_last, last = words
    return f"{', '.join(all_but_last)} and {last}" if all_but_last else last


def all_table(results: list[Result]) -> list[str]:
    """All programs in the one configuration that the results are of."""
    names = programs(results)
    rows = [
        [
            f"`{result.network}`",
            f"{result.milliseconds(OURS):.{2 if result.milliseconds(OURS) < 10 else 1}f} ms",
            *(ratio(result, name) for name in names),
        ]
        for result in results
    ]
    return table(["network", f"{TITLES[OURS]}, an image", *(TITLES[name] for name in names)], rows)


def all_tables(results: list[Result]) -> list[list[str]]:
    """All programs in each configuration that has more than the fastest ones."""
    parts = []
    for batch, threads in sorted(CONFIGURATIONS, key=lambda configuration: configuration != LATENCY):
        shown = [result for result in results if (result.batch, result.threads) == (batch, threads)]
        if set(programs(shown)) <= set(FAST):
            continue
        title = f"All programs, a batch of {batch} on {threads} {'thread' if threads == 1 else 'threads'}"
        if (batch, threads) == LATENCY:
            parts += [[f"{title}:"], all_table(shown)]
        else:
            parts += [["<details>", f"<summary>{title}</summary>"], all_table(shown), ["</details>"]]
    return parts


def bf16_tables(results: list[Result]) -> list[list[str]]:
    """Our time in bf16 over that of others in bf16, in every configuration."""
    found = {(result.network, result.batch, result.threads): result for result in results}
    rivals = [name for name in TITLES if name in there(results) and name.endswith("-bf16") and name != OURS_BF16]
    if OURS_BF16 not in there(results) or not rivals:
        return []
    rows = [
        [
            f"`{network}`",
            *(
                ratio(found.get((network, *configuration)), rival, OURS_BF16)
                for rival in rivals
                for configuration in CONFIGURATIONS
            ),
        ]
        for network in networks(results)
    ]
    columns = [f"{TITLES[rival]}, {batch} on {threads}" for rival in rivals for batch, threads in CONFIGURATIONS]
    return [
        [
            "In bf16, our time over that of others in bf16; it is what OpenVINO computes in as installed, on a "
            "processor with instructions for it:"
        ],
        table(["network", *columns], [cells for cells in rows if any(cells[1:])]),
    ]


def error_table(results: list[Result]) -> list[str]:
    """The largest error of each program in any configuration."""
    names = [OURS, *programs(results), *(name for name in TITLES if name in there(results) and name.endswith("-bf16"))]
    rows = []
    for network in networks(results):
        of_network = [result for result in results if result.network == network]
        cells = []
        for name in names:
            errors = [result.programs[name].error for result in of_network if name in result.programs]
            cells.append(f"{max(errors):.1e}" if errors else "")
        rows.append([f"`{network}`", *cells])
    return table(["network", *(TITLES[name] for name in names)], rows)


def ways(results: list[Result]) -> list[str]:
    """In which way each program that has several was fastest, and how often."""
    said = []
    for name in programs(results):
        counts = Counter(
            result.programs[name].way for result in results if name in result.programs and result.programs[name].way
        )
        if counts:
            said.append(f"{TITLES[name]} {', '.join(f'{way} ({count})' for way, count in counts.most_common())}")
    return said


def refusals(results: list[Result]) -> list[str]:
    """Which programs took no part in what, and why."""
    return [
        f"- {TITLES[name]}, `{result.network}`, {result.batch} on {result.threads}: {reason}"
        for result in results
        for name, reason in result.refused.items()
    ]


def several(words: Iterable[str]) -> str:
    """Each once, in a row."""
    return ", ".join(dict.fromkeys(words))


def markdown(results: list[Result]) -> str:
    """Everything between the markers.

    Raises:
        ValueError: there is nothing to show.
    """
    if not results:
        raise ValueError("there are no results to make a table of")
    ordered = in_order(results)
    quiet = [result for result in ordered if not result.neighbour]
    busy = [result for result in ordered if result.neighbour]
    rounds = sorted({len(result.programs[OURS].rounds) for result in results})
    versions = (
        f"{TITLES[name]} {several(result.programs[name].version for result in results if name in result.programs)}"
        for name in [OURS, *programs(results)]
    )
    parts = [
        [
            'Our time over theirs, "8 on 2" being a batch of 8 images on 2 threads: below 1 `senet` is faster. The '
            f"median of {' to '.join(map(str, sorted({rounds[0], rounds[-1]})))} rounds in which all took turns."
        ]
    ]
    if quiet:
        parts += [*fast_tables(quiet), *bf16_tables(quiet), *all_tables(quiet)]
    if busy:
        parts += [["With a neighbour that keeps one core busy."], *fast_tables(busy)]
    parts += [
        ["The largest error of a logit against PyTorch in float64, as a share of the largest logit:"],
        error_table(ordered),
        *([["Who took no part, and why:"], refused] if (refused := refusals(ordered)) else []),
        [
            f"{several(result.machine for result in results)}; {several(sorted(result.date for result in results))}. "
            f"{', '.join(versions)}. Of several ways to run a network each program's fastest counts, found anew for "
            f"each configuration, of which so many had this one: {'; '.join(ways(results)) or 'none has several'}."
        ],
        ["```", *dict.fromkeys(result.command for result in results), "```"],
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def around(page: Path, marker: str) -> tuple[str, str]:
    """What stands before and after what the markers enclose, with the markers.

    Raises:
        ValueError: the file does not have both, once and in order.
    """
    begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    content = page.read_text()
    before, _, rest = content.partition(begin)
    _, _, after = rest.partition(end)
    if content.count(begin) != 1 or rest.count(end) != 1:
        raise ValueError(f"`{page}` needs one line `{begin}` and after it one `{end}`")
    return before + begin, end + after


def put_into(page: Path, marker: str, text: str) -> None:
    """Replace what stands between the markers.

    Raises:
        ValueError: the file does not have both, once and in order.
    """
    before, after = around(page, marker)
    page.write_text(f"{before}\n{text}\n{after}")


def tell(text: str, page: Path | None, marker: str) -> None:
    """Put a text between the markers of a file, or print it where there is none.

    Raises:
        ValueError: the file does not have both, once and in order.
    """
    if page:
        put_into(page, marker, text)
    else:
        print(text)
