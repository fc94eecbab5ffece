"""How the benchmarks cut ADBench's sets: the published way, and an honest one.

published: rows in file order; fewer than 1,000 rows are resampled with replacement to 1,000, more than 50,000 are drawn
           down to 50,000 without; the first half of the normals trains, the rest and all anomalies test; standardised
           on train. As Livernoche et al. (ICLR 2024) did; copies of training rows end up in the test of small sets.
shuffled:  duplicates dropped, rows shuffled by the seed, at most 50,000 of them, then the same halves.
"""

import os
from pathlib import Path

import numpy as np

MOST, LEAST = 50_000, 1_000


def folder() -> Path:
    """The folder of ADBench's files, found by ANODIFF_DATA."""
    place = Path(os.environ.get("ANODIFF_DATA", "../shared/data")) / "tabular" / "adbench"
    if not place.is_dir():
        raise SystemExit(f"no data at {place}; point ANODIFF_DATA at the folder that holds tabular/adbench.")
    return place


def names() -> list[str]:
    return sorted(path.stem for path in folder().glob("*.npz"))


def published(X: np.ndarray, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train `(n, d)`, test `(m, d)` and its labels."""
    draw = np.random.RandomState(seed)
    if len(y) < LEAST:
        kept = draw.choice(np.arange(len(y)), LEAST, replace=True)
        X, y = X[kept], y[kept]
    elif len(y) > MOST:
        kept = draw.choice(np.arange(len(y)), MOST, replace=False)
        X, y = X[kept], y[kept]
    return _halves(X, y)


def shuffled(X: np.ndarray, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train `(n, d)`, test `(m, d)` and its labels."""
    _, first = np.unique(X, axis=0, return_index=True)
    order = np.random.RandomState(seed).permutation(np.sort(first))[:MOST]
    return _halves(X[order], y[order])


def _halves(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    normal, abnormal = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    count = round(0.5 * len(normal))
    train, test = normal[:count], np.concatenate([normal[count:], abnormal])
    mean, scale = X[train].mean(0), X[train].std(0)
    scale[scale == 0] = 1
    return (X[train] - mean) / scale, (X[test] - mean) / scale, y[test]


PROTOCOLS = {"published": published, "shuffled": shuffled}


def load(name: str, protocol: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.load(folder() / f"{name}.npz") as file:
        X, y = file["X"].astype(np.float64), file["y"].astype(int)
    return PROTOCOLS[protocol](X, y, seed)
