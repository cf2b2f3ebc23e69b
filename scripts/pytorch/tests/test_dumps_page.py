"""The hooks that the page on dumps shows write what a model computes, as `senet parity` reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from scripts.page_code import DUMPS, code_of, names_of


class Block(nn.Module):
    """A rectifier that is called twice and in place, and what a dump leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.conv2 = nn.Conv2d(4, 4, 1)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout()
        self.skip = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.conv1(x))
        return self.relu(self.skip(self.drop(self.conv2(y))))


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(Block(), nn.Flatten(), nn.Linear(36, 2)).double()


def test_every_module_is_dumped_as_it_was_when_it_returned(model: nn.Sequential, tmp_path: Path) -> None:
    x = torch.randn(2, 3, 5, 5).double()
    file = tmp_path / "dump.safetensors"
    names_of(DUMPS, "From PyTorch")["dump"](model, x, str(file))
    with safe_open(file, "pt") as dump:
        metadata = dump.metadata()
        values = {name: dump.get_tensor(name) for name in dump.keys()}  # noqa: SIM118
    order = ["input", "0.conv1", "0.relu", "0.conv2", "0.relu#2", "0", "1", "2", "output"]
    assert json.loads(metadata["order"]) == order
    assert sorted(values) == sorted(order)
    assert metadata["layout"] == "nchw"
    assert metadata["framework"].startswith("pytorch ")

    block = model[0]
    assert isinstance(block, Block)
    with torch.no_grad():
        before = block.conv1(x)
        after = block.conv2(before.relu())
        output = model(x)
    # What follows changes it in place.
    assert before.min() < 0
    assert torch.equal(values["0.conv1"], before)
    assert torch.equal(values["0.conv2"], after)
    assert torch.equal(values["0.relu"], before.relu())
    assert torch.equal(values["0.relu#2"], after.relu())
    assert torch.equal(values["0"], after.relu())
    assert torch.equal(values["output"], output)
    assert all(value.dtype == torch.float64 for value in values.values())


def test_the_hooks_take_some_twenty_lines() -> None:
    assert len(code_of(DUMPS, "From PyTorch").splitlines()) <= 25


def test_a_page_without_such_code_is_an_error() -> None:
    with pytest.raises(ValueError, match="no code of Python below `From Nowhere`"):
        code_of(DUMPS, "From Nowhere")
