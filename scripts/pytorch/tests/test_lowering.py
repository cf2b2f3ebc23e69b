"""What each of PyTorch's operations becomes; that it computes the same, the replay sees on each."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from scripts.graph_file import Graph
from scripts.pytorch.tests.calls import Calls, Compute, graph_of


def ops(graph: Graph) -> list[str]:
    return [layer.op for layer in graph.layers]


def parameter(*sizes: int) -> nn.Parameter:
    return nn.Parameter(torch.rand(sizes) + 0.5)


def layer_norm_of_channels(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """As ConvNeXt's published code has it."""
    mean = x.mean(1, keepdim=True)
    variance = (x - mean).pow(2).mean(1, keepdim=True)
    return weight[:, None, None] * ((x - mean) / torch.sqrt(variance + 1e-6)) + bias[:, None, None]


def shuffled(x: torch.Tensor) -> torch.Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)


def blocks_first(x: torch.Tensor) -> torch.Tensor:
    n, c, h, w = x.shape
    return x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4).reshape(n, c * 4, h // 2, w // 2)


def split_attention(x: torch.Tensor) -> torch.Tensor:
    n, c, h, w = x.shape
    return x.reshape(n, 2, c // 2, h, w).sum(dim=1)


def focused(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2]], 1)


CASES: dict[str, tuple[Compute, tuple[Any, ...], list[str]]] = {
    "batch norm": (lambda x, m: m(x), (nn.BatchNorm2d(8, eps=1e-3),), ["batch_norm"]),
    "without affine": (lambda x, m: m(x), (nn.BatchNorm2d(8, affine=False),), ["batch_norm"]),
    "group norm": (lambda x, m: m(x), (nn.GroupNorm(4, 8),), ["group_norm"]),
    "instance norm": (lambda x, m: m(x), (nn.InstanceNorm2d(8, affine=True),), ["group_norm"]),
    "layer norm of pixels": (
        lambda x, m: m(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
        (nn.LayerNorm(8),),
        ["layer_norm"],
    ),
    "layer norm spelt out": (layer_norm_of_channels, (parameter(8), parameter(8)), ["layer_norm", "affine", "affine"]),
    "by its variance": (
        lambda x: (x - x.mean(1, True)) * torch.rsqrt(x.var(1, unbiased=False, keepdim=True) + 1e-5),
        (),
        ["layer_norm"],
    ),
    "dense on pixels": (
        lambda x, m: m(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
        (nn.Linear(8, 5),),
        ["conv"],
    ),
    "dense as a product": (
        lambda x, w: x.mean((2, 3)) @ w,
        (parameter(8, 5),),
        ["global_average_pool", "flatten", "linear"],
    ),
    "same": (lambda x, m: m(x), (nn.Conv2d(8, 4, (4, 3), padding="same"),), ["conv"]),
    "dilated": (lambda x, m: m(x), (nn.Conv2d(8, 4, 3, padding=2, dilation=2, groups=2),), ["conv"]),
    "along channels": (
        lambda x, m: x * torch.sigmoid(m(x.mean((2, 3)).view(x.shape[0], 1, -1)).view(x.shape[0], -1, 1, 1)),
        (nn.Conv1d(1, 1, 3, padding=1, bias=False),),
        ["global_average_pool", "flatten", "linear", "unflatten", "sigmoid", "scale"],
    ),
    "relu in place": (lambda x: F.relu_(x * 2.0), (), ["multiply", "relu"]),
    "hard sigmoid spelt out": (lambda x: F.relu6(x + 3.0) / 6.0, (), ["hard_sigmoid"]),
    "hard swish spelt out": (lambda x: x * F.relu6(x + 3.0) / 6.0, (), ["hard_swish"]),
    "hard swish of a gate": (lambda x: x * (F.relu6(x + 3.0) * (1.0 / 6.0)), (), ["hard_swish"]),
    "swish spelt out": (lambda x: x * torch.sigmoid(x), (), ["silu"]),
    "functions": (
        lambda x: F.gelu(F.gelu(F.leaky_relu(F.hardswish(F.hardsigmoid(x)), 0.2)), approximate="tanh"),
        (),
        ["hard_sigmoid", "hard_swish", "leaky_relu", "gelu", "gelu_tanh"],
    ),
    "clamps": (
        lambda x: x.clamp(min=0).clamp(0, 6).clamp(0, 1),
        (),
        ["relu", "relu6", "multiply", "relu6", "multiply"],
    ),
    "tanh": (torch.tanh, (), ["multiply", "sigmoid", "multiply", "affine"]),
    "half a gate": (lambda x: F.glu(x, 1), (), ["slice", "sigmoid", "slice", "product"]),
    "slopes": (lambda x, m: m(x), (nn.PReLU(8),), ["multiply", "relu", "affine", "relu", "add"]),
    "one slope": (lambda x, m: m(x), (nn.PReLU(),), ["leaky_relu"]),
    "pools": (
        lambda x: F.max_pool2d(F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), 2, ceil_mode=True),
        (),
        ["average_pool", "max_pool"],
    ),
    "padding that counts, rounded up": (lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), (), ["average_pool"]),
    "max pool rounded up": (lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), (), ["max_pool"]),
    "adaptive pools": (
        lambda x: F.adaptive_avg_pool2d(x, (2, 3)) + F.adaptive_max_pool2d(x, 1),
        (),
        ["adaptive_average_pool", "global_max_pool", "upsample_like", "add"],
    ),
    "max of pixels": (lambda x: x.amax((2, 3)), (), ["global_max_pool", "flatten"]),
    "sum of pixels": (lambda x: x.sum((2, 3)), (), ["global_average_pool", "multiply", "flatten"]),
    "mean of rows": (lambda x: x.mean(2, keepdim=True), (), ["average_pool"]),
    "padding": (lambda x: F.pad(x, (0, 1, -1, 2)), (), ["crop", "zero_pad"]),
    "padding by the least": (
        lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 3, 2),
        (),
        ["max_pool"],
    ),
    "new channels": (lambda x: torch.cat([x, torch.zeros_like(x)[:, :3]], 1), (), ["pad_channels"]),
    "shuffle": (shuffled, (), ["shuffle_channels"]),
    "blocks": (blocks_first, (), ["space_to_depth"]),
    "pixel unshuffle": (lambda x: F.pixel_unshuffle(x, 2), (), ["space_to_depth", "shuffle_channels"]),
    "parts": (lambda x: torch.cat(x.chunk(2, 1)[::-1], 1), (), ["slice", "slice", "concat"]),
    "parts of other sizes": (
        lambda x: F.pad(torch.split(x, [3, 5], 1)[0], (0, 0, 0, 0, 0, 2)) + x[:, 3:],
        (),
        ["slice", "pad_channels", "slice", "add"],
    ),
    "sums of groups": (split_attention, (), ["slice", "slice", "add"]),
    "every second pixel": (
        focused,
        (),
        ["max_pool", "max_pool", "crop", "max_pool", "max_pool", "concat"],
    ),
    "numbers": (
        lambda x: 1.0 - (x / 2.0 + 3.0) * 4.0,
        (),
        ["multiply", "affine", "multiply", "multiply", "affine"],
    ),
    "learnt number": (lambda x, w: x * w, (parameter(),), ["learnt_factor"]),
    "learnt numbers": (lambda x, w: x * w + w, (parameter(8, 1, 1),), ["affine", "affine"]),
    "weighted sum": (lambda x: torch.add(x, x * 2.0, alpha=0.5), (), ["multiply", "multiply", "add"]),
    "square": (lambda x: x**2 + x * x, (), ["product", "product", "add"]),
    "upsampled": (lambda x: F.interpolate(x, scale_factor=2), (), ["upsample"]),
    "upsampled as another": (
        lambda x: x * F.interpolate(torch.sigmoid(F.avg_pool2d(x, 4)), size=x.shape[2:]),
        (),
        ["average_pool", "sigmoid", "upsample_like", "product"],
    ),
    "softmax": (lambda x: x.mean((2, 3)).softmax(1), (), ["global_average_pool", "flatten", "softmax"]),
    "softmax of pixels": (lambda x: x.softmax(1), (), ["softmax"]),
    "weights that are computed": (
        lambda x, w: F.conv2d(x, w / w.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()),
        (parameter(4, 8, 1, 1),),
        ["conv"],
    ),
    "dropout and casts": (lambda x: F.dropout(x.float(), 0.5, False).contiguous() * 2.0, (), ["multiply"]),
}


@pytest.mark.parametrize("case", CASES)
def test_an_operation_is_lowered(case: str) -> None:
    compute, owned, expected = CASES[case]
    assert ops(graph_of(Calls(compute, *owned))) == expected


def test_the_same_padding_of_timm_holds_at_any_size() -> None:
    from timm.layers import create_conv2d

    graph = graph_of(nn.Sequential(create_conv2d(8, 4, 3, stride=2, padding="same")))
    (layer,) = graph.layers
    assert (layer.name, layer.op, layer.attributes["padding"]) == ("0", "conv", "same")


def test_timms_blur_pool_is_one() -> None:
    from timm.layers import BlurPool2d

    graph = graph_of(nn.Sequential(BlurPool2d(8)))
    assert [(layer.name, layer.op, layer.attributes) for layer in graph.layers] == [
        ("0", "blur_pool", {"size": 3, "stride": 2})
    ]
    assert not graph.tensors


def test_a_leaf_is_called_as_its_module_and_what_is_between_by_its_function() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 1)
            self.act = nn.ReLU(inplace=True)
            self.drop = nn.Dropout()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.act(self.conv(self.act(self.conv(x))) + x + 1.0)

    graph = graph_of(nn.Sequential(Block(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    assert [layer.name for layer in graph.layers] == [
        "0.conv",
        "0.act",
        "0.conv#2",
        "0/add",
        "0/add#2",
        "0.act#2",
        "1",
        "2",
    ]
    assert graph.blocks == ["0"]
    # One tensor, though two layers read it.
    assert list(graph.tensors) == ["0.conv.weight", "0.conv.bias", "0/add#2.bias"]


def test_layers_are_not_called_as_what_else_a_dump_has() -> None:
    class Output(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.output = nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.output(x)

    assert [layer.name for layer in graph_of(Output()).layers] == ["output#2"]


def test_contexts_are_passed_through() -> None:
    class Contexts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Conv2d(8, 4, 1)
            self.other = nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                x = F.relu(self.one(x))
            with torch.autocast("cpu", enabled=False):
                x = self.other(x.float())
            return x

    assert [layer.name for layer in graph_of(Contexts()).layers] == ["one", "relu", "other"]


def test_several_outputs_keep_their_order() -> None:
    graph = graph_of(Calls(lambda x: {"b": x * 2.0, "a": (F.relu(x), None)}))
    assert [layer.op for layer in graph.layers if layer.name in graph.outputs] == ["multiply", "relu"]
