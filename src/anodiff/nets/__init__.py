"""Backbones: they know shapes and conditions, not schedules."""

from torch import nn

from anodiff.nets.conditioned import WindowMLP
from anodiff.nets.transformer import Transformer
from anodiff.nets.unet1d import UNet1d
from anodiff.nets.unet2d import UNet2d

NETS: dict[str, type[nn.Module]] = {"mlp": WindowMLP, "unet": UNet1d, "transformer": Transformer}
PICTURE_NETS: dict[str, type[nn.Module]] = {"unet2d": UNet2d}
