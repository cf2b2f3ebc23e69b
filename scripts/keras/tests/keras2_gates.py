"""Ways of naming an activation that Keras 2 took for another formula: what a file's model is made of, and weights."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


class Named(layers.Layer):
    """By a key of its own in the configuration."""

    def __init__(self, gate: str = "hard_sigmoid", **more: Any) -> None:
        super().__init__(**more)
        self.gate = gate
        self.function = keras.activations.get(gate)

    def call(self, x: Any) -> Any:
        return x * self.function(x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gate": self.gate}


class Called(layers.Layer):
    """By the function."""

    def call(self, x: Any) -> Any:
        return keras.activations.hard_sigmoid(x)


class Held(layers.Layer):
    """By a layer within."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.inner = layers.Activation("hard_sigmoid")

    def call(self, x: Any) -> Any:
        return self.inner(x)


class Operation(layers.Layer):
    """By what Keras 2 does not have."""

    def call(self, x: Any) -> Any:
        return keras.ops.hard_sigmoid(x)


def around(*gates: Any) -> keras.Model:
    x = image = keras.Input((4, 4, 3))
    for gate in (layers.Conv2D(3, 1, name="conv"), *gates):
        x = gate(x)
    return keras.Model(image, x, name="gated")


def build() -> keras.Model:
    return around(layers.Activation("hard_sigmoid", name="hard"), Named(), Called(), Held())


def build_of_operation() -> keras.Model:
    return around(Operation(name="hard"))
