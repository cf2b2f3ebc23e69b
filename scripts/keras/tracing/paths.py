"""What layers and operations are called: attribute paths, and names of layers within functional models."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
from keras.src.models.functional import Functional
from keras.src.utils.naming import to_snake_case


def held(value: Any, path: str) -> Iterator[tuple[str, keras.layers.Layer]]:
    """The layers in an attribute, which may be a layer or a list or dictionary of them, and their paths."""
    if isinstance(value, keras.layers.Layer):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from held(each, f"{path}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for index, each in enumerate(value):
            yield from held(each, f"{path}.{index}")


def names_within(owner: keras.layers.Layer) -> dict[int, str]:
    """What a layer or model calls those that it consists of, by id."""
    if isinstance(owner, Functional | keras.Sequential):
        return {id(layer): layer.name for layer in owner.layers}
    names: dict[int, str] = {}
    for attribute, value in vars(owner).items():
        if attribute.startswith("_"):
            # Of the framework, or a person's own; the same layers may be there under a better name.
            continue
        for path, layer in held(value, attribute):
            names.setdefault(id(layer), path)
    for attribute, value in vars(owner).items():
        if attribute.startswith("_") and attribute not in ("_layers", "_functional", "_tracker"):
            for path, layer in held(value, attribute):
                names.setdefault(id(layer), path)
    return names


@dataclass
class Scope:
    """The `call` of a layer or model while it is followed."""

    path: str
    names: dict[int, str]
    first: int
    """How many calls were recorded before it."""
    has_layers: bool = False
    """Whether it called any layer: else it is but operations."""


@dataclass
class Paths:
    """Names that are given once each."""

    taken: set[str] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)

    def of_layer(self, layer: keras.layers.Layer, scopes: Sequence[Scope]) -> str:
        """The path of a layer that is called within `scopes`, `#2` with the second call."""
        for scope in reversed(scopes):
            if id(layer) in scope.names:
                path = join(scope.path, scope.names[id(layer)])
                break
        else:
            # Made in a `call`, most likely: where it has no name of its own, Keras has numbered it through all models.
            kind = to_snake_case(type(layer).__name__)
            numbered = re.fullmatch(rf"{kind}(_\d+)?", layer.name)
            path = join(scopes[-1].path, kind if numbered else layer.name)
        self.calls[path] += 1
        if self.calls[path] > 1:
            path = f"{path}#{self.calls[path]}"
        self.taken.add(path)
        return path

    def of_operation(self, name: str, scope: Scope) -> str:
        """The path of an operation within a scope, numbered from the second on."""
        path = first = f"{scope.path}/{name}" if scope.path else name
        number = 0
        while path in self.taken or path in scope.names.values():
            number += 1
            path = f"{first}_{number}"
        self.taken.add(path)
        return path


def join(*parts: str) -> str:
    """The parts that are not empty, joined with dots."""
    return ".".join(part for part in parts if part)
