r"""Low-rank adaptation: a trained network stays as it is, and beside each of its layers W a narrow one is trained,

.. math:: W' x = W x + \tfrac{1}{r} \, U (V x) , \qquad U = 0 \text{ at first},

V down to r channels, U up again. So a few examples cannot overwrite what many have taught.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2022; of a convolution V has its kernel and its stride,
U is one of a single place.
"""

import copy
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from anodiff.types import Misfit

N = TypeVar("N", bound=nn.Module)


class LowRank(nn.Module):
    """A layer and a narrow one beside it.

    Args:
        layer: A convolution or a linear layer; it is frozen.
        rank: r.
        generator: Of V.

    Raises:
        Misfit: the rank is below 1.
    """

    def __init__(self, layer: nn.Conv2d | nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        if rank < 1:
            raise Misfit(f"the rank of an adaptation is {rank}; give a whole number from 1.")
        self.layer = layer.requires_grad_(False)
        if isinstance(layer, nn.Conv2d):
            kernel, stride, padding = layer.kernel_size, layer.stride, layer.padding
            self.down: nn.Module = nn.Conv2d(layer.in_channels, rank, kernel, stride, padding, bias=False)  # type: ignore[arg-type]
            self.up: nn.Module = nn.Conv2d(rank, layer.out_channels, 1, bias=False)
        else:
            self.down = nn.Linear(layer.in_features, rank, bias=False)
            self.up = nn.Linear(rank, layer.out_features, bias=False)
        for name, weight in self.named_parameters():
            if name.startswith("down"):
                fan = weight[0].numel()
                weight.data = torch.randn(weight.shape, generator=generator) / fan**0.5
            if name.startswith("up"):
                weight.data = torch.zeros_like(weight)
        self.rank = rank

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(self.layer(x), self.up(self.down(x)), alpha=1 / self.rank)


def adapted(net: N, rank: int, seed: int = 0) -> N:
    """A copy whose convolutions and linear layers are adapted and whose own weights are frozen: the same at first."""
    made = copy.deepcopy(net).requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    _adapt(made, rank, generator)
    return made


def learnt(net: nn.Module) -> dict[str, Tensor]:
    """What of a network is trained, by name: of an adapted one far less than it holds."""
    return {name: weight.detach() for name, weight in net.named_parameters() if weight.requires_grad}


def relearn(net: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give a network what `learnt` gave of one like it.

    Raises:
        ValueError: it is of another one.
    """
    own = {name: weight for name, weight in net.named_parameters() if weight.requires_grad}
    if own.keys() != weights.keys() or any(own[name].shape != weights[name].shape for name in own):
        raise ValueError("adapters of another network")
    for name, weight in own.items():
        weight.data = weights[name].to(weight.dtype).clone()


def _adapt(module: nn.Module, rank: int, generator: torch.Generator) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d | nn.Linear):
            setattr(module, name, LowRank(child, rank, generator))
        else:
            _adapt(child, rank, generator)
