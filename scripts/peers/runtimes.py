"""The other programs: how each loads a network and runs it as fast as it can.

What all have in common: as many threads as told, their whole graph
optimisation, the input in the layout they like best, the logits as an array. They
compute in float32, but for those whose names end in `-bf16`.
Nothing of one is imported where another runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scripts.peers.networks import NETWORKS

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Job:
    """What is to be run."""

    network: str
    folder: Path
    """As `peers.case` fills it."""
    images: Array
    """NCHW."""
    threads: int

    def onnx(self) -> Path:
        return self.folder / f"model-{len(self.images)}.onnx"


@dataclass(frozen=True)
class Loaded:
    """A network ready to run."""

    version: str
    run: Callable[[], Any]
    """Runs it once; what comes out are the logits, as an array or something that becomes one."""


def onnxruntime(job: Job) -> Loaded:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = job.threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(job.onnx(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return Loaded(ort.__version__, lambda: session.run(None, {name: job.images})[0])


def openvino(job: Job, *, precision: str) -> Loaded:
    import openvino as ov

    settings = {
        # Where the processor has bf16 that is the default.
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": job.threads,
    }
    request = ov.Core().compile_model(job.onnx(), "CPU", settings).create_infer_request()
    return Loaded(
        ov.__version__.split("-")[0],
        lambda: request.infer([job.images], share_inputs=True, share_outputs=True)[0],
    )


def pytorch(job: Job, *, compiled: bool, channels_last: bool, bf16: bool = False) -> Loaded:
    # Constants folded and weights laid out for the kernels ahead of the first run. One process compiles, as another
    # would go on living beside it.
    os.environ |= {"TORCHINDUCTOR_FREEZING": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    import torch
    from safetensors.torch import load_file

    from scripts.pytorch.networks import build

    torch.set_num_threads(job.threads)
    torch.set_num_interop_threads(1)
    # Nothing here is trained, and a compiler that may assume so does more.
    torch.set_grad_enabled(False)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    model: Any = build(NETWORKS[job.network].publisher, job.network, 0)
    model.load_state_dict(load_file(job.folder / "model.safetensors"))
    dtype = torch.bfloat16 if bf16 else torch.float32
    model = model.to(memory_format=memory_format, dtype=dtype)
    images = torch.from_numpy(job.images).to(dtype).contiguous(memory_format=memory_format)
    network: Any
    if compiled:
        network = torch.compile(model)
    else:
        jit: Any = torch.jit
        network = jit.optimize_for_inference(jit.freeze(jit.trace(model, images)))

    def run() -> Any:
        with torch.inference_mode():
            return network(images).float().numpy()

    return Loaded(version("torch"), run)


def tensorflow(job: Job, *, xla: bool) -> Loaded:
    concrete = traced(job, xla=xla)
    import tensorflow as tf

    images = tf.constant(job.images.transpose(0, 2, 3, 1))
    return Loaded(version("tensorflow"), lambda: concrete(images).numpy())


def traced(job: Job, *, xla: bool) -> Any:
    """The network as a function of TensorFlow's of images of this shape, NHWC."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    from scripts.peers.tensorflow_graph import translate

    tf.config.threading.set_intra_op_parallelism_threads(job.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    images, channels, height, width = job.images.shape
    signature = [tf.TensorSpec((images, height, width, channels), tf.float32)]
    function = tf.function(translate(job.onnx()), input_signature=signature, jit_compile=xla, autograph=False)
    return function.get_concrete_function()


def litert(job: Job) -> Loaded:
    concrete = traced(job, xla=False)
    import tensorflow as tf

    # What is not asked for is not quantised. The delegate that comes by itself is XNNPACK.
    model = tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()
    interpreter = tf.lite.Interpreter(model_content=model, num_threads=job.threads)
    interpreter.allocate_tensors()
    # Inputs of a graph are never overwritten.
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], job.images.transpose(0, 2, 3, 1))
    logits = interpreter.get_output_details()[0]["index"]

    def run() -> Any:
        interpreter.invoke()
        return interpreter.get_tensor(logits)

    return Loaded(f"of TensorFlow {version('tensorflow')}", run)


def tract(job: Job) -> Loaded:
    import tract as sonos

    model = sonos.onnx().load(job.onnx())
    model.set_input_fact(0, f"{','.join(map(str, job.images.shape))},f32")
    runnable = model.into_model().into_runnable()
    return Loaded(sonos.version(), lambda: runnable.run([job.images])[0].to_numpy())


PROGRAMS: dict[str, dict[str, Callable[[Job], Loaded]]] = {
    "onnxruntime": {"": onnxruntime},
    "openvino": {"": partial(openvino, precision="f32")},
    "openvino-bf16": {"": partial(openvino, precision="bf16")},
    "pytorch": {
        "TorchScript, channels last": partial(pytorch, compiled=False, channels_last=True),
        "compiled, channels last": partial(pytorch, compiled=True, channels_last=True),
        "compiled, channels first": partial(pytorch, compiled=True, channels_last=False),
    },
    "pytorch-bf16": {
        "TorchScript, channels last": partial(pytorch, compiled=False, channels_last=True, bf16=True),
        "compiled, channels last": partial(pytorch, compiled=True, channels_last=True, bf16=True),
    },
    "tensorflow": {
        "graph, channels last": partial(tensorflow, xla=False),
        "XLA, channels last": partial(tensorflow, xla=True),
    },
    "litert": {"": litert},
    "tract": {"": tract},
}
"""The ways of each program to run a network, of which the fastest counts."""
