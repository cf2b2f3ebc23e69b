"""Safetensors files that are the same, byte for byte, each time one command with one seed makes them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def write_safetensors(file: Path, tensors: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write tensors of floating-point numbers in their order, in a folder that is made where it is not there.

    The safetensors library writes metadata in an order that changes from run to
    run.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor in tensors.items():
        if not np.issubdtype(tensor.dtype, np.floating):
            raise ValueError(f"`{name}` is of {tensor.dtype}; expected floating-point numbers")
        start, end = end, end + tensor.nbytes
        kind = f"F{8 * tensor.itemsize}"
        header[name] = {"dtype": kind, "shape": tensor.shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as output:
        output.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            output.write(tensor.astype(tensor.dtype.newbyteorder("<")).tobytes())
