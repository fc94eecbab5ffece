r"""How far a raw score stands out from normal ones: standard deviations above their median, to a power,

.. math:: \text{standout}(s) = \Big( \frac{(s - m)_+}{\sigma} \Big)^p ,

:math:`\sigma` the standard deviation of the lowest 95 %, which a few anomalies cannot stretch. It is the scale on which
scores of series add up: squares let the one part speak that sees an event, whichever it is; logarithms, a power of 0,
:math:`\log(1 + z)`, let none speak alone. Below the median it goes on with a small slope, so that order is kept.
"""

from typing import Self

import numpy as np

from anodiff.alarms.base import finite
from anodiff.types import JSON, BadModel, Scores

TRUSTED = 0.95
WHOLE = 0.02
"""Share of the whole spread that is added, for scores whose lower part is flat."""
BELOW = 1e-3


class Standout:
    """A strictly increasing map of raw scores.

    Args:
        power: 0, 1 or 2.
    """

    def __init__(self, power: int = 2) -> None:
        self.power = power

    def fit(self, raw: Scores) -> Self:
        """Learn from `raw` `(n,)`, scores of normals that the model has not seen."""
        values = np.sort(finite(raw, "raw scores of held-out normals", at_least=2))
        self.median_ = float(np.median(values))
        spread = float(values[: max(2, int(TRUSTED * len(values)))].std() + WHOLE * values.std())
        self.spread_ = spread if spread > 1e-9 * abs(self.median_) and spread > 1e-290 else max(abs(self.median_), 1e-9)
        return self

    def __call__(self, raw: Scores) -> Scores:
        """Standard deviations above the median `(m,)`, to the power; a little below 0 under it."""
        z = (np.asarray(raw, dtype=np.float64) - self.median_) / self.spread_
        far = np.clip(z, 0, 1e150)
        return np.asarray(np.where(z > 0, far**self.power if self.power else np.log1p(far), BELOW * z))

    def config(self) -> JSON:
        """What was learnt, as JSON."""
        return {"median": self.median_, "spread": self.spread_, "power": self.power}

    @classmethod
    def restore(cls, config: JSON) -> Self:
        """The inverse of `config`; raises `BadModel` where it is damaged."""
        made = cls(config["power"] if config.get("power") in (0, 2) else 1)
        try:
            made.median_, made.spread_ = map(float, finite([config["median"], config["spread"]], "its numbers"))
        except (KeyError, TypeError, ValueError) as error:
            raise BadModel(f"the saved scale is damaged ({error}); calibrate the detector again.") from error
        if made.spread_ <= 0:
            raise BadModel(f"the saved scale divides by {made.spread_}; calibrate the detector again.")
        return made
