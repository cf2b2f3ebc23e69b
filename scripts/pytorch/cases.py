"""Which networks are compared, and what goes into them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Case:
    """A network and what goes into it."""

    network: str
    height: int
    width: int
    batch: int = 2
    publisher: str = "timm"

    def __str__(self) -> str:
        return f"{self.network} {self.batch}x{self.height}x{self.width}"


SOME = (
    Case("seresnet18", 97, 131, 3),
    Case("seresnet50", 224, 224),
    Case("seresnet50t", 65, 96),
    Case("seresnetaa50d", 96, 128),
    Case("seresnext26d_32x4d", 97, 131),
    Case("seresnext26t_32x4d", 64, 97, 3),
    Case("senet154", 65, 96),
    Case("legacy_seresnet18", 97, 131, 3),
    Case("legacy_seresnet50", 97, 131),
    Case("legacy_seresnext26_32x4d", 65, 96),
    Case("resnet50", 97, 131, 2, "torchvision"),
    Case("resnext50_32x4d", 65, 96, 2, "torchvision"),
    Case("inception_v3", 139, 160, 2, "torchvision"),
    Case("inception_resnet_v2", 139, 160),
    Case("bn_inception", 97, 131, 2, "pretrainedmodels"),
    Case("se_bn_inception", 97, 131, 2, "paper"),
    Case("vgg16_bn", 97, 131, 2, "torchvision"),
    Case("se_vgg16_bn", 65, 96, 2, "paper"),
    Case("regnety_008", 97, 131),
    Case("regnety_004", 64, 97, 2, "torchvision"),
    Case("regnetv_064", 64, 96),
    Case("regnetz_005", 65, 96),
    Case("resnetrs50", 65, 96),
    Case("test_byobnet", 97, 131),
    Case("mobileone_s4", 65, 96),
    Case("mobileone_s4_folded", 65, 96, 2, "folded"),
    Case("tresnet_m", 64, 96),
    Case("test_nfnet", 97, 131),
    Case("dm_nfnet_f0", 65, 96),
    Case("cs3sedarknet_l", 64, 96),
)
"""Every kind of block, stem, stride, pool and head, odd sizes, and a batch of 3."""

MORE = (
    Case("seresnet18", 224, 224),
    Case("seresnet34", 97, 131, 3),
    Case("seresnet50", 97, 131, 3),
    Case("seresnet101", 97, 131),
    Case("seresnet152", 97, 131),
    Case("seresnet152d", 97, 131),
    Case("seresnet200d", 65, 96),
    Case("seresnet269d", 65, 96),
    Case("seresnext50_32x4d", 224, 224),
    Case("seresnext101_32x4d", 97, 131),
    Case("seresnext101_32x8d", 97, 131),
    Case("seresnext101_64x4d", 97, 131),
    Case("seresnext101d_32x8d", 97, 131),
    Case("seresnextaa101d_32x8d", 96, 160),
    Case("seresnextaa201d_32x8d", 96, 96),
    Case("legacy_seresnet34", 97, 131),
    Case("legacy_seresnet101", 97, 131),
    Case("legacy_seresnet152", 65, 96),
    Case("legacy_seresnext50_32x4d", 97, 131, 3),
    Case("legacy_seresnext101_32x4d", 65, 96),
    Case("legacy_senet154", 97, 131),
    Case("resnet18", 97, 131, 3),
    Case("resnet34", 97, 131, 2, "torchvision"),
    Case("resnet50t", 97, 131),
    Case("resnet101", 97, 131, 2, "torchvision"),
    Case("resnet152", 65, 96, 2, "torchvision"),
    Case("resnet152d", 65, 96),
    Case("resnet200d", 65, 96),
    Case("resnetaa50d", 96, 128),
    Case("resnext101_32x4d", 65, 96),
    Case("resnext101_32x8d", 65, 96, 2, "torchvision"),
    Case("resnext101_64x4d", 65, 96, 2, "torchvision"),
    Case("inception_v3", 299, 299, 3),
    Case("inception_resnet_v2", 299, 299),
    Case("bn_inception", 224, 224, 2, "pretrainedmodels"),
    Case("vgg16_bn", 224, 224),
    Case("regnety_040", 224, 224),
    Case("regnety_002", 97, 131),
    Case("regnety_006", 97, 131),
    Case("regnety_008_tv", 97, 131),
    Case("regnety_016", 97, 131),
    Case("regnety_032", 97, 131),
    Case("regnety_160", 65, 96),
    Case("regnetx_002", 97, 131),
    Case("regnetx_004_tv", 97, 131, 2, "torchvision"),
    Case("regnetv_040", 97, 131),
    Case("regnetz_040", 65, 96),
    Case("regnetz_040_h", 65, 96),
    Case("resnetrs101", 65, 96),
    Case("seresnet33ts", 97, 131),
    Case("seresnext26ts", 97, 131),
    Case("regnetz_b16", 97, 131),
    Case("regnetz_c16", 65, 96),
    Case("regnetz_d8", 65, 96),
    Case("regnetz_d32", 65, 96),
    Case("regnetz_e8", 65, 96),
    Case("repvgg_d2se", 65, 96),
    Case("repvgg_d2se_folded", 65, 96, 2, "folded"),
    Case("mobileone_s0", 65, 96),
    Case("repvgg_b1g4", 65, 96),
    Case("gernet_s", 65, 96),
    Case("tresnet_l", 64, 96),
    Case("tresnet_v2_l", 64, 96),
    Case("nfnet_f0", 65, 96),
    Case("nfnet_l0", 65, 96),
    Case("nf_regnet_b0", 97, 131),
    Case("nf_regnet_b1", 97, 131),
    Case("nf_seresnet26", 97, 131),
    Case("nf_seresnet50", 65, 96),
    Case("cs3sedarknet_x", 64, 96),
    Case("cs3sedarknet_xdw", 128, 160),
    Case("cs3se_edgenet_x", 64, 96),
    Case("sedarknet21", 97, 131),
)
"""The rest of the catalogue, and what is also worth the time."""

REFUSED = Case("seresnetaa50d", 97, 131)
"""A size at which timm itself cannot run: the pool of the shortcut rounds up and that of the block down."""


@torch.no_grad()
def larger(model: nn.Module, name: str) -> None:
    """Make a tensor 1 % larger."""
    model.get_parameter(name).mul_(1.01)


def epsilon(model: nn.Module, name: str) -> None:
    """Give a batch norm the epsilon of Keras."""
    norm = model.get_submodule(name)
    assert isinstance(norm, nn.BatchNorm2d)
    norm.eps = 1e-3


BROKEN = Case("seresnet18", 65, 96)
"""The network in which the comparison has to find what is wrong."""

MISTAKES: dict[str, tuple[str, Callable[[nn.Module, str], None], str]] = {
    "epsilon of Keras": ("layer3.0", epsilon, "layer3.0.bn1"),
    "weight larger by 1 %": ("layer2.1", larger, "layer2.1.conv1.weight"),
    "gate's weight larger by 1 %": ("layer4.0", larger, "layer4.0.se.fc2.weight"),
}
"""What is made wrong, and in which block that has to be found first."""
