r"""The backbone of tables: residual blocks :math:`h \leftarrow h + W_2\,\mathrm{silu}(W_1\,\mathrm{norm}(h))`."""

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from anodiff.nets.embed import Fourier


class Block(nn.Module):
    """One residual block of constant width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        return torch.add(h, self.down(silu(self.up(self.norm(h)))))


class MLP(nn.Module):
    """A residual perceptron on vectors; `(B, inputs), (B,) -> (B, outputs)`.

    With `levelled=False` the level is not shown to the network: that is what estimating it asks for.
    """

    def __init__(self, inputs: int, outputs: int, width: int = 128, depth: int = 3, levelled: bool = True) -> None:
        super().__init__()
        self.enter = nn.Linear(inputs, width)
        self.embed = Fourier() if levelled else None
        self.level = nn.Linear(self.embed.width, width) if self.embed is not None else None
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.leave = nn.Linear(width, outputs)

    def forward(self, x: Tensor, t: Tensor | None = None, **condition: Tensor) -> Tensor:
        h = self.enter(x)
        if self.embed is not None and self.level is not None and t is not None:
            h = h + self.level(self.embed(t))
        for block in self.blocks:
            h = block(h)
        left: Tensor = self.leave(silu(h))
        return left


class Informed(nn.Module):
    """A perceptron on rows `(B, d)` that is told which cells are `known` `(B, d)`; it answers zero until trained."""

    def __init__(self, cells: int, width: int = 128, depth: int = 3) -> None:
        super().__init__()
        self.inside = MLP(2 * cells, cells, width, depth)
        nn.init.zeros_(self.inside.leave.weight)
        nn.init.zeros_(self.inside.leave.bias)

    def forward(self, x: Tensor, t: Tensor | None = None, known: Tensor | None = None, **_: Tensor) -> Tensor:
        told = torch.zeros_like(x) if known is None else known.to(x)
        answer: Tensor = self.inside(torch.cat([x, told], 1), t)
        return answer


def seeded(build: type[nn.Module], seed: int, **settings: object) -> nn.Module:
    """`build(**settings)` with initial weights that depend on `seed` alone; the global state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(**settings)
