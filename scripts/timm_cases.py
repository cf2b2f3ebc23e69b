"""Does the Rust program compute what PyTorch computes? Networks of timm, torchvision and pretrainedmodels.

A network with lively random weights is saved as its publisher saves it, run by
PyTorch in float64 and in float32 on structured images, and compared by `senet
parity`, which finds out by itself which network it is: from timm's config.json,
else from the names and shapes of the tensors. The largest error of the logits,
of every block and of every gate may be 1e-5 of the largest value, or three times
PyTorch's own in float32. A row a network is printed, as Markdown.

    python scripts/timm_cases.py --senet target/release/senet --which some
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from command_line import errors_in_one_line, parse_count
from liveliness import CALIBRATION_IMAGES, Liveliness, check_lively
from pytorch.comparison import ProgramError, ask, compare, relative_error
from pytorch.facts import Published, cost, read_published
from pytorch.lively import Observed, enliven, observe
from pytorch.networks import build, save
from structured_images import structured_images

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn


@dataclass(frozen=True)
class Case:
    """A network and what goes into it."""

    network: str
    height: int
    width: int
    batch: int = 2
    publisher: str = "timm"

    def __str__(self) -> str:
        return f"{self.network} {self.batch}x{self.height}x{self.width}"


SOME = (
    Case("seresnet18", 97, 131, 3),
    Case("seresnet50", 224, 224),
    Case("seresnet50t", 65, 96),
    Case("seresnetaa50d", 96, 128),
    Case("seresnext26d_32x4d", 97, 131),
    Case("seresnext26t_32x4d", 64, 97, 3),
    Case("senet154", 65, 96),
    Case("legacy_seresnet18", 97, 131, 3),
    Case("legacy_seresnet50", 97, 131),
    Case("legacy_seresnext26_32x4d", 65, 96),
    Case("resnet50", 97, 131, 2, "torchvision"),
    Case("resnext50_32x4d", 65, 96, 2, "torchvision"),
    Case("inception_v3", 139, 160, 2, "torchvision"),
    Case("inception_resnet_v2", 139, 160),
    Case("bn_inception", 97, 131, 2, "pretrainedmodels"),
    Case("vgg16_bn", 97, 131, 2, "torchvision"),
)
"""Every kind of block, stem, stride, pool and head, odd sizes, and a batch of 3."""

MORE = (
    Case("seresnet18", 224, 224),
    Case("seresnet34", 97, 131, 3),
    Case("seresnet50", 97, 131, 3),
    Case("seresnet101", 97, 131),
    Case("seresnet152", 97, 131),
    Case("seresnet152d", 97, 131),
    Case("seresnet200d", 65, 96),
    Case("seresnet269d", 65, 96),
    Case("seresnext50_32x4d", 224, 224),
    Case("seresnext101_32x4d", 97, 131),
    Case("seresnext101_32x8d", 97, 131),
    Case("seresnext101_64x4d", 97, 131),
    Case("seresnext101d_32x8d", 97, 131),
    Case("seresnextaa101d_32x8d", 96, 160),
    Case("seresnextaa201d_32x8d", 96, 96),
    Case("legacy_seresnet34", 97, 131),
    Case("legacy_seresnet101", 97, 131),
    Case("legacy_seresnet152", 65, 96),
    Case("legacy_seresnext50_32x4d", 97, 131, 3),
    Case("legacy_seresnext101_32x4d", 65, 96),
    Case("legacy_senet154", 97, 131),
    Case("resnet18", 97, 131, 3),
    Case("resnet34", 97, 131, 2, "torchvision"),
    Case("resnet50t", 97, 131),
    Case("resnet101", 97, 131, 2, "torchvision"),
    Case("resnet152", 65, 96, 2, "torchvision"),
    Case("resnet152d", 65, 96),
    Case("resnet200d", 65, 96),
    Case("resnetaa50d", 96, 128),
    Case("resnext101_32x4d", 65, 96),
    Case("resnext101_32x8d", 65, 96, 2, "torchvision"),
    Case("resnext101_64x4d", 65, 96, 2, "torchvision"),
    Case("inception_v3", 299, 299, 3),
    Case("inception_resnet_v2", 299, 299),
    Case("bn_inception", 224, 224, 2, "pretrainedmodels"),
    Case("vgg16_bn", 224, 224),
)
"""The rest of the catalogue, and what is also worth the time."""

REFUSED = Case("seresnetaa50d", 97, 131)
"""A size at which timm itself cannot run: the pool of the shortcut rounds up and that of the block down."""

MACS_SHARE = 0.01
"""How far from the published figure a count of multiplies may be: what publishers count besides is below it."""


@dataclass(frozen=True)
class Row:
    """What is said of a case."""

    case: Case
    lively: Liveliness
    ours: float
    float32: float
    worst: str
    blocks: int
    parameters: int
    macs: int
    published: Published | None

    HEADER = (
        "| network | input | gates, 5th to 95th percentile | outputs differ by | error of the logits "
        "| PyTorch's own in float32 | largest error of a block or gate | blocks | parameters "
        "| GMACs | published |\n"
        "|---|---|---|---:|---:|---:|---|---:|---:|---:|---:|"
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
            f"{self.float32:.1e}",
            self.worst,
            str(self.blocks),
            f"{self.parameters:,}",
            f"{self.macs / 1e9:.3f}",
            published,
        )
        return f"| {' | '.join(cells)} |"


def dump(file: Path, images: np.ndarray[tuple[int, ...], np.dtype[np.float32]], exact: Observed) -> None:
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
    # torchvision's Inception has a second classifier that only its training uses.
    unused = sum(value.numel() for name, value in model.named_parameters() if name.startswith("AuxLogits."))
    theirs = cost(model, *at)
    report = ask(senet, "trace", "--network", case.network, "--input-size", f"{at[0]}x{at[1]}")
    parameters, macs = report["parameters"], report["macs"]
    if (parameters, macs) != (theirs.parameters - unused, theirs.macs):
        raise ValueError(
            f"{parameters} parameters and {macs} multiplies; PyTorch has {theirs.parameters - unused} and {theirs.macs}"
        )
    if published and parameters != published.parameters:
        raise ValueError(f"{parameters} parameters; published are {published.parameters}")
    if published and abs(macs / published.macs - 1) > MACS_SHARE:
        raise ValueError(f"{macs} multiplies, more than {MACS_SHARE:.0%} from the {published.macs:.0f} published")
    return parameters, macs


def check(senet: Path, case: Case, seed: int, published: Published | None) -> Row:
    """Run a case.

    Raises:
        ValueError: it is invalid, or the program differs.
    """
    model = build(case.publisher, case.network, seed)
    parameters, macs = check_cost(senet, case, model, published)
    random = np.random.default_rng(seed)
    size = (case.height, case.width)
    enliven(model, random, structured_images(random, CALIBRATION_IMAGES, size, 3))
    images = structured_images(random, case.batch, size, 3)
    with tempfile.TemporaryDirectory() as folder:
        weights = save(case.publisher, model, Path(folder))
        single = observe(model, images)
        exact = observe(copy.deepcopy(model).double(), images)
        lively = check_lively(exact.gates(), exact.output)
        reference = Path(folder) / "reference.safetensors"
        dump(reference, images, exact)
        report = ask(senet, "parity", "--weights", weights, "--reference", reference)
    if report["network"] != case.network:
        raise ValueError(f"taken for {report['network']}")
    float32 = {name: relative_error(single.values[name], value) for name, value in exact.values.items()}
    float32["output"] = relative_error(single.output, exact.output)
    compared = compare(report, float32)
    if failed := [value for value in compared if not value.passed]:
        raise ValueError(f"first of {len(failed)}: {failed[0]}")
    output = next(value for value in compared if value.name == "output")
    worst = max(compared, key=lambda value: value.ours)
    return Row(
        case,
        lively,
        output.ours,
        output.float32,
        f"{worst.ours:.1e} in `{worst.name}`",
        report["coverage"]["blocks"],
        parameters,
        macs,
        published,
    )


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
        ask(senet, "trace", "--network", REFUSED.network, "--input-size", f"{REFUSED.height}x{REFUSED.width}")
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
        print(f"{len(cases)} cases passed")


if __name__ == "__main__":
    main()
