r"""What may be known besides x: each condition turns something raw into named tensors that a network takes,

.. math:: D(x_t, t \mid c), \qquad c = \text{encode}(\text{raw}) \ \text{or} \ \varnothing .

A network is asked with any of them, or none: `null` is what stands for "unknown", and what is left out is the same.
"""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor


class Condition(ABC):
    """What is known besides x. Think twice before adding anything here, every condition carries it."""

    @abstractmethod
    def encode(self, obj: Any) -> dict[str, Tensor]:
        """Named tensors `(n, ...)` for n items."""

    @abstractmethod
    def null(self, batch: int) -> dict[str, Tensor]:
        """The same names for `batch` items of which it is unknown."""
