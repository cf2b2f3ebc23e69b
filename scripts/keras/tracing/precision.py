"""Let a model that is made already compute in another precision, with its weights as float32 holds them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras.src.models.functional import Functional

from scripts.keras import reference


def is_float(variable: Any) -> bool:
    """Whether a variable or tensor holds numbers that are computed with, not counts or states."""
    return "float" in str(variable.dtype)


def to_precision(model: keras.Model, dtype: str) -> None:
    """Change what a model, its layers and their variables compute in, to `float64` or `float32`.

    A file holds float32, so what is computed with is rounded to that first.
    """
    reference.set_precision(dtype)
    for layer in model._flatten_layers(include_self=True, recursive=True):
        layer.dtype_policy = dtype
        functional = getattr(layer, "_functional", layer)
        if isinstance(functional, Functional):
            # A functional model casts what it is given to what its inputs were declared as.
            functional.dtype_policy = dtype
            for tensor in functional._inputs:
                if is_float(tensor):
                    tensor._dtype = dtype
    for variable in model.variables:
        if is_float(variable):
            value = np.asarray(variable.value).astype(np.float32).astype(dtype)
            variable._dtype = dtype
            variable._initialize(value)
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if isinstance(layer, keras.layers.Normalization) and layer.built:
            finalize(layer)


def finalize(layer: keras.layers.Normalization) -> None:
    """Let a Normalization compute with its statistics as they are now; they may be given rather than adapted."""
    if layer.input_mean is None:
        layer.finalize_state()
        return
    layer.mean, layer.variance = (
        keras.ops.cast(keras.ops.cast(value, "float32"), layer.compute_dtype) for value in (layer.mean, layer.variance)
    )
