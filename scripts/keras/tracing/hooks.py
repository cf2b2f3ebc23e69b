"""What is changed in Keras and TensorFlow while a model is traced: private parts, of the pinned versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import keras
import tensorflow as tf
from keras import KerasTensor, tree
from keras.src.backend.common.variables import Variable
from keras.src.backend.tensorflow import nn as tensorflow_nn
from keras.src.layers import layer as layer_module
from keras.src.ops.node import Node
from tensorflow.python.util import dispatch

ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")

Record = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]


class FunctionDispatcher(tf.__internal__.dispatch.GlobalOpDispatcher):
    """Hands TensorFlow's functions of symbolic tensors, which otherwise raise, to a tracer."""

    def __init__(self, record: Record) -> None:
        self.record = record

    def handle(self, op: Any, args: Any, kwargs: Any) -> Any:
        if any(isinstance(each, KerasTensor) for each in tree.flatten((args, kwargs))):
            return self.record(op, tuple(args), dict(kwargs))
        return self.NOT_SUPPORTED


def leaving_symbolic_tensors(operator: Callable[..., Any]) -> Callable[..., Any]:
    """A variable's operator that leaves symbolic tensors to their own reflected operator."""

    def method(self: Any, other: Any) -> Any:
        return NotImplemented if isinstance(other, KerasTensor) else operator(self, other)

    return method


@contextmanager
def hooked(call_layer: Record, call_operation: Record, call_function: Record, composite: Any) -> Iterator[None]:
    """Let every call on symbolic tensors go to one of three functions, each given target, args and kwargs.

    `composite` says of a layer whether it is followed into its call: Keras then must not note its outputs as its own.
    """

    def node(operation: Any, **arguments: Any) -> Any:
        return None if composite(operation) else Node(operation=operation, **arguments)

    dispatcher = FunctionDispatcher(call_function)
    with ExitStack() as stack:

        def replace(owner: Any, name: str, by: Any, **more: Any) -> None:
            stack.enter_context(mock.patch.object(owner, name, by, **more))

        replace(layer_module.Layer, "symbolic_call", lambda self, *args, **kwargs: call_layer(self, args, kwargs))
        replace(keras.Operation, "symbolic_call", lambda self, *args, **kwargs: call_operation(self, args, kwargs))
        replace(layer_module, "Node", node)
        replace(KerasTensor, "__array_ufunc__", None, create=True)
        for name in ARITHMETIC:
            for method in (f"__{name}__", f"__r{name}__"):
                replace(Variable, method, leaving_symbolic_tensors(getattr(Variable, method)))
        dispatch._GLOBAL_DISPATCHERS.insert(0, dispatcher)
        stack.callback(dispatch._GLOBAL_DISPATCHERS.remove, dispatcher)
        yield


@contextmanager
def convolving_uncompiled() -> Iterator[None]:
    """Let Keras convolve in groups as TensorFlow does without XLA, to the same bits.

    Keras compiles each such convolution anew at each call, for old versions of TensorFlow that could not do without:
    the 18 of a ConvNeXt take half a minute.
    """
    compiled = tensorflow_nn.conv

    def conv(
        inputs: Any,
        kernel: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
    ) -> Any:
        layout = keras.backend.image_data_format() if data_format is None else data_format
        if layout != "channels_last" or len(inputs.shape) != 4 or inputs.shape[-1] == kernel.shape[-2]:
            return compiled(inputs, kernel, strides, padding, data_format, dilation_rate)
        return tf.nn.convolution(inputs, kernel, strides, padding.upper(), dilations=dilation_rate)

    with mock.patch.object(tensorflow_nn, "conv", conv):
        yield
