"""From records to a fitted blend: which of them belong together, which are feared to be anomalies, what is kept."""

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from anodiff.alarms import contamination
from anodiff.data.records import Records
from anodiff.data.twins import folds
from anodiff.modalities.multimodal import LEAST_ROWS, Multimodal
from anodiff.recipes.blended import Grown, Heard, Pattern, Seen, grow_blended
from anodiff.recipes.blended_fusion import Fused, fuse
from anodiff.recipes.blended_views import fit_views, views_in
from anodiff.recipes.grow import Progress
from anodiff.recipes.schema import Recipe
from anodiff.types import JSON, Unreadable

ALIKE = 0.999
"""The correlation of what is seen from which two pictures are one."""


@dataclass(frozen=True)
class Learnt:
    """What a fit found.

    Attributes:
        grown: The models, and what they said of records left out.
        fused: How answers become scores.
        records: As they were read.
        x: Their features.
        kept: Which of them were learnt from.
        doubt: The share of anomalies that is feared among them.
        twins: So many records have a picture or series that another has too.
        seen: So many records there were.
    """

    grown: Grown
    fused: dict[Pattern, Fused]
    records: Records
    x: Tensor
    kept: np.ndarray
    doubt: JSON
    twins: int
    seen: int


def learn_blended(
    recipe: Recipe,
    modality: Multimodal,
    records: Records,
    *,
    seed: int,
    most: int,
    contaminated: float | str,
) -> Generator[Progress, None, Learnt]:
    """Learn normal records; yields progress.

    Raises:
        Unreadable: there are fewer than 5 of them that have a part, or they are all the same.
    """
    count = len(records)
    if count > most:
        records = records.take(np.sort(np.random.default_rng(seed).permutation(count)[:most]))
    yield Progress(0, 1, "look")
    encoded, records = modality.fit_encode(records)
    present = records.present
    check(encoded.x, present, modality.columns)
    groups = together(encoded.x, present, modality.widths_, [told["kind"] for told in modality.layout_.values()])
    fold = folds(groups, recipe.folds, seed)
    kept = np.asarray(present.any(1))
    names = views_in(modality, records)
    held = None if names is None else fit_views(modality, records, names, fold, kept)
    x, views = (encoded.x, None) if held is None else (joined(encoded.x, held[1]), held[0])
    view = None if views is None else (modality.columns.index(views.reference), modality.columns.index(views.tested))
    blended = Seen(x, present, modality.widths_, fold, kept, views, view)
    grown = yield from _growing(recipe, blended, seed)
    use = use_of(recipe, modality)
    fused = fused_of(recipe, grown, use)
    doubt: JSON = {"value": 0.0, "low": 0.0, "high": 0.0}
    if contaminated:
        scores = own_scores(fused, grown.heard, present)
        doubt = doubted(scores, contaminated)
        aside = min(round(doubt["value"] * count_of(kept)), count_of(kept) - LEAST_ROWS)
        if aside > 0:
            kept = kept.copy()
            kept[np.argsort(-scores, kind="stable")[:aside]] = False
            grown = yield from _growing(recipe, replace(blended, kept=kept), seed)
            fused = fused_of(recipe, grown, use, kept)
    return Learnt(grown, fused, records, encoded.x, kept, doubt, int(len(groups) - len(np.unique(groups))), count)


def joined(x: Tensor, views: np.ndarray) -> Tensor:
    """Features `(n, F)` with what views say behind them `(n, F + 1)`."""
    return torch.cat([x, torch.from_numpy(np.float32(views))[:, None]], 1)


def use_of(recipe: Recipe, modality: Multimodal) -> str:
    """The fusion that is asked for: the modality's own, else the recipe's."""
    chosen = cast(Any, recipe.fusion).use
    return str(chosen if modality.fusion == "auto" else modality.fusion)


def fused_of(recipe: Recipe, grown: Grown, use: str, kept: np.ndarray | None = None) -> dict[Pattern, Fused]:
    """How answers become scores, by pattern; patterns that fewer than two records have are left out."""
    found = {}
    for pattern, heard in grown.heard.items():
        some = (
            heard
            if kept is None
            else Heard(heard.places[kept[heard.places]], heard.said[kept[heard.places]], heard.told)
        )
        if len(some.places) >= 2:
            found[pattern] = fuse(recipe, grown.asked, pattern, some, use)
    return found


def own_scores(fused: Mapping[Pattern, Fused], heard: Mapping[Pattern, Heard], present: np.ndarray) -> np.ndarray:
    """Scores `(n,)` of records with parts `(n, P)`, each by all that it has and was calibrated; 0 without any."""
    found, size = np.zeros(len(present)), np.zeros(len(present), int)
    for pattern in sorted(fused, key=len):
        places = heard[pattern].places
        better = len(pattern) > size[places]
        found[places[better]] = fused[pattern].scores(heard[pattern].said[better])
        size[places[better]] = len(pattern)
    return found


def together(x: Tensor, present: np.ndarray, widths: Sequence[int], kinds: Sequence[str]) -> np.ndarray:
    """Groups `(n,)` of records that must not be parted: of one picture or series, or alike in all their parts."""
    n = len(x)
    links = [_same(x.numpy(), np.asarray(present.all(1)), 1.0)]
    starts = np.cumsum([0, *widths])
    for p, kind in enumerate(kinds):
        if kind in ("image", "series"):
            links.append(_same(x[:, starts[p] : starts[p + 1]].numpy(), present[:, p], ALIKE))
    pairs = np.concatenate(links, 1)
    joined = coo_array((np.ones(pairs.shape[1], bool), (pairs[0], pairs[1])), shape=(n, n))
    return np.asarray(connected_components(joined, directed=False)[1])


def _same(rows: np.ndarray, there: np.ndarray, alike: float) -> np.ndarray:
    """Pairs `(2, m)` of places of rows that correlate so much; for 1, that are equal."""
    places = np.flatnonzero(there)
    if alike >= 1 or rows.shape[1] < 8:
        groups = np.unique(np.round(rows[places], 5), axis=0, return_inverse=True)[1].reshape(-1)
        first = np.unique(groups, return_index=True)[1]
        return np.stack([places, places[first[groups]]])
    unit = rows[places] / np.maximum(np.linalg.norm(rows[places], axis=1, keepdims=True), 1e-9)
    found = [np.zeros((2, 0), np.int64)]
    for start in range(0, len(unit), 512):
        a, b = np.nonzero(unit[start : start + 512] @ unit.T >= alike)
        found.append(np.stack([places[a + start], places[b]]))
    return np.concatenate(found, 1)


def doubted(scores: np.ndarray, contaminated: float | str) -> JSON:
    """The share of anomalies among records of these scores: as given, or estimated."""
    if contaminated == "auto":
        return dict(vars(contamination.estimate(scores)))
    share = float(contaminated)
    return {"value": share, "low": share, "high": share}


def count_of(kept: np.ndarray) -> int:
    """How many there are."""
    return int(kept.sum())


def check(x: Tensor, present: np.ndarray, columns: Sequence[str]) -> None:
    """Refuse too few records, and ever the same one.

    Raises:
        Unreadable: there are fewer than 5 that have a part, or all are alike.
    """
    having = int(present.any(1).sum())
    if having < LEAST_ROWS:
        have = "1 record has" if having == 1 else f"{having} records have"
        raise Unreadable(
            f"{have} a part that can be read, too few to learn what is normal; give at least {LEAST_ROWS}, better 100."
        )
    if not bool((x != x[:1]).any()) and not (present != present[:1]).any():
        raise Unreadable(f"all {having} records are the same in {', '.join(columns)}; there is nothing to learn from.")


def _growing(recipe: Recipe, seen: Seen, seed: int) -> Generator[Progress, None, Grown]:
    """`grow_blended`, its steps as progress."""
    steps = grow_blended(recipe, seen, seed)
    while True:
        try:
            step = next(steps)
        except StopIteration as done:
            return cast(Grown, done.value)
        yield Progress(step.number, step.of, "train")


def seconds_since(began: float) -> float:
    """On the clock that `time.perf_counter` shows."""
    return time.perf_counter() - began
