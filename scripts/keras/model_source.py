"""Keras models by the words of a command line: a file, a function of a module, a network of keras.applications."""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import json
import sys
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.models.functional import Functional

from scripts.keras import reference
from scripts.keras.keras2_files import load_h5, weights_of_keras2
from scripts.keras.tracing.keras2_activation import let_hard_sigmoid_be
from scripts.keras.tracing.precision import to_precision
from scripts.keras.tracing.tracer import first_line, pack_input
from scripts.structured_images import Images, structured_images

APPLICATIONS = "keras.applications."

HDF5 = (".h5", ".hdf5")

KINDS = (
    "a .keras or .h5 file, module.py:factory, a network of keras.applications such as "
    "keras.applications.ResNet50, or a reference network"
)


@dataclass(frozen=True)
class ModelSource:
    """What is asked for."""

    model: str
    imports: list[Path] = field(default_factory=list)
    """Modules with the classes and functions of a file's model."""
    weights: Path | None = None
    input_shape: tuple[int, ...] | None = None
    unsafe: bool = False
    seed: int = 0


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """The options on which model it is, but for MODEL itself."""
    parser.add_argument(
        "--import",
        dest="imports",
        type=Path,
        action="append",
        default=[],
        metavar="MODULE.py",
        help="where the classes and functions of the model in a file are; more than once for several",
    )
    parser.add_argument("--weights", type=Path, metavar="FILE", help="saved weights for a model that code makes")
    parser.add_argument(
        "--input-shape", type=parse_shape, metavar="HxWxC", help="of one image, where the model does not say"
    )
    parser.add_argument("--unsafe", action="store_true", help="run the code of Lambda layers that a file holds")


def source_of(model: str, arguments: argparse.Namespace) -> ModelSource:
    shape = arguments.input_shape
    return ModelSource(model, arguments.imports, arguments.weights, shape, arguments.unsafe, arguments.seed)


def parse_shape(text: str) -> tuple[int, ...]:
    """`HxWxC`, for argparse."""
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTHxCHANNELS such as 224x224x3, found `{text}`")
    return tuple(int(part) for part in parts)


def load(source: ModelSource) -> keras.Model:
    """The model, in the precision that it has, built or not.

    Raises:
        ValueError: there is none, or it cannot be loaded.
    """
    # Whatever was computed in before: the same seed draws other weights in another precision.
    reference.set_precision("float32")
    keras.backend.clear_session()
    keras.utils.set_random_seed(source.seed)
    tf.get_logger().setLevel("ERROR")
    # Of a model in a file, whose one input is in a list or not, and is taken either way.
    warnings.filterwarnings("ignore", "The structure of `inputs` doesn't match")
    word = source.model
    if source.weights and not source.weights.exists():
        raise ValueError(f"`{source.weights}` is no file")
    let_hard_sigmoid_be(of_keras2=source.weights is not None and weights_of_keras2(source.weights))
    if word in reference.NETWORKS:
        height, width = source.input_shape[:2] if source.input_shape else reference.NETWORKS[word].input_size
        return reference.build(word, (height, width))
    if word.startswith(APPLICATIONS):
        return application(word.removeprefix(APPLICATIONS), source)
    if ".py:" in word:
        return made(word, source)
    file = Path(word)
    if source.weights:
        raise ValueError(f"--weights is for a model that code makes, not for `{word}`, which has its own")
    if file.is_dir() or file.suffix == ".pb":
        raise ValueError(
            f"`{word}` is a SavedModel, which holds no layers: save the model as a .keras or .h5 file, or export the "
            "code that makes it, as module.py:factory --weights"
        )
    if not file.exists():
        raise ValueError(f"`{word}` is no file and no network; expected {KINDS}")
    if file.suffix in HDF5:
        return from_file(source, file, load_h5)
    return from_file(source, file, load_keras)


def application(name: str, source: ModelSource) -> keras.Model:
    maker = getattr(keras.applications, name, None)
    if not inspect.isfunction(maker):
        known = sorted(each for each, _ in inspect.getmembers(keras.applications, inspect.isfunction))
        raise ValueError(f"keras.applications has no `{name}`; it has {', '.join(known)}")
    model = maker(weights=None, **({"input_shape": source.input_shape} if source.input_shape else {}))
    if source.weights:
        load_weights(model, source.weights)
    return model


def imported(file: Path) -> ModuleType:
    """A module by its file, whose folder its own imports are looked for in."""
    if not file.exists():
        raise ValueError(f"`{file}` is no file")
    sys.path.insert(0, str(file.resolve().parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ValueError(f"`{file}` is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"`{file}` cannot be imported: {type(error).__name__}: {first_line(error)}") from error
    finally:
        sys.path.remove(str(file.resolve().parent))
    return module


def made(word: str, source: ModelSource) -> keras.Model:
    """What a function of a module makes; a model that stands there is taken too."""
    file, _, name = word.rpartition(":")
    found = getattr(imported(Path(file)), name, None)
    if found is None:
        raise ValueError(f"`{file}` has no `{name}`")
    if not isinstance(found, keras.Model):
        try:
            found = found()
        except Exception as error:
            raise ValueError(f"`{word}` fails: {type(error).__name__}: {first_line(error)}") from error
    if not isinstance(found, keras.Model):
        raise ValueError(f"`{word}` makes a {type(found).__name__}, expected a keras.Model")
    if source.weights:
        build(found, input_shape(found, source))
        load_weights(found, source.weights)
    return found


def load_weights(model: keras.Model, file: Path) -> None:
    try:
        model.load_weights(file)
    except Exception as error:
        raise ValueError(f"`{file}` does not fit `{model.name}`: {first_line(error)}") from error


def build(model: keras.Model, shape: tuple[int, ...]) -> None:
    """Let a model make its variables."""
    if not model.built or not model.variables:
        model(pack_input(model, np.zeros((1, *shape), np.float32)), training=False)


def from_file(source: ModelSource, file: Path, read: Any) -> keras.Model:
    """The model in a file, with the classes and functions of the imported modules."""
    custom: dict[str, Any] = {}
    for each in source.imports:
        module = imported(each)
        custom |= {name: value for name, value in vars(module).items() if callable(value) and name[:1] != "_"}
    try:
        return read(file, custom, source.unsafe)
    except ValueError as error:
        raise ValueError(explained(file, str(error))) from error
    except Exception as error:
        raise ValueError(explained(file, f"{type(error).__name__}: {error}")) from error


def load_keras(file: Path, custom_objects: dict[str, Any], unsafe: bool) -> keras.Model:
    try:
        with zipfile.ZipFile(file) as archive:
            written_by = str(json.loads(archive.read("metadata.json")).get("keras_version", "3"))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"`{file}` is no Keras model: {error}") from error
    if written_by.startswith("2"):
        raise ValueError(
            f"`{file}` was written by Keras {written_by}, whose .keras files Keras 3 cannot read: save the model as .h5"
        )
    return keras.models.load_model(file, custom_objects=custom_objects, compile=False, safe_mode=not unsafe)


def explained(file: Path, why: str) -> str:
    """What Keras says of a file that it cannot load, and what to do."""
    why = " ".join(why.split())
    if f"`{file}`" in why:
        return why
    for symptom, hint in (
        ("Could not locate class", "name the module of its class with --import"),
        ("Could not locate function", "name the module of that function with --import"),
        ("Unknown layer", "name the module of that class with --import"),
        ("Unknown object", "name the module of that class with --import"),
        ("Could not locate", "name the module where that is with --import"),
        ("safe_mode", "it holds code: with --unsafe that is run"),
        ("lambda", "it holds code: with --unsafe that is run"),
    ):
        if symptom in why:
            return f"`{file}` cannot be loaded: {why[:160].rstrip()} ...: {hint}"
    return f"`{file}` cannot be loaded: {why[:300]}"


def input_shape(model: keras.Model, source: ModelSource) -> tuple[int, ...]:
    """Height, width and channels of one image, or channels first, as the model takes it.

    Raises:
        ValueError: it has not one input, does not say all of it, or says otherwise than the source.
    """
    said = said_shape(model)
    if source.input_shape is None:
        if said is None or None in said:
            found = "nothing" if said is None else f"{list(said)}"
            raise ValueError(f"`{model.name}` says {found} of its input's shape: say it with --input-shape HxWxC")
        return tuple(size for size in said if size is not None)
    if said is not None and (
        len(said) != len(source.input_shape)
        or any(size not in (None, given) for size, given in zip(said, source.input_shape, strict=True))
    ):
        raise ValueError(f"`{model.name}` takes inputs of shape {list(said)}, not {list(source.input_shape)}")
    return source.input_shape


def said_shape(model: keras.Model) -> tuple[int | None, ...] | None:
    """What a model says of its input's shape, without the batch."""
    inputs = model.inputs if isinstance(model, Functional | keras.Sequential) else None
    if inputs:
        if len(inputs) > 1:
            names = ", ".join(f"`{each.name}`" for each in inputs)
            raise ValueError(f"`{model.name}` has {len(inputs)} inputs ({names}), expected one: a graph has one image")
        return tuple(inputs[0].shape[1:])
    shapes = [each for each in (getattr(model, "_build_shapes_dict", None) or {}).values() if isinstance(each, tuple)]
    return tuple(shapes[0][1:]) if len(shapes) == 1 else None


def batch_of(model: keras.Model, batch: int) -> int:
    """The number of images that a model takes, which a saved Sequential may have fixed."""
    inputs = model.inputs if isinstance(model, Functional | keras.Sequential) else None
    fixed = inputs[0].shape[0] if inputs else None
    return int(fixed) if fixed else batch


@dataclass(frozen=True)
class Prepared:
    """A built model that computes in one precision, and what it takes."""

    model: keras.Model
    shape: tuple[int, ...]
    dtype: str

    def draw(self, random: np.random.Generator, batch: int) -> Any:
        """Structured images: pixels of 0 to 255 where the network begins by rescaling them."""
        channels_first = keras.config.image_data_format() == "channels_first" or self.shape[0] < self.shape[-1]
        height, width, channels = (*self.shape[1:], self.shape[0]) if channels_first else self.shape
        images: Images = structured_images(random, batch_of(self.model, batch), (height, width), channels)
        if "float" not in self.dtype or takes_pixels(self.model):
            images = np.rint(np.clip(127.5 + 42.5 * images, 0.0, 255.0)).astype(np.float32)
        return (images.transpose(0, 3, 1, 2) if channels_first else images).astype(self.dtype)


def takes_pixels(model: keras.Model) -> bool:
    """Whether a layer of a model rescales pixels."""
    every = model._flatten_layers(include_self=False, recursive=True)
    return any(isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization) for layer in every)


def prepare(source: ModelSource, model: keras.Model | None = None, precision: str = "float64") -> Prepared:
    """The model that is asked for, or was loaded already, in a precision with weights as float32 holds them.

    It is float32 where the model cannot compute in float64.

    Raises:
        ValueError: it cannot be loaded or built, or has no one image as input.
    """
    model = load(source) if model is None else model
    shape = input_shape(model, source)
    if len(shape) != 3:
        raise ValueError(f"`{model.name}` takes inputs of shape {list(shape)}, expected height, width and channels")
    try:
        build(model, shape)
    except Exception as error:
        raise ValueError(
            f"`{model.name}` cannot be run on an input of shape {list(shape)}: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error
    inputs = model.inputs if isinstance(model, Functional | keras.Sequential) else None
    said = str(inputs[0].dtype) if inputs else "float32"
    to_precision(model, precision)
    if precision == "float64":
        # Constants of float32, of TensorFlow, can be added to nothing else.
        try:
            x = np.zeros((batch_of(model, 1), *shape), said.replace("float32", precision))
            model(pack_input(model, x), training=False)
        except (TypeError, ValueError, tf.errors.OpError):
            precision = "float32"
            to_precision(model, precision)
    return Prepared(model, shape, precision if "float" in said else said)
