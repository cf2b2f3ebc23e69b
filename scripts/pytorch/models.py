"""The words for a model: `timm:NAME`, `torchvision:NAME` or `file.py:factory`, and where its weights come from."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from scripts.command_line import parse_count, parse_size
from scripts.pytorch.failures import first_line

WORDS = "timm:NAME, torchvision:NAME or file.py:FACTORY"

NESTED = ("state_dict", "model", "state_dict_ema", "model_state_dict")
"""Under what the programs that train keep the weights in what they save."""

DEFAULT_SIZE = (224, 224)


@dataclass
class Model:
    """A model as it is evaluated."""

    module: nn.Module
    name: str
    channels: int
    height: int
    width: int
    weights: str
    """Where they come from, for people."""

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """What every program that takes a model takes besides."""
    parser.add_argument("model", metavar="MODEL", help=WORDS)
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--weights", type=Path, metavar="FILE", help="a state_dict (.pth, .pt, .safetensors) to load")
    weights.add_argument(
        "--pretrained", action="store_true", help="the library's own weights, where they are on this machine already"
    )
    parser.add_argument(
        "--size", type=parse_size, metavar="HxW", help="of the images (what the library says, else 224x224)"
    )
    parser.add_argument("--channels", type=parse_count, metavar="N", help="of the images (the library's, else 3)")
    parser.add_argument("--seed", type=int, default=0, help="of weights where none are loaded (%(default)s)")


def model_of(arguments: argparse.Namespace) -> Model:
    """The model that the command line names.

    Raises:
        ValueError: there is none, or the weights do not fit.
    """
    return load(
        arguments.model,
        weights=arguments.weights,
        pretrained=arguments.pretrained,
        size=arguments.size,
        channels=arguments.channels,
        seed=arguments.seed,
    )


def load(
    words: str,
    *,
    weights: Path | None = None,
    pretrained: bool = False,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    seed: int = 0,
) -> Model:
    """A model by its words, with its weights, in evaluation.

    Raises:
        ValueError: there is none, or the weights do not fit.
    """
    origin, _, name = words.rpartition(":")
    if not origin or not name:
        raise ValueError(f"`{words}` names no model; expected {WORDS}")
    torch.manual_seed(seed)
    makers: dict[str, Callable[[str, bool], tuple[nn.Module, tuple[int, int, int]]]] = {
        "timm": of_timm,
        "torchvision": of_torchvision,
    }
    if origin in makers:
        module, (own_channels, *own_size) = makers[origin](name, pretrained)
    elif pretrained:
        raise ValueError("`--pretrained` is for models of timm and torchvision; load yours with `--weights FILE`")
    else:
        module, (own_channels, *own_size) = of_file(Path(origin), name), (3, *DEFAULT_SIZE)
    if weights:
        load_weights(module, weights)
    height, width = size or own_size
    said = f"of `{weights}`" if weights else "the library's own" if pretrained else f"drawn with seed {seed}"
    return Model(module.eval(), name, channels or own_channels, height, width, said)


def of_timm(name: str, pretrained: bool) -> tuple[nn.Module, tuple[int, int, int]]:
    import timm

    if pretrained:
        # Nothing is downloaded: what is not in the cache is an error.
        os.environ["HF_HUB_OFFLINE"] = "1"
    if not timm.is_model(name.partition(".")[0]):
        raise ValueError(f"timm has no `{name}`")
    try:
        module = timm.create_model(name, pretrained=pretrained)
    except (RuntimeError, OSError) as error:
        raise ValueError(f"timm cannot make `{name}`: {first_line(error)}") from error
    channels, height, width = module.pretrained_cfg.get("input_size", (3, *DEFAULT_SIZE))
    return module, (channels, height, width)


TORCHVISION_SIZES = {"inception_v3": (299, 299)}
"""Those that are not 224x224 without weights that would say so."""


def of_torchvision(name: str, pretrained: bool) -> tuple[nn.Module, tuple[int, int, int]]:
    import torchvision

    if name not in torchvision.models.list_models(module=torchvision.models):
        raise ValueError(f"torchvision has no `{name}` among its classifiers")
    choice = torchvision.models.get_model_weights(name).DEFAULT
    size = getattr(choice.transforms.keywords, "get", lambda _: None)("crop_size") or DEFAULT_SIZE[0]
    if pretrained:
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(choice.url).name
        if not file.exists():
            raise ValueError(f"the weights of `{name}` are not on this machine; expected `{file}`")
        return torchvision.models.get_model(name, weights=choice), (3, size, size)
    # Without this those two draw for a minute.
    more = {"init_weights": False} if name in ("inception_v3", "googlenet") else {}
    return torchvision.models.get_model(name, weights=None, **more), (3, size, size)


def of_file(file: Path, factory: str) -> nn.Module:
    """What a function or class of a Python file makes when called without arguments.

    Raises:
        ValueError: there is no such file or function, or it makes something else.
    """
    if not file.is_file():
        raise ValueError(f"there is no `{file}`; expected {WORDS}")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ValueError(f"`{file}` is no Python file")
    module = importlib.util.module_from_spec(spec)
    # The file's own imports are of what stands beside it, and its classes know it by name.
    sys.path.insert(0, str(file.resolve().parent))
    before = sys.modules.get(file.stem)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
        made = getattr(module, factory, None)
        if made is None:
            raise ValueError(f"`{file}` has no `{factory}`")
        result: Any = made() if callable(made) and not isinstance(made, nn.Module) else made
    except ValueError:
        raise
    except Exception as error:
        # A user's code may raise anything.
        raise ValueError(f"`{file}:{factory}` failed: {type(error).__name__}: {first_line(error)}") from error
    finally:
        sys.path.pop(0)
        if before is not None:
            sys.modules[file.stem] = before
    if not isinstance(result, nn.Module):
        raise ValueError(f"`{file}:{factory}` is a {type(result).__name__}; expected a torch.nn.Module")
    return result


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weights file; nothing in it is run.

    Raises:
        ValueError: it is none.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except (SafetensorError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise ValueError(f"`{file}` cannot be read: {first_line(error)}") from error
    except Exception as error:
        # What `weights_only` refuses: a file that would run code.
        raise ValueError(
            f"`{file}` holds more than tensors: save the model's `state_dict()` and load that ({first_line(error)})"
        ) from error
    for name in NESTED:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
            break
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise ValueError(f"`{file}` is no state_dict: expected tensors by name")
    return content


def load_weights(module: nn.Module, file: Path) -> None:
    """Give the model the file's tensors, every one.

    Raises:
        ValueError: names or shapes differ.
    """
    own = module.state_dict()
    found = read_weights(file)
    if found and all(name.startswith("module.") for name in found) and not all(n.startswith("module.") for n in own):
        # As `DataParallel` saves them.
        found = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    missing = [name for name in own if name not in found and not name.endswith("num_batches_tracked")]
    surplus = [name for name in found if name not in own]
    if missing or surplus:
        lacks = f"lacks `{missing[0]}` ({len(missing)} in all)" if missing else ""
        has = f"has `{surplus[0]}` ({len(surplus)} in all), which the model has not" if surplus else ""
        raise ValueError(f"`{file}` {' and '.join(part for part in (lacks, has) if part)}")
    for name, tensor in found.items():
        if tensor.shape != own[name].shape:
            raise ValueError(f"`{file}`: `{name}` is {list(tensor.shape)}, the model's {list(own[name].shape)}")
    module.load_state_dict(found, strict=False)
