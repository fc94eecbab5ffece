r"""Anomaly scores.

A score turns a denoiser of *normal* data into evidence about x,

.. math:: a(x) = \mathbb{E}_{z, t} \big[ w(t)\, d\big(x, \hat x(\alpha_t x + \sigma_t z)\big) \big] .

Higher means more anomalous, always. Mechanisms differ in the distance d, in the levels t that they visit, in the
noise z (often none: x itself is fed) and in what they ask to be known besides x.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.types import Batch, Misfit


@dataclass(frozen=True)
class Evidence:
    """How abnormal, `total` `(B,)`, and where, `map` `(B, *event)`; it adds up to the total where the score says so."""

    total: Tensor
    map: Tensor


class AnomalyScore(ABC):
    """Evidence that x is abnormal. Think twice before adding anything here, every mechanism carries it."""

    needs: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """Judge `x` `(B, *event)`: higher is more anomalous; never depends on the other items of the batch."""

    @property
    @abstractmethod
    def nfe(self) -> int:
        """Network evaluations per item."""


def check_fit_together(score: AnomalyScore, condition: Mapping[str, Tensor]) -> None:
    """Refuse a score that lacks what it needs.

    >>> class Guided(AnomalyScore):
    ...     needs, nfe = frozenset({"label"}), 1
    ...     def __call__(self, denoiser, x, **condition): ...
    >>> check_fit_together(Guided(), {})
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: Guided needs label; it was given no condition.
    """
    missing = sorted(score.needs - condition.keys())
    if missing:
        given = ", ".join(sorted(condition)) or "no condition"
        raise Misfit(f"{type(score).__name__} needs {', '.join(missing)}; it was given {given}.")
