r"""Are made rows distributed as real ones are? Column by column, and pair by pair,

.. math:: \text{KS} = \sup_v |F(v) - G(v)|, \quad \text{TV} = \tfrac12 \sum_c |p_c - q_c|, \quad
    W = \frac{1}{s} \int |F - G| \, dv, \quad D = \operatorname{mean}_{j < k} |A_{jk} - B_{jk}| ,

A and B how strongly columns depend on each other: Spearman's rank correlation of two columns of numbers, Cramer's V of
two of categories, the correlation ratio of ranks of one of each. Real rows that were held out say how much is chance.
How near made rows come to single real ones: `quality.nearest_record`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import ks_2samp, rankdata, wasserstein_distance

from anodiff.types import Unreadable

FEWEST = 3


@dataclass(frozen=True)
class ColumnDistance:
    """How far one made column is from the real one.

    Attributes:
        name: Of the column.
        kind: "numbers" or "categories".
        distance: Kolmogorov-Smirnov of numbers, total variation of categories, of the values that are there: 0 to 1.
        wasserstein: Of numbers, in standard deviations of the real column; NaN of categories, and of a constant.
        missing: Share of missing values, made minus real.
    """

    name: str
    kind: str
    distance: float
    wasserstein: float
    missing: float


@dataclass(frozen=True)
class DependenceDistance:
    """How differently columns depend on each other in made and in real rows.

    Attributes:
        mean: Of the absolute differences over all pairs of columns, 0 to 2; NaN of one column.
        worst: The largest.
        between: The columns of which it is the largest.
        pairs: The difference of each pair, made minus real.
    """

    mean: float
    worst: float
    between: tuple[str, str] | None
    pairs: dict[tuple[str, str], float]


def column_distances(real: Any, made: Any) -> list[ColumnDistance]:
    """How far each column of made rows is from the same column of real ones.

    Kolmogorov, "Sulla determinazione empirica di una legge di distribuzione", 1933; Vallender, "Calculation of the
    Wasserstein distance between probability distributions on the line", 1974.

    Args:
        real: A frame, a mapping from names to columns, or numbers `(n, columns)`. Columns that hold anything but
            numbers are categories; NaN and None are missing.
        made: The same columns.

    Raises:
        Unreadable: columns differ, or hold no rows.
    """
    x, y = _tables(real, made)
    return [_column(name, x[name], y[name]) for name in x]


def dependence_distance(real: Any, made: Any) -> DependenceDistance:
    """How differently pairs of columns depend on each other; arguments as above.

    Spearman, "The proof and measurement of association between two things", 1904; Cramer, "Mathematical Methods of
    Statistics", 1946; Pearson, "On the general theory of skew correlation", 1905. Rows where either value is missing
    are left out of a pair; where fewer than 3 are left, or a column is constant, columns do not depend.

    Raises:
        Unreadable: columns differ, or hold no rows.
    """
    x, y = _tables(real, made)
    numbers = {name: _numeric(x[name]) and _numeric(y[name]) for name in x}
    pairs = {
        (a, b): association(y[a], y[b], numbers[a], numbers[b]) - association(x[a], x[b], numbers[a], numbers[b])
        for a, b in combinations(x, 2)
    }
    if not pairs:
        return DependenceDistance(float("nan"), float("nan"), None, pairs)
    sizes = {pair: abs(value) for pair, value in pairs.items()}
    between = max(sizes, key=sizes.__getitem__)
    return DependenceDistance(float(np.mean(list(sizes.values()))), sizes[between], between, pairs)


def association(a: np.ndarray, b: np.ndarray, a_numbers: bool, b_numbers: bool) -> float:
    """How strongly two columns depend: -1 to 1 of two columns of numbers, else 0 to 1.

    >>> association(np.array(["x", "x", "y", "y"]), np.array([1, 2, 8, 9]), False, True).__round__(2)
    0.89
    """
    both = ~_missing(a) & ~_missing(b)
    a, b = a[both], b[both]
    if len(a) < FEWEST or len(set(a.tolist())) < 2 or len(set(b.tolist())) < 2:
        return 0.0
    if a_numbers and b_numbers:
        return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
    if not a_numbers and not b_numbers:
        return _cramer(_codes(a), _codes(b))
    groups, values = (_codes(a), rankdata(b)) if b_numbers else (_codes(b), rankdata(a))
    counts = np.bincount(groups)
    means = np.bincount(groups, values) / counts
    return float(np.sqrt((counts * (means - values.mean()) ** 2).sum() / ((values - values.mean()) ** 2).sum()))


def _cramer(a: np.ndarray, b: np.ndarray) -> float:
    counts = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(counts, (a, b), 1)
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    return float(np.sqrt(((counts - expected) ** 2 / expected).sum() / counts.sum() / (min(counts.shape) - 1)))


def _column(name: str, x: np.ndarray, y: np.ndarray) -> ColumnDistance:
    numbers = _numeric(x) and _numeric(y)
    gone = float(_missing(y).mean() - _missing(x).mean())
    x, y = x[~_missing(x)], y[~_missing(y)]
    if not len(x) or not len(y):
        same = float(len(x) != len(y))
        return ColumnDistance(name, "numbers" if numbers else "categories", same, float("nan"), gone)
    if not numbers:
        names, codes = np.unique(np.concatenate([x, y]).astype(str), return_inverse=True)
        p, q = (np.bincount(each, minlength=len(names)) / len(each) for each in np.split(codes, [len(x)]))
        return ColumnDistance(name, "categories", float(np.abs(p - q).sum() / 2), float("nan"), gone)
    x, y = x.astype(np.float64), y.astype(np.float64)
    moved = float(wasserstein_distance(x, y) / x.std()) if x.std() > 0 else float("nan")
    return ColumnDistance(name, "numbers", float(ks_2samp(x, y, method="asymp").statistic), moved, gone)


def _tables(real: Any, made: Any) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    x, y = _columns(real, "real rows"), _columns(made, "made rows")
    if list(x) != list(y):
        raise Unreadable(f"real rows have the columns {', '.join(x)}, made rows {', '.join(y)}; give the same of both.")
    return x, y


def _columns(given: Any, what: str) -> dict[str, np.ndarray]:
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        names = list(given if isinstance(given, Mapping) else given.columns)
        found = {str(name): np.asarray(given[name]) for name in names}
    else:
        rows = np.asarray(given)
        found = {str(j): rows[:, j] for j in range(rows.shape[1])} if rows.ndim == 2 else {}
    sizes = {len(column) for column in found.values()}
    if len(sizes) != 1 or not sizes.pop():
        raise Unreadable(f"{what} are no table with rows; give a frame, columns by name, or numbers (n, columns).")
    return found


def _numeric(column: np.ndarray) -> bool:
    return column.dtype.kind in "iuf"


def _missing(column: np.ndarray) -> np.ndarray:
    if column.dtype.kind in "iufc":
        return np.asarray(np.isnan(column))
    if column.dtype.kind != "O":
        return np.zeros(len(column), dtype=bool)
    return np.array([value is None or bool(value != value) for value in column], dtype=bool)


def _codes(column: np.ndarray) -> np.ndarray:
    return np.asarray(np.unique(column.astype(str), return_inverse=True)[1])
