"""Kinds of data: raw things to tensors, and back."""

from anodiff.modalities.base import Encoded, Modality
from anodiff.modalities.tabular import Tabular

MODALITIES: dict[str, type[Modality]] = {"tabular": Tabular}

__all__ = ["MODALITIES", "Encoded", "Modality", "Tabular"]
