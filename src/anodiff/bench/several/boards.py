"""DeepPCB as two views: each tested board with a photo of its template, taken again (shifted, turned, lit otherwise).

As the set comes, a normal board would be its own template, and any difference at all would tell. Normal pairs are a
template and its photo taken again; abnormal ones the tested board and that photo. Beside the two views stand each view
alone, by the same detector, and the plain difference of the two, as it is and smoothed.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from anodiff.bench.images.turned import again
from anodiff.bench.series.timed import timed
from anodiff.bench.several.judge import Draws, compared
from anodiff.bench.several.photos import fitted
from anodiff.data.public_records import BoardPairs
from anodiff.types import JSON, Scores

BOTH, REFERENCE, TESTED = "both views", "reference only", "tested only"
PARTS = {BOTH: ("reference", "tested"), REFERENCE: ("reference",), TESTED: ("tested",)}
SIGMA = 2.0
"""Pixels that a difference is smoothed over."""


def run(held: BoardPairs, seed: int, say: Callable[[str], object]) -> JSON:
    """All methods with one seed."""
    train = {"reference": again(held.train, seed + 1), "tested": pixels(held.train)}
    shown = again(held.references, seed)
    test = {"reference": [*shown, *shown], "tested": [*pixels(held.references), *pixels(held.tested)]}
    labels = np.repeat([0, 1], len(shown))
    scores, facts = dict[str, Scores](), dict[str, JSON]()
    for name, parts in PARTS.items():
        detector, facts[name] = fitted({part: train[part] for part in parts}, seed)
        with timed() as spent:
            scores[name] = detector.decision_function({part: test[part] for part in parts})
        facts[name] |= spent.told("score_")
        say(name)
    couples = list(zip(test["reference"], test["tested"], strict=True))
    scores["plain difference"] = np.array([difference(a, b).mean() for a, b in couples])
    scores["plain difference, largest, smoothed"] = np.array(
        [gaussian_filter(difference(a, b), SIGMA).max() for a, b in couples]
    )
    found = compared(Draws(np.tile(np.arange(len(shown)), 2), labels), scores, BOTH)
    return {"methods": {name: each | facts.get(name, {}) for name, each in found.items()}}


def sizes(held: BoardPairs) -> JSON:
    """How many pairs."""
    return {"train": len(held.train), "test": 2 * len(held.tested)}


def pixels(paths: Sequence[Path]) -> list[np.ndarray]:
    """Grey boards `(H, W)` uint8."""
    return [np.asarray(Image.open(path).convert("L")) for path in paths]


def difference(reference: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Of grey levels, absolute, `(H, W)`."""
    grey = reference if reference.ndim == 2 else reference.mean(-1)
    return np.asarray(np.abs(grey.astype(np.float32) - tested))


def page(found: JSON) -> str:
    """In markdown."""
    lines = ["| method | AUROC | 95 %, boards drawn anew | both views are ahead by |", "|---|---|---|---|"]
    for name, each in found["methods"].items():
        lead = each.get("lead")
        ahead = "-" if lead is None else f"{lead['gain']:+.3f} ({lead['low']:+.3f} to {lead['high']:+.3f})"
        lines.append(f"| {name} | {each['auroc']:.3f} | {each['low']:.3f} to {each['high']:.3f} | {ahead} |")
    return "\n".join([*lines, ""])
