"""HDF5 files of whole models, those of Keras 2 with what Keras 3 reads otherwise.

Keras 3 loads most of them as they are. It stumbles over an argument and over slashes in names, cannot read functions of
TensorFlow in a graph, looks for models within models where they are not, and takes `hard_sigmoid` for its own, another
formula, without a word, in weights for code too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
from keras.src.legacy.saving import legacy_h5_format

from scripts.keras.tracing.keras2_activation import let_hard_sigmoid_be

WITHOUT_GROUPS = ("DepthwiseConv2D", "Conv2DTranspose", "SeparableConv2D")
"""Layers that Keras 2 wrote an argument `groups` of, which those of Keras 3 refuse."""


def text_of(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def is_of_keras2(content: h5py.File) -> bool:
    """Whether Keras 2 wrote a file, of a model or of weights alone: Keras 3 reads its old format, not its new one."""
    old_format = "layer_names" in content.attrs or "model_weights" in content
    return old_format and not text_of(content.attrs.get("keras_version", "2")).startswith("3")


def weights_of_keras2(file: Path) -> bool:
    """Whether a file holds weights that Keras 2 wrote."""
    try:
        with h5py.File(file) as content:
            return is_of_keras2(content)
    except OSError:
        # None that Keras 3 loads.
        return False


def load_h5(file: Path, custom_objects: dict[str, Any], unsafe: bool) -> keras.Model:
    """The model in an HDF5 file; `unsafe` lets code run that it holds.

    Raises:
        ValueError: it holds none, or one with functions of TensorFlow in its graph.
    """
    try:
        # In memory, so that it can be mended and stays as it is.
        content = h5py.File(file, "r+", driver="core", backing_store=False)
    except OSError as error:
        raise ValueError(f"`{file}` is no HDF5 file: {error}") from error
    with content:
        config = content.attrs.get("model_config")
        if config is None:
            raise ValueError(
                f"`{file}` holds weights alone: say `module.py:factory --weights {file.name}`, of a function that "
                "makes the model"
            )
        if is_of_keras2(content):
            let_hard_sigmoid_be(of_keras2=True)
            content.attrs["model_config"] = json.dumps(mended(json.loads(text_of(config)), file))
        return legacy_h5_format.load_model_from_hdf5(
            content, custom_objects=custom_objects, compile=False, safe_mode=not unsafe
        )


def every_object(value: Any) -> Iterator[dict[str, Any]]:
    """All dictionaries in a configuration."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from every_object(each)


def mended(config: Any, file: Path) -> Any:
    """A configuration of Keras 2 as Keras 3 has to read it.

    Raises:
        ValueError: it has functions of TensorFlow in its graph.
    """
    layers = [each for each in every_object(config) if "class_name" in each and isinstance(each.get("config"), dict)]
    if functions := [each for each in layers if each["class_name"] in ("TFOpLambda", "SlicingOpLambda")]:
        names = ", ".join(f"`{each['config'].get('name', '?')}`" for each in functions[:3])
        raise ValueError(
            f"`{file}` has {len(functions)} functions of TensorFlow in its graph ({names}), which Keras 3 cannot read: "
            "export the code that makes the model, as `module.py:factory --weights`"
        )
    for layer in layers:
        if layer["class_name"] in WITHOUT_GROUPS:
            layer["config"].pop("groups", None)
    for each in every_object(config):
        if isinstance(each.get("layers"), list):
            count_calls_of_models_from_zero(each["layers"])
    slashed = {name for layer in layers if "/" in (name := str(layer["config"].get("name", "")))}
    return replaced(config, slashed)


def count_calls_of_models_from_zero(layers: list[dict[str, Any]]) -> None:
    """Let the first call of a model within a model be its call 0, as in Keras 3: in Keras 2 that is how it was made."""
    called = {
        layer["config"]["name"]: len(layer.get("inbound_nodes", []))
        for layer in layers
        if isinstance(layer.get("config"), dict) and "layers" in layer["config"]
    }
    references = [each for layer in layers for each in every_reference(layer.get("inbound_nodes", []))]
    from_one = {name for name, index, *_ in references if index >= called.get(name, index + 1)}
    for reference in references:
        if reference[0] in from_one:
            reference[1] -= 1


def every_reference(nodes: Any) -> Iterator[list[Any]]:
    """The lists of a layer's name, its call and its output in what a layer is called on."""
    if isinstance(nodes, list):
        if len(nodes) >= 3 and isinstance(nodes[0], str) and isinstance(nodes[1], int):
            yield nodes
        else:
            for each in nodes:
                yield from every_reference(each)


def replaced(value: Any, slashed: set[str]) -> Any:
    """A configuration with dots for slashes in the layers' names."""
    if isinstance(value, dict):
        return {name: replaced(each, slashed) for name, each in value.items()}
    if isinstance(value, list):
        return [replaced(each, slashed) for each in value]
    return value.replace("/", ".") if isinstance(value, str) and value in slashed else value
