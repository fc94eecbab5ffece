r"""Autoencoders of diffusers as a frozen code of pictures,

.. math:: z = s \cdot \mathbb{E}[q(z \mid x)] , \qquad x \in [-1, 1]^{C \times H \times W} .

Rombach, Blattmann, Lorenz, Esser and Ommer, "High-Resolution Image Synthesis with Latent Diffusion Models", 2022. Small
defects may not survive the code.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anodiff.nets.backbones import as_channels
from anodiff.types import Misfit

KINDS = ("AutoencoderKL", "AutoencoderTiny")
EXTRA = "a latent plane needs diffusers; pip install anodiff[pretrained]."


class Vae(nn.Module):
    """A frozen autoencoder: pictures `(B, 1 or 3, H, W)` in [-1, 1] to their code `(B, c, h, w)`.

    Args:
        model: Of diffusers, with `encode`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.config: Any = model.config
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            found: Any = self.model.encode(as_channels(x, int(self.config["in_channels"])))  # type: ignore[operator]
        code = found.latent_dist.mean if hasattr(found, "latent_dist") else found.latents
        scaled: Tensor = (float(self.config["scaling_factor"]) * code).float()
        return scaled


def vae(given: str) -> Vae:
    """The autoencoder in a folder, or of a name on the Hugging Face hub; safetensors only.

    Raises:
        Misfit: diffusers is not installed, or there is no such autoencoder.
    """
    try:
        diffusers = importlib.import_module("diffusers")
    except ImportError:
        raise Misfit(EXTRA) from None
    folder = Path(given)
    kinds: tuple[str, ...] = KINDS
    if (folder / "config.json").is_file():
        named = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("_class_name")
        kinds = tuple(kind for kind in KINDS if kind == named) or KINDS
    for kind in kinds:
        try:
            return Vae(getattr(diffusers, kind).from_pretrained(given, use_safetensors=True, low_cpu_mem_usage=False))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    raise Misfit(
        f"there is no autoencoder {given!r}; give a folder or a name of the hub that holds {' or '.join(KINDS)}."
    )
