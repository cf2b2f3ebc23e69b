"""Train a CIFAR network of the catalogue on CIFAR-10 kept as image files.

The data is a folder (or a tar file) with `train` and `test` halves given by two
paths, each holding one folder a class. Training is SGD with Nesterov momentum
on pad-4 random crops and flips, under a one-cycle or cosine learning rate. A
checkpoint is written after every epoch and holds the optimizer's step count, so
`--resume` goes on in the middle of the schedule with the same random numbers.

    python -m scripts.keras.train_cifar10 seresnet20 --output runs/seresnet20 \\
        --train ../shared/cifar10/train.tar --test ../shared/cifar10/test.tar
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from scripts.command_line import errors_in_one_line, parse_count
from scripts.keras import cifar10, reference

CHECKPOINT, RECIPE, LOG = "checkpoint.keras", "recipe.json", "log.csv"
# Where the images lie and how fast they are trained on does not change what is learnt.
NOT_IN_RECIPE = ("train", "test", "output", "resume", "threads")
PAD = 4


@keras.saving.register_keras_serializable("senet")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras's batch norm with TensorFlow's fused kernel in training.

    Keras 3 computes the moments and the normalisation as separate passes over
    memory; the fused kernel makes training of these small networks 1.5 times as
    fast on a CPU. Its moving variance is of a sample, n / (n - 1) of Keras's with n
    values a channel. Inference is Keras's own.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        if not training:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            tf.cast(self.gamma, tf.float32),
            tf.cast(self.beta, tf.float32),
            epsilon=self.epsilon,
            is_training=True,
        )
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return outputs


@keras.saving.register_keras_serializable("senet")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """`one-cycle`: linear rise to `peak` over a quarter of the steps, linear fall to zero.
    `cosine`: half a cosine from `peak` to zero."""

    def __init__(self, kind: str, peak: float, steps: int) -> None:
        self.kind = kind
        self.peak = peak
        self.steps = steps

    def __call__(self, step: int | tf.Tensor) -> tf.Tensor:
        progress = tf.cast(step, tf.float32) / float(self.steps)
        if self.kind == "one-cycle":
            return self.peak * tf.maximum(tf.minimum(progress / 0.25, (1.0 - progress) / 0.75), 0.0)
        return self.peak * 0.5 * (1.0 + tf.cos(math.pi * tf.minimum(progress, 1.0)))

    def get_config(self) -> dict[str, object]:
        return {"kind": self.kind, "peak": self.peak, "steps": self.steps}


def augment(images: cifar10.Images, random: np.random.Generator) -> cifar10.Images:
    """A random crop of each image padded by 4 black pixels, mirrored half of the time."""
    count, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (PAD, PAD), (PAD, PAD), (0, 0)))
    rows = random.integers(0, 2 * PAD + 1, (count, 1)) + np.arange(height)
    columns = random.integers(0, 2 * PAD + 1, (count, 1)) + np.arange(width)
    mirrored = random.random((count, 1)) < 0.5
    columns = np.where(mirrored, columns[:, ::-1], columns)
    return padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def new_model(arguments: argparse.Namespace, steps: int) -> keras.Model:
    """The reference network with fused batch norms, ready for `steps` steps of training."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        kind = type(layer)
        if kind is keras.layers.BatchNormalization:
            kind = FusedBatchNormalization
        return kind.from_config(layer.get_config())

    keras.utils.set_random_seed(arguments.seed)
    model = keras.models.clone_model(reference.build(arguments.network, cifar10.SIZE), clone_function=clone)
    # Keras decouples weight decay from the gradient. With momentum m, L2 decay d
    # in the gradient and decoupled decay d / (1 - m) shrink weights alike.
    optimizer = keras.optimizers.SGD(
        Schedule(arguments.schedule, arguments.peak_rate, steps),
        momentum=arguments.momentum,
        nesterov=True,
        weight_decay=arguments.weight_decay / (1.0 - arguments.momentum),
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"], jit_compile=False)
    return model


def next_epoch(model: keras.Model, steps_per_epoch: int) -> int:
    """How many epochs the model has been trained for: what the next one counts, from 0."""
    return int(model.optimizer.iterations) // steps_per_epoch


def resume(output: Path, recipe: dict[str, object], steps_per_epoch: int) -> keras.Model:
    """The model as the last whole epoch left it, with a log that ends there.

    Raises:
        ValueError: there is no checkpoint in `output`, or it was made by another recipe.
    """
    checkpoint, recipe_file, log_file = output / CHECKPOINT, output / RECIPE, output / LOG
    if not checkpoint.exists():
        raise ValueError(f"nothing to resume: `{checkpoint}` does not exist")
    if json.loads(recipe_file.read_text()) != recipe:
        raise ValueError(f"`{recipe_file}` was made with other options than these: {recipe}")
    model = keras.models.load_model(checkpoint)
    # The run may have ended between an epoch's line and its checkpoint.
    lines = log_file.read_text().splitlines(keepends=True)
    log_file.write_text("".join(lines[: 1 + next_epoch(model, steps_per_epoch)]))
    return model


def start(arguments: argparse.Namespace, recipe: dict[str, object], steps_per_epoch: int) -> keras.Model:
    """A model of random weights, with an empty log.

    Raises:
        ValueError: `--output` holds a run already.
    """
    checkpoint = arguments.output / CHECKPOINT
    if checkpoint.exists():
        raise ValueError(f"`{checkpoint}` exists; add --resume, or choose another --output")
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / RECIPE).write_text(json.dumps(recipe, indent=2) + "\n")
    (arguments.output / LOG).write_text("epoch,rate,loss,train_accuracy,test_accuracy,seconds\n")
    return new_model(arguments, arguments.epochs * steps_per_epoch)


def train_epoch(
    model: keras.Model, images: cifar10.Images, labels: cifar10.Labels, batch_size: int, random: np.random.Generator
) -> tuple[float, float]:
    """One pass over the images in a random order; the mean loss and accuracy of its steps."""
    order = random.permutation(len(images))
    results = []
    for first in range(0, len(images) - batch_size + 1, batch_size):
        chosen = order[first : first + batch_size]
        batch = cifar10.normalise(augment(images[chosen], random))
        results.append(model.train_on_batch(batch, labels[chosen], return_dict=True))
    loss, accuracy = (float(np.mean([result[key] for result in results])) for key in ("loss", "accuracy"))
    return loss, accuracy


def train(arguments: argparse.Namespace) -> None:
    """What the command line asks for, from the first or the next epoch to the last."""
    recipe = {key: value for key, value in vars(arguments).items() if key not in NOT_IN_RECIPE}
    train_images, train_labels = cifar10.load(arguments.train)
    test_images, test_labels = cifar10.load(arguments.test)
    steps_per_epoch = len(train_images) // arguments.batch_size
    if steps_per_epoch == 0:
        raise ValueError(f"{len(train_images)} training images are less than one batch of {arguments.batch_size}")
    if arguments.resume:
        model = resume(arguments.output, recipe, steps_per_epoch)
    else:
        model = start(arguments, recipe, steps_per_epoch)

    with (arguments.output / LOG).open("a", newline="") as file:
        log = csv.writer(file, lineterminator="\n")
        for epoch in range(next_epoch(model, steps_per_epoch), arguments.epochs):
            started = time.monotonic()
            # Seeded by epoch, so a resumed run sees what an unbroken one would.
            random = np.random.default_rng((arguments.seed, epoch))
            loss, trained = train_epoch(model, train_images, train_labels, arguments.batch_size, random)
            seconds = f"{time.monotonic() - started:.0f}"
            rate = float(model.optimizer.learning_rate)
            tested = cifar10.accuracy(model, test_images, test_labels)
            log.writerow((epoch + 1, *(f"{number:.4f}" for number in (rate, loss, trained, tested)), seconds))
            file.flush()
            print(f"epoch {epoch + 1}/{arguments.epochs}: test accuracy {tested:.4f}, {seconds} s", flush=True)
            partial = arguments.output / f"partial.{CHECKPOINT}"
            model.save(partial)
            partial.replace(arguments.output / CHECKPOINT)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=cifar10.NETWORKS)
    parser.add_argument("--train", type=Path, required=True, help="folder or tar file of the training images")
    parser.add_argument("--test", type=Path, required=True, help="folder or tar file of the test images")
    parser.add_argument("--output", type=Path, required=True, help="folder for checkpoint and log")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --output")
    parser.add_argument("--epochs", type=parse_count, default=30)
    parser.add_argument("--batch-size", type=parse_count, default=128)
    parser.add_argument("--schedule", choices=("one-cycle", "cosine"), default="one-cycle")
    parser.add_argument("--peak-rate", type=float, default=0.4)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--weight-decay", type=float, default=5e-4, help="as L2 in the gradient")
    parser.add_argument("--policy", choices=("float32", "mixed_bfloat16"), default="mixed_bfloat16")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(words)
    if arguments.threads:
        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.config.set_dtype_policy(arguments.policy)
    with errors_in_one_line():
        train(arguments)


if __name__ == "__main__":
    main()
