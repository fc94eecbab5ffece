"""Real data that installed packages carry, as tables with column names."""

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_breast_cancer

from anodiff.data.table import Table


def breast_cancer() -> tuple[Table, np.ndarray]:
    """Wisconsin diagnostic breast cancer: 569 tumours, 30 measures of their cell nuclei; 1 is malignant, `(569,)`.

    Street, Wolberg and Mangasarian, "Nuclear feature extraction for breast tumor diagnosis", 1993.

    >>> table, malignant = breast_cancer()
    >>> len(table), len(table.names), int(malignant.sum())
    (569, 30, 212)
    """
    found = load_breast_cancer()
    names = [str(name) for name in found.feature_names]
    table = pa.table(dict(zip(names, found.data.T, strict=True)))
    return Table(table), (found.target == list(found.target_names).index("malignant")).astype(np.int64)
