r"""How good are made items, as a set, next to real ones? Everything here is of features `(n, f)`, of any kind of item:

.. math:: \text{Fréchet}^2 = \|\mu - \mu'\|^2 + \operatorname{tr}\big(C + C' - 2 (C C')^{1/2}\big), \qquad
    \text{kernel} = \mathbb E\, k(x, x_2) + \mathbb E\, k(y, y_2) - 2\, \mathbb E\, k(x, y) .

A number from here means something only beside the same number of real items that were held out, and says in which
features it was taken: of whole pictures the background decides, so measure inside regions (`quality_images`). None of
them says that made items help a detector; only a detector does. Told apart or not: `two_sample`; tables and series have
`quality_tables` and `quality_series`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.distance import pdist

from anodiff.metrics.against import DRAWS, Against, auroc_interval
from anodiff.metrics.change import region_agreement
from anodiff.metrics.neighbours import as_features, nearest, pair_of_features, spread
from anodiff.metrics.ranking import Interval
from anodiff.metrics.two_sample import NAMES, detectability, energy_test
from anodiff.types import Misfit, Scores, Unreadable

BLOCK = 100
FEWEST = 8
TINY = 1e-12


class Estimate(NamedTuple):
    """A value and its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class Memorisation:
    """How near made items come to the examples that they were learnt from, beside held-out real ones.

    Attributes:
        distance: Median distance of made items to their nearest example, over that of held-out ones; from 1 on nothing
            was memorised. With a bootstrap interval.
        ratio: Median of nearest over second nearest example, of made items: small, where each repeats one example.
            NaN of one example.
        ratio_held_out: The same of held-out real items.
        copies: Share of made items that are nearer to an example than every held-out one is.
    """

    distance: Interval
    ratio: float
    ratio_held_out: float
    copies: float


@dataclass(frozen=True)
class NearestRecord:
    """How near made rows come to the records that they were learnt from.

    Attributes:
        made: Median distance of made rows to their nearest record, in standard deviations of a feature.
        held_out: The same of held-out rows.
        nearer: How often a made row is nearer than a held-out one, ties by half; 1/2 where records are not given away.
        closer: Share of made rows that are nearer than all but `level` of held-out rows are; about `level` where not.
        level: The share of held-out rows that are that near.
    """

    made: float
    held_out: float
    nearer: Interval
    closer: Interval
    level: float


def frechet_distance(real: np.ndarray, made: np.ndarray) -> float:
    """Squared distance of the Gaussians with the means and covariances of features `(n, f)` and `(m, f)`; from 0.

    Dowson and Landau, "The Frechet distance between multivariate normal distributions", 1982. In squared units of the
    features. It is *not* FID, which is this in one layer of one Inception network over 50,000 pictures: numbers are
    comparable only within the same features, and with the same n and m, since few items bias it upwards.

    Raises:
        Unreadable: fewer than 2 items, other features, or numbers that are not finite.
    """
    x, y = pair_of_features(real, made, NAMES, (2, 2))
    # with C = A^T A and C' = B^T B the singular values of A B^T are the roots of the eigenvalues of C C'
    a, b = (_triangle(each) for each in (x, y))
    together = np.linalg.norm(a @ b.T, "nuc")
    between = ((x.mean(0) - y.mean(0)) ** 2).sum()
    return float(max(between + (a**2).sum() + (b**2).sum() - 2 * together, 0.0))


def kernel_distance(real: np.ndarray, made: np.ndarray, seed: int = 0) -> Estimate:
    r"""Squared maximum mean discrepancy under :math:`k(x, y) = (x \cdot y / f + 1)^3`, unbiased: about 0 if alike.

    Binkowski, Sutherland, Arbel and Gretton, "Demystifying MMD GANs", 2018, whose KID it is in Inception's features and
    in no others. It may be below 0; of few items it is as unbiased as of many. Its standard error is that of disjoint
    blocks of up to 100 items.

    Raises:
        Unreadable: fewer than 8 items, other features, or numbers that are not finite.
    """
    x, y = pair_of_features(real, made, NAMES, (FEWEST, FEWEST))
    random = np.random.default_rng(seed)
    size = min(BLOCK, len(x) // 4, len(y) // 4)
    count = min(len(x), len(y)) // size
    cut = [each[random.permutation(len(each))[: count * size]].reshape(count, size, -1) for each in (x, y)]
    parts = [_discrepancy(a, b) for a, b in zip(*cut, strict=True)]
    return Estimate(_discrepancy(x, y), float(np.std(parts, ddof=1) / np.sqrt(count)))


def predictive_entropy_score(probabilities: np.ndarray) -> float:
    r"""How surely a classifier names items, and how many names it gives: :math:`\exp \mathbb E\, KL(p(y|x) \| p(y))`.

    From 1 (all alike, or all unsure) to the number of classes (each named for certain, all equally often). Salimans et
    al., "Improved Techniques for Training GANs", 2016, with any classifier: state which, since the number is its own;
    with another than Inception's it is no Inception Score.

    Args:
        probabilities: Of the classes, by a classifier that did not learn from these items, `(m, classes)`.

    Raises:
        Unreadable: rows are no probabilities.

    >>> predictive_entropy_score(np.eye(3)), predictive_entropy_score(np.full((5, 3), 1 / 3))
    (3.0, 1.0)
    """
    p = as_features(probabilities, "probabilities")
    if (p < 0).any() or not np.allclose(p.sum(1), 1, atol=1e-4):
        raise Unreadable(
            "probabilities of an item are not from 0 to 1 with the sum 1; give predict_proba of a classifier."
        )
    among = p.mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / among), 0.0)
    return round(float(np.exp(terms.sum(1).mean())), 12)


def cluster_diversity(made: np.ndarray, examples: np.ndarray) -> float:
    """How unlike made items are that resemble the same example: mean distance within the clusters of nearest examples.

    Ojha et al., "Few-shot Image Generation via Cross-domain Correspondence", 2021, who took LPIPS for the distance;
    here it is that of features `(m, f)` and `(k, f)`, root mean square over the features, in their units. From 0, where
    every item repeats its example: copies are diverse between clusters only. Clusters of one item say nothing and are
    left out; NaN where all are.

    Raises:
        Unreadable: no items, other features, or numbers that are not finite.
    """
    x, anchors = pair_of_features(made, examples, ("made items", "examples"))
    cluster = nearest(x, anchors)[1][:, 0]
    spreads = [pdist(x[cluster == k]).mean() for k in range(len(anchors)) if (cluster == k).sum() > 1]
    return float(np.mean(spreads) / np.sqrt(x.shape[1])) if spreads else float("nan")


def memorisation(made: np.ndarray, examples: np.ndarray, held_out: np.ndarray, seed: int = 0) -> Memorisation:
    """Whether made items `(m, f)` repeat the examples `(k, f)`, against real items `(h, f)` that were held out.

    Features are standardised on the held-out items and the examples; the interval (95 %) draws made and held-out items
    anew.

    Raises:
        Unreadable: fewer than 2 made or held-out items, other features, or numbers that are not finite.
    """
    real = pair_of_features(examples, held_out, ("examples", "held-out items"), (1, 2))
    x, _ = pair_of_features(made, examples, ("made items", "examples"), (2, 1))
    unit = spread(np.concatenate(real))
    (near, second), (far, other) = (_two_nearest(each / unit, real[0] / unit) for each in (x, real[1]))
    random = np.random.default_rng(seed)
    drawn = [
        np.median(near[random.integers(len(near), size=len(near))])
        / max(float(np.median(far[random.integers(len(far), size=len(far))])), TINY)
        for _ in range(DRAWS)
    ]
    value = float(np.median(near)) / max(float(np.median(far)), TINY)
    low, high = (float(v) for v in np.quantile(drawn, (0.025, 0.975)))
    return Memorisation(
        Interval(value, low, high), _ratio(near, second), _ratio(far, other), float(np.mean(near < far.min()))
    )


def nearest_record(made: np.ndarray, records: np.ndarray, held_out: np.ndarray, level: float = 0.05) -> NearestRecord:
    """How near made rows `(m, f)` come to the records `(n, f)` learnt from, against held-out rows `(h, f)`.

    Features are standardised on the records; intervals (95 %) draw made and held-out rows anew. It warns of rows that
    were given away, and proves no privacy. Copies of a record count as closer unless held-out rows are copies as often.

    Raises:
        Unreadable: no rows, other features, or numbers that are not finite.
        Misfit: too few held-out rows for the level, 19 for 0.05.
    """
    x, learnt = pair_of_features(made, records, ("made rows", "records"))
    others, _ = pair_of_features(held_out, records, ("held-out rows", "records"))
    unit = spread(learnt)
    near, far = (nearest(each / unit, learnt / unit)[0][:, 0] for each in (x, others))
    if (len(far) + 1) * level < 1:
        least = int(np.ceil(1 / level)) - 1
        raise Misfit(
            f"level is {level:g}, which {len(far)} held-out rows do not support; give at least {least} of them."
        )
    nearer, closer = Against(-far, level).of(-near)
    return NearestRecord(float(np.median(near)), float(np.median(far)), nearer, closer, level)


def told_by(score: Callable[[Any], Scores], real: Any, made: Any, draws: int = DRAWS, seed: int = 0) -> Interval:
    """AUROC at which a given scorer, higher for made items, tells them from real ones; 95 % bootstrap interval.

    Raises:
        Unreadable: it does not give one finite number per item.
    """
    return auroc_interval(np.asarray(score(real)), np.asarray(score(made)), draws, seed)


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.qr((x - x.mean(0)) / np.sqrt(len(x) - 1), mode="r"))


def _discrepancy(x: np.ndarray, y: np.ndarray) -> float:
    n, m, f = len(x), len(y), x.shape[1]
    xx, yy, xy = ((a @ b.T / f + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def _two_nearest(items: np.ndarray, examples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distance = nearest(items, examples, 2)[0]
    return distance[:, 0], distance[:, -1] if len(examples) > 1 else np.full(len(items), np.nan)


def _ratio(near: np.ndarray, second: np.ndarray) -> float:
    return float(np.median(near / np.maximum(second, TINY)))


__all__ = [
    "Estimate",
    "Memorisation",
    "NearestRecord",
    "auroc_interval",
    "cluster_diversity",
    "detectability",
    "energy_test",
    "frechet_distance",
    "kernel_distance",
    "memorisation",
    "nearest_record",
    "predictive_entropy_score",
    "region_agreement",
    "told_by",
]
