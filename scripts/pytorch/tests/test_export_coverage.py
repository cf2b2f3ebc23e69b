"""The count of networks that can be exported."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.pytorch.export_coverage import attempt, chosen


def test_a_network_is_exported_or_the_reason_said(tmp_path: Path) -> None:
    file = tmp_path / "nets.py"
    file.write_text(
        "import torch\n"
        "def good():\n    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.SiLU())\n"
        "def bad():\n    return torch.nn.Sequential(torch.nn.Softplus())\n"
    )
    good = attempt(f"{file}:good", (8, 8), 1000)
    assert good.layers == 2
    assert good.error is not None
    assert good.error < 1e-12
    assert str(attempt(f"{file}:good", (8, 8), 1)).endswith("| 2 layers | not replayed |")
    assert attempt(f"{file}:bad", (8, 8), 1000).reason == "no layer of a graph does this: `0`: `softplus`"


def test_a_network_that_needs_larger_images_gets_them(tmp_path: Path) -> None:
    file = tmp_path / "wide.py"
    file.write_text("import torch\ndef wide():\n    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 9))\n")
    assert attempt(f"{file}:wide", (8, 8), 0).layers == 1


def test_names_come_from_the_table_and_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("name,module\na,m\n")
    assert list(chosen(["timm:b"], tmp_path / "table.csv")) == ["timm:a", "timm:b"]
    assert "torchvision:resnet18" in list(chosen(["torchvision"], None))
    with pytest.raises(ValueError, match="no network is named"):
        list(chosen([], None))
