"""The activation whose name means another formula in Keras 3 than in Keras 2."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="senet")
def hard_sigmoid_keras2(x: Any) -> Any:
    """`hard_sigmoid` of Keras 2: 0.2 x + 0.5 between 0 and 1. Keras 3's has a slope of a sixth."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)
