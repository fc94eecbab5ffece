r"""A raw score in standard deviations of the normals at hold, :math:`(s - \mu) / \sigma`: the scale on which scores of
series add up, where what matters is how far an event stands out, not how rare it is."""

from collections.abc import Mapping
from typing import Self

import numpy as np

from anodiff.alarms.base import finite
from anodiff.types import JSON, BadModel, Scores


class Standard:
    """An increasing, linear map of raw scores."""

    def fit(self, raw: Scores) -> Self:
        """Learn from `raw` `(n,)`, scores of normals that the model has not seen."""
        values = finite(raw, "raw scores of held-out normals", at_least=2)
        self.mean_ = float(values.mean())
        sd = float(values.std())
        self.sd_ = sd if sd > 1e-9 * max(abs(self.mean_), 1e-12) else max(abs(self.mean_), 1.0)
        return self

    def __call__(self, raw: Scores) -> Scores:
        """Standard deviations above the mean `(m,)`."""
        return np.asarray((np.asarray(raw, dtype=np.float64) - self.mean_) / self.sd_)

    def config(self) -> JSON:
        """What was learnt, as JSON."""
        return {"mean": self.mean_, "sd": self.sd_}

    def arrays(self) -> dict[str, np.ndarray]:
        """Nothing."""
        return {}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config`; raises `BadModel` where it is damaged."""
        made = cls()
        try:
            made.mean_, made.sd_ = map(float, finite([config["mean"], config["sd"]], "its numbers"))
        except (KeyError, TypeError, ValueError) as error:
            raise BadModel(f"the saved scale is damaged ({error}); calibrate the detector again.") from error
        if made.sd_ <= 0:
            raise BadModel(f"the saved scale divides by {made.sd_}; calibrate the detector again.")
        return made
