r"""Do new rows still look like the training rows? Per column the largest gap between two distributions,

.. math:: D = \sup_v |F_\text{new}(v) - F_\text{train}(v)|, \qquad
          \text{TV} = \tfrac12 \sum_c |f_\text{new}(c) - f_\text{train}(c)|,

for numbers (Kolmogorov and Smirnov) and for categories (tested by chi-square). A column is reported if its gap is
significant after Benjamini and Hochberg over the columns **and** at least as large as a floor: among a million rows
everything is significant. Training is remembered as a sketch; the supremum runs over its points only, so D is never
larger than that of the full data and its p-value never smaller.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TypeAlias

import numpy as np
from scipy.special import kolmogorov
from scipy.stats import chi2_contingency

from anodiff.alarms.base import check_rate, finite, percent
from anodiff.alarms.discovery import q_values
from anodiff.types import JSON, BadModel, Unreadable

TELLING = 0.9


@dataclass(frozen=True)
class Numbers:
    """A column of numbers: at each of its `points`, which share of the n rows lies below it, and which at or below it.

    A missing value is the lowest value of all, `None` among the points: a change in how many are missing is drift too.
    """

    n: int
    points: list[float | None]
    below: list[float]
    upto: list[float]


@dataclass(frozen=True)
class Counts:
    """A column of categories: how many rows have each."""

    counts: dict[str, int]


Sketch: TypeAlias = Numbers | Counts


@dataclass(frozen=True)
class Drift:
    """One column that changed: `gap` from 0 to 1, p-value, adjusted `q`, and what changed, in words."""

    column: str
    gap: float
    p: float
    q: float
    words: str


def sketch_numbers(values: np.ndarray, points: int = 200) -> Numbers:
    """Remember `values` `(n,)`, NaN is missing, by the shares around `points` of their quantiles."""
    ordered = np.sort(_missing_lowest(values))
    if not len(ordered):
        raise Unreadable("a column of 0 rows has no distribution to remember; give at least one row.")
    at = np.unique(np.append(-np.inf, ordered[np.linspace(0, len(ordered) - 1, points).astype(np.intp)]))
    below, upto = _shares(ordered, at)
    return Numbers(len(ordered), [None if v == -np.inf else float(v) for v in at], below.tolist(), upto.tolist())


def sketch_counts(counts: Mapping[str, int]) -> Counts:
    """Remember how many rows have each category."""
    if any(count < 0 for count in counts.values()) or not sum(counts.values()):
        raise Unreadable(f"counts of {len(counts)} categories are negative or all 0; give rows per category.")
    return Counts({str(category): int(count) for category, count in counts.items()})


def sketch_config(sketch: Sketch) -> JSON:
    """A sketch as JSON; `restore_sketch` is the inverse."""
    return asdict(sketch)


def restore_sketch(config: JSON) -> Sketch:
    """The sketch that `sketch_config` wrote; raises `BadModel` where it is damaged."""
    try:
        if "counts" in config:
            return sketch_counts(config["counts"])
        sketch = Numbers(**config)
        for name, values in asdict(sketch).items():
            finite([v for v in np.atleast_1d(values) if v is not None], name, at_least=1)
    except (AttributeError, TypeError, ValueError) as error:
        raise BadModel(f"the saved sketch of a column is damaged ({error}); fit the detector again.") from error
    if sketch.n < 1 or not len(sketch.points) == len(sketch.below) == len(sketch.upto):
        raise BadModel("the saved sketch of a column has points without shares; fit the detector again.")
    return sketch


def watch(
    training: Mapping[str, Sketch],
    new: Mapping[str, np.ndarray | Mapping[str, int]],
    fdr: float = 0.01,
    floor: float = 0.1,
) -> list[Drift]:
    """The columns of `new` that no longer look like `training`, largest gap first.

    Args:
        training: A sketch per column.
        new: Per column the values `(m,)`, or the rows per category. Other columns of `training` are not watched.
        fdr: The share of reported columns that may be false on average.
        floor: The smallest gap worth reporting.

    Raises:
        Unreadable: A column of `new` was not in `training`, is of the other kind or is empty.
    """
    check_rate(fdr, "fdr")
    found = [_compare(name, training, values) for name, values in new.items()]
    adjusted = q_values(np.array([p for _, p, _ in found]))
    drifts = [
        Drift(name, gap, p, float(q), words) for name, (gap, p, words), q in zip(new, found, adjusted, strict=True)
    ]
    return sorted((d for d in drifts if d.q <= fdr and d.gap >= floor), key=lambda d: -d.gap)


def _compare(
    name: str, training: Mapping[str, Sketch], new: np.ndarray | Mapping[str, int]
) -> tuple[float, float, str]:
    if name not in training:
        raise Unreadable(f"column {name} was not in training; give columns among {', '.join(training) or 'none'}.")
    old = training[name]
    if isinstance(old, Counts) and isinstance(new, Mapping):
        return compare_counts(old, sketch_counts(new))
    if isinstance(old, Numbers) and not isinstance(new, Mapping):
        return compare_numbers(old, new)
    kinds = [f"{'counts' if isinstance(each, Counts | Mapping) else 'numbers'}" for each in (old, new)]
    raise Unreadable(f"column {name} was {kinds[0]} in training and is {kinds[1]} now; give the same kind.")


def compare_numbers(old: Numbers, values: np.ndarray) -> tuple[float, float, str]:
    """Gap, p-value and words of new `values` `(m,)`; the words name the lowest place that shows most of it."""
    ordered = np.sort(_missing_lowest(values))
    if not len(ordered):
        raise Unreadable("a column of 0 new rows cannot be compared; give at least one row.")
    at = np.array([-np.inf if v is None else v for v in old.points])
    before, now = np.column_stack([old.below, old.upto]), np.column_stack(_shares(ordered, at))
    gaps = np.abs(now - before)
    gap, m = float(gaps.max()), len(ordered)
    i, side = np.unravel_index(int(np.argmax(gaps >= TELLING * gap)), gaps.shape)
    place = "is missing" if at[i] == -np.inf else f"is {('below', 'at most')[side]} {at[i]:.4g}"
    rows = f"in {percent(before[i, side])} of training rows and in {percent(now[i, side])} of new rows"
    p = float(kolmogorov(np.sqrt(old.n * m / (old.n + m)) * gap))
    return gap, p, f"{place} {rows}"


def compare_counts(old: Counts, new: Counts) -> tuple[float, float, str]:
    """Gap, p-value and words of new frequencies; categories too rare for chi-square are tested as one."""
    categories = sorted(old.counts.keys() | new.counts.keys())
    table = np.array([[each.counts.get(c, 0) for c in categories] for each in (old, new)], dtype=np.float64)
    shares = table / table.sum(1, keepdims=True)
    change = shares[1] - shares[0]
    most = int(np.abs(change).argmax())
    before, now = (percent(share) for share in shares[:, most])
    words = f"is {categories[most]} in {before} of training rows and in {now} of new rows"
    return float(np.abs(change).sum() / 2), _chi_square(table), words


def _chi_square(table: np.ndarray) -> float:
    expected = table.sum(0) * table.sum(1).min() / table.sum()
    rare = expected < 5
    pooled = np.column_stack([table[:, ~rare], table[:, rare].sum(1)])
    pooled = pooled[:, pooled.sum(0) > 0]
    return float(chi2_contingency(pooled, correction=True).pvalue) if pooled.shape[1] > 1 else 1.0


def _missing_lowest(values: np.ndarray) -> np.ndarray:
    try:
        numbers = np.asarray(values, dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise Unreadable(f"a numeric column holds what is not a number ({error}); give counts per category.") from error
    return np.where(np.isnan(numbers), -np.inf, np.minimum(numbers, np.finfo(np.float64).max))


def _shares(ordered: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    left, right = (np.searchsorted(ordered, at, side=side) / len(ordered) for side in ("left", "right"))
    return left, right
