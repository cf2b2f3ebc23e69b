"""Write the names that timm has given up, of networks of the families that the Rust program has, and what they are now.

timm registers them beside the networks; a name that it has removed with no replacement has nothing behind its tab.
"""

from __future__ import annotations

import argparse
from importlib.metadata import version
from pathlib import Path

from timm.models import _registry

from scripts.command_line import errors_in_one_line

MODULES = (
    "byobnet",
    "cspnet",
    "efficientnet",
    "ghostnet",
    "inception_resnet_v2",
    "inception_v3",
    "lcnetv2",
    "mobilenetv3",
    "nfnet",
    "regnet",
    "repghost",
    "repvit",
    "resnet",
    "rexnet",
    "senet",
    "tresnet",
    "vgg",
    "vovnet",
)

HEADER = """\
# Names that timm has given up, and its present name of each: network and, behind a dot, the tag of the weights.
# Written by scripts/pytorch/timm_deprecated.py from the `register_model_deprecations` of timm (Apache License 2.0,
# Copyright 2019 Ross Wightman).
"""


def name_lines() -> list[str]:
    """Former and present name, a tab between them, in the order of the former."""
    names: dict[str, str | None] = {}
    for module in MODULES:
        names.update(_registry._module_to_deprecated_models.get(module, {}))
    if not names:
        raise ValueError(f"timm {version('timm')} registers no deprecated names")
    return [f"{former}\t{present or ''}" for former, present in sorted(names.items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    arguments = parser.parse_args()
    with errors_in_one_line():
        arguments.output.write_text(HEADER + "\n".join(name_lines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
