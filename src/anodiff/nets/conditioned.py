r"""What a network of windows is told besides the window x `(B, C, L)` and its level: any of

.. math:: h = \mathrm{context}(\log s, \text{entity}, \text{calendar}), \qquad
          \text{rows} = \begin{bmatrix} \text{past} & x \\ 1 & \text{known} \end{bmatrix} .

What concerns the item as a whole becomes one vector; what has a place in time is laid beside x, the past before it.
What is absent is unknown: a network answers with or without each condition, and where it was trained on both, well.
"""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, silu

from anodiff.nets.embed import Fourier
from anodiff.nets.mlp import Block

L = TypeVar("L", nn.Linear, nn.Conv1d, nn.Conv2d)


class Context(nn.Module):
    """One vector of the item as a whole, `(B, width)`: its level, its entity and its place in the calendar.

    Args:
        width: Of the vector.
        entities: How many are known by number, from 1; number 0 is an unknown one, the mean of them.
        calendar: Coordinates of the calendar; all zero is an unknown time.
        levelled: Whether the level is shown.
    """

    def __init__(self, width: int, entities: int = 0, calendar: int = 0, levelled: bool = True) -> None:
        super().__init__()
        self.embed = Fourier() if levelled else None
        self.level = nn.Linear(self.embed.width, width) if self.embed is not None else None
        self.entities = nn.Parameter(torch.zeros(entities, width)) if entities else None
        self.calendar = nn.Linear(calendar, width, bias=False) if calendar else None
        self.mix = nn.Linear(width, width)
        self.width = width

    def forward(self, x: Tensor, t: Tensor | None, condition: dict[str, Tensor]) -> Tensor:
        h = x.new_zeros(len(x), self.width)
        if self.embed is not None and self.level is not None and t is not None:
            h = h + self.level(self.embed(t))
        if self.entities is not None:
            known = torch.cat([self.entities.mean(0, keepdim=True), self.entities])
            h = h + known[condition["entity"] if "entity" in condition else torch.zeros_like(x[:, 0, 0]).long()]
        if self.calendar is not None and "calendar" in condition:
            h = h + self.calendar(condition["calendar"].to(x))
        mixed: Tensor = self.mix(silu(h))
        return mixed


class Beside(nn.Module):
    """Windows `(B, C, L)` with the past before them and what is known below, `(B, rows, past + L)`.

    A cell of the past that is NaN is unknown. A longer past than asked for is cut, a shorter one is unknown before.

    Args:
        channels: C.
        masked: Whether `known` `(B, C, L)` is shown.
        past: Instants of the past that are shown.
    """

    def __init__(self, channels: int, masked: bool = False, past: int = 0) -> None:
        super().__init__()
        self.masked = masked
        self.past = past
        self.rows = channels * (2 if masked or past else 1)

    def forward(self, x: Tensor, condition: dict[str, Tensor]) -> Tensor:
        if not self.masked and not self.past:
            return x
        shown = condition.get("known") if self.masked else None
        known = torch.zeros_like(x) if shown is None else shown.to(x)
        told = self.past and "past" in condition
        before = condition["past"].to(x)[..., -self.past :] if told else x[..., :0]
        there = torch.isfinite(before)
        rows = torch.cat([before.masked_fill(~there, 0), x], 2), torch.cat([there.to(x), known], 2)
        return padded(torch.cat(rows, 1), self.past + x.shape[2])


class WindowMLP(nn.Module):
    """A residual perceptron on flattened windows, `(B, C, L), (B,) -> (B, C, L)`: what a CPU is best at.

    Args:
        channels: C.
        length: L.
        width: Of every layer.
        depth: Residual blocks.
        entities: How many are told apart (condition `entity` `(B,)`, 0 = unknown).
        calendar: Coordinates of the condition `calendar` `(B, calendar)`.
        masked: Whether to take the condition `known` `(B, C, L)`.
        past: Instants to take of the condition `past` `(B, C, any)`.
        levelled: Whether the level is shown.
        silent: Whether to answer zero until trained.
    """

    def __init__(
        self,
        channels: int,
        length: int,
        width: int = 128,
        depth: int = 3,
        entities: int = 0,
        calendar: int = 0,
        masked: bool = False,
        past: int = 0,
        levelled: bool = True,
        silent: bool = True,
    ) -> None:
        super().__init__()
        self.context = Context(width, entities, calendar, levelled)
        self.beside = Beside(channels, masked, past)
        self.enter = nn.Linear(self.beside.rows * (past + length), width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.leave = silenced(nn.Linear(width, channels * length), silent)

    def forward(self, x: Tensor, t: Tensor | None = None, **condition: Tensor) -> Tensor:
        h = self.enter(self.beside(x, condition).flatten(1)) + self.context(x, t, condition)
        for block in self.blocks:
            h = block(h)
        left: Tensor = self.leave(silu(h))
        return left.reshape(x.shape)


def padded(rows: Tensor, length: int) -> Tensor:
    """Rows `(B, R, T)` with zeros before them, `(B, R, length)`."""
    return pad(rows, (length - rows.shape[2], 0))


def patch_of(length: int) -> int:
    """How many instants to read at once: about 16 patches of a window."""
    return max(1, round(length / 16))


def silenced(layer: L, silent: bool = True) -> L:
    """A last layer that answers zero until it is trained."""
    if silent and layer.bias is not None:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    return layer
