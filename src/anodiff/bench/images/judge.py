r"""Maps and scores as numbers: how well pictures are told apart, and pixels; of all kinds of defects, and of each.

Beside each number stand the same numbers of bootstrap samples of the judged pictures, normal and anomalous ones drawn
apart. The samples are the same for every method, so their differences are paired. For them, and for single kinds,
pixels are counted in bins: picture i has :math:`n_{ik}` normal pixels in bin k and :math:`r_{ik}` regions' shares, and
a sample is a row of weights, :math:`\text{FPR}_k \propto \sum_i w_i \sum_{j \ge k} n_{ij}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from anodiff.bench.images.cases import Truth, normals
from anodiff.data.image_sets import GOOD
from anodiff.metrics import localisation
from anodiff.metrics.localisation import LIMIT
from anodiff.metrics.planes import parts
from anodiff.types import JSON, Scores

DRAWS = 400
BINS = 2000
THIN = 17
Drawn = dict[str, np.ndarray]


def judged(maps: np.ndarray, scores: Scores, truth: Truth) -> JSON:
    """AUROC and AP of pictures; AUROC, AP and AUPRO of pixels; by kind; and their samples, as texts.

    Args:
        maps: `(n, S, S)` of the pictures judged.
        scores: `(n,)`.
        truth: Their labels and masks. Anomalies whose place is unknown are left out of what concerns pixels.
    """
    counts, known = Counts.of(maps, truth), np.flatnonzero(truth.known)
    pictures = localisation.of_pictures(truth.labels, scores)
    pixels = localisation.of_pixels(maps[known], truth.masks[known])
    weights = samples(truth.labels)
    drawn = {"image_auroc": aurocs(scores, truth.labels, weights), **counts.measured(weights)}
    return {
        "image_auroc": pictures.auroc,
        "image_ap": pictures.ap,
        "pixel_auroc": pixels.auroc,
        "pixel_ap": pixels.ap,
        "aupro": pixels.aupro,
        "kinds": by_kind(scores, truth, counts),
        "draws": {name: packed(each) for name, each in drawn.items()},
    }


def by_kind(scores: Scores, truth: Truth, counts: "Counts") -> JSON:
    """The same of each kind of defect beside all normal pictures."""
    found: JSON = {}
    for kind in dict.fromkeys(truth.kinds):
        if kind == GOOD:
            continue
        own = np.array([each in (kind, GOOD) for each in truth.kinds])
        told = {name: float(each[0]) for name, each in counts.measured(own[None].astype(float)).items()}
        auroc = localisation.of_pictures(truth.labels[own], scores[own]).auroc
        found[kind] = {"pictures": truth.kinds.count(kind), "image_auroc": auroc, **told}
    return found


def samples(labels: np.ndarray, draws: int = DRAWS) -> np.ndarray:
    """How often each picture is in each sample `(draws, n)`; the same for the same labels."""
    draw, found = np.random.default_rng(0), np.zeros((draws, len(labels)))
    for label in (0, 1):
        at = np.flatnonzero(labels == label)
        found[:, at] = draw.multinomial(len(at), np.full(len(at), 1 / len(at)), size=draws)
    return found


def aurocs(scores: Scores, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """AUROC of pictures under weights `(draws, n)`.

    >>> aurocs(np.array([0.0, 1.0, 0.5]), np.array([0, 1, 1]), np.ones((1, 3)))
    array([1.])
    """
    low, high = scores[labels == 0], scores[labels == 1]
    before = (high[:, None] > low) + 0.5 * (high[:, None] == low)
    mine, other = weights[:, labels == 1], weights[:, labels == 0]
    return np.asarray(((mine @ before) * other).sum(1) / (mine.sum(1) * other.sum(1)))


@dataclass(frozen=True, eq=False)
class Counts:
    """Pixels of n pictures in bins, the highest first.

    Attributes:
        normal: Normal pixels `(n, bins)`.
        hits: Anomalous pixels.
        shares: Of its region, summed over anomalous pixels.
        regions: How many a picture has `(n,)`.
    """

    normal: np.ndarray
    hits: np.ndarray
    shares: np.ndarray
    regions: np.ndarray

    @classmethod
    def of(cls, maps: np.ndarray, truth: Truth) -> "Counts":
        """Bins hold about as many normal pixels each, and about as many anomalous ones."""
        edges = _edges(maps, truth)
        count = len(edges) + 1
        normal, hits, shares = (np.zeros((len(maps), count), np.float32) for _ in range(3))
        regions = np.zeros(len(maps))
        for i in np.flatnonzero(truth.known):
            bins, mask = count - 1 - np.searchsorted(edges, maps[i], "right"), truth.masks[i]
            normal[i] = np.bincount(bins[~mask], minlength=count)
            if mask.any():
                labels, areas = parts(mask)
                own = bins[mask]
                hits[i] = np.bincount(own, minlength=count)
                shares[i] = np.bincount(own, 1 / areas[labels[mask] - 1], minlength=count)
                regions[i] = len(areas)
        return cls(normal, hits, shares, regions)

    def measured(self, weights: np.ndarray, limit: float = LIMIT) -> Drawn:
        """Pixel AUROC, pixel AP and AUPRO `(draws,)` of pictures under weights `(draws, n)`; NaN without any region."""
        like = weights.astype(np.float32)
        fpr, hits, overlap = ((like @ each).astype(float).cumsum(1) for each in (self.normal, self.hits, self.shares))
        with np.errstate(invalid="ignore", divide="ignore"):
            gained = np.diff(hits, prepend=0, axis=1) / hits[:, -1:]
            precision = np.where(hits + fpr > 0, hits / (hits + fpr), 0.0)
            found = {
                "pixel_ap": (gained * precision).sum(1),
                "pixel_auroc": _areas(fpr / fpr[:, -1:], hits / hits[:, -1:], 1.0),
                "aupro": _areas(fpr / fpr[:, -1:], overlap / (weights @ self.regions)[:, None], limit),
            }
        none = hits[:, -1] == 0
        return {name: np.where(none, np.nan, each) for name, each in found.items()}


def _edges(maps: np.ndarray, truth: Truth) -> np.ndarray:
    at = np.linspace(0, 1, BINS // 2 + 1)[1:-1]
    thin = maps[truth.known].ravel()[::THIN]
    own = maps[truth.masks] if truth.masks.any() else thin
    return np.unique(np.concatenate([np.quantile(each, at) for each in (thin, own[:: max(1, len(own) // 500_000)])]))


def _areas(x: np.ndarray, y: np.ndarray, limit: float) -> np.ndarray:
    """Under each line from (0, 0) up to x = limit, over the limit."""
    found = np.empty(len(x))
    for i, (along, up) in enumerate(zip(x, y, strict=True)):
        along, up = np.append(0, along), np.append(0, up)
        cut = np.minimum(along, limit)
        found[i] = np.trapezoid(np.interp(cut, along, up) if limit < 1 else up, cut) / limit
    return found


def packed(values: np.ndarray) -> str:
    """Numbers from 0 to 1 as one text: five digits each.

    >>> packed(np.array([0.5, 1.0]))
    '50000 100000'
    """
    return " ".join(str(round(100_000 * value)) if np.isfinite(value) else "nan" for value in values)


def unpacked(text: str) -> np.ndarray:
    """The inverse of `packed`."""
    return np.array(text.split(), float) / 100_000


def alarms(p_values: np.ndarray, truth: Truth, rates: tuple[float, ...]) -> Mapping[str, JSON]:
    """By stated rate, alarms on normal pictures and on anomalies."""
    good, bad = normals(truth), np.flatnonzero(truth.labels)
    return {
        f"{rate:g}": {
            "false": int((p_values[good] <= rate).sum()),
            "normals": len(good),
            "found": int((p_values[bad] <= rate).sum()),
            "anomalies": len(bad),
        }
        for rate in rates
    }
