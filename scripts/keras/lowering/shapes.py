"""What changes the shape of a value: means, flattening, padding, parts, shuffled channels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from keras import KerasTensor

from scripts.keras.lowering.network import Grouping, Network, UnsupportedError, Value
from scripts.keras.tracing.calls import Call


def global_pool(network: Network, call: Call, op: str, x: Value, keepdims: bool) -> None:
    """A pool over all pixels, and the vector of it as a layer of its own where the map's axes are dropped."""
    network.check_map(x)
    name = call.path if keepdims else f"{call.path}/pool"
    network.add(name, op, [x])
    if keepdims:
        network.bind(call.outputs[0], name)
        return
    pooled = Value(name, network.map_shape(x.shape[0], 1, 1, network.channels(x)))
    network.pixel(id(call.outputs[0]), name)
    network.add(call.path, "flatten", [pooled])
    network.bind(call.outputs[0], call.path)


def mean(network: Network, call: Call, x: Value, axis: Any, keepdims: Any) -> None:
    axes = None if axis is None else sorted(each % len(x.shape) for each in network.wholes(axis_list(axis)))
    if not x.is_map or axes != network.spatial_axes():
        raise UnsupportedError(f"mean over axes {axis} of a tensor of shape {list(x.shape)}")
    global_pool(network, call, "global_average_pool", x, bool(keepdims))


def maximum_over(network: Network, call: Call, x: Value, axis: Any, keepdims: Any) -> None:
    axes = None if axis is None else sorted(each % len(x.shape) for each in network.wholes(axis_list(axis)))
    if not x.is_map or axes != network.spatial_axes():
        raise UnsupportedError(f"maximum over axes {axis} of a tensor of shape {list(x.shape)}")
    global_pool(network, call, "global_max_pool", x, bool(keepdims))


def axis_list(axis: Any) -> Any:
    return [axis] if isinstance(axis, int) else axis


def flatten(network: Network, call: Call, x: Value, by_pixel: bool) -> None:
    """A map as a vector, pixel by pixel or channel by channel."""
    if x.is_vector:
        network.alias(call.outputs[0], x)
        return
    network.check_map(x)
    height, width = network.size(x)
    same = height == width == 1 or network.channels(x) == 1
    order = (height, width, network.channels(x)) if by_pixel and not same else None
    network.add(call.path, "flatten", [x])
    network.bind(call.outputs[0], call.path, order)


def reshape(network: Network, call: Call, x: Value) -> None:
    """A reshape, by the shapes before and after."""
    output = call.outputs[0]
    after = tuple(output.shape)
    unsupported = UnsupportedError(f"a reshape from {list(x.shape)} to {list(after)}")
    if after == x.shape and x.grouping is None:
        network.alias(output, x)
    elif x.grouping is not None:
        ungroup(network, call, x, unsupported)
    elif after[0] != x.shape[0]:
        raise unsupported
    elif x.is_map and len(after) == 2:
        flatten(network, call, x, not network.channels_first)
    elif x.is_vector and len(after) == 4 and x.order is None:
        if after != network.map_shape(x.shape[0], 1, 1, x.shape[1]):
            raise unsupported
        network.add(call.path, "unflatten", [x])
        network.bind(output, call.path)
    elif x.is_map and len(after) == 5:
        axis = network.channel_axis(4)
        rest = (*after[:axis], after[axis] * after[axis + 1], *after[axis + 2 :])
        if rest != x.shape:
            raise unsupported
        network.values[id(output)] = replace(x, shape=after, grouping=Grouping(after[axis], False))
    else:
        raise unsupported


def ungroup(network: Network, call: Call, x: Value, unsupported: UnsupportedError) -> None:
    """The last step of a channel shuffle: groups, channels, swapped, are channels again."""
    output, grouping = call.outputs[0], x.grouping
    axis = network.channel_axis(4)
    merged = (*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2 :])
    if grouping is None or tuple(output.shape) != merged:
        raise unsupported
    whole = replace(x, shape=merged, grouping=None)
    if not grouping.swapped:
        network.alias(output, whole)
        return
    network.add(call.path, "shuffle_channels", [whole], groups=grouping.groups)
    network.bind(output, call.path)


def max_pool_input(network: Network, tensor: Any, padding: Any) -> tuple[Value, Any]:
    """What a max pool reads and its padding, which may have come before it, of minus infinity."""
    x = any_value(network, tensor)
    if x.outside is None:
        return network.value(tensor), padding
    if padding != "valid":
        raise UnsupportedError("a pool that pads what is padded with minus infinity")
    (top, bottom), (left, right) = x.outside
    height, width = network.size(x)
    shape = network.map_shape(x.shape[0], height - top - bottom, width - left - right, network.channels(x))
    return replace(x, shape=shape, outside=None), x.outside


def transpose(network: Network, call: Call, x: Value, axes: Any) -> None:
    rank = len(x.shape)
    order = [each % rank for each in (network.wholes(axes) if axes is not None else range(rank)[::-1])]
    axis = network.channel_axis(4)
    swapped = list(range(5))
    swapped[axis], swapped[axis + 1] = axis + 1, axis
    if x.grouping is not None and not x.grouping.swapped and order == swapped:
        shape = tuple(x.shape[each] for each in order)
        network.values[id(call.outputs[0])] = replace(x, shape=shape, grouping=Grouping(x.grouping.groups, True))
    elif order == sorted(order) and x.grouping is None:
        network.alias(call.outputs[0], x)
    else:
        raise UnsupportedError(f"axes in the order {order} of a tensor of shape {list(x.shape)}")


def any_value(network: Network, tensor: Any) -> Value:
    """As `Network.value`, and also on the way to a channel shuffle."""
    if isinstance(tensor, KerasTensor) and id(tensor) in network.values:
        return network.values[id(tensor)]
    return network.value(tensor)


def pad(network: Network, call: Call, x: Value, padding: list[list[int]]) -> None:
    network.check_map(x)
    network.layer(call, "zero_pad", [x], padding=[[int(each) for each in sides] for sides in padding])


def pad_all_axes(network: Network, call: Call, x: Value, widths: Any, mode: Any, value: Any) -> None:
    """A padding of every axis: of the map with zeros, or of its channels behind, or of what a max pool is to read."""
    constant = 0.0 if value is None else network.constant(value)
    lowest = constant == -np.inf
    if str(mode).lower() != "constant" or not (lowest or constant == 0.0):
        raise UnsupportedError(f"padding in mode `{mode}` with {value}")
    network.check_map(x)
    pairs = [network.wholes(each) for each in widths]
    spatial, axis = network.spatial_axes(), network.channel_axis(4)
    if pairs[0] != [0, 0] or pairs[axis][0]:
        raise UnsupportedError(f"padding {pairs}")
    sides = [pairs[each] for each in spatial]
    if lowest and not pairs[axis][1]:
        output = call.outputs[0]
        network.values[id(output)] = replace(x, shape=tuple(output.shape), outside=sides)
    elif not pairs[axis][1]:
        pad(network, call, x, sides)
    elif sides == [[0, 0], [0, 0]]:
        network.layer(call, "pad_channels", [x], channels=pairs[axis][1])
    else:
        raise UnsupportedError(f"padding {pairs} of pixels and channels at once")


def crop(network: Network, call: Call, x: Value, cropping: list[list[int]]) -> None:
    network.check_map(x)
    network.layer(call, "crop", [x], cropping=[[int(each) for each in sides] for sides in cropping])


def part(network: Network, call: Call, x: Value, key: Any) -> None:
    """What an index of brackets takes of a value: channels, a crop, every n-th pixel, or new axes of size one."""
    keys = list(key) if isinstance(key, tuple | list) else [key]
    new = sum(each is None for each in keys)
    if Ellipsis in [each for each in keys if isinstance(each, type(Ellipsis))]:
        at = next(index for index, each in enumerate(keys) if each is Ellipsis)
        keys[at : at + 1] = [slice(None)] * (len(x.shape) - (len(keys) - 1 - new))
    keys += [slice(None)] * (len(x.shape) - (len(keys) - new))
    if new:
        if any(each not in (None, slice(None)) for each in keys):
            raise UnsupportedError(f"the part {key} of a tensor of shape {list(x.shape)}")
        reshape(network, call, x)
        return
    if not all(isinstance(each, slice) for each in keys):
        raise UnsupportedError(f"the part {key} of a tensor of shape {list(x.shape)}")
    bounds = [
        slice(*(None if each is None else network.whole(each) for each in (one.start, one.stop, one.step)))
        for one in keys
    ]
    ranges = [range(*each.indices(size)) for each, size in zip(bounds, x.shape, strict=True)]
    take(network, call, x, ranges)


def take(network: Network, call: Call, x: Value, ranges: list[range]) -> None:
    """The given places along every axis."""
    axis = network.channel_axis(len(x.shape))
    changed = [at for at, places in enumerate(ranges) if list(places) != list(range(x.shape[at]))]
    if not changed:
        network.alias(call.outputs[0], x)
    elif changed == [axis] and ranges[axis].step == 1 and x.order is None:
        network.layer(call, "slice", [x], first=ranges[axis].start, channels=len(ranges[axis]))
    elif x.is_map and set(changed) <= set(network.spatial_axes()):
        places = [ranges[each] for each in network.spatial_axes()]
        size = network.size(x)
        if all(each.step == 1 for each in places):
            sides = [[each.start, whole - each.stop] for each, whole in zip(places, size, strict=True)]
            crop(network, call, x, sides)
        elif all(each.start == 0 and each[-1] + each.step >= whole for each, whole in zip(places, size, strict=True)):
            # Every n-th pixel is the largest of one.
            network.layer(call, "max_pool", [x], kernel=[1, 1], strides=[each.step for each in places])
        else:
            raise UnsupportedError(f"places {places} of a map")
    else:
        raise UnsupportedError(f"places {ranges} of a tensor of shape {list(x.shape)}")


def split(network: Network, call: Call, x: Value, axis: Any) -> None:
    """Channels in parts, whose sizes are those of the outputs."""
    rank = len(x.shape)
    if not network.is_channel_axis(axis, rank) or x.order is not None:
        raise UnsupportedError(f"parts along axis {axis} of a tensor of shape {list(x.shape)}")
    first = 0
    for index, output in enumerate(call.outputs):
        channels = tuple(output.shape)[network.channel_axis(rank)]
        name = f"{call.path}/{index}"
        network.add(name, "slice", [x], first=first, channels=channels)
        network.bind(output, name)
        first += channels
