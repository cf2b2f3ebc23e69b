"""The likeliest classes of a photograph by ONNX Runtime, as one would write it: what `bench_command.py` times.

python photo.py model.onnx photo.jpg
"""

import sys

import numpy as np
import onnxruntime
from PIL import Image

SIZE = 224
RESIZED = 235
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


def main() -> None:
    model, photo = sys.argv[1:]
    image = Image.open(photo).convert("RGB")
    scale = RESIZED / min(image.size)
    image = image.resize((int(scale * image.width), int(scale * image.height)), Image.Resampling.BICUBIC)
    left, top = round((image.width - SIZE) / 2), round((image.height - SIZE) / 2)
    image = image.crop((left, top, left + SIZE, top + SIZE))
    pixels = (np.asarray(image, np.float32) / 255 - MEAN) / STD

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    inputs = {session.get_inputs()[0].name: pixels.transpose(2, 0, 1)[None]}
    logits = session.run(None, inputs)[0][0]
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    for index in np.argsort(-probabilities)[:5]:
        print(index, probabilities[index])


if __name__ == "__main__":
    main()
