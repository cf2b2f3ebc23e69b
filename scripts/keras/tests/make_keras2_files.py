"""Make the files of Keras 2 that the tests read, which Keras 3 cannot write.

    pip install --no-deps --target keras2 tf-keras==2.21.0
    PYTHONPATH=keras2 python scripts/keras/tests/make_keras2_files.py scripts/keras/tests/files

TensorFlow has to be of the same number. The .h5 files also hold an input and what Keras 2 computes for it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers


def mobile() -> tf_keras.Model:
    """What Keras 3 stumbles over, and hard_sigmoid in a layer, as an activation and in a nested model."""
    image = tf_keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="swish", name="stem/conv")(image)
    x = layers.DepthwiseConv2D(3, padding="same", name="deep/conv")(x)
    x = layers.BatchNormalization(name="deep/norm")(x)
    y = layers.GlobalAveragePooling2D(name="squeeze")(x)
    y = layers.Dense(6, activation="hard_sigmoid", name="gate")(layers.Dense(2, activation="relu", name="reduce")(y))
    x = layers.Multiply(name="scale")([x, layers.Reshape((1, 1, 6), name="pixel")(y)])
    part = tf_keras.Input((4, 4, 6))
    inner = tf_keras.Model(part, layers.Activation("hard_sigmoid", name="hard")(part), name="inner")
    x = layers.Flatten(name="flat")(inner(x))
    return tf_keras.Model(image, layers.Dense(3, name="classes")(x), name="keras2_mobile")


def functions() -> tf_keras.Model:
    image = tf_keras.Input((4, 4, 3))
    return tf_keras.Model(image, tf.nn.relu6(image + 3.0) / 6.0, name="keras2_functions")


def main() -> None:
    folder = Path(sys.argv[1])
    tf_keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    for make in (mobile, functions):
        model = make()
        for variable in model.variables:
            drawn = random.uniform(0.5, 1.5, variable.shape)
            variable.assign(drawn if "variance" in variable.name else drawn * random.choice([-1, 1], variable.shape))
        x = random.normal(size=(2, *model.input.shape[1:])).astype(np.float32)
        file = folder / f"{model.name}.h5"
        model.save(file)
        with h5py.File(file, "r+") as content:
            content["made/input"], content["made/output"] = x, model(x, training=False).numpy()
    mobile().save(folder / "keras2_mobile.keras")


if __name__ == "__main__":
    main()
