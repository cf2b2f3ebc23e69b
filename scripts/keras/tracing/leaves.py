"""Which layers are of the library, and so are one call, and which are followed into their `call`."""

from __future__ import annotations

import inspect
from typing import Any

import keras
from keras import layers

from scripts.keras.tracing.keras2_activation import hard_sigmoid_keras2

COMPOSITES: tuple[type, ...] = (keras.Model, layers.Lambda, layers.Pipeline)
"""Of Keras itself, but what they compute is the user's."""

MAY_DIFFER = {
    "__init__",
    "__new__",
    "__doc__",
    "__module__",
    "__qualname__",
    "__firstlineno__",
    "__static_attributes__",
    "__annotations__",
    "build",
    "get_config",
    "from_config",
    "compute_output_shape",
    "compute_output_spec",
    "get_build_config",
    "build_from_config",
}
"""What a user's subclass of a layer may have its own of and still compute the same."""

PLAIN_ACTIVATIONS = frozenset(
    (*(function for _, function in inspect.getmembers(keras.activations, inspect.isfunction)), hard_sigmoid_keras2)
)
"""Keras's own functions, and what it called one of them, which are one call each."""


def library_class(layer: keras.layers.Layer) -> type | None:
    """The class of Keras whose computation the layer is; None where it is the user's own."""
    if isinstance(layer, COMPOSITES):
        return None
    if isinstance(layer, layers.Activation) and not is_plain(layer.activation):
        return None
    own: set[str] = set()
    for each in type(layer).__mro__:
        if each.__module__.startswith("keras.src.layers."):
            known = each is not layers.Layer and not any(hasattr(each, name) for name in own - MAY_DIFFER)
            return each if known else None
        own |= set(vars(each))
    return None


def is_plain(activation: Any) -> bool:
    """Whether an activation is a function of Keras."""
    return inspect.isfunction(activation) and activation in PLAIN_ACTIVATIONS


def has_own_activation(layer: keras.layers.Layer) -> bool:
    """Whether a layer does something else and then applies an activation."""
    activation = vars(layer).get("activation")
    alone = isinstance(layer, layers.Activation)
    return not alone and activation is not None and activation is not keras.activations.linear
