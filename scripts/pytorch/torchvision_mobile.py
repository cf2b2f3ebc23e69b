"""What the Rust program calls the modules of torchvision's mobile networks, which are numbered there."""

from __future__ import annotations

import re

STAGES = {
    "features.18.0": (1, 2, 3, 4, 3, 3, 1),
    "features.16.0": (1, 2, 3, 4, 2, 3, 1),
    "features.12.0": (1, 2, 3, 2, 3, 1),
}
"""Blocks of each stage of MobileNetV2, V3-Large and V3-Small, told apart by their last features: they count through."""

WITHIN = (
    (re.compile(r"block\.\d+\.scale_activation"), r"se.gate"),
    (re.compile(r"block\.\d+\.fc1"), r"se.conv_reduce"),
    (re.compile(r"block\.\d+\.fc2"), r"se.conv_expand"),
    # The one that ends the block has the highest number, which is all that matters.
    (re.compile(r"block\.(\d+)\.1"), r"bn\1"),
    (re.compile(r"(?:conv|layers)\.(\d+)"), r"layers.\1"),
)
"""What modules of a block are called."""


def within(rest: str) -> str:
    for pattern, canonical in WITHIN:
        if pattern.fullmatch(rest):
            return pattern.sub(canonical, rest)
    return rest


def canonical_names(modules: list[str]) -> dict[str, str] | None:
    """The names of all modules, if they are of such a network."""
    if "features.1.0.block" in modules:
        stage_and_index = {
            name: (int(name.split(".")[1]) - 1, int(name.split(".")[2]))
            for name in modules
            if re.fullmatch(r"features\.[1-9]\d*\.\d+", name) and f"{name}.block" in modules
        }
    elif "features.1.block" in modules or "features.1.conv" in modules:
        last = next(last for last in STAGES if last in modules)
        places = [(stage, index) for stage, count in enumerate(STAGES[last]) for index in range(count)]
        stage_and_index = {f"features.{number}": place for number, place in enumerate(places, start=1)}
    elif "layers.8.0.layers" in modules:
        stage_and_index = {
            name: (int(name.split(".")[1]) - 7, int(name.split(".")[2]))
            for name in modules
            if re.fullmatch(r"layers\.\d+\.\d+", name)
        }
        # The first block is no module there, and ends in this batch norm.
        stage_and_index["layers.7"] = (0, 0)
    else:
        return None

    def canonical(name: str) -> str:
        for block, (stage, index) in stage_and_index.items():
            if name == block:
                return f"blocks.{stage}.{index}"
            if name.startswith(f"{block}."):
                return f"blocks.{stage}.{index}.{within(name.removeprefix(f'{block}.'))}"
        # The stem, a whole stage or the head, which is no block, though other networks call theirs so.
        return f"torchvision.{name}"

    return {name: canonical(name) for name in modules}
