"""How the benchmarks cut tables: the published way, an honest one, and the honest one on sets nobody looked at.

published: rows in file order; fewer than 1,000 rows are resampled with replacement to 1,000, more than 50,000 are drawn
           down to 50,000 without; the first half of the normals trains, the rest and all anomalies test; standardised
           on train. As Livernoche et al. (ICLR 2024) did; copies of training rows end up in the test of small sets.
fresh:     as shuffled, on embeddings of images and texts and on mixed tables, which took no part in choosing the
           default. anodiff sees mixed tables as they are, the rivals one-hot columns, medians and missing-indicators.
shuffled:  duplicates dropped, rows shuffled by the seed, at most 50,000 of them, then the same halves.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

MOST, LEAST = 50_000, 1_000


@dataclass(frozen=True)
class Cut:
    """Train and test as anodiff sees them and as its rivals do, and the test's labels (1 = anomaly)."""

    train: np.ndarray | pd.DataFrame
    test: np.ndarray | pd.DataFrame
    y: np.ndarray
    rivals_train: np.ndarray
    rivals_test: np.ndarray


def folder() -> Path:
    """The folder of public tables, found by ANODIFF_DATA."""
    place = Path(os.environ.get("ANODIFF_DATA", "../shared/data")) / "tabular"
    if not place.is_dir():
        raise SystemExit(f"no data at {place}; point ANODIFF_DATA at the folder that holds tabular.")
    return place


def names(protocol: str) -> list[str]:
    if protocol != "fresh":
        return sorted(path.stem for path in (folder() / "adbench").glob("*.npz"))
    arrays, frames = (folder() / "embeddings").glob("*.npz"), (folder() / "mixed").glob("*.csv.gz")
    return sorted(path.stem for path in arrays) + sorted(path.name.removesuffix(".csv.gz") for path in frames)


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


PROTOCOLS = {"published": published, "shuffled": shuffled, "fresh": shuffled}


def load(name: str, protocol: str, seed: int) -> Cut:
    mixed = folder() / "mixed" / f"{name}.csv.gz"
    if mixed.is_file():
        return _mixed(pd.read_csv(mixed, na_values="?"), seed)
    with np.load(folder() / ("embeddings" if protocol == "fresh" else "adbench") / f"{name}.npz") as file:
        X, y = file["X"].astype(np.float64), file["y"].astype(int)
    train, test, labels = PROTOCOLS[protocol](X, y, seed)
    return Cut(train, test, labels, train, test)


def _mixed(frame: pd.DataFrame, seed: int) -> Cut:
    frame = frame.drop_duplicates().reset_index(drop=True)
    y = frame.pop("is_anomaly").to_numpy().astype(int)
    frame = frame.dropna(axis=1, how="all")
    normal = np.random.RandomState(seed).permutation(np.flatnonzero(y == 0))
    count = round(0.5 * len(normal))
    train, test = normal[:count], np.concatenate([normal[count:], np.flatnonzero(y == 1)])
    numbers = frame.select_dtypes("number")
    columns = [numbers.fillna(numbers.iloc[train].median()), frame.isna().add_suffix("_missing")]
    texts = frame.select_dtypes(exclude="number")
    flat = pd.concat([*columns, *([pd.get_dummies(texts)] if len(texts.columns) else [])], axis=1).to_numpy(np.float64)
    mean, scale = flat[train].mean(0), flat[train].std(0)
    scale[scale == 0] = 1
    flat = (flat - mean) / scale
    return Cut(frame.iloc[train], frame.iloc[test], y[test], flat[train], flat[test])
