r"""Fills in the code of an autoencoder: what surrounds a region is coded, filled there, and what changed is decoded,

.. math:: x' = x + D(z') - D(z), \qquad z = E(x), \quad z' = \mathrm{fill}(z) ,

so that what the code loses of a picture is not lost where nothing was filled.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from anodiff.anomalies.fill import Fill
from anodiff.nets.backbones import as_channels
from anodiff.nets.vae import Vae
from anodiff.types import Batch, Mask, PerItem
from anodiff.workshop.pictures.painted import Studio


@dataclass(frozen=True)
class Code:
    """An autoencoder, there and back.

    Attributes:
        vae: Of diffusers.
    """

    vae: Vae

    def encode(self, x: Tensor) -> Tensor:
        """Pictures `(B, C, H, W)` in [-1, 1] as codes `(B, c, h, w)`."""
        found: Tensor = self.vae(x)
        return found

    def decode(self, z: Tensor, channels: int) -> Tensor:
        """Codes as pictures of so many channels."""
        model: Any = self.vae.model
        with torch.no_grad():
            found = model.decode(z / float(self.vae.config["scaling_factor"])).sample
        return as_channels(found, channels)

    def shown(self, pictures: list[np.ndarray], studio: Studio) -> tuple[list[np.ndarray], Studio]:
        """Codes of pictures `(C, S, S)`, one at a time, and how a painter learns them: of all of each at once."""
        codes = [self.encode(torch.from_numpy(one)[None])[0].numpy() for one in pictures]
        side = -(-codes[0].shape[1] // studio.step) * studio.step
        return codes, replace(studio, crop=min(studio.crop, side))


class Coded:
    """A fill that works on codes; called like a `Fill`, with pictures.

    Args:
        fill: Of codes.
        code: There and back.
    """

    def __init__(self, fill: Fill, code: Code) -> None:
        self.fill = fill
        self.code = code

    @property
    def nfe(self) -> int:
        """Evaluations of a denoiser per item."""
        return self.fill.nfe

    def __call__(self, x: Batch, region: Mask, amount: PerItem, seed: int = 0) -> Batch:
        """See `Fill`; what changes beyond the region by the width of a code is for the caller to cut."""
        z = self.code.encode(x)
        cells = adaptive_max_pool2d(region.float().amax(1, keepdim=True), z.shape[2:]) > 0
        moved = self.fill(z, cells.expand(z.shape), amount, seed)
        before, after = (self.code.decode(each, x.shape[1]) for each in (z, moved))
        return x + after - before
