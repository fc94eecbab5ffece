r"""A transformer on patches of time: each patch asks all others,

.. math:: h \leftarrow h + \mathrm{softmax}\big(Q K^\top / \sqrt w\big) V, \qquad
          h \leftarrow h + W_2 \, \mathrm{silu}(W_1 h) .

Peebles and Xie, "Scalable Diffusion Models with Transformers", 2023, whose blocks are told the level by a scale and a
shift; patches of time as in Nie et al., "A Time Series is Worth 64 Words", 2023, all channels in one.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu

from anodiff.nets.conditioned import Beside, Context, padded, patch_of, silenced


class Attending(nn.Module):
    """One block on tokens `(B, N, width)`, scaled and shifted by the context."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.tell = nn.Linear(width, 4 * width)
        self.ask = nn.Linear(width, 3 * width)
        self.answer = nn.Linear(width, width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        scale, shift, scale_up, shift_up = self.tell(context)[:, None].chunk(4, 2)
        asked = self.ask(self.norms[0](h) * (1 + scale) + shift)
        query, key, value = asked.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        heard = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        h = h + self.answer(heard)
        return h + torch.as_tensor(self.down(silu(self.up(self.norms[1](h) * (1 + scale_up) + shift_up))))


class Transformer(nn.Module):
    """A small transformer on windows, `(B, C, L), (B,) -> (B, C, L)`.

    Args:
        channels: C.
        length: L; a shorter window is one of which the beginning is not known.
        width: Of a token.
        depth: Blocks.
        entities: How many are told apart (condition `entity` `(B,)`, 0 = unknown).
        calendar: Coordinates of the condition `calendar` `(B, calendar)`.
        masked: Whether to take the condition `known` `(B, C, L)`.
        past: Instants to take of the condition `past` `(B, C, any)`.
        levelled: Whether the level is shown.
        silent: Whether to answer zero until trained.
        patch: Instants in a token.
        heads: Of attention; they divide the width.
    """

    def __init__(
        self,
        channels: int,
        length: int,
        width: int = 64,
        depth: int = 2,
        entities: int = 0,
        calendar: int = 0,
        masked: bool = False,
        past: int = 0,
        levelled: bool = True,
        silent: bool = True,
        patch: int | None = None,
        heads: int = 4,
    ) -> None:
        super().__init__()
        self.patch = patch or patch_of(length)
        tokens = -(-(past + length) // self.patch)
        self.context = Context(width, entities, calendar, levelled)
        self.beside = Beside(channels, masked, past)
        self.enter = nn.Linear(self.beside.rows * self.patch, width)
        self.place = nn.Parameter(torch.randn(tokens, width) / 8)
        self.blocks = nn.ModuleList(Attending(width, heads) for _ in range(depth))
        self.leave = silenced(nn.Linear(width, channels * self.patch), silent)

    def forward(self, x: Tensor, t: Tensor | None = None, **condition: Tensor) -> Tensor:
        rows, context = self.beside(x, condition), self.context(x, t, condition)
        whole = padded(rows, len(self.place) * self.patch).unfold(2, self.patch, self.patch)
        h = self.enter(whole.transpose(1, 2).flatten(2)) + self.place
        for block in self.blocks:
            h = block(h, context)
        left = self.leave(silu(h)).unflatten(2, (x.shape[1], self.patch)).transpose(1, 2).flatten(2)
        return torch.as_tensor(left[..., left.shape[2] - x.shape[2] :])
