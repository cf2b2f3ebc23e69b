"""Write what Keras makes of images, for the Rust tests.

In each mode of `preprocess_input`: `ramp.MODE` of an image that has every
sample from 0 to 255 in each channel, and `scene.MODE` of tests/images/odd/scene.png
as `load_img` squashes it. Values are laid out channel, row, column.

    python -m scripts.keras.pixels --output tests/fixtures/keras_pixels.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from keras.applications.imagenet_utils import preprocess_input
from keras.utils import img_to_array, load_img
from safetensors.numpy import save_file

from scripts.command_line import errors_in_one_line

SCENE = Path(__file__).resolve().parents[2] / "tests" / "images" / "odd" / "scene.png"
HEIGHT, WIDTH = 24, 40


def values(pixels: npt.NDArray[np.float32], mode: str) -> npt.NDArray[np.float32]:
    """[channels, height, width] of pixels [height, width, channels] from 0 to 255."""
    # Keras works in place on what it is given.
    prepared: npt.NDArray[np.float32] = preprocess_input(pixels.copy(), data_format="channels_last", mode=mode)
    return np.ascontiguousarray(prepared.transpose(2, 0, 1))


def main() -> None:
    """Parse the arguments and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="safetensors file to write")
    arguments = parser.parse_args()
    ramp = np.repeat(np.arange(256, dtype=np.float32).reshape(16, 16, 1), 3, axis=-1)
    with errors_in_one_line():
        scene = img_to_array(load_img(SCENE, target_size=(HEIGHT, WIDTH)))
        tensors = {}
        for mode in ("tf", "caffe", "torch"):
            tensors[f"ramp.{mode}"] = values(ramp, mode)
            tensors[f"scene.{mode}"] = values(scene, mode)
        save_file(tensors, arguments.output)


if __name__ == "__main__":
    main()
