"""The activation whose name means another formula in Keras 3 than in Keras 2."""

from __future__ import annotations

import importlib
from typing import Any

import keras
from keras.src.activations import ALL_OBJECTS_DICT

OWNERS = (
    "keras.activations",
    "keras._tf_keras.keras.activations",
    "keras.src.activations",
    "keras.src.activations.activations",
)
"""The modules that code takes the function of."""

HARD_SIGMOID = keras.activations.hard_sigmoid


class HardSigmoidKeras2(keras.Operation):
    """One operation, as Keras 3's own is, wherever the function is called."""

    def call(self, x: Any) -> Any:
        return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)

    def compute_output_spec(self, x: Any) -> keras.KerasTensor:
        return keras.KerasTensor(x.shape, dtype=x.dtype)


def hard_sigmoid_keras2(x: Any) -> Any:
    """`hard_sigmoid` of Keras 2: 0.2 x + 0.5 between 0 and 1. Keras 3's has a slope of a sixth."""
    return HardSigmoidKeras2()(x)


def let_hard_sigmoid_be(of_keras2: bool) -> None:
    """Let what is called `hard_sigmoid` be what it was in Keras 2, or be Keras 3's again, until this is called anew.

    The code of a custom layer may ask for it by name or as a function, when it is imported, made or called.
    """
    function = hard_sigmoid_keras2 if of_keras2 else HARD_SIGMOID
    for owner in OWNERS:
        setattr(importlib.import_module(owner), "hard_sigmoid", function)  # noqa: B010
    ALL_OBJECTS_DICT["hard_sigmoid"] = function


def is_of_keras2() -> bool:
    """Whether `hard_sigmoid` is what it was in Keras 2."""
    return ALL_OBJECTS_DICT["hard_sigmoid"] is hard_sigmoid_keras2
