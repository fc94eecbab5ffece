r"""Numbers as vectors: :math:`c \mapsto (\sin \omega_k c, \cos \omega_k c, c)` at geometric frequencies."""

import math

import torch
from torch import Tensor, nn


class Fourier(nn.Module):
    """Sines and cosines of a number per item, `(B,) -> (B, 2 * frequencies + 1)`."""

    omega: Tensor

    def __init__(self, frequencies: int = 16, low: float = 0.1, high: float = 10.0) -> None:
        super().__init__()
        self.register_buffer("omega", torch.exp(torch.linspace(math.log(low), math.log(high), frequencies)))
        self.width = 2 * frequencies + 1

    def forward(self, c: Tensor) -> Tensor:
        angle = c[:, None] * self.omega
        return torch.cat([angle.sin(), angle.cos(), c[:, None]], dim=1)
