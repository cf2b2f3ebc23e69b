"""What cannot be exported: one line that says where and why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from scripts.pytorch.export import main
from scripts.pytorch.lowering.model import lower
from scripts.pytorch.replay import check_replay
from scripts.pytorch.tests.calls import SHAPE, Calls, graph_of
from scripts.pytorch.tracing import trace

REFUSED: dict[str, tuple[Any, str]] = {
    "by the input": (lambda x: x * 2.0 if x.mean() > 0 else x, r"`forward`: what is computed depends on the numbers"),
    "by an item": (lambda x: x * float(x.max().item()), r"what is computed depends on the numbers in the input"),
    "gate without dimensions": (lambda x: x.permute(0, 2, 3, 1) * x.mean((2, 3)), "broadcast"),
    "no layer": (lambda x: torch.cumsum(x, 1), r"`cumsum`"),
    "bilinear": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), r"`upsample_bilinear2d`"),
    "reflected": (lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect") * 2.0, r"padding that is not of zeros \(reflect\)"),
    "padding of ones": (lambda x: F.pad(x, (1, 1), value=1.0), r"padding by 1"),
    "a part of a tensor": (lambda x: written(x), r"writes into a part of a tensor; `torch\.cat`"),
    "gate of pixels": (lambda x: x * x.mean(1, keepdim=True), r"a mean over channels"),
    "weights of the input": (lambda x: F.conv2d(x, F.adaptive_avg_pool2d(x, 1)), r"`weight` depends on the input"),
    "dropout": (lambda x: F.dropout(x, 0.5, True), r"a dropout that drops in inference too"),
    "random": (lambda x: x + torch.rand(8, 1, 1), r"rand"),
    "batch statistics": (lambda x: F.batch_norm(x, None, None, training=True), r"statistics of the batch itself"),
    "images": (lambda x: x[:1], r"some of the images alone"),
    "output": (
        lambda x: x.permute(0, 2, 3, 1) * 2.0,
        r"an output that is not \[N, C, H, W\] or \[N, C\], found \[N, H, W, C\]",
    ),
    "half": (lambda x: x.half().float() * 2.0, r"half precision"),
    "nothing": (lambda _: 3, r"returns no tensor"),
    "another error": (lambda x: x @ torch.zeros(3, 3), r"`forward`: "),
}


def written(x: torch.Tensor) -> torch.Tensor:
    y = x * 2.0
    y[:, :2] += 1.0
    return y


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_graph_says_is_refused(case: str) -> None:
    compute, reason = REFUSED[case]
    with pytest.raises(ValueError, match=reason) as raised:
        graph_of(Calls(compute))
    assert "\n" not in str(raised.value)


def test_all_that_is_refused_is_said_at_once_with_where_it_is() -> None:
    class Inner(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cumsum(x, 1)

    net = nn.Sequential(Inner(), nn.ReLU())
    both = Calls(lambda x, one, two: one(x) + two(x), net, nn.Sequential(nn.Softplus(), Inner()))
    with pytest.raises(ValueError, match=r"`own0\.0`, `own1\.1`: `cumsum`|`own1\.0`: `softplus`") as raised:
        graph_of(both)
    assert "`own0.0`" in str(raised.value)
    assert "`own1.0`: `softplus`" in str(raised.value)


def test_a_failure_names_the_module_it_is_in() -> None:
    with pytest.raises(ValueError, match=r"^`1\.0`: .*channels"):
        trace(nn.Sequential(nn.ReLU(), nn.Sequential(nn.Conv2d(5, 5, 1))), SHAPE)


def test_parts_that_share_no_memory_may_be_written_to() -> None:
    def gated(x: torch.Tensor) -> torch.Tensor:
        one, other = (x * 2.0).chunk(2, 1)
        return one * other.sigmoid_()

    assert [layer.op for layer in graph_of(Calls(gated)).layers] == ["multiply", "slice", "slice", "sigmoid", "product"]


def test_several_inputs_are_refused() -> None:
    class Two(nn.Module):
        def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return image * mask

    with pytest.raises(ValueError, match="2 inputs, `image`, `mask`; expected one"):
        trace(Two(), SHAPE)


def test_a_module_in_training_is_put_in_evaluation() -> None:
    net = nn.Sequential(nn.BatchNorm2d(8), nn.Dropout()).train()
    assert [layer.op for layer in graph_of(net).layers] == ["batch_norm"]


def test_what_is_computed_of_three_images_otherwise_than_of_two_is_refused() -> None:
    one_by_another = Calls(lambda x: x + x.reshape(1, -1, 6, 10)[:, :8] if x.shape[0] == 2 else x * 2.0)
    traced = trace(one_by_another, SHAPE)
    with pytest.raises(ValueError, match=r"output 0 is off by .* or computes one image by the others"):
        check_replay(traced, lower(traced, "net"))


def test_a_graph_that_differs_is_refused_with_the_layer() -> None:
    traced = trace(nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU()), SHAPE)
    lowered = lower(traced, "net")
    lowered.graph.layers[1].attributes["epsilon"] = 1e-3
    with pytest.raises(ValueError, match="differs from the model first in `1`, by"):
        check_replay(traced, lowered)


def test_what_hides_behind_zeros_is_found_with_drawn_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nn.Sequential(nn.BatchNorm2d(8), nn.Hardswish())
    nn.init.zeros_(net[0].weight)  # type: ignore[arg-type]
    traced = trace(net, SHAPE)
    lowered = lower(traced, "net")
    check_replay(traced, lowered)
    from scripts.pytorch import replay

    def wrong(*words: Any) -> Any:
        other = lower(*words)
        other.graph.layers[1].op = "silu"
        return other

    monkeypatch.setattr(replay, "lower", wrong)
    with pytest.raises(ValueError, match="first in `1`"):
        check_replay(traced, lowered)


def test_the_program_says_it_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return x.cumsum(1)\n"
    )
    with pytest.raises(SystemExit, match=r"^error: no layer of a graph does this: the model's `forward`: `cumsum`$"):
        main([f"{file}:Net", "--output", str(tmp_path / "net.safetensors")])
    assert not (tmp_path / "net.safetensors").exists()


def test_nothing_else_is_said_of_what_depends_on_numbers(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "import sys, torch\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        print('its own', file=sys.stderr)\n"
        "        return x * 2 if x.mean() > 0 else x\n"
        "class Fine(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        print('its own', file=sys.stderr)\n"
        "        return x * 2\n"
    )

    def said(name: str) -> tuple[int, list[str]]:
        words = [sys.executable, "-m", "scripts.pytorch.export", f"{file}:{name}", "--size", "8x8"]
        ended = subprocess.run([*words, "--output", str(tmp_path / "net.safetensors")], capture_output=True, text=True)
        return ended.returncode, ended.stderr.splitlines()

    status, lines = said("Net")
    assert status == 1
    assert [line for line in lines if line != "its own"] == [lines[-1]]
    assert lines[-1].startswith("error: the model's `forward`: what is computed depends on the numbers")
    status, lines = said("Fine")
    assert (status, set(lines)) == (0, {"its own"})


def test_an_output_is_compared_though_no_layer_of_it_shows_a_tensor() -> None:
    largest = Calls(lambda x: x.max(3)[0].max(2)[0])
    traced = trace(largest, SHAPE)
    lowered = lower(traced, "net")
    assert lowered.outputs == ["max#2"]
    check_replay(traced, lowered)
    lowered.graph.layers[0].op = "average_pool"
    with pytest.raises(ValueError, match="first in `max#2`"):
        check_replay(traced, lowered)
