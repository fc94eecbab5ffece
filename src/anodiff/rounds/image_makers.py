"""Classical makers of pictures: cut and paste, another texture under a mask of noise, copies of known defects."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from anodiff.anomalies.copies import Copies
from anodiff.anomalies.paste import Blend, CutPaste, Spoiler
from anodiff.rounds.items import part, pictures
from anodiff.rounds.makers import Ground, Maker
from anodiff.types import Misfit

SIDE = 256
"""Pixels of a side that known defects are brought to, to be pasted together."""


def made_by(spoiler: Spoiler, ground: Ground, n: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Normal pictures, each with an anomaly of a classical maker, and their masks."""
    draw, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    chosen = draw.integers(len(ground.normals), size=n)
    normal = pictures(part(ground.normals, chosen))[0]
    items, masks = list[np.ndarray](), list[np.ndarray]()
    for i, pixels in enumerate(normal):
        x, other = tensor(pixels), tensor(normal[(i + 1) % n])
        beside = interpolate(matched(other, x), x.shape[2:], mode="area")
        bad, mask = spoiler(torch.cat([x, beside]), generator)
        made = bad[0].mul(255).round().clamp(0, 255).to(torch.uint8)
        items.append(made.movedim(0, 2).numpy() if len(made) > 1 else made[0].numpy())
        masks.append(mask[0, 0].numpy())
    return items, masks


def copied(ground: Ground, n: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Normal pictures with copies of known defects.

    Raises:
        Misfit: none of the known defects has a mask.
    """
    pairs = [(p, m) for p, m in zip(ground.known, ground.regions, strict=True) if m is not None and np.any(m)]
    if not pairs:
        raise Misfit("copies of known defects need masks; give regions=, or leave the rival 'copies' out.")
    like = tensor(pictures(part(ground.normals, np.zeros(1, int)))[0][0])
    size = (SIDE, SIDE)
    examples = torch.cat([interpolate(matched(tensor(pixels), like), size, mode="area") for pixels, _ in pairs])
    masks = torch.cat([interpolate(torch.from_numpy(m[None, None].astype(np.float32)), size) for _, m in pairs])
    return made_by(Copies(examples, masks[:, 0] > 0), ground, n, seed)


def tensor(pixels: np.ndarray) -> Tensor:
    """A picture uint8 `(H, W[, 3])` as `(1, C, H, W)` from 0 to 1."""
    x = torch.from_numpy(np.ascontiguousarray(pixels)).float() / 255
    return x[None, None] if x.ndim == 2 else x.movedim(2, 0)[None]


def matched(x: Tensor, like: Tensor) -> Tensor:
    """A picture with as many channels as another."""
    if x.shape[1] == like.shape[1]:
        return x
    return x.mean(1, keepdim=True).expand(-1, like.shape[1], -1, -1)


def _of(spoiler: Spoiler) -> Any:
    return lambda ground, n, seed: made_by(spoiler, ground, n, seed)


IMAGE_MAKERS = {
    "cutpaste": Maker(_of(CutPaste())),
    "perlin": Maker(_of(Blend())),
    "copies": Maker(copied, of_examples=True),
}
