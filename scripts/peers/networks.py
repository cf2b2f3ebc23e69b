"""Which networks are timed, and how their files are made."""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Timed:
    """A network that every program runs."""

    publisher: str
    """Whose code makes it in PyTorch."""
    size: int
    """Height and width of the images."""


NETWORKS = {
    "seresnet50": Timed("timm", 224),
    "seresnet18": Timed("timm", 224),
    "seresnext50_32x4d": Timed("timm", 224),
    "senet154": Timed("timm", 224),
    "legacy_seresnet50": Timed("timm", 224),
    "seresnextaa101d_32x8d": Timed("timm", 288),
    "se_inception_v3": Timed("keras", 299),
    "se_vgg16_bn": Timed("paper", 224),
    "seresnet20": Timed("keras", 32),
    "mobilenetv3_small_100": Timed("timm", 224),
    "mobilenetv3_large_100": Timed("timm", 224),
    "efficientnet_b0": Timed("timm", 224),
    "tf_efficientnetv2_b0": Timed("timm", 224),
    "regnety_008": Timed("timm", 224),
    "regnety_040": Timed("timm", 224),
}


def parse_numbers(text: str) -> list[int]:
    """`1,8` as numbers of at least 1, for argparse."""
    words = text.split(",")
    if not all(word.isdecimal() and int(word) >= 1 for word in words):
        raise argparse.ArgumentTypeError(f"expected whole numbers of at least 1, such as 1,8, found `{text}`")
    return [int(word) for word in words]


def prepare(network: str, folder: Path, batches: list[int]) -> None:
    """Fill a folder with weights, ONNX files and references.

    Raises:
        ValueError: it could not be done.
    """
    words = [network, "--folder", str(folder), "--batches", ",".join(map(str, batches))]
    command = [sys.executable, "-m", "scripts.peers.case", *words]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        *_, last = done.stderr.strip().splitlines() or ["no message"]
        raise ValueError(f"{network}: {last}")
