"""Networks in Keras's conventions, in PyTorch, by the names that the Rust program has for their modules.

No PyTorch code publishes them; `scripts/keras/networks/` has them in Keras, which is what the
program is compared with. Here they are for what needs PyTorch: an export to
ONNX, and PyTorch's own time.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torchvision
from timm.layers import SEModule
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import functional

EPSILON = 1e-3
"""Of Keras's batch norms."""


class SameConv2d(nn.Conv2d):
    """A 3x3 convolution that pads as TensorFlow's SAME does on an even size: with stride 2 below and right alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.stride == (2, 2):
            if x.shape[-1] % 2 or x.shape[-2] % 2:
                raise ValueError(f"expected an even size, found {tuple(x.shape[-2:])}")
            x = functional.pad(x, (0, 1, 0, 1))
        return super().forward(x)


def conv3x3(inputs: int, outputs: int, stride: int) -> nn.Module:
    return SameConv2d(inputs, outputs, 3, stride, padding=0 if stride == 2 else 1, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and an SE block, with a projection where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm2d(outputs, EPSILON)
        self.relu1 = nn.ReLU()
        self.conv2 = conv3x3(outputs, outputs, 1)
        self.bn2 = nn.BatchNorm2d(outputs, EPSILON)
        self.se = SEModule(outputs, rd_channels=max(4, outputs // 8))
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.downsample.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.downsample.append(nn.BatchNorm2d(outputs, EPSILON))
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.se(self.bn2(self.conv2(y)))
        y = self.relu(y + self.downsample(x))
        return y


class SeResNet20(nn.Module):
    """`seresnet20` of 32x32 images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = conv3x3(3, 16, 1)
        self.bn1 = nn.BatchNorm2d(16, EPSILON)
        self.relu = nn.ReLU()
        inputs = 16
        for stage, outputs in enumerate((16, 32, 64), start=1):
            blocks = nn.Sequential()
            for place in range(3):
                blocks.append(BasicBlock(inputs, outputs, 2 if stage > 1 and place == 0 else 1))
                inputs = outputs
            self.add_module(f"layer{stage}", blocks)
        self.fc = nn.Linear(inputs, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        for stage in (1, 2, 3):
            x = self.get_submodule(f"layer{stage}")(x)
        y: torch.Tensor = self.fc(x.mean((2, 3)))
        return y


def se_inception_v3() -> nn.Module:
    """torchvision's Inception-v3, its average pools and batch norms as Keras's, with an SE block after each module."""
    plain = torchvision.models.inception_v3(weights=None, init_weights=True, transform_input=False).eval()
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Keras's have no gamma: nothing to load, and left at 1.
            module.register_parameter("weight", None)
    model = fx.symbolic_trace(plain)
    ShapeProp(model).propagate(torch.zeros(1, 3, 299, 299))
    for node in list(model.graph.nodes):
        if node.target is functional.avg_pool2d:
            node.kwargs = {**node.kwargs, "count_include_pad": False}
        # Of the concatenations within one another the last ends the module.
        if node.target is torch.cat and not any(user.target is torch.cat for user in node.users):
            name = f"{module_of(node)}.se"
            channels = node.meta["tensor_meta"].shape[1]
            model.add_submodule(name, SEModule(channels, rd_channels=channels // 16))
            with model.graph.inserting_after(node):
                after = model.graph.call_module(name)
            node.replace_all_uses_with(after)
            after.args = (node,)
    model.recompile()
    return model


def module_of(node: fx.Node) -> str:
    """The module, `Mixed_5b` say, whose branches a concatenation joins."""
    part = node.all_input_nodes[0]
    while part.op != "call_module":
        part = part.all_input_nodes[0]
    return str(part.target).split(".")[0]


MAKERS: dict[str, Callable[[], nn.Module]] = {"seresnet20": SeResNet20, "se_inception_v3": se_inception_v3}
