"""Normal pictures: one that was kept, painted afresh in two halves, squares in turns as on a chessboard.

Each half is painted given the other, so no pixel stays as it was, and large shapes do. A painter of crops knows nothing
that is larger than a few of them: begun from noise alone it makes cloth, not parts.
"""

import time

import numpy as np
import torch
from torch import Tensor

from anodiff.anomalies.fill import Hotter
from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.infilling import Told
from anodiff.made import NORMAL, Judgement, Made, Order
from anodiff.modalities.image import Image
from anodiff.types import JSON
from anodiff.workshop.pictures.assessed import assessed
from anodiff.workshop.pictures.brush import LEVEL, STEPS, Painted
from anodiff.workshop.pictures.glance import Glance, worst
from anodiff.workshop.pictures.normals import Normals
from anodiff.workshop.pictures.originals import Originals, together

SQUARES = 4
"""Of the chessboard along a crop."""
TOGETHER = 4


def afresh(
    painter: Denoiser,
    crop: int,
    kept: Originals,
    image: Image,
    glance: Glance,
    normals: Normals,
    order: Order,
    p_value: float,
) -> Made:
    """An order of normal pictures, which no picture was given for; in the frame, `(n, S, S[, 3])` uint8."""
    began, side, n = time.perf_counter(), int(image.size), order.n
    chosen = np.random.default_rng(order.seed).permutation(len(kept))[np.arange(n) % len(kept)]
    x = repainted(painter, kept.x[chosen], crop, order.seed)
    after, nowhere = [*image.decode(x)], [np.zeros((side, side), bool)] * n
    score = torch.from_numpy(worst(glance(x)))
    done = Painted(x, torch.zeros(n).double(), score, score, 2 * (STEPS + 1) * n)
    facts: JSON = {"nfe": done.nfe}
    verdicts: list[Judgement] = []
    if order.judged:
        blank = torch.zeros(n, side, side, dtype=torch.bool)
        verdicts, told = assessed(glance, normals, None, None, after, nowhere, done, blank, np.ones(n, bool), p_value)
        facts.update(told)
    facts["seconds"] = time.perf_counter() - began
    names, zero, none = [NORMAL] * n, np.zeros(n), np.full(n, -1)
    found = together(after), together(nowhere), None
    return Made(*found, names, names, zero, zero, score.numpy(), none, verdicts, facts)


def repainted(painter: Denoiser, x: Tensor, crop: int, seed: int) -> Tensor:
    """Pictures `(n, C, S, S)` of the same large shapes."""
    fill, parts = Hotter(painter, LEVEL, STEPS, Told), []
    places = torch.arange(x.shape[2]) // max(1, crop // SQUARES)
    board = ((places[:, None] + places) % 2 == 0)[None, None]
    for start in range(0, len(x), TOGETHER):
        part = x[start : start + TOGETHER]
        for turn, half in enumerate((board, ~board)):
            own = seed * 1_000_003 + 2 * start + turn
            part = fill(part, half.expand(part.shape), torch.zeros(len(part)), own).clamp(-1, 1)
        parts.append(part)
    return torch.cat(parts)
