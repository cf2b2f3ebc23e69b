"""Run a Keras model and write what it computes, layer by layer: the reference dump.

    python -m scripts.keras.dump_activations seresnet20.safetensors --output reference.safetensors
    python -m scripts.keras.dump_activations trained.keras --import my_layers.py --output reference.safetensors

The first runs a reference network on a weights file; the second any model that `export` takes, in the same words, whose
values get the names that its file has for them. They are the framework's own: what is computed again are the calls that
were traced of the model.

The dump is a safetensors file with `input`, `output` and the outputs of layers, of a reference network also of blocks
(`layer1.0`) and stages (`layer1`), all as Keras lays them out (NHWC); gates and pooled values are [N, 1, 1, C], logits
[N, classes]. A flattened map is in the order of the file, channel by channel. What Keras computes within one layer, the
first half of a separable convolution, is not there. `senet parity` compares.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import KerasTensor

from scripts.command_line import errors_in_one_line, parse_count, parse_size
from scripts.keras import graph_dump, reference
from scripts.keras.checked_export import export_checked
from scripts.keras.model_source import KINDS, add_source_options, prepare, source_of
from scripts.keras.weights_file import load_weights, metadata_of, versions
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


def dump_model(arguments: argparse.Namespace) -> None:
    """The dump of a model that is no weights file of a reference network."""
    if arguments.network:
        raise ValueError(f"--network is for weights files, not for `{arguments.model}`")
    prepared = prepare(source_of(arguments.model, arguments), precision=arguments.dtype)
    if arguments.input:
        x = read_input(arguments.input, prepared.shape[-1])
        if x.shape[1:] != prepared.shape:
            raise ValueError(f"`{arguments.input}` has images of {list(x.shape[1:])}, expected {list(prepared.shape)}")
    else:
        if arguments.input_size and arguments.input_size != prepared.shape[:2]:
            raise ValueError(f"`{arguments.model}` takes {list(prepared.shape)}: another size is --input-shape")
        x = prepared.draw(np.random.default_rng(arguments.seed), arguments.batch or 1)
    checked = export_checked(prepared.model, x.astype(prepared.dtype))
    values = graph_dump.computed(checked, x.astype(prepared.dtype), arguments.values)
    graph_dump.write(arguments.output, checked.graph, x, values, arguments.store or arguments.dtype)


def dump_reference(arguments: argparse.Namespace) -> None:
    """The dump of a reference network with the weights of a file."""
    file = Path(arguments.model)
    metadata = metadata_of(file)
    if "graph" in metadata:
        raise ValueError(f"`{file}` describes a network of its own: say the MODEL that it was exported from")
    stated = metadata.get("network")
    name = arguments.network or stated
    if name is None:
        raise ValueError(f"`{file}` does not name its network: add --network")
    if stated not in (None, name):
        raise ValueError(f"`{file}` holds weights of {stated}, not of {name}")
    if name not in reference.NETWORKS:
        raise ValueError(f"`{file}` holds weights of `{name}`, which is no network of the catalogue")
    reference.set_precision(arguments.dtype)
    network = reference.NETWORKS[name]
    if arguments.input:
        x = read_input(arguments.input, network.channels)
    else:
        random = np.random.default_rng(arguments.seed)
        size = arguments.input_size or network.input_size
        x = structured_images(random, arguments.batch or 1, size, network.channels)
    model = reference.build(name, x.shape[1:3])
    load_weights(model, file)
    write_dump(model, x, arguments.output, arguments.values, arguments.store or arguments.dtype)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL", help=f"a weights file of a reference network, or {KINDS}")
    parser.add_argument("--output", type=Path, required=True, metavar="DUMP.safetensors")
    parser.add_argument("--network", choices=reference.NETWORKS, help="where the weights file does not say")
    parser.add_argument("--input", type=Path, metavar="X.npy", help="NHWC, as the network takes it; default: drawn")
    parser.add_argument("--input-size", type=parse_size, metavar="HxW", help="of a drawn input")
    parser.add_argument("--batch", type=parse_count, help="inputs to draw (1)")
    add_source_options(parser)
    add_dump_options(parser, values="all")
    arguments = parser.parse_args(words)
    if arguments.input and (arguments.input_size or arguments.batch):
        parser.error("--input-size and --batch are of a drawn input, not of --input")

    with errors_in_one_line():
        if Path(arguments.model).suffix == ".safetensors":
            dump_reference(arguments)
        else:
            dump_model(arguments)


if __name__ == "__main__":
    main()
