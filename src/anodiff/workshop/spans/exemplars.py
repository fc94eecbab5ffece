"""Known anomalies of series: where each is, what set it apart from its surroundings, and how odd it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from anodiff.anomalies.spans import given_region
from anodiff.modalities.series import Strip
from anodiff.types import Misfit, Unreadable
from anodiff.workshop.spans.scenes import Source, Stretch
from anodiff.workshop.spans.spanned import Spanned

KNOWN = "known"
LOOK = 16
MARGIN = 8
HALF = 0.5


@dataclass(frozen=True, eq=False)
class Example:
    """A known anomaly.

    Attributes:
        kind: By name.
        region: `(T, channels)` bool.
        part: What its region is less what was expected there `(width, length)`; 0 outside of the region.
        score: By the judge.
        look: Of its region `(g,)`.
    """

    kind: str
    region: np.ndarray
    part: np.ndarray
    score: float
    look: np.ndarray


def learnt(
    model: Spanned, sources: Sequence[Source], regions: Any, kinds: Any, normals: Sequence[Strip]
) -> list[Example]:
    """What known anomalies are like.

    Args:
        model: Of normal data.
        sources: The examples.
        regions: One for each, or None: found by the judge.
        kinds: A name for each, or None.
        normals: What the model was fitted on.

    Raises:
        Misfit: their numbers or shapes differ.
        Unreadable: all of them are among the normals.
    """
    names = named(kinds, len(sources))
    if regions is not None and len(regions) != len(sources):
        raise Misfit(f"there are {len(sources)} examples and {len(regions)} regions; give one for each.")
    found = []
    for i, source in enumerate(sources):
        whose, channels = f"example {i}", model.modality.columns
        if regions is None:
            region = suspected(model, source)
        else:
            size = len(source.item.laid(np.zeros((len(source), len(channels)), bool)))
            region = source.item.region(given_region(regions[i], (size, len(channels)), whose))
        region = region & source.observed(model.modality.channels_)
        if not region.any():
            raise Misfit(f"the region of {whose} holds no reading; mark cells that were observed.")
        if not among(source, region, normals):
            found.append(example(model, source, region, names[i]))
    if not found:
        raise Unreadable(f"all {len(sources)} examples are among the normals; give anomalies that are not in X.")
    return found


def named(kinds: Any, count: int) -> list[str]:
    """A name for each example.

    Raises:
        Misfit: there are more or fewer names than examples.
    """
    if kinds is None:
        return [KNOWN] * count
    names = [kinds] * count if isinstance(kinds, str) else [str(kind) for kind in kinds]
    if len(names) != count:
        raise Misfit(f"there are {count} examples and {len(names)} kinds; give one name for each.")
    return names


def example(model: Spanned, source: Source, region: np.ndarray, kind: str) -> Example:
    """One known anomaly."""
    stretch = Stretch.of(source, region, model)
    x, mask = stretch.x[None], stretch.region[None]
    rest = model.filling(x, mask, x, 1.0, 0).expected()[0]
    away = torch.where(stretch.region, stretch.x - rest, 0.0)
    instants = stretch.region.any(0).nonzero()[:, 0]
    part = away[:, int(instants[0]) : int(instants[-1]) + 1].numpy()
    return Example(kind, region, part, float(model.judge(x, mask)[0]), look(away.numpy(), stretch.region.numpy()))


def suspected(model: Spanned, source: Source) -> np.ndarray:
    """Where the model finds a series odd `(T, channels)`: about its oddest instant, what is more than half as odd."""
    whole = np.ones((len(source), len(model.modality.columns)), dtype=bool)
    stretch = Stretch.of(source, whole, model, whole=True)
    odd = model.oddness(stretch.x)[:, : len(source.strip)]
    instant = np.convolve(odd.max(0), np.full(5, 0.2), mode="same")
    peak = int(instant.argmax())
    quiet = np.flatnonzero(instant <= HALF * instant[peak])
    first = int(quiet[quiet < peak].max(initial=-1)) + 1
    last = int(quiet[quiet > peak].min(initial=len(instant)))
    most = odd[:, first:last].max(1)
    mask = np.zeros((len(source.strip), len(most)), dtype=bool)
    mask[first:last] = most > HALF * most.max()
    owner = model.modality.channels_.owner
    found = np.stack([mask[:, owner == c].any(1) for c in range(whole.shape[1])], 1)[source.strip.at]
    return np.asarray(found if found.any() else whole)


def among(source: Source, region: np.ndarray, normals: Sequence[Strip]) -> bool:
    """Whether the example, about its region, is a stretch of the normals."""
    at = source.strip.at[region.any(1)]
    start, stop = max(0, int(at[0]) - MARGIN), int(at[-1]) + 1 + MARGIN
    x = source.strip.x[start:stop]
    for strip in normals:
        last = len(strip) - len(x) + 1
        for begin in (strip.x[: max(0, last)] == x[0]).all(1).nonzero()[:, 0].tolist():
            if torch.equal(strip.x[begin : begin + len(x)], x):
                return True
    return False


def look(away: np.ndarray, region: np.ndarray) -> np.ndarray:
    """What a region looks like, whatever its length: mean course and size over its channels, at a few points."""
    instants = np.flatnonzero(region.any(0))
    if not len(instants):
        return np.zeros(2 * LOOK)
    first, last = int(instants[0]), int(instants[-1]) + 1
    own = away[region.any(1), first:last]
    place = np.linspace(0, last - first - 1, LOOK)
    courses = (own.mean(0), np.sqrt((own**2).mean(0)))
    return np.concatenate([np.interp(place, np.arange(last - first), course) for course in courses])
