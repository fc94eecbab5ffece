r"""Do two samples come from one distribution? Two answers that need no density,

.. math:: \mathcal E = 2\, \mathbb E \|X - Y\| - \mathbb E \|X - X'\| - \mathbb E \|Y - Y'\| \ge 0,

zero only if they do, against what it is when the items change sides at random; and the AUROC of a classifier that tries
to tell them apart, 1/2 where it cannot. Features are standardised on both samples together.
"""

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from anodiff.metrics.neighbours import pair_of_features, spread

NAMES = ("real items", "made items")
MOST = 500
PERMUTATIONS = 199
FOLDS = 4
TREES = 40


def energy_test(
    real: np.ndarray, made: np.ndarray, permutations: int = PERMUTATIONS, seed: int = 0
) -> tuple[float, float]:
    """The energy distance of real `(n, f)` and made `(m, f)`, and its p-value over permutations.

    Szekely and Rizzo, "Energy statistics: A class of statistics based on distances", 2013. In standard deviations of a
    feature; the p-value is at least 1 / (permutations + 1) and holds exactly, whatever the distribution. Of larger
    samples 500 items each are drawn.

    Raises:
        Unreadable: fewer than 2 items, other features, or numbers that are not finite.
    """
    x, y = _thinned(real, made, seed)
    both = np.concatenate([x, y])
    both = both / spread(both - both.mean(0))
    distance = cdist(both, both)
    sides = np.zeros((permutations + 1, len(both)))
    random = np.random.default_rng(seed)
    sides[0, : len(x)] = 1
    for row in sides[1:]:
        row[random.permutation(len(both))[: len(x)]] = 1
    n, m = len(x), len(y)
    within, out = sides @ distance, (1 - sides) @ distance
    a, b, c = ((within * (1 - sides)).sum(1), (within * sides).sum(1), (out * (1 - sides)).sum(1))
    energy = 2 * a / (n * m) - b / n**2 - c / m**2
    at_least = int((energy[1:] >= energy[0] * (1 - 1e-12)).sum())
    return float(max(energy[0], 0.0)), (1 + at_least) / (permutations + 1)


def detectability(real: np.ndarray, made: np.ndarray, seed: int = 0) -> dict[str, float]:
    r"""AUROC of classifiers that tell made `(m, f)` from real `(n, f)`, each item judged by folds that had not seen it.

    Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", 2017. `linear` is a ridge logistic regression,
    `trees` a forest of 40 extremely randomised trees, `auroc` that of their mean: 0.5 is indistinguishable, 1 is told
    apart for certain; chance scatters it by about :math:`\sqrt{(n + m + 1) / (12 n m)}`. Of larger samples 500 items
    each are drawn.

    Raises:
        Unreadable: fewer than 8 items on a side, other features, or numbers that are not finite.
    """
    x, y = _thinned(real, made, seed, at_least=2 * FOLDS)
    both = np.concatenate([x, y])
    both = (both - both.mean(0)) / spread(both - both.mean(0)) * np.sqrt(both.shape[1])
    label = np.repeat([0, 1], [len(x), len(y)])
    said = np.zeros((2, len(both)))
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(both, label):
        linear = LogisticRegression(C=0.1, max_iter=200, class_weight="balanced")
        trees = ExtraTreesClassifier(TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed)
        for row, classifier in zip(said, (linear, trees), strict=True):
            row[test] = classifier.fit(both[train], label[train]).predict_proba(both[test])[:, 1]
    auroc, by_line, by_trees = (float(roc_auc_score(label, each)) for each in (said.mean(0), *said))
    return {"auroc": auroc, "linear": by_line, "trees": by_trees}


def _thinned(real: np.ndarray, made: np.ndarray, seed: int, at_least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    x, y = pair_of_features(real, made, NAMES, (at_least, at_least))
    random = np.random.default_rng(seed)
    drawn = [each if len(each) <= MOST else each[np.sort(random.permutation(len(each))[:MOST])] for each in (x, y)]
    return drawn[0], drawn[1]
