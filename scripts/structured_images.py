"""Inputs with structure: what noise leaves untested shows on them.

Noise is alike everywhere and in every sample: global averages of it vanish, so
gates and logits hardly differ between two inputs, and an error in them hides.
These images have gradients, gratings, blobs and edges of many sizes, each in
other proportions in every channel, and means that differ from image to image.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.float32]


def structured_image(random: np.random.Generator, size: tuple[int, int], channels: int) -> npt.NDArray[np.float64]:
    """One image of deviation 1 over all its values."""
    height, width = size
    longest = max(size)
    y, x = np.meshgrid((np.arange(height) + 0.5) / longest, (np.arange(width) + 0.5) / longest, indexing="ij")
    image = 0.7 * random.normal(size=(1, 1, channels)) * np.ones((height, width, channels))

    def add(pattern: npt.NDArray[np.float64], strength: float) -> None:
        image[...] += strength * pattern[:, :, None] * random.normal(size=(1, 1, channels))

    def along_a_direction() -> npt.NDArray[np.float64]:
        angle = random.uniform(0.0, 2.0 * np.pi)
        return np.cos(angle) * (x - random.random()) + np.sin(angle) * (y - random.random())

    add(along_a_direction(), 1.0)
    for cycles in np.exp(random.uniform(0.0, np.log(max(longest / 4.0, 1.0)), 3)):
        add(np.sin(2.0 * np.pi * cycles * along_a_direction()), 0.4)
    for radius in random.uniform(0.05, 0.3, 4):
        distance = (x - random.random()) ** 2 + (y - random.random()) ** 2
        add(np.exp(-distance / (2.0 * radius**2)), 1.0)
    for _ in range(2):
        add(np.sign(along_a_direction()), 0.5)
    return image / image.std()


def structured_images(random: np.random.Generator, count: int, size: tuple[int, int], channels: int) -> Images:
    """Different images, NHWC, rounded to float32 so that every precision gets the same numbers."""
    return np.stack([structured_image(random, size, channels) for _ in range(count)]).astype(np.float32)
