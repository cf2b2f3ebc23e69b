"""Does the Rust program compute what PyTorch computes? Networks of timm, torchvision and pretrainedmodels.

A network with lively random weights is saved as its publisher saves it, run by
PyTorch in float64 and in float32 on structured images, and compared by `senet
parity`, once on each of its engines, which finds out by itself which network it
is: from timm's config.json, else from the names and shapes of the tensors. The
largest error of the logits,
of every block and of every gate may be 1e-5 of the largest value, or three times
PyTorch's own in float32; where that is more than `ILL_CONDITIONED`, the case is invalid.
A row a network is printed, as Markdown. At last it is
seen that a wrong epsilon, weight or gate is found in the block it is in.

    python -m scripts.pytorch.timm_cases --senet target/release/senet --which some
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

from scripts.command_line import errors_in_one_line, parse_count
from scripts.liveliness import CALIBRATION_IMAGES, Liveliness, check_lively
from scripts.pytorch.cases import BROKEN, MISTAKES, MORE, REFUSED, SOME, Case
from scripts.pytorch.comparison import Compared, compare, relative_error
from scripts.pytorch.facts import ROUNDING, Published, cost, read_published
from scripts.pytorch.lively import Observed, enliven, observe
from scripts.pytorch.networks import BLOCK, as_published, build, save
from scripts.senet_program import ProgramError, ask
from scripts.structured_images import Images, structured_images

MACS_SHARE = 0.01
"""How far from the published figure a count of multiplies may be.

What publishers count besides is below it, see `pytorch.facts.NORM_COST`: counted
as they count, every figure is theirs to its last decimal, which is checked too.
"""


ENGINES = ("cpu", "candle")
"""What `senet parity` computes with, its usual engine first."""


@dataclass(frozen=True)
class Row:
    """What is said of a case."""

    case: Case
    lively: Liveliness
    ours: float
    candle: float
    float32: float
    worst: str
    values: int
    parameters: int
    macs: int
    published: Published | None

    HEADER = (
        "| network | input | gates, 5th to 95th percentile | outputs differ by | error of the logits "
        "| candle's | PyTorch's own in float32 | largest error of a block or gate | values compared | parameters "
        "| GMACs | published |\n"
        "|---|---|---|---:|---:|---:|---:|---|---:|---:|---:|---:|"
    )

    def __str__(self) -> str:
        case = self.case
        gates = f"{self.lively.gates[0]:.3f} to {self.lively.gates[1]:.3f}" if self.lively.gates else ""
        published = f"{self.published.macs / 1e9:.2f} at {self.published.size}" if self.published else ""
        cells = (
            f"{case.network} ({case.publisher})",
            f"{case.batch} x {case.height}x{case.width}",
            gates,
            f"{self.lively.difference:.2f}",
            f"{self.ours:.1e}",
            f"{self.candle:.1e}",
            f"{self.float32:.1e}",
            self.worst,
            str(self.values),
            f"{self.parameters:,}",
            f"{self.macs / 1e9:.3f}",
            published,
        )
        return f"| {' | '.join(cells)} |"


def dump(file: Path, images: Images, exact: Observed) -> None:
    """Write what PyTorch computed, as `senet parity` reads it."""
    tensors = {"input": images.transpose(0, 3, 1, 2), "output": exact.output} | exact.values
    metadata = {"layout": "nchw", "framework": f"pytorch {torch.__version__} float64"}
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, file, metadata)


def check_cost(senet: Path, case: Case, model: nn.Module, published: Published | None) -> tuple[int, int]:
    """Parameters and multiplies of one image, which have to be PyTorch's and those published.

    Raises:
        ValueError: they are not.
    """
    at = (published.size, published.size) if published else (case.height, case.width)
    theirs = cost(model, *at)
    report = ask(senet, "trace", case.network, "--size", f"{at[0]}x{at[1]}")
    parameters, macs = report["parameters"], report["macs"]
    if (parameters, macs) != (theirs.parameters, theirs.macs):
        raise ValueError(
            f"{parameters} parameters and {macs} multiplies; PyTorch has {theirs.parameters} and {theirs.macs}"
        )
    if published and parameters != published.parameters:
        raise ValueError(f"{parameters} parameters; published are {published.parameters}")
    if published and abs(macs / published.macs - 1) > MACS_SHARE:
        raise ValueError(f"{macs} multiplies, more than {MACS_SHARE:.0%} from the {published.macs:.0f} published")
    if published and abs(theirs.as_published - published.macs) > ROUNDING:
        raise ValueError(f"{theirs.as_published} multiplies as publishers count; published are {published.macs:.0f}")
    return parameters, macs


def prepare(case: Case, model: nn.Module, seed: int) -> Images:
    """Make the network lively, and draw what goes into it.

    Those are among the images that the batch norms are calibrated on: in others,
    what is unlike these grows from layer to layer of a deep network, until all
    gates are shut or open.
    """
    random = np.random.default_rng(seed)
    images = structured_images(random, CALIBRATION_IMAGES, (case.height, case.width), 3)
    enliven(model, random, images, case.gates)
    return images[: case.batch]


def run(
    senet: Path, case: Case, model: nn.Module, images: Images, weights: Path
) -> tuple[Observed, dict[str, list[Compared]]]:
    """What PyTorch computes in float64, and how its float32 and each engine of the program compare with that.

    Raises:
        ValueError: the program could not run, or took the weights for another network's.
    """
    single = observe(model, images)
    exact = observe(copy.deepcopy(model).double(), images)
    reference = weights.parent / "reference.safetensors"
    dump(reference, images, exact)
    float32 = {name: relative_error(single.values[name], value) for name, value in exact.values.items()}
    float32["output"] = relative_error(single.output, exact.output)
    compared = {}
    for engine in ENGINES:
        report = ask(senet, "parity", "--engine", engine, "--weights", weights, "--reference", reference)
        if report["network"] != case.network:
            raise ValueError(f"taken for {report['network']}")
        # candle runs layer by layer.
        compared[engine] = compare(report, float32, merged=BLOCK if engine == "cpu" else None)
    return exact, compared


def check(senet: Path, case: Case, seed: int, published: Published | None) -> Row:
    """Run a case.

    Raises:
        ValueError: it is invalid, or the program differs.
    """
    model = build(case.publisher, case.network, seed)
    parameters, macs = check_cost(senet, case, as_published(case.publisher, model), published)
    images = prepare(case, model, seed)
    model = as_published(case.publisher, model)
    with tempfile.TemporaryDirectory() as folder:
        weights = save(case.publisher, model, Path(folder))
        exact, compared = run(senet, case, model, images, weights)
    lively = check_lively(exact.gates(), exact.output)
    for engine, values in compared.items():
        if failed := [value for value in values if not value.passed]:
            raise ValueError(f"engine {engine}, first of {len(failed)}: {failed[0]}")
    outputs = {engine: next(value for value in values if value.name == "output") for engine, values in compared.items()}
    worst = max((value for values in compared.values() for value in values), key=lambda value: value.ours)
    return Row(
        case,
        lively,
        outputs["cpu"].ours,
        outputs["candle"].ours,
        outputs["cpu"].float32,
        f"{worst.ours:.1e} in `{worst.name}`",
        sum(map(len, compared.values())),
        parameters,
        macs,
        published,
    )


def check_mistakes(senet: Path, seed: int) -> None:
    """See the comparison find what is wrong in PyTorch's network once its weights are saved.

    Raises:
        ValueError: it finds nothing, or something else first.
    """
    for mistake, (block, make, where) in MISTAKES.items():
        model = build(BROKEN.publisher, BROKEN.network, seed)
        images = prepare(BROKEN, model, seed)
        with tempfile.TemporaryDirectory() as folder:
            weights = save(BROKEN.publisher, model, Path(folder))
            make(model, where)
            _, compared = run(senet, BROKEN, model, images, weights)
        for engine, values in compared.items():
            failed = [value for value in values if not value.passed]
            if not failed or not f"{failed[0].name}.".startswith(f"{block}."):
                found = failed[0] if failed else "nothing"
                raise ValueError(f"{BROKEN}, engine {engine}: {mistake} in `{where}`: found {found}")
            print(f"{BROKEN}, engine {engine}, {mistake} in `{where}`, found: {failed[0]}", flush=True)


def check_refusal(senet: Path) -> None:
    """See the program say what is wrong where PyTorch cannot run.

    Raises:
        ValueError: either of the two runs, or the message does not name the layer.
    """
    model = build(REFUSED.publisher, REFUSED.network, 0)
    images = structured_images(np.random.default_rng(0), 1, (REFUSED.height, REFUSED.width), 3)
    try:
        observe(model, images)
    except RuntimeError:
        pass
    else:
        raise ValueError(f"{REFUSED}: PyTorch can run it")
    try:
        ask(senet, "trace", REFUSED.network, "--size", f"{REFUSED.height}x{REFUSED.width}")
    except ProgramError as error:
        if error.status != 2 or "`layer2.0.add`" not in str(error):
            raise ValueError(f"{REFUSED}: ended with {error.status}: {error}") from error
        print(f"{REFUSED}, refused by both: {error}")
    else:
        raise ValueError(f"{REFUSED}: PyTorch cannot run it, but the program can")


def chosen(which: str, names: list[str]) -> Iterator[Case]:
    cases = SOME if which == "some" else SOME + MORE
    return (case for case in cases if not names or case.network in names)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help="only cases of these networks")
    parser.add_argument("--senet", type=Path, required=True, help="the program")
    parser.add_argument("--which", choices=("some", "all"), default="all", help="cases (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and images (%(default)s)")
    parser.add_argument("--threads", type=parse_count, default=2, help="of PyTorch (%(default)s)")
    parser.add_argument("--published", type=Path, metavar="TABLE.csv", help="figures to hold counts against")
    arguments = parser.parse_args(words)
    torch.set_num_threads(arguments.threads)

    with errors_in_one_line():
        published = read_published(arguments.published) if arguments.published else {}
        cases = list(chosen(arguments.which, arguments.names))
        if not cases:
            raise ValueError(f"no case of {', '.join(arguments.names)}")
        print(Row.HEADER, flush=True)
        for case in cases:
            try:
                print(check(arguments.senet, case, arguments.seed, published.get(case.network)), flush=True)
            except ValueError as error:
                raise ValueError(f"{case}: {error}") from error
        print()
        check_refusal(arguments.senet)
        check_mistakes(arguments.senet, arguments.seed)
        print(f"{len(cases)} cases passed")


if __name__ == "__main__":
    main()
