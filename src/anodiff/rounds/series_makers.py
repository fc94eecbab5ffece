"""Classical makers of series: noise, another stretch, a spike, a step, and points between known anomalies."""

from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np

from anodiff.anomalies.classic_spans import CLASSICS, Classic, Smote
from anodiff.rounds.makers import WEAKEST, Ground, Maker

PIECE = 300
"""Instants of what is made."""
LENGTHS = (5, 60)


def made_by(classic: Classic, ground: Ground, n: int, seed: int) -> tuple[list[Any], list[np.ndarray]]:
    """Pieces of normal series, each with an anomaly of a classical maker, and where it is, `(T, C)` bool."""
    draw = np.random.default_rng(seed)
    items, regions = list[Any](), list[np.ndarray]()
    sizes = np.array([len(each) for each in ground.normals], dtype=float)
    for _ in range(n):
        whole = ground.normals[draw.choice(len(sizes), p=sizes / sizes.sum())]
        start = int(draw.integers(0, max(1, len(whole) - PIECE)))
        piece = sliced(whole, start, start + PIECE)
        x, put = numbers(piece)
        region: np.ndarray = np.zeros(x.shape, dtype=bool)
        length = min(int(draw.integers(*LENGTHS)), max(1, len(x) // 3))
        begin = int(draw.integers(0, len(x) - length + 1))
        channels: np.ndarray = np.asarray(draw.random(x.shape[1]) < 0.5)
        channels[draw.integers(x.shape[1])] = True
        region[begin : begin + length] = channels
        items.append(put(classic(x, region, float(draw.uniform(WEAKEST, 1.0)), draw)))
        regions.append(region)
    return items, regions


def between(ground: Ground, n: int, seed: int) -> tuple[list[Any], list[np.ndarray]]:
    """The same of points between known anomalies."""
    windows = []
    for item, region in zip(ground.known, ground.regions or [None] * len(ground.known), strict=True):
        x, _ = numbers(item)
        at = np.ones(len(x), bool) if region is None else np.asarray(region).reshape(len(x), -1).any(1)
        windows.append(x[at])
    return made_by(Smote(windows), ground, n, seed)


def sliced(series: Any, start: int, stop: int) -> Any:
    """Instants of a series, in its own layout."""
    if isinstance(series, np.ndarray):
        return series[start:stop]
    return nw.from_native(series, eager_only=True)[start:stop].to_native()


def numbers(series: Any) -> tuple[np.ndarray, Callable[[np.ndarray], Any]]:
    """The numeric channels `(T, C)`, and what puts others in their place."""
    if isinstance(series, np.ndarray):
        shape = series.shape
        return series.reshape(len(series), -1).astype(np.float64), lambda x: x.reshape(shape).astype(np.float64)
    frame: Any = nw.from_native(series, eager_only=True)
    names = [name for name, kind in frame.schema.items() if kind.is_numeric()]

    def put(x: np.ndarray) -> Any:
        columns = [nw.new_series(k, x[:, i], backend=frame.implementation) for i, k in enumerate(names)]
        return frame.with_columns(*columns).to_native()

    return frame.select(names).to_numpy().astype(np.float64), put


def _of(classic: Classic) -> Any:
    return lambda ground, n, seed: made_by(classic, ground, n, seed)


SERIES_MAKERS = {
    **{name: Maker(_of(classic)) for name, classic in CLASSICS.items()},
    "smote": Maker(between, of_examples=True),
}
