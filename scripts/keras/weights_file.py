"""The weights file of this project: safetensors, tensors as Keras lays them out.

Each tensor is called `<canonical layer>.<kernel, bias, gamma, beta, moving_mean
or moving_variance>` and is float32; kernels stay HWIO, Dense kernels [in, out],
for transposing is the reader's work. The dense layers of SE blocks may also be
spelt as the 1x1 convolutions that other code has. `__metadata__` says what the
file is.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
from pathlib import Path

import keras
import numpy as np
import safetensors
import tensorflow as tf

from scripts.keras import cifar10, reference
from scripts.safetensors_file import write_safetensors

SPELLINGS = ("dense", "conv")
"""How a file may lay out the layers of SE blocks, the usual way first."""


def versions() -> dict[str, str]:
    """What computes here."""
    return {
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def add_spelling_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--se-spelling",
        choices=SPELLINGS,
        default=SPELLINGS[0],
        help="the layers of SE blocks as dense ones or as 1x1 convolutions (%(default)s)",
    )


def save_weights(model: keras.Model, file: Path, se_spelling: str = SPELLINGS[0], **more: str) -> None:
    """Write the weights of a reference model, and `more` entries of metadata."""
    metadata = {
        "network": model.name,
        "convention": reference.NETWORKS[model.name].convention,
        "versions": json.dumps(versions()),
        **more,
    }
    if model.name in cifar10.NETWORKS and model.output.shape[-1] == len(cifar10.LABELS):
        metadata["labels"] = json.dumps(cifar10.LABELS)
        metadata["preprocessing"] = json.dumps(cifar10.PREPROCESSING)
    weights = reference.named_weights(model)
    tensors = {name: np.asarray(variable.value).astype(np.float32) for name, variable in weights.items()}
    if se_spelling == "conv":
        tensors |= {
            name: tensor[None, None] for name, tensor in tensors.items() if re.search(r"(^|\.)fc[12]\.kernel$", name)
        }
    write_safetensors(file, tensors, metadata)


def metadata_of(file: Path) -> dict[str, str]:
    """The metadata of a weights file.

    Raises:
        ValueError: it is no safetensors file.
    """
    try:
        with safetensors.safe_open(file, framework="numpy") as content:
            return content.metadata() or {}
    except safetensors.SafetensorError as error:
        raise ValueError(f"`{file}` is no safetensors file: {error}") from error


def load_weights(model: keras.Model, file: Path) -> None:
    """Give a reference model, of any precision, the weights in a file: the inverse of `save_weights`.

    Raises:
        ValueError: the file lacks a tensor, has one of another shape or one that the model lacks.
    """
    weights = reference.named_weights(model)
    with safetensors.safe_open(file, framework="numpy") as content:
        names = set(content.keys())
        if missing := [name for name in weights if name not in names]:
            raise ValueError(f"`{file}` lacks `{missing[0]}` of {model.name}")
        if surplus := sorted(names - set(weights)):
            raise ValueError(f"`{file}` has `{surplus[0]}`, which {model.name} lacks")
        for name, variable in weights.items():
            tensor = content.get_tensor(name)
            if tensor.shape == (1, 1, *variable.shape):
                tensor = tensor[0, 0]
            if tensor.shape != tuple(variable.shape):
                expected, found = list(variable.shape), list(tensor.shape)
                raise ValueError(f"`{name}` in `{file}` has shape {found}, expected {expected}")
            variable.assign(tensor)
