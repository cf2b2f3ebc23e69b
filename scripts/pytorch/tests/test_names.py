"""The files without numbers that the program is asked to load, and what is counted of the table of timm's networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file

from scripts.pytorch.check_names import Coverage, check_stated, coverage, on_meta, read_listed, write_hollow
from scripts.pytorch.facts import cost

TABLE = "name,module,tags\na,m,x+y\nb,m,\nc,n,z\n"


def models() -> list[dict[str, Any]]:
    return [{"name": "a", "hub": ["hf:timm/a.x", "hf:timm/a.other"]}, {"name": "b", "hub": []}]


def test_a_hollow_file_has_every_name_and_shape(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    expected = on_meta("resnet18", 7).state_dict()
    write_hollow(file, expected)
    found = load_file(file)
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in found.items()} == {
        name: (tensor.shape, tensor.dtype) for name, tensor in expected.items()
    }
    assert found["fc.bias"].shape == (7,)
    assert not torch.any(found["conv1.weight"])


@pytest.mark.parametrize("name", ["seresnet18", "mobilenetv3_small_050"])
def test_without_numbers_a_network_costs_what_it_costs_with_them(name: str) -> None:
    model = timm.create_model(name, num_classes=7).eval()
    assert cost(on_meta(name, 7), 65, 97) == cost(model, 65, 97)


def test_only_the_tables_networks_and_tags_count(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(TABLE)
    assert coverage(models(), read_listed(tmp_path / "table.csv")) == Coverage(2, 3, 1, 3)


def test_a_page_that_states_another_count_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"It has {Coverage(2, 3, 1, 3)}, and more.\n")
    check_stated(page, Coverage(2, 3, 1, 3))
    with pytest.raises(ValueError, match="says: 2 of the 3"):
        check_stated(page, Coverage(2, 3, 2, 3))
    page.write_text("Many.\n")
    with pytest.raises(ValueError, match="does not say"):
        check_stated(page, Coverage(2, 3, 1, 3))
