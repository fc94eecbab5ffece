"""SDLS: photos of a robot's laboratory with the step and what should hold then.

Image and text together beside each alone, by the same detector with the same settings, and beside nearest neighbours
of the embeddings; of the photos that are right under one text and wrong under another, how often the wrong one scores
higher; and what is left where texts or photos are missing.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from anodiff.bench.images.seen import Eyes
from anodiff.bench.series.timed import timed
from anodiff.bench.several.judge import Draws, compared, interval, wrong_is_higher
from anodiff.data.public_records import RecordSet
from anodiff.detect import Detector
from anodiff.modalities.text import Text
from anodiff.types import JSON, Scores

Columns = dict[str, list[Any]]
BOTH, IMAGE, TEXT = "image + text", "image only", "text only"
PARTS = {BOTH: ("image", "context", "check"), IMAGE: ("image",), TEXT: ("context", "check")}
MISSING = 0.3
NEIGHBOURS = 5
BATCH = 16


def run(held: RecordSet, seed: int, say: Callable[[str], object]) -> JSON:
    """All methods with one seed."""
    scores, facts = dict[str, Scores](), dict[str, JSON]()
    detectors = dict[str, Detector]()
    for name, parts in PARTS.items():
        detectors[name], facts[name] = fitted(only(held.train, parts), seed)
        with timed() as spent:
            scores[name] = detectors[name].decision_function(only(held.test, parts))
        facts[name] |= spent.told("score_")
        say(name)
    scores |= dict(neighbours(held))
    draws = Draws(held.photos, held.labels)
    found = compared(draws, scores, BOTH)
    for name, each in scores.items():
        found[name] |= {"pairs": pairs(draws, each, held.pairs), **facts.get(name, {})}
    best = max(found[IMAGE]["auroc"], found[TEXT]["auroc"])
    return {
        "methods": found,
        "by_part": by_part(detectors[BOTH], held),
        "missing": dict(missing(detectors[BOTH], held, seed, best, found[BOTH]["auroc"], say)),
    }


def sizes(held: RecordSet) -> JSON:
    """How many records."""
    return {"train": len(held.train["image"]), "test": len(held.labels), "pairs": len(held.pairs)}


def only(columns: Columns, names: Sequence[str]) -> Columns:
    """Some of the columns."""
    return {name: columns[name] for name in names}


def fitted(columns: Columns, seed: int) -> tuple[Detector, JSON]:
    """The detector as a user gets it, and the seconds."""
    with timed() as spent, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        detector = Detector("multimodal", seed=seed).fit(columns)
    return detector, spent.told("fit_")


def pairs(draws: Draws, scores: Scores, places: np.ndarray) -> JSON:
    """How often the wrong text scores higher, of all pairs, with the interval of photos drawn anew."""
    right = wrong_is_higher(scores, places)
    low, high = interval(draws.shares(right, places[:, 0]))
    return {"share": float(right.mean()), "low": low, "high": high, "count": len(places)}


def by_part(detector: Detector, held: RecordSet) -> JSON:
    """AUROC of each part's own evidence, where it is known."""
    from anodiff.metrics.ranking import auroc

    said = detector.part_scores(only(held.test, PARTS[BOTH]))
    known = {name: np.isfinite(each) for name, each in said.items()}
    return {name: auroc(held.labels[known[name]], each[known[name]]) for name, each in said.items()}


def missing(
    detector: Detector, held: RecordSet, seed: int, single: float, whole: float, say: Callable[[str], object]
) -> Iterator[tuple[str, JSON]]:
    """The share of the lead over the better part that is kept where 30 % are missing: in the test, and in fit too."""
    from anodiff.metrics.ranking import auroc

    for what, names in (("texts", PARTS[TEXT]), ("images", PARTS[IMAGE])):
        test = without(only(held.test, PARTS[BOTH]), names, seed)
        train = without(only(held.train, PARTS[BOTH]), names, seed + 1)
        for where, asked in (("at score", detector), ("at fit and score", fitted(train, seed)[0])):
            found = auroc(held.labels, asked.decision_function(test))
            yield (
                f"30 % of the {what} missing {where}",
                {"auroc": found, "kept": (found - single) / (whole - single)},
            )
            say(f"{what} missing {where}")
    for what, names in (("texts", PARTS[TEXT]), ("images", PARTS[IMAGE])):
        none = only(held.test, PARTS[BOTH]) | {name: [None] * len(held.labels) for name in names}
        found = auroc(held.labels, detector.decision_function(none))
        yield f"all {what} missing at score", {"auroc": found, "kept": (found - single) / (whole - single)}


def without(columns: Columns, names: Sequence[str], seed: int) -> Columns:
    """The same with the columns of these names missing in 30 % of the records, all of them in the same."""
    gone = np.random.default_rng(seed).random(len(columns[names[0]])) < MISSING
    hidden = {name: [None if lost else each for lost, each in zip(gone, columns[name], strict=True)] for name in names}
    return columns | hidden


def neighbours(held: RecordSet) -> Iterator[tuple[str, Scores]]:
    """Rivals: the mean distance to the five nearest embeddings, of the photo, of the texts, and of both end to end."""
    image = photos([*held.train["image"], *held.test["image"]])
    encoder = Text().fit([each or "" for each in held.train["check"]])
    texts = ([each or "" for each in [*held.train[name], *held.test[name]]] for name in PARTS[TEXT])
    words = unit(np.concatenate([encoder.encode(each) for each in texts], axis=1))
    count = len(held.train["image"])
    for name, x in (
        ("nearest photos", image),
        ("nearest texts", words),
        ("nearest, end to end", np.concatenate([image, words], 1)),
    ):
        near = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(x[:count])
        yield name, near.kneighbors(x[count:])[0].mean(1)


def photos(paths: Sequence[str]) -> np.ndarray:
    """Embeddings `(n, C)` of unit length: the backbone's features averaged over the photo."""
    distinct = [Path(each) for each in dict.fromkeys(paths)]
    eyes = Eyes(layers=("s16", "s32"), grid=8, size=224).fit(distinct[:BATCH])
    batches = (distinct[start : start + BATCH] for start in range(0, len(distinct), BATCH))
    rows = np.concatenate([eyes(batch).features.mean((2, 3)).numpy() for batch in batches])
    found = dict(zip(distinct, unit(rows), strict=True))
    return np.stack([found[Path(path)] for path in paths])


def unit(x: np.ndarray) -> np.ndarray:
    """Rows of unit length."""
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))


def page(found: JSON) -> str:
    """In markdown."""
    lines = [
        "| method | AUROC | 95 %, photos drawn anew | image + text is ahead by | wrong text scores higher |",
        "|---|---|---|---|---|",
    ]
    for name, each in found["methods"].items():
        lead = each.get("lead")
        ahead = "-" if lead is None else f"{lead['gain']:+.3f} ({lead['low']:+.3f} to {lead['high']:+.3f})"
        share, low, high = (100 * each["pairs"][end] for end in ("share", "low", "high"))
        lines.append(
            f"| {name} | {each['auroc']:.3f} | {each['low']:.3f} to {each['high']:.3f} | {ahead} | "
            f"{share:.0f} % of {each['pairs']['count']:.0f} ({low:.0f} to {high:.0f}) |"
        )
    parts = ", ".join(f"{name} {each:.3f}" for name, each in found["by_part"].items())
    gone = [
        f"- {name}: AUROC {each['auroc']:.3f}, {100 * each['kept']:.0f} % of the lead over the better part kept."
        for name, each in found["missing"].items()
    ]
    return "\n".join([*lines, "", f"AUROC of each part's own evidence: {parts}.", "", *gone, ""])
