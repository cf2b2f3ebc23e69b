"""Small modules for tests, and their graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from scripts.graph_file import Graph
from scripts.pytorch.lowering.model import lower
from scripts.pytorch.replay import check_replay
from scripts.pytorch.tracing import trace

SHAPE = (8, 6, 10)

Compute = Callable[..., Any]


class Calls(nn.Module):
    """A module that calls a function with what it owns."""

    def __init__(self, compute: Compute, *owned: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.compute = compute
        for index, each in enumerate(owned):
            setattr(self, f"own{index}", each)
        self.owned = len(owned)

    def forward(self, x: torch.Tensor) -> Any:
        return self.compute(x, *(getattr(self, f"own{index}") for index in range(self.owned)))


def graph_of(module: nn.Module, shape: tuple[int, int, int] = SHAPE) -> Graph:
    """The module's graph, which has to compute what the module does."""
    torch.manual_seed(0)
    traced = trace(module, shape)
    lowered = lower(traced, "net")
    lowered.graph.check()
    check_replay(traced, lowered)
    return lowered.graph
