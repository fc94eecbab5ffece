r"""Frozen backbones: an image becomes maps of features, one per layer,

.. math:: f_k(x) \in \mathbb{R}^{C_k \times h_k \times w_k}, \qquad x \in [-1, 1]^{C \times H \times W} .

They are never trained here: no gradients, no modes, the same maps for an image alone and among others. A model that is
saved keeps a backbone's name and the fingerprint of its weights, not the weights.
"""

import copy
import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor, nn

from anodiff.nets import efficientnet
from anodiff.nets.hub import IMAGENET, PREFIX, Hub, hub, reads_images
from anodiff.types import JSON, BadModel, Misfit

EMBEDDED, OWN = "embedded", "own:"
Layer: TypeAlias = str | int
Given: TypeAlias = str | nn.Module


class Backbone(nn.Module):
    """A frozen network that gives maps of images; see `backbone`.

    Args:
        net: Normalised images `(B, channels, H, W)` to a list of maps.
        name: "embedded", "hf:" and a name or folder, or "own:" and the class of a module.
        layers: Which maps, as they were asked for; None for the backbone's own choice.
        mean: Of the pixels 0..1 by channel, as in training.
        std: Likewise.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        net: nn.Module,
        name: str,
        layers: Sequence[Layer] | None,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        if len(mean) != len(std) or len(mean) not in (1, 3) or min(std) <= 0:
            raise Misfit(f"mean {list(mean)} and std {list(std)} must be 1 or 3 numbers each, std positive.")
        self.net = net
        self.name = name
        self.layers = None if layers is None else tuple(layers)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32)[:, None, None])
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32)[:, None, None])
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps `(B, C, h, w)` float32, one per layer, of images `(B, 1 or 3, H, W)` in [-1, 1].

        Raises:
            Misfit: the images have another number of channels, or the network gives something else than maps.
        """
        with torch.no_grad():
            pixels = as_channels(x, len(self.mean)) * 0.5 + 0.5
            maps = self.net((pixels - self.mean) / self.std)
        return [checked(found, len(x), self.name) for found in maps]

    def train(self, mode: bool = True) -> Self:
        """Stays as it is: frozen."""
        return super().train(False)

    def shapes(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """`(C, h, w)` of each map of images of that size; runs one."""
        blank = torch.zeros(1, len(self.mean), height, width, device=self.mean.device)
        return [(found.shape[1], found.shape[2], found.shape[3]) for found in self(blank)]

    def strides(self, height: int, width: int) -> list[float]:
        """Pixels from one place of each map to the next, in images of that size."""
        return [height / rows for _, rows, _ in self.shapes(height, width)]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the weights, in hexadecimal."""
        return efficientnet.checksum() if self.name == EMBEDDED else fingerprint(self.net)

    def config(self) -> JSON:
        """What `restored` needs to find it again."""
        return {
            "name": self.name,
            "layers": None if self.layers is None else list(self.layers),
            "mean": self.mean.flatten().tolist(),
            "std": self.std.flatten().tolist(),
            "fingerprint": self.fingerprint,
        }


class Own(nn.Module):
    """A module of the user's own that returns a map, several, or a dict of them."""

    def __init__(self, module: nn.Module, layers: Sequence[Layer] | None) -> None:
        super().__init__()
        self.module = module
        self.layers = layers

    def forward(self, x: Tensor) -> list[Any]:
        found = self.module(x)
        if isinstance(found, Mapping):
            maps: dict[Layer, Any] = dict(found)
        else:
            maps = dict(enumerate([found] if isinstance(found, Tensor) else found))
        layers = list(maps) if self.layers is None else self.layers
        missing = [layer for layer in layers if layer not in maps]
        if missing or not layers:
            there = ", ".join(map(str, maps)) or "nothing"
            raise Misfit(f"{type(self.module).__name__} gives {there}; asked for layers {list(layers)}.")
        return [maps[layer] for layer in layers]


def backbone(
    given: Given = EMBEDDED,
    layers: Sequence[Layer] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Backbone:
    """A frozen backbone.

    Args:
        given: "embedded", the EfficientNet-Lite0 whose weights are installed with anodiff; "hf:" and a name on the
            Hugging Face hub, or a folder with such a model; or any module that takes images and returns a map
            `(B, C, h, w)`, a list or a dict of maps, of which a frozen copy is made.
        layers: Which maps: names of `efficientnet.LAYERS`, numbers of hidden states of a Hugging Face model, keys or
            positions of what a module returns. None for s8 and s16, those at half and three quarters of the depth, all.
        mean: Of the pixels 0..1 by channel; None for what the weights were trained with, of a module ImageNet's.
        std: Likewise.

    Raises:
        Misfit: there is no such backbone or layer, or a package that it needs is not installed.
    """
    if isinstance(given, Backbone):
        return given
    if isinstance(given, nn.Module):
        net = copy.deepcopy(given)
        wrapped = Hub(net, numbers(layers)) if reads_images(net) else Own(net, layers)
        return Backbone(wrapped, OWN + type(given).__name__, layers, mean or IMAGENET[0], std or IMAGENET[1])
    if given == EMBEDDED:
        names = ("s8", "s16") if layers is None else [str(layer) for layer in layers]
        net = efficientnet.embedded(names)
        return Backbone(net, EMBEDDED, names, mean or efficientnet.MEAN, std or efficientnet.STD)
    if isinstance(given, str) and (given.startswith(PREFIX) or Path(given).is_dir()):
        model, usual_mean, usual_std = hub(given.removeprefix(PREFIX))
        name = PREFIX + given.removeprefix(PREFIX)
        return Backbone(Hub(model, numbers(layers)), name, layers, mean or usual_mean, std or usual_std)
    raise Misfit(f"there is no backbone {given!r}; give {EMBEDDED!r}, 'hf:NAME', a folder, or a module of your own.")


def restored(config: JSON, given: Given | None = None) -> Backbone:
    """The backbone of which this is the `config`.

    Args:
        config: As `Backbone.config` gave it.
        given: The module, where it was one of the user's own; or where a model of the hub lies now.

    Raises:
        Misfit: a module of the user's own must be given again.
        BadModel: its weights are not those that the model was fitted with.
    """
    name, layers = str(config["name"]), config["layers"]
    if name.startswith(OWN) and given is None:
        raise Misfit(f"the backbone is one of your own, {name.removeprefix(OWN)}; give it again as backbone=.")
    found = backbone(name if given is None else given, layers, config["mean"], config["std"])
    if found.fingerprint != config["fingerprint"]:
        raise BadModel(f"backbone {name} has other weights than at fit; give those, or fit again.")
    return found


def as_channels(x: Tensor, channels: int) -> Tensor:
    """Images with that many channels: grey is repeated, colours are averaged."""
    if x.shape[1] == channels:
        return x
    if x.shape[1] == 1:
        return x.expand(-1, channels, -1, -1)
    if channels == 1:
        return x.mean(1, keepdim=True)
    raise Misfit(f"images have {x.shape[1]} channels; the backbone takes {channels}, or 1 for grey.")


def checked(found: Any, count: int, name: str) -> Tensor:
    """A map of `count` images as float32."""
    if not isinstance(found, Tensor) or found.ndim != 4 or len(found) != count:
        told = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise Misfit(f"backbone {name} gave {told} for {count} images; a map has shape (B, C, h, w).")
    return found.float()


def fingerprint(net: nn.Module) -> str:
    """SHA-256 of names, types, shapes and values of the weights, in hexadecimal."""
    told = hashlib.sha256()
    for name, value in sorted(net.state_dict().items()):
        told.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        told.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return told.hexdigest()


def numbers(layers: Sequence[Layer] | None) -> list[int] | None:
    """Layers of a Hugging Face model, which are numbers."""
    try:
        return None if layers is None else [int(layer) for layer in layers]
    except ValueError:
        raise Misfit(f"layers of a Hugging Face model are numbers of its hidden states; given: {layers}.") from None
