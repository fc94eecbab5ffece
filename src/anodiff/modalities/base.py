r"""What every kind of data does: raw things become one tensor, and come back,

.. math:: \mathrm{decode}(\mathrm{encode}(X)) = X \quad \text{within a stated rounding.}

A modality knows the raw form and nothing of diffusion; whatever is downstream sees `x` and which of it is `known`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from torch import Tensor

from anodiff.types import JSON


@dataclass(frozen=True)
class Encoded:
    """Items as a tensor, `x` `(n, *event)` float32, and what of it was observed, `known` bool of the same shape.

    Where `known` is False, `x` is 0.
    """

    x: Tensor
    known: Tensor

    def __len__(self) -> int:
        return len(self.x)


class Modality(ABC):
    """Raw data to tensor and back. Think twice before adding anything here, every kind of data carries it."""

    @abstractmethod
    def fit(self, X: Any) -> Self:
        """Learn types and scales from `X`."""

    @abstractmethod
    def encode(self, X: Any) -> Encoded:
        """Raw items to a tensor; an item's encoding never depends on the other items."""

    def encode_left_out(self, X: Any) -> Encoded:
        """The items of `fit`, each as if fit had not seen it; by default as it stands."""
        return self.encode(X)

    @abstractmethod
    def decode(self, x: Tensor, known: Tensor | None = None) -> Any:
        """Tensor `(n, *event)` to raw items of the kind given to `fit`; what is not `known` comes back missing."""

    @abstractmethod
    def locate(self, map: Tensor, known: Tensor | None = None) -> np.ndarray:
        """Evidence per coordinate `(n, *event)` to evidence laid out like the raw data; sums are kept."""

    @property
    @abstractmethod
    def columns(self) -> list[str]:
        """Names of what `locate` lays out."""

    @abstractmethod
    def describe(self) -> list[JSON]:
        """What was learnt of each column, for people."""

    @abstractmethod
    def config(self) -> JSON:
        """What was learnt, as JSON."""

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt and is too large for JSON, by name."""

    @classmethod
    @abstractmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The fitted modality of which these are `config` and `arrays`."""
