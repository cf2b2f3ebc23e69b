"""The other programs: how each loads a network and runs it as fast as it can.

What all have in common: float32, as many threads as told, their whole graph
optimisation, the input in the layout they like best, the logits as an array.
Nothing of one is imported where another runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from peers.networks import NETWORKS

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

TRIALS = 3
"""Runs by which the fastest of a program's ways is chosen, after one that is not timed."""


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
    way: str = ""
    """In which of the program's ways, where it has several."""
    tried: dict[str, float] = field(default_factory=dict)
    """Milliseconds of each way that was tried."""


def fastest(program: str, ways: Mapping[str, Callable[[], Callable[[], Any]]]) -> Loaded:
    """Try all ways to run a network and keep the fastest.

    Raises:
        ValueError: none works.
    """
    tried: dict[str, float] = {}
    best: tuple[float, str, Callable[[], Any]] | None = None
    failures = []
    for way, make in ways.items():
        try:
            run = make()
            run()
        # Whatever keeps a way from running rules it out, and is told if nothing else runs.
        except Exception as error:
            failures.append(f"{way}: {str(error).strip().splitlines()[0]}")
            continue
        times = []
        for _ in range(TRIALS):
            start = time.perf_counter()
            run()
            times.append(1e3 * (time.perf_counter() - start))
        tried[way] = median(times)
        if best is None or tried[way] < best[0]:
            best = (tried[way], way, run)
    if best is None:
        raise ValueError(f"{program} cannot run it: {'; '.join(failures)}")
    return Loaded(version(program), best[2], best[1], tried)


def onnxruntime(job: Job) -> Loaded:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = job.threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(job.onnx(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return Loaded(ort.__version__, lambda: session.run(None, {name: job.images})[0])


def openvino(job: Job) -> Loaded:
    import openvino as ov

    settings = {
        # Where the processor has bf16 it is the default, and not what the others compute in.
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": job.threads,
    }
    request = ov.Core().compile_model(job.onnx(), "CPU", settings).create_infer_request()
    return Loaded(
        ov.__version__.split("-")[0],
        lambda: request.infer([job.images], share_inputs=True, share_outputs=True)[0],
    )


def pytorch(job: Job) -> Loaded:
    # Constants folded and weights laid out for the kernels ahead of the first run. One process compiles, as another
    # would go on living beside it.
    os.environ |= {"TORCHINDUCTOR_FREEZING": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    from pytorch.networks import build

    import torch
    from safetensors.torch import load_file

    torch.set_num_threads(job.threads)
    torch.set_num_interop_threads(1)
    # Nothing here is trained, and a compiler that may assume so does more.
    torch.set_grad_enabled(False)

    def make(memory_format: torch.memory_format, ready: Callable[[Any, Any], Any]) -> Callable[[], Any]:
        model: Any = build(NETWORKS[job.network].publisher, job.network, 0)
        model.load_state_dict(load_file(job.folder / "model.safetensors"))
        images = torch.from_numpy(job.images).contiguous(memory_format=memory_format)
        network = ready(model.to(memory_format=memory_format), images)

        def run() -> Any:
            with torch.inference_mode():
                return network(images).numpy()

        return run

    def script(model: Any, images: Any) -> Any:
        jit: Any = torch.jit
        return jit.optimize_for_inference(jit.freeze(jit.trace(model, images)))

    def compiled(model: Any, _images: Any) -> Any:
        return torch.compile(model)

    last, first = torch.channels_last, torch.contiguous_format
    ways = {
        "TorchScript, channels last": partial(make, last, script),
        "compiled, channels last": partial(make, last, compiled),
        "compiled, channels first": partial(make, first, compiled),
    }
    return fastest("torch", ways)


def tensorflow(job: Job) -> Loaded:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from peers.tensorflow_graph import translate

    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(job.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    images = tf.constant(job.images.transpose(0, 2, 3, 1))
    network = translate(job.onnx())

    def make(xla: bool) -> Callable[[], Any]:
        signature = [tf.TensorSpec(images.shape, tf.float32)]
        traced = tf.function(network, input_signature=signature, jit_compile=xla, autograph=False)
        concrete = traced.get_concrete_function()
        return lambda: concrete(images).numpy()

    return fastest(
        "tensorflow", {"graph, channels last": lambda: make(False), "XLA, channels last": lambda: make(True)}
    )


def tract(job: Job) -> Loaded:
    import tract as sonos

    model = sonos.onnx().load(job.onnx())
    model.set_input_fact(0, f"{','.join(map(str, job.images.shape))},f32")
    runnable = model.into_model().into_runnable()
    return Loaded(sonos.version(), lambda: runnable.run([job.images])[0].to_numpy())


PROGRAMS: dict[str, Callable[[Job], Loaded]] = {
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "pytorch": pytorch,
    "tensorflow": tensorflow,
    "tract": tract,
}
