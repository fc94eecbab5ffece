"""A perceptron on rows that is told something of each, laid beside it: `(B, d), (B,), given (B, k) -> (B, d)`."""

import torch
from torch import Tensor, nn

from anodiff.nets.mlp import MLP


class Told(nn.Module):
    """Rows `(B, d)` and what is `given` with them `(B, k)`; what is not given is zero. Answers zero until trained.

    Args:
        cells: d.
        given: k.
        width: Of the network.
        depth: In blocks.
    """

    def __init__(self, cells: int, given: int = 0, width: int = 128, depth: int = 2) -> None:
        super().__init__()
        self.given = given
        self.inside = MLP(cells + given, cells, width, depth)
        nn.init.zeros_(self.inside.leave.weight)
        nn.init.zeros_(self.inside.leave.bias)

    def forward(self, x: Tensor, t: Tensor | None = None, given: Tensor | None = None, **_: Tensor) -> Tensor:
        told = x.new_zeros(len(x), self.given) if given is None else given.to(x)
        answer: Tensor = self.inside(torch.cat([x, told], 1), t)
        return answer
