r"""Is what was made good for anything? Four questions, each answered in the units of real items,

.. math:: \underbrace{p\big(\rho(x')\big) \ge \alpha}_{\text{plausible}}, \quad
    \underbrace{p\big(a(x'_R)\big) \le \alpha_\lambda}_{\text{abnormal}}, \quad
    \underbrace{V \subseteq R}_{\text{inside}}, \quad
    \underbrace{\min_j d(x', x_j) \ge \eta\, \bar d}_{\text{novel}} .

:math:`\rho` is the distance to the neighbours among held-out normals, relative to their own: local density, of what the
item is like apart from its region; each normal's own is found with itself left out, and p says how often normals are as
odd (Breunig, Kriegel, Ng and Sander, "LOF: Identifying Density-Based Local Outliers", 2000; Laxhammar and Falkman,
"Conformal prediction for distribution-independent anomaly detection", 2010). a is the evidence in the region R, V the
cells that changed visibly, :math:`\bar d` how far real items lie from their nearest. Nothing is hidden: what is
rejected stays among what was made, and says why.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import binom

from anodiff.alarms.base import finite
from anodiff.alarms.conformal import Conformal
from anodiff.alarms.tail import FEWEST_NORMALS, Tail
from anodiff.made import Judgement
from anodiff.metrics.change import region_agreement
from anodiff.metrics.neighbours import ROUNDING, nearest, nearest_each_other, pair_of_features, spread
from anodiff.metrics.two_sample import detectability, energy_test
from anodiff.types import JSON, Misfit, Scores

IMPLAUSIBLE = "implausible as a whole"
NOT_ABNORMAL = "not abnormal enough"
OUTSIDE = "changed outside its region"
COPIED = "a copy of an example"
REPEATED = "a copy of another"

NEIGHBOURS = 5
DENSEST = 0.1
"""Of the usual distance to the neighbours: normals that lie closer count as no closer than that."""
MOST = 2000
SURELY = 0.05
FEWEST_TOLD_APART = 8
FEW = 10
"""Fewer real items than this do not say how much a feature varies; what was made then says it with them."""


class Judge:
    """What is said of each made item. Its numbers are those of `made.Judgement`, and no setting reads a label.

    Args:
        p_value: An item is implausible where normals are as odd as a whole more rarely than this.
        overlap: Least share of what changed visibly that lies in the region.
        novelty: A copy is nearer than this share of the distance at which real items have their nearest.
    """

    def __init__(self, p_value: float = 0.01, overlap: float = 0.5, novelty: float = 0.1) -> None:
        self.p_value = p_value
        self.overlap = overlap
        self.novelty = novelty

    def verdicts(
        self,
        *,
        whole: tuple[np.ndarray, np.ndarray],
        odd: tuple[np.ndarray, np.ndarray],
        wanted: np.ndarray,
        change: Sequence[np.ndarray] | np.ndarray | None,
        region: Sequence[np.ndarray] | np.ndarray,
        looks: tuple[np.ndarray, np.ndarray],
    ) -> list[Judgement]:
        """One judgement per made item, in their order.

        Args:
            whole: What items are like apart from their regions: held-out normals `(n, f)`, at least 30, and made
                `(m, f)`.
            odd: How abnormal regions are: of held-out normals, in comparable regions, `(n,)`, and of made `(m,)`.
            wanted: The p-value each was ordered at, `(m,)`; 1 for normal items. An item is not abnormal enough where
                the count of normals as odd contradicts it.
            change: By how much each cell changed, one array of any shape per item; None where made from nothing.
            region: Where it was to change, bool, shaped like `change`.
            looks: What regions look like: of training examples or normals `(k, g)`, k from 1, and made `(m, g)`.

        Raises:
            Misfit: numbers of items differ, or fewer than 30 normals are given.
            Unreadable: something is not finite or of another shape.
        """
        plausible, rare = plausibility(*whole, p_value=self.p_value)
        abnormal = Conformal().fit(finite(odd[0], "evidence of normals", 1)).p_value(finite(odd[1], "evidence"))
        wanted = finite(wanted, "wanted p-values")
        none = np.ones(len(wanted))
        inside, kept = (none, none) if change is None else region_agreement(list(change), list(region))
        novel, copied, repeated = novelty(*looks, share=self.novelty)
        counts = [len(each) for each in (plausible, abnormal, wanted, inside, novel)]
        if len(set(counts)) > 1:
            raise Misfit(f"whole, odd, wanted, region and looks are of {counts} made items; give all the same items.")
        objections = {
            IMPLAUSIBLE: rare,
            NOT_ABNORMAL: too_frequent(abnormal, wanted, len(odd[0])),
            OUTSIDE: kept < self.overlap,
            COPIED: copied,
            REPEATED: repeated,
        }
        return [
            Judgement(
                float(plausible[i]),
                float(abnormal[i]),
                float(inside[i]),
                float(novel[i]),
                tuple(words for words, raised in objections.items() if raised[i]),
            )
            for i in range(len(wanted))
        ]

    def two_sample(self, normal: np.ndarray, made: np.ndarray, seed: int = 0) -> JSON:
        """What is said of all together: could normal `(n, f)` and made `(m, f)` come from one distribution?

        `energy` and `p_value` are those of `metrics.two_sample.energy_test`, `auroc`, `linear` and `trees` those of
        `detectability`, NaN-free: None where there are fewer than 8 items on a side.

        Raises:
            Unreadable: fewer than 2 items, other features, or numbers that are not finite.
        """
        energy, p_value = energy_test(normal, made, seed=seed)
        told: JSON = dict.fromkeys(("auroc", "linear", "trees"))
        if min(len(normal), len(made)) >= FEWEST_TOLD_APART:
            told = dict(detectability(normal, made, seed))
        return {"energy": energy, "p_value": p_value, **told, "normals": len(normal), "made": len(made)}


def plausibility(normals: np.ndarray, made: np.ndarray, p_value: float = 0.01) -> tuple[Scores, np.ndarray]:
    """How often normals `(n, f)` are as far from the others as made items `(m, f)` are, and whether that is too rare.

    The p-value `(m,)` is counted. Where n normals do not support `p_value`, items beyond the upper end of where a tail
    puts it are too rare, and theirs is the tail's: normals are then rejected more rarely than promised, not more often.

    Raises:
        Misfit: fewer than 30 normals.
        Unreadable: numbers are not finite, or of other features.
    """
    normals, made = pair_of_features(normals, made, ("normal items", "made items"), (1, 0))
    if len(normals) < FEWEST_NORMALS:
        raise Misfit(f"{len(normals)} held-out normals do not say what is plausible; give at least {FEWEST_NORMALS}.")
    if not len(made):
        return np.zeros(0), np.zeros(0, dtype=bool)
    own, others = _remoteness(normals[_thin(len(normals))], made)
    p = Conformal().fit(own).p_value(others)
    if p_value >= 1 / (len(own) + 1):
        return p, p <= p_value
    try:
        tail = Tail().fit(own)
    except Misfit:
        return p, others > own.max() * 2
    rare = others > tail.interval(p_value)[1]
    return np.where(rare, tail.p_value(others), p), rare


def too_frequent(p: Scores, wanted: Scores, n: int) -> np.ndarray:
    """Whether counted p-values `(m,)` are surely above the wanted ones `(m,)`, whatever the draw of the n normals.

    That is, as many normals are as odd as would be in fewer than 1 of 20 draws, were the wanted p-value the true one;
    so nothing is asked for that n normals cannot show.

    >>> too_frequent(np.array([1 / 31, 2 / 31, 3 / 31]), np.full(3, 0.001), 30).tolist()
    [False, True, True]
    >>> too_frequent(np.array([0.32, 0.4]), np.full(2, 0.3), 200).tolist()
    [False, True]
    """
    as_odd = np.round(p * (n + 1)) - 1
    return np.asarray(binom.sf(as_odd - 1, n, np.clip(wanted, 0, 1)) < SURELY)


def novelty(real: np.ndarray, made: np.ndarray, share: float = 0.1) -> tuple[Scores, np.ndarray, np.ndarray]:
    """How far made items `(m, g)` lie from the nearest real `(k, g)` or other made one, and which are copies.

    Distances are in those of real items to their nearest. Of two made items that are alike the later one is the copy.
    Where 10 real items or more are mostly the same, nothing is a copy.

    Returns:
        Distances `(m,)`, whether each is a copy of a real item, and of an earlier made one.

    Raises:
        Unreadable: numbers are not finite, or of other features.
    """
    real, made = pair_of_features(real, made, ("examples", "made items"), (1, 0))
    if not len(made):
        return np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)
    unit = spread(real if len(real) >= FEW else np.concatenate([real, made]))
    real, made = (real - real.mean(0)) / unit, (made - real.mean(0)) / unit
    example = nearest(made, real)[0][:, 0]
    usual = float(np.median(nearest_each_other(real)[0])) if len(real) > 2 else float(np.median(example))
    within = share * usual if usual > ROUNDING else ROUNDING if len(real) < FEW else -1.0
    other = nearest_each_other(made)[0][:, 0] if len(made) > 1 else example
    apart = np.minimum(example, other)
    novel = apart / usual if usual > ROUNDING else (apart > within).astype(float)
    return novel, example < within, _repeated(made, within)


def _remoteness(normals: np.ndarray, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean distance to the neighbours over the neighbours' own, of each normal left out, and of each made item."""
    unit, centre = spread(normals), normals.mean(0)
    normals, made = (normals - centre) / unit, (made - centre) / unit
    k = min(NEIGHBOURS, len(normals) // 10)
    (near, at), (far, to) = nearest_each_other(normals, k), nearest(made, normals, k)
    own = near.mean(1)
    own = np.maximum(own, max(DENSEST * float(np.median(own)), ROUNDING))
    return near.mean(1) / own[at].mean(1), far.mean(1) / own[to].mean(1)


def _thin(n: int) -> np.ndarray:
    return np.unique(np.linspace(0, n - 1, min(n, MOST)).astype(int))


def _repeated(made: np.ndarray, within: float) -> np.ndarray:
    """Which are near an earlier one that is no copy itself."""
    distance = cdist(made, made)
    copies = np.zeros(len(made), dtype=bool)
    for i in range(1, len(made)):
        copies[i] = bool((distance[i, :i][~copies[:i]] < within).any())
    return copies
