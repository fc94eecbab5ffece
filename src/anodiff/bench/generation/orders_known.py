"""Anomalies like a few real ones: are they copies of them? And what the steps of a walk buy."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from anodiff.bench.generation.orders import OTHERS, Fitted, Parts, judged
from anodiff.generate import Generator
from anodiff.metrics.quality import frechet_distance, memorisation
from anodiff.modalities.tabular import Tabular
from anodiff.rounds.items import part, pictures
from anodiff.types import JSON

KNOWN, MOST = 5, 200
TOLD = 1e-3
POINTS = 32
"""Points by which the region of a series is told."""


def known(fitted: Fitted, parts: Parts, n: int, seed: int) -> Iterator[JSON]:
    """What comes of five real anomalies: distances to them, beside those of real ones that were held out."""
    kind = fitted.generator.kind_
    if len(parts.bad) < KNOWN + 3:
        return
    few, others = np.arange(KNOWN), np.arange(KNOWN, min(len(parts.bad), MOST))
    regions = None if parts.where is None else [parts.where[i] for i in few]
    began = time.perf_counter()
    generator = Generator(kind, seed=seed).fit(
        parts.make, examples=part(parts.bad, few) if kind == "tabular" else [parts.bad[i] for i in few], regions=regions
    )
    seconds = time.perf_counter() - began
    name = generator.known_[0]
    made = generator.sample(n, on=parts.held, kind=name, strength=1.0, seed=seed)
    look = LOOKS[kind](parts)
    if kind == "tabular":
        real = look(parts.bad, None)
        ours, examples, held_out = look(made.data, None), real[few], real[others]
    else:
        real_of = [look([parts.bad[i] for i in at], [parts.where[i] for i in at]) for at in (few, others)]
        ours, (examples, held_out) = look(made.data, made.region), real_of
    told = np.concatenate([examples, held_out]).std(0) > TOLD  # what no real one varies in would be divided by nothing
    found = memorisation(ours[:, told], examples[:, told], held_out[:, told], seed)
    yield {
        "what": "known",
        "seconds_of_fit": seconds,
        "distance": [found.distance.value, found.distance.low, found.distance.high],
        "ratio": found.ratio,
        "ratio_held_out": found.ratio_held_out,
        "copies": found.copies,
        **judged(made, OTHERS[kind](parts.others, seed), parts, kind),  # type: ignore[call-arg]
    }


def normal(fitted: Fitted, parts: Parts, n: int, seed: int) -> Iterator[JSON]:
    """New normal items: how far they are from held-out ones, beside other normal ones."""
    generator, kind = fitted.generator, fitted.generator.kind_
    began = time.perf_counter()
    made = generator.sample(n, kind="normal", seed=seed)
    seconds = time.perf_counter() - began
    if kind != "tabular":
        yield {"what": "normal", "seconds": seconds, "n": n}
        return
    look = LOOKS[kind](parts)
    held, ours, other = look(parts.held, None), look(made.data, None), look(parts.others, None)
    yield {
        "what": "normal",
        "seconds": seconds,
        "n": n,
        "frechet": frechet_distance(held, ours),
        "frechet_of_others": frechet_distance(held, other[: len(ours)]),
        "facts": {name: value for name, value in made.facts.items() if isinstance(value, int | float | str | dict)},
    }


Look = Callable[[Any, Any], np.ndarray]


def of_rows(parts: Parts) -> Look:
    """Encoded rows."""
    modality = Tabular().fit(parts.make)
    return lambda items, _: np.asarray(modality.encode(items).x, dtype=np.float64)


def of_spans(parts: Parts) -> Look:
    """What is in a region of a series, in deviations of normal channels, at a fixed number of points."""
    rows = np.concatenate([np.asarray(each, float).reshape(len(each), -1) for each in parts.make])
    mean, std = rows.mean(0), rows.std(0)
    std = np.where(std > 1e-6 * np.abs(mean), std, np.maximum(np.abs(mean), 1.0))

    def look(items: Sequence[np.ndarray], regions: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([told(np.asarray(x, float), np.asarray(r)) for x, r in zip(items, regions, strict=True)])

    def told(x: np.ndarray, region: np.ndarray) -> np.ndarray:
        at = np.flatnonzero(region.reshape(len(region), -1).any(1))
        inside = (x.reshape(len(x), -1)[at[0] : at[-1] + 1] - mean) / std
        place = np.linspace(0, len(inside) - 1, POINTS)
        return np.stack([np.interp(place, np.arange(len(inside)), column) for column in inside.T]).ravel()

    return look


def of_regions(parts: Parts) -> Look:
    """What the embedded backbone sees in a square about a region, its last two layers averaged."""
    from anodiff.bench.images.seen import frozen
    from anodiff.metrics.quality_images import region_features

    del parts
    seen = frozen(("s16", "s32"))

    def backbone(cut: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(np.ascontiguousarray(cut)).float() / 127.5 - 1
        x = x[:, None] if x.ndim == 3 else x.movedim(3, 1)
        return torch.cat([layer.mean((2, 3)) for layer in seen(x)], 1).numpy()

    def look(items: Any, regions: Any) -> np.ndarray:
        shown = pictures(items)[0]
        return region_features(backbone, shown, [np.asarray(r) > 0 for r in regions], size=96, margin=0.1)

    return look


LOOKS: dict[str, Callable[[Parts], Look]] = {"tabular": of_rows, "series": of_spans, "image": of_regions}
