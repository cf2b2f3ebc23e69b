"""A user's own network: loaded, exported, dumped and made a case of."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from scripts.graph_file import read_graph
from scripts.pytorch import dump_activations, export, model_cases
from scripts.pytorch.lowering.model import lower
from scripts.pytorch.models import load, load_weights
from scripts.pytorch.tests.own_network import TinyAttentionNet
from scripts.pytorch.tracing import trace

OWN = f"{Path(__file__).with_name('own_network.py')}:TinyAttentionNet"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    file = tmp_path / "own.pth"
    torch.save({"state_dict": TinyAttentionNet().state_dict()}, file)
    return file


def test_a_network_of_ones_own_is_exported_with_its_own_names(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.safetensors"
    export.main([OWN, "--weights", str(weights), "--size", "33x35", "--output", str(file)])
    assert "TinyAttentionNet, 54 layers" in capsys.readouterr().out
    graph = read_graph(file)
    assert (graph.input_name, graph.input_shape, graph.layout) == ("photo", [3, 33, 35], "chw")
    assert graph.blocks == ["units.0", "units.1", "units.2"]
    attention = {layer.name: layer.op for layer in graph.layers if layer.name.startswith("units.1.attention")}
    assert list(attention.values()) == ["global_average_pool", "conv", "relu", "conv", "hard_sigmoid", "scale"]
    assert list(attention)[:2] == ["units.1.attention.squeeze", "units.1.attention.down"]
    state = torch.load(weights, weights_only=True)["state_dict"]
    names = {"units.0.attention.up.weight", "units.2.second_norm.running_var", "head.bias", "entry.0.weight"}
    for name in names:
        np.testing.assert_array_equal(graph.tensors[name], state[name].numpy())


def test_a_dump_has_what_the_modules_return_under_the_graphs_names(tmp_path: Path, weights: Path) -> None:
    words = [OWN, "--weights", str(weights), "--size", "33x35"]
    export.main([*words, "--output", str(tmp_path / "own.safetensors")])
    dump_activations.main([*words, "--images", "4", "--output", str(tmp_path / "dump.safetensors")])
    graph = read_graph(tmp_path / "own.safetensors")
    with safe_open(tmp_path / "dump.safetensors", framework="pt") as content:
        metadata = content.metadata()
        dump = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    assert (metadata["layout"], metadata["network"]) == ("nchw", "TinyAttentionNet")
    model = load(OWN, weights=weights).module.double()
    seen: dict[str, torch.Tensor] = {}

    def noted(name: str) -> Callable[..., None]:
        def note(_module: nn.Module, _inputs: object, value: torch.Tensor) -> None:
            # As it is before PyTorch changes it in place; of two calls the first.
            seen.setdefault(name, value.clone())

        return note

    for name, module in model.named_modules():
        module.register_forward_hook(noted(name))
    output = model(dump["input"].double())
    leaves = ("entry.0", "entry.2", "units.0.first_norm", "units.0.rectifier", "units.1.attention.squeeze", "head")
    for name in leaves:
        torch.testing.assert_close(dump[name], seen[name], rtol=0.0, atol=1e-12)
    torch.testing.assert_close(dump["output"], output, rtol=0.0, atol=1e-12)
    assert set(dump) - {"input", "output"} == {layer.name for layer in graph.layers}


def test_a_case_is_lively_and_the_same_each_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("one", "other"):
        model_cases.main(["--seed", "3", "--output", str(tmp_path / folder), f"{OWN}@40x48"])
    said = capsys.readouterr().out
    spread = re.search(r"gates ([\d.]+) to ([\d.]+)", said)
    assert spread
    assert float(spread[2]) - float(spread[1]) > 0.2
    assert re.search(r"PyTorch's own float32 is off by \d\.\de-0[67]", said)
    for name in ("weights.safetensors", "reference.safetensors"):
        one, other = (next((tmp_path / folder).glob(f"*/{name}")).read_bytes() for folder in ("one", "other"))
        assert one == other


def test_a_gate_is_known_through_views_with_the_dense_layers_before_it() -> None:
    lowered = lower(trace(TinyAttentionNet(), (3, 32, 32)), "net")
    first = "units.0.attention"
    found = model_cases.gates_of(lowered)
    assert found[f"{first}/sigmoid"] == [f"{first}.up.weight", f"{first}.down.weight"]
    assert list(found) == [f"{first}/sigmoid", "units.1.attention/div", "units.2.attention/sigmoid"]


def test_labels_are_written_if_they_are_as_many_as_the_classes(tmp_path: Path) -> None:
    labels, file = tmp_path / "labels.txt", tmp_path / "own.safetensors"
    labels.write_text("ant\nbee\ncat\ndog\neel\n")
    words = [OWN, "--size", "24x24", "--labels", str(labels), "--output", str(file)]
    export.main(words)
    with safe_open(file, framework="pt") as content:
        assert content.metadata()["labels"] == '["ant", "bee", "cat", "dog", "eel"]'
    labels.write_text("ant\nbee\n")
    with pytest.raises(SystemExit, match=r"--labels has 2 names, for a model with outputs of shape \[3, 5\]"):
        export.main(words)


def test_errors_cannot_hide_in_a_case(tmp_path: Path) -> None:
    file = tmp_path / "dull.py"
    file.write_text(
        "import torch\nclass Net(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.c = torch.nn.Conv2d(3, 4, 1)\n"
        "    def forward(self, x):\n        return self.c(x * 1e-6).mean((2, 3)) + 1.0\n"
    )
    with pytest.raises(SystemExit, match=r"invalid case: outputs differ by"):
        model_cases.main(["--seed", "0", "--output", str(tmp_path), f"{file}:Net@16x16"])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("resnet18", "`resnet18` names no model; expected timm:NAME"),
        ("timm:resnet17", "timm has no `resnet17`"),
        ("torchvision:resnet17", "torchvision has no `resnet17`"),
        ("nowhere.py:Net", r"there is no `nowhere\.py`"),
        (OWN.replace("TinyAttentionNet", "Other"), "has no `Other`"),
        (OWN.replace("TinyAttentionNet", "ChannelAttention"), "failed: TypeError: .*width"),
        (OWN.replace("TinyAttentionNet", "annotations"), "is a _Feature; expected"),
    ],
)
def test_words_that_name_no_model_are_refused(words: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        load(words)


def test_libraries_say_the_size_of_their_images() -> None:
    assert load("torchvision:efficientnet_b1").input_shape == (3, 240, 240)
    assert load("timm:tf_efficientnet_lite1").input_shape == (3, 240, 240)


def test_weights_have_to_fit(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1))
    file = tmp_path / "weights.safetensors"
    save_file({"module.0.weight": torch.ones(4, 3, 1, 1), "module.0.bias": torch.ones(4)}, file)
    load_weights(net, file)
    assert torch.equal(net.state_dict()["0.bias"], torch.ones(4))
    save_file({"0.weight": torch.ones(4, 3, 1, 1), "other": torch.ones(1)}, file)
    with pytest.raises(ValueError, match=r"lacks `0\.bias` \(1 in all\) and has `other`"):
        load_weights(net, file)
    save_file({"0.weight": torch.ones(4, 3, 3, 1), "0.bias": torch.ones(4)}, file)
    with pytest.raises(ValueError, match=r"`0\.weight` is \[4, 3, 3, 1\], the model's \[4, 3, 1, 1\]"):
        load_weights(net, file)
    file.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read"):
        load_weights(net, file)


def test_a_file_that_would_run_code_is_not_run(tmp_path: Path) -> None:
    file = tmp_path / "whole.pth"
    torch.save(nn.Sequential(nn.ReLU()), file)
    with pytest.raises(ValueError, match="holds more than tensors: save the model's `state_dict"):
        load_weights(nn.Sequential(nn.ReLU()), file)
