"""Layouts of archives of many series: NAB, UCR, TSB-AD, SKAB, Yahoo S5, and the copies under ANODIFF_DATA/series."""

import csv
import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from anodiff.data.instants import instants
from anodiff.data.labelled import Found, Labelled, array, channels, guarded, labels, marked, numbers, table, unnamed
from anodiff.types import Unreadable

UCR = re.compile(r"\d+_UCR_Anomaly_.+_(\d+)_(\d+)_(\d+)\.txt")
TSB = re.compile(r".+_tr_(\d+)_1st_(\d+)\.csv")
SKAB_TRAIN = 400
PROBATION, PROBATION_MOST = 0.15, 750


def nab(folder: Path) -> Found:
    """data/<kind>/*.csv with columns timestamp and value, labels/combined_windows.json; both ends of a window count.

    `train_end` is the probationary part in which the benchmark judges nothing: 15 %, of at most 5,000 rows.
    """
    index = folder / "labels" / "combined_windows.json"
    if not index.is_file():
        return {}
    with guarded(index):
        windows = json.loads(index.read_text(encoding="utf-8"))
        present = {key: spans for key, spans in windows.items() if (folder / "data" / key).is_file()}
    return {key.removesuffix(".csv"): partial(_nab, folder / "data" / key, key, s) for key, s in present.items()}


def _nab(path: Path, key: str, windows: list[list[str]]) -> Labelled:
    found = table(path)
    with guarded(path):
        micro, _ = instants(found.arrow["timestamp"], "timestamp")
        y = np.zeros(len(micro), np.int64)
        for window in windows:
            start, end = instants(pa.chunked_array([window]), "window")[0]
            y[(micro >= start) & (micro <= end)] = 1
        X = numbers(found, ["value"])
    train_end = min(int(PROBATION * len(X)), PROBATION_MOST)
    return Labelled(key.removesuffix(".csv"), "nab", X, y, None, train_end, ["value"])


def ucr(folder: Path) -> Found:
    """*_UCR_Anomaly_<name>_<train end>_<start>_<end>.txt, of numbers with blanks or line breaks between them."""
    paths = sorted(p for p in folder.rglob("*_UCR_Anomaly_*.txt") if UCR.fullmatch(p.name)) if folder.is_dir() else []
    return {path.stem: partial(_ucr, path) for path in paths}


def _ucr(path: Path) -> Labelled:
    match = UCR.fullmatch(path.name)
    assert match is not None
    train_end, start, end = map(int, match.groups())
    X = array(path)
    return Labelled(path.stem, "ucr", X, marked(len(X), [(start, max(end, start + 1))]), None, train_end, ["x0"])


def tsb(folder: Path, collection: str) -> Found:
    """<number>_<set>_id_<n>_<domain>_tr_<train end>_1st_<first anomaly>.csv, with a column Label."""
    paths = sorted(p for p in folder.rglob("*_tr_*_1st_*.csv") if TSB.fullmatch(p.name)) if folder.is_dir() else []
    return {path.stem: partial(_tsb, path, collection) for path in paths}


def _tsb(path: Path, collection: str) -> Labelled:
    match = TSB.fullmatch(path.name)
    assert match is not None
    return _flagged(path, path.stem, collection, ("label",), train_end=int(match[1]))


def skab(folder: Path) -> Found:
    """valve1/*.csv, valve2/*.csv, other/*.csv: datetime;channels;anomaly;changepoint; 400 rows to train on."""
    paths = [path for part in ("valve1", "valve2", "other") for path in sorted((folder / part).glob("*.csv"))]
    names = {f"{path.parent.name}/{path.stem}": path for path in paths}
    return {name: partial(_flagged, p, name, "skab", ("anomaly",), SKAB_TRAIN) for name, p in names.items()}


def yahoo(folder: Path) -> Found:
    """A1Benchmark to A4Benchmark with a csv for each series: timestamp(s), value, and is_anomaly or anomaly."""
    paths = sorted(p for p in folder.glob("A[1-4]Benchmark/*.csv") if not p.stem.endswith("_all"))
    names = {f"{path.parent.name}/{path.stem}": path for path in paths}
    marks = ("is_anomaly", "anomaly")
    return {name: partial(_flagged, p, name, "yahoo", marks, None, ("value",)) for name, p in names.items()}


def _flagged(
    path: Path,
    name: str,
    collection: str,
    marks: tuple[str, ...],
    train_end: int | None = None,
    only: tuple[str, ...] | None = None,
) -> Labelled:
    """A csv with its channels (`only` these where given) and a column of labels, of one of the names `marks`."""
    found = table(path)
    label = next((column for column in found.names if column.strip().lower() in marks), None)
    if label is None:
        raise Unreadable(f"{path.name} has no column {' or '.join(marks)}; take the version with labels.")
    names = list(only or channels(found, label, ("changepoint",)))
    with guarded(path):
        return Labelled(
            name, collection, numbers(found, names), labels(found.arrow[label], label), None, train_end, names
        )


def own(folder: Path, collection: str, prefix: str = "") -> Found:
    """<collection>.csv, that lists the series, and <collection>/*.npz with X and y (or the ends of the anomaly)."""
    index = folder / f"{collection}.csv"
    if not index.is_file():
        return {}
    with guarded(index), index.open(newline="", encoding="utf-8") as file:
        names = [(row.get("name") or row["tsb_file"]).removesuffix(".csv") for row in csv.DictReader(file)]
    paths = {name: folder / collection / f"{name}.npz" for name in names if name.startswith(prefix)}
    return {name: partial(_own, path, collection) for name, path in paths.items() if path.is_file()}


def _own(path: Path, collection: str) -> Labelled:
    with guarded(path), np.load(path, allow_pickle=False) as held:
        X = np.asarray(held["X"], np.float64)
        y = held["y"].astype(np.int64) if "y" in held.files else marked(len(X), [tuple(held["anomaly"])])
        train = np.asarray(held["X_train"], np.float64) if "X_train" in held.files else None
        ends = [int(held[key]) for key in ("train_end", "tsb_train_end") if key in held.files]
    train_end = next((end for end in ends if end > 0), None)
    return Labelled(path.stem, collection, X, y, train, train_end, unnamed(X.shape[1]))
