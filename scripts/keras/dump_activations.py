"""Run a reference network on a weights file and write what it computes: the reference dump.

The dump is a safetensors file with `input`, `output` and the outputs of layers,
blocks (`layer1.0`) and stages (`layer1`) by canonical name, all NHWC; gates and
pooled values are [N, 1, 1, C], logits [N, classes]. `senet parity` compares.

    python -m scripts.keras.dump_activations seresnet20.safetensors --output reference.safetensors
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import KerasTensor

from scripts.command_line import errors_in_one_line, parse_count, parse_size
from scripts.keras import reference
from scripts.keras.weights_file import load_weights, network_of, versions
from scripts.safetensors_file import write_safetensors
from scripts.structured_images import Images, structured_images


def every_value(model: keras.Model) -> dict[str, KerasTensor]:
    """The output of every layer, block and stage."""
    values = reference.named_values(model)
    blocks, stages = reference.blocks_and_stages(list(values))
    return values | {group: values[last] for group, last in (blocks | stages).items()}


def block_values(model: keras.Model) -> dict[str, KerasTensor]:
    """The output of every block, each feature map once: a stage's is that of its last block."""
    values = reference.named_values(model)
    blocks, _ = reference.blocks_and_stages(list(values))
    return {block: values[last] for block, last in blocks.items()}


def no_values(_model: keras.Model) -> dict[str, KerasTensor]:
    return {}


WHICH: dict[str, Callable[[keras.Model], dict[str, KerasTensor]]] = {
    "all": every_value,
    "blocks": block_values,
    "output": no_values,
}
"""What a dump may hold besides input and output."""


def write_dump(model: keras.Model, x: Images, file: Path, which: str, store: str) -> reference.Values:
    """Run the model, write the dump and return the output."""
    computed = reference.run(model, WHICH[which](model) | {"output": model.output}, x)
    used = versions()
    metadata = {
        "layout": "nhwc",
        "framework": f"keras {used['keras']} tensorflow {used['tensorflow']} {keras.config.floatx()}",
        "network": model.name,
    }
    tensors = {name: value.astype(store) for name, value in ({"input": x} | computed).items()}
    write_safetensors(file, tensors, metadata)
    return computed["output"]


def read_input(file: Path, channels: int) -> Images:
    """The NHWC input in a .npy file.

    Raises:
        ValueError: it is not a finite NHWC tensor of so many channels that float32 holds exactly.
    """
    x = np.load(file)
    if x.ndim != 4 or x.shape[-1] != channels:
        raise ValueError(f"`{file}` has shape {list(x.shape)}, expected [N, height, width, {channels}]")
    rounded = x.astype(np.float32)
    if not np.isfinite(x).all() or not np.array_equal(rounded, x):
        raise ValueError(f"`{file}` has values that float32 cannot hold exactly: the program it is for reads float32")
    return rounded


def add_dump_options(parser: argparse.ArgumentParser, values: str) -> None:
    """The options on what is computed and written; `values` is the default of one."""
    parser.add_argument("--seed", type=int, default=0, help="of everything random (%(default)s)")
    parser.add_argument(
        "--dtype", choices=("float64", "float32"), default="float64", help="to compute in (%(default)s)"
    )
    parser.add_argument("--values", choices=WHICH, default=values, help="to write (%(default)s)")
    parser.add_argument("--store", choices=("float64", "float32"), help="to write values as; default: as computed")


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, metavar="WEIGHTS.safetensors")
    parser.add_argument("--output", type=Path, required=True, metavar="DUMP.safetensors")
    parser.add_argument("--network", choices=reference.NETWORKS, help="where the weights file does not say")
    parser.add_argument("--input", type=Path, metavar="X.npy", help="NHWC, as the network takes it; default: drawn")
    parser.add_argument("--input-size", type=parse_size, metavar="HxW", help="of a drawn input")
    parser.add_argument("--batch", type=parse_count, help="inputs to draw (1)")
    add_dump_options(parser, values="all")
    arguments = parser.parse_args(words)
    if arguments.input and (arguments.input_size or arguments.batch):
        parser.error("--input-size and --batch are of a drawn input, not of --input")

    with errors_in_one_line():
        stated = network_of(arguments.weights)
        name = arguments.network or stated
        if name is None:
            raise ValueError(f"`{arguments.weights}` does not name its network: add --network")
        if stated not in (None, name):
            raise ValueError(f"`{arguments.weights}` holds weights of {stated}, not of {name}")
        if name not in reference.NETWORKS:
            raise ValueError(f"`{arguments.weights}` holds weights of `{name}`, which is no network of the catalogue")
        reference.set_precision(arguments.dtype)
        network = reference.NETWORKS[name]
        if arguments.input:
            x = read_input(arguments.input, network.channels)
        else:
            random = np.random.default_rng(arguments.seed)
            size = arguments.input_size or network.input_size
            x = structured_images(random, arguments.batch or 1, size, network.channels)
        model = reference.build(name, x.shape[1:3])
        load_weights(model, arguments.weights)
        write_dump(model, x, arguments.output, arguments.values, arguments.store or arguments.dtype)


if __name__ == "__main__":
    main()
