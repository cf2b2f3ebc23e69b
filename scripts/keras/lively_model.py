"""Lively weights for any Keras model: drawn, and calibrated call by call on images.

With weights as initialised errors hide: gates stay at a half, sums of blocks vanish or grow, outputs hardly depend on
the image. Here the calls of a traced model are made one after another; each layer's weights are drawn just before its
call, batch norms get the statistics of what they are given, and what no norm follows is scaled to a useful range.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import keras
import numpy as np
from keras import layers
from keras.src.backend.common.variables import Variable

from scripts.keras.interpreter import Array
from scripts.keras.tracing.calls import Call, Trace, make_again
from scripts.keras.tracing.precision import finalize
from scripts.liveliness import BETA, BETA_OF_SEQUENCES, LAST_GAMMA_UNGATED

GAMMA = (0.8, 1.2)
"""Between what the gamma of a norm is drawn."""

BRANCH = 0.3
"""The deviation of what ends a branch that is added to a shortcut and has no norm: the shortcut's is near 1."""

BRANCH_SCALE = (0.1, 0.4)
"""Between what a layer scale is drawn, which ends such a branch too."""

GATE_BIAS = (-2.0, 2.0)
"""Between what the bias of a gate's last layer is drawn: it is what spreads them."""

LOGITS = 0.6
"""The deviation of logits: the probabilities of two images differ, and the exponential does not enlarge rounding."""

KERNELS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Dense)

IDENTITIES = (layers.Dropout, layers.Identity, layers.Activation, layers.Reshape, layers.Flatten)


class Consumers:
    """What reads which tensor."""

    def __init__(self, trace: Trace) -> None:
        self.calls: defaultdict[int, list[Call]] = defaultdict(list)
        self.maker: dict[int, Call] = {}
        for call in trace.calls:
            for tensor in call.tensors():
                self.calls[id(tensor)].append(call)
            for tensor in call.outputs:
                self.maker[id(tensor)] = call
        kernels = [call for call in trace.calls if isinstance(call.target, KERNELS)]
        self.last = kernels[-1] if kernels else None

    def followed_by_norm(self, call: Call) -> bool:
        return any(isinstance(each.target, layers.BatchNormalization) for each in self.of(call))

    def of(self, call: Call) -> list[Call]:
        """The calls that read the first output."""
        return self.calls[id(call.outputs[0])]

    def is_gate(self, call: Call) -> bool:
        """Whether a sigmoid, of either kind and spelt out or not, is all that follows."""
        after = self.of(call)
        return len(after) == 1 and (
            "sigmoid" in name_of(after[0]) or (name_of(after[0]) == "Add" and len(after[0].tensors()) == 1)
        )

    def is_pooled(self, call: Call) -> bool:
        """Whether the mean over all pixels of the output, or of an activation of it, is all that is used."""
        after = self.of(call)
        if len(after) != 1:
            return False
        follows = isinstance(after[0].target, IDENTITIES) or after[0].library is None
        pool = isinstance(after[0].target, layers.GlobalAveragePooling2D)
        return pool or (follows and self.is_pooled(after[0]))

    def ends_branch(self, call: Call) -> bool:
        """Whether the output is added to something that is no norm's."""
        for each in self.of(call):
            name, others = name_of(each), [t for t in each.tensors() if t is not call.outputs[0]]
            if name == "Add" and others:
                makers = [self.maker.get(id(other)) for other in others]
                return not any(maker and isinstance(maker.target, layers.BatchNormalization) for maker in makers)
            scales = name in ("Multiply", "StochasticDepth") or isinstance(each.target, layers.Dropout)
            if scales and self.ends_branch(each):
                return True
        return False


def name_of(call: Call) -> str:
    """The class of a layer or operation, or the name of a function."""
    target = call.target
    if isinstance(target, layers.Activation):
        return str(target.activation.__name__)
    return target.__name__ if hasattr(target, "__name__") else type(target).__name__


def enliven(trace: Trace, random: np.random.Generator, images: Any) -> None:
    """Draw all weights of a traced model, calibrated on images of the trace's shape."""
    consumers = Consumers(trace)
    done: set[int] = set()
    values: dict[int, Any] = {id(trace.input): keras.ops.convert_to_tensor(images)}
    uses = {id(tensor): len(consumers.calls[id(tensor)]) for call in trace.calls for tensor in call.tensors()}
    for call in trace.calls:
        for variable in keras.tree.flatten((call.args, call.kwargs)):
            if isinstance(variable, Variable) and len(variable.shape) == 1 and id(variable) not in done:
                assign(variable, random.uniform(*BRANCH_SCALE, variable.shape))
                done.add(id(variable))
        if isinstance(call.target, layers.Layer) and call.target.weights and id(call.target) not in done:
            draw(call, consumers, random, values)
            done.add(id(call.target))
        values.update(zip(map(id, call.outputs), make_again(call, values), strict=True))
        for tensor in call.tensors():
            uses[id(tensor)] -= 1
            if not uses[id(tensor)]:
                values.pop(id(tensor), None)


def assign(variable: Any, value: Any) -> None:
    """Set a variable to numbers that a float32 file holds."""
    variable.assign(np.broadcast_to(np.asarray(value, np.float32), tuple(variable.shape)))


def draw(call: Call, consumers: Consumers, random: np.random.Generator, values: dict[int, Any]) -> None:
    """The weights of the layer of one call."""
    layer = call.target
    x = np.asarray(values[id(call.tensors()[0])])
    if isinstance(layer, layers.BatchNormalization):
        axes = tuple(axis for axis in range(x.ndim) if axis != layer.axis % x.ndim)
        assign(layer.moving_mean, x.mean(axis=axes))
        assign(layer.moving_variance, x.var(axis=axes))
        branch = consumers.ends_branch(call)
        # What all pixels have in common before the last pool is taken from the logits again.
        beta = BETA if branch or consumers.is_pooled(call) else BETA_OF_SEQUENCES
        norm(layer, random, LAST_GAMMA_UNGATED if branch else 1.0, beta)
    elif isinstance(layer, layers.LayerNormalization | layers.GroupNormalization):
        norm(layer, random, 1.0, BETA)
    elif isinstance(layer, layers.Normalization):
        if layer.input_mean is None:
            channels = layer.adapt_mean.shape
            assign(layer.adapt_mean, x.mean() + x.std() * random.uniform(-0.2, 0.2, channels))
            assign(layer.adapt_variance, x.var() * random.uniform(0.8, 1.2, channels))
            finalize(layer)
    elif isinstance(layer, KERNELS):
        kernels(call, consumers, random, values)


def norm(layer: Any, random: np.random.Generator, scale: float, beta: tuple[float, float]) -> None:
    if layer.gamma is not None:
        assign(layer.gamma, scale * random.uniform(*GAMMA, layer.gamma.shape))
    if layer.beta is not None:
        assign(layer.beta, random.uniform(*beta, layer.beta.shape))


def kernels(call: Call, consumers: Consumers, random: np.random.Generator, values: dict[int, Any]) -> None:
    """The kernels and the bias of a convolution or Dense."""
    layer = call.target
    bias = getattr(layer, "bias", None)
    last = None
    pooled = is_pixel(call.tensors()[0])
    for variable in layer.weights:
        if variable is bias:
            assign(bias, random.uniform(-0.2, 0.2, bias.shape))
            continue
        depthwise = "depthwise" in variable.name or isinstance(layer, layers.DepthwiseConv2D)
        inputs = np.prod(variable.shape[:2]) if depthwise else np.prod(variable.shape[:-1])
        drawn = random.normal(0.0, np.sqrt(2.0 / inputs), variable.shape)
        if not (depthwise or pooled) and inputs > 1:
            # What all values have in common, of a ReLU much, would make a bias large that takes it away again.
            drawn -= drawn.mean(axis=tuple(range(drawn.ndim - 1)))
        assign(variable, drawn)
        last = variable
    if last is None or consumers.followed_by_norm(call):
        return
    if bias is not None:
        assign(bias, 0.0)
    y = np.asarray(make_again(call, values)[0])
    axis = 1 if getattr(layer, "data_format", "") == "channels_first" else -1
    centre = channel_means(y, axis)
    deviation = max(float(y.std()), 1e-12)
    if call is consumers.last:
        # What all images have in common says nothing about any of them.
        factor, shift = LOGITS / deviation, np.zeros_like(centre)
    elif pooled:
        # Pooled: what differs between images is small there, and made large it would make rounding errors large too.
        factor, centre = 0.5 / max(float(np.sqrt(np.mean(y**2))), 1e-12), np.zeros_like(centre)
        shift = random.uniform(*(GATE_BIAS if consumers.is_gate(call) else BETA), centre.shape)
    elif consumers.ends_branch(call):
        factor, shift = BRANCH / deviation, random.uniform(*BETA, centre.shape)
    else:
        factor, shift = 1.0 / deviation, random.uniform(*BETA_OF_SEQUENCES, centre.shape)
    assign(last, factor * np.asarray(last))
    if bias is not None:
        assign(bias, shift - factor * centre)


def is_pixel(tensor: Any) -> bool:
    """Whether a tensor is a vector or a map of one pixel."""
    return len(tensor.shape) == 2 or sorted(tensor.shape[1:])[:-1] == [1, 1]


def channel_means(y: Array, axis: int) -> Array:
    return np.asarray(y.mean(axis=tuple(each for each in range(y.ndim) if each != axis % y.ndim)))
