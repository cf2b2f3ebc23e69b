"""Write what TensorFlow says about every network: parameters, and the shape of every value at two sizes.

The Rust tests compare their own counts and shapes with this file, so the shapes
are those of computed tensors, not what Keras or Senet would infer. One line is
one network; a layer has the number of one of `shapes`, each of which is NHWC
and given for each of the `inputs`.

    python -m scripts.keras.network_facts --output tests/fixtures/network_facts.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from scripts.command_line import errors_in_one_line
from scripts.keras import reference

# Odd sizes by the networks' own: every strided layer meets an odd height or
# width somewhere, and height and width differ.
ODD_SIZES = {(32, 32): (33, 47), (224, 224): (97, 131), (299, 299): (98, 131)}


def facts(name: str) -> dict[str, object]:
    """Counts and shapes of one network."""
    network = reference.NETWORKS[name]
    model = reference.build(name)
    values = reference.named_values(model)
    inputs = [(1, *size, network.channels) for size in (network.input_size, ODD_SIZES[network.input_size])]
    computed = [reference.run(model, values, np.zeros(shape, np.float32)) for shape in inputs]
    shapes = {layer: tuple(outputs[layer].shape for outputs in computed) for layer in values}
    distinct = list(dict.fromkeys(shapes.values()))
    return {
        "parameters": reference.count(model.trainable_weights),
        "buffers": reference.count(model.non_trainable_weights),
        "inputs": inputs,
        "shapes": distinct,
        "layers": {layer: distinct.index(shape) for layer, shape in shapes.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.json")
    arguments = parser.parse_args()
    lines = [f"{json.dumps(name)}:{json.dumps(facts(name), separators=(',', ':'))}" for name in reference.NETWORKS]
    with errors_in_one_line():
        arguments.output.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
