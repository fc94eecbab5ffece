"""The detector in scikit-learn's clothes: -1 is an anomaly, +1 is normal, and higher scores are more normal."""

from typing import Any, Self

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from anodiff.detect import Detector
from anodiff.prepare import is_images, kind_of
from anodiff.settings import Settings
from anodiff.types import Misfit


class SklearnDetector(OutlierMixin, Settings):
    """`Detector` with scikit-learn's sign, labels and checks; the arguments are those of `Detector`.

    Numeric arrays only, NaN welcome: frames with other columns belong to `Detector` itself. A row that it was fitted on
    scores as if it had been left out, here only, so that `fit(X).predict(X)` finds the outliers in X as users of
    scikit-learn expect; to `Detector` it is a row like any other. A `contamination` that is told places the threshold
    as in scikit-learn: that share of the rows of `fit` are outliers.

    Attributes:
        detector_: The fitted `Detector`.
        left_out_: Scores of the rows of `fit`, by their bytes.
        offset_: `decision_function` is `score_samples` minus this; negative is an anomaly.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn normal rows `X` `(n, d)`; `y` is ignored."""
        if (kind := "image" if is_images(self.modality, X) else kind_of(self.modality, None)) != "tabular":
            also = "images" if kind == "image" else kind
            raise Misfit(f"scikit-learn's estimators take rows that do not follow each other; use Detector for {also}.")
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
        self.detector_ = Detector(**self.get_params(deep=False)).fit(X)
        left_out = self.detector_.decision_scores_ if len(X) <= self.max_rows else np.zeros(0)
        self.offset_ = -self.detector_.threshold_
        if self.contamination not in (0, "auto"):
            self.offset_ = float(np.percentile(-self.detector_.decision_scores_, 100 * float(self.contamination)))
        self.left_out_ = {row.tobytes(): score for row, score in zip(X, left_out, strict=False)}
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Scores `(n,)`; higher is more normal."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        found = self.detector_.decision_function(X)
        return -np.array([self.left_out_.get(row.tobytes(), score) for row, score in zip(X, found, strict=True)])

    def decision_function(self, X: Any) -> np.ndarray:
        """`score_samples` less `offset_` `(n,)`; negative is an anomaly."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """-1 for anomalies, +1 for normals, `(n,)`."""
        return np.where(self.decision_function(X) < 0, -1, 1)
