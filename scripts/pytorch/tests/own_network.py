"""An SE network as somebody writes it who never heard of this program: names, spelling and shapes of his own."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class ChannelAttention(nn.Module):
    """Squeeze and excitation with dense layers and `view`."""

    def __init__(self, width: int, ratio: int = 4) -> None:
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.down = nn.Linear(width, width // ratio, bias=False)
        self.up = nn.Linear(width // ratio, width)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        n, c, _, _ = maps.shape
        weights = self.squeeze(maps).view(n, c)
        weights = torch.sigmoid(self.up(F.relu(self.down(weights))))
        return maps * weights.view(n, c, 1, 1)


class ConvAttention(nn.Module):
    """The same with 1x1 convolutions and a hard sigmoid that is spelt out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.down = nn.Conv2d(width, width // 4, 1)
        self.up = nn.Conv2d(width // 4, width, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        gate = self.up(F.relu(self.down(self.squeeze(maps))))
        return maps * (F.relu6(gate + 3) / 6)


class Unit(nn.Module):
    """A residual unit whose shortcut, where the shape changes, is a pool and zeros for new channels."""

    def __init__(self, before: int, after: int, step: int, attention: nn.Module) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, step, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, groups=2, bias=False)
        self.second_norm = nn.BatchNorm2d(after, eps=1e-3)
        self.attention = attention
        self.rectifier = nn.ReLU(inplace=True)
        self.step, self.more = step, after - before

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        inner = self.rectifier(self.first_norm(self.first(maps)))
        inner = self.attention(self.second_norm(self.second(inner)))
        if self.step > 1:
            maps = F.avg_pool2d(maps, self.step, ceil_mode=True)
        if self.more:
            maps = F.pad(maps, (0, 0, 0, 0, 0, self.more))
        inner += maps
        return self.rectifier(inner)


class TinyAttentionNet(nn.Module):
    """Three units, a shuffle of channels and a classifier."""

    average: torch.Tensor

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.register_buffer("average", torch.tensor([0.48, 0.45, 0.41]).view(3, 1, 1))
        self.entry = nn.Sequential(nn.Conv2d(3, 16, 3, 2, padding=1), nn.BatchNorm2d(16), nn.SiLU())
        self.units = nn.ModuleList(
            [
                Unit(16, 16, 1, ChannelAttention(16)),
                Unit(16, 32, 2, ConvAttention(32)),
                Unit(32, 32, 1, ChannelAttention(32)),
            ]
        )
        self.head = nn.Linear(32, classes)

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        maps = self.entry((photo - self.average) / 0.25)
        for unit in self.units:
            maps = unit(maps)
        n, c, h, w = maps.shape
        maps = maps.view(n, 4, c // 4, h, w).transpose(1, 2).reshape(n, c, h, w)
        maps = F.dropout(maps, 0.2, self.training)
        return self.head(maps.mean(dim=(2, 3)))
