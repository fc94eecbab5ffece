"""Shape types, protocols and refusals, once for the whole house.

Shapes are written with jaxtyping: `Float[Tensor, "batch *event"]` is a floating tensor whose first axis counts
items and whose other axes are one item. They are verified in tests only.
"""

from typing import Any, Protocol, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

Batch: TypeAlias = Float[Tensor, "batch *event"]
PerItem: TypeAlias = Float[Tensor, "batch"]
Times: TypeAlias = Float[Tensor, "*times"]
Mask: TypeAlias = Bool[Tensor, "batch *event"]
Index: TypeAlias = Int[Tensor, "batch"]
Scores: TypeAlias = Float[np.ndarray, "n"]


class Net(Protocol):
    """A backbone: knows shapes and conditions, not schedules."""

    def __call__(self, x: Tensor, t: Tensor, **condition: Tensor) -> Tensor: ...


class Refusal(ValueError):
    """anodiff will not do this; the message names the thing, the value received and the next step."""


class Unreadable(Refusal):
    """The data cannot be read, or is not the kind of data that was promised."""


class BadModel(Refusal):
    """A saved model is damaged, tampered with, or of another version."""


class Misfit(Refusal):
    """Parts that do not fit together, or a setting outside its range."""


JSON: TypeAlias = dict[str, Any]
