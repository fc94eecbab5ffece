r"""What is said of made rows: the features of `anomalies.judge.Judge`, and how near new rows lie to old ones.

As a whole, apart from its region: normal scores with the region filled as is expected given the rest. Distances to
records are in normal scores,

.. math:: r = \frac{\mathrm{median}_i \min_j |u'_i - u_j|}{\mathrm{median}_j \min_{k \ne j} |u_j - u_k|} ,

1 where new rows lie as far from the records as these from each other, and 0 where they are copies.
"""

from typing import cast

import numpy as np
import torch
from scipy.special import ndtr

from anodiff.anomalies.judge import Judge
from anodiff.data.table import Table
from anodiff.diffusion.fill import conditional_mean
from anodiff.diffusion.infilling import Given
from anodiff.made import Judgement
from anodiff.metrics.neighbours import ROUNDING, nearest, nearest_each_other
from anodiff.types import JSON, Scores
from anodiff.workshop.rows.sought import Workshop

MOST = 2000
FEW = 10
"""Rows that are not enough to say how near rows lie to each other."""


def verdicts(
    workshop: Workshop,
    judge: Judge,
    held: tuple[Table, Scores],
    rows: Table,
    made: tuple[Table, Table],
    region: np.ndarray,
    score: Scores,
    target: Scores,
    examples: np.ndarray | None,
    seed: int,
) -> tuple[list[Judgement], JSON]:
    """One judgement per made row, and what is said of all together.

    Args:
        workshop: Where they were made.
        judge: What they are judged by.
        held: Normal rows that the judge did not learn from, and their z.
        rows: Those of fit.
        made: Rows before and after.
        region: Cells that changed `(m, columns)`.
        score: Their z `(m,)`.
        target: What it was to be.
        examples: Known anomalies in normal scores `(k, columns)`.
        seed: Of the draw of regions that normals are given.
    """
    rng = np.random.default_rng(seed)
    normals = spread_out(held[0])
    old, before, after = (workshop.ranked.encode(table) for table in (normals, *made))
    lent = region[rng.integers(len(region), size=len(old))]
    change = np.where(region, np.nan_to_num(np.abs(after - before), nan=1.0), 0.0)
    looks = _look(workshop, spread_out(rows), before, after)
    if examples is not None:
        looks = np.nan_to_num(examples), looks[1]
    said = judge.verdicts(
        whole=(_apart(workshop, old, lent), _apart(workshop, after, region)),
        odd=(held[1], score),
        wanted=np.clip(1 - ndtr(target), judge.p_value, 1.0),
        change=change,
        region=region,
        looks=looks,
    )
    return said, judge.two_sample(np.nan_to_num(old), np.nan_to_num(after), seed)


def verdicts_of_normals(
    workshop: Workshop, judge: Judge, held: tuple[Table, Scores], rows: Table, made: Table, score: Scores, seed: int
) -> tuple[list[Judgement], JSON]:
    """The same of rows made from nothing, which are to be normal and no copies of the `rows` of fit."""
    old, shown, new = (np.nan_to_num(workshop.ranked.encode(table)) for table in (held[0], rows, made))
    said = judge.verdicts(
        whole=(old, new),
        odd=(held[1], score),
        wanted=np.ones(len(new)),
        change=None,
        region=np.zeros(new.shape, bool),
        looks=(shown, new),
    )
    return said, judge.two_sample(old, new, seed)


def closeness(rows: np.ndarray, made: np.ndarray) -> JSON:
    """How near made rows `(m, d)` come to the nearest record `(n, d)`, against records to each other.

    `ratio` is that of medians, `closer` the share of made rows that are nearer than all but 5 % of records are to each
    other: 5 % where they are as far as records.
    """
    rows, made = np.nan_to_num(rows), np.nan_to_num(made)
    own, new = nearest_each_other(rows)[0][:, 0], nearest(made, rows)[0][:, 0]
    usual = float(np.median(own))
    return {
        "records": usual,
        "made": float(np.median(new)),
        "ratio": float(np.median(new)) / usual if usual > 0 else None,
        "closer": float((new < np.quantile(own, 0.05)).mean()),
    }


def _apart(workshop: Workshop, u: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Rows of which the cells of a region, and those that are missing, are what the Gaussian expects there."""
    use = workshop.ranked.usable
    known = torch.from_numpy(~region[:, use] & ~np.isnan(u[:, use]))
    gaussian = cast(Given, workshop.model.base).gaussian
    return np.asarray(conditional_mean(gaussian, workshop.tensor(u).double(), known).numpy())


def spread_out(rows: Table, most: int = MOST) -> Table:
    """At most so many of the rows, evenly."""
    return rows.take(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int))


def _look(workshop: Workshop, rows: Table, before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normal rows that nothing was made on, and what was made, both whole."""
    old = np.nan_to_num(workshop.ranked.encode(rows))
    free = nearest(old, np.nan_to_num(before))[0][:, 0] > ROUNDING
    return old[free] if free.sum() > FEW else old, np.nan_to_num(after)
