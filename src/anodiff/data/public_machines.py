"""Layouts of sets that come in a training and a test part: SMD, SMAP and MSL, PSM, SWaT, WADI."""

import ast
import csv
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from anodiff.data.labelled import Found, Labelled, array, channels, guarded, labels, marked, numbers, table, unnamed
from anodiff.data.table import Table
from anodiff.types import Unreadable

LABELS = "labeled_anomalies.csv"
ATTACK_NAMES = frozenset({"normal/attack", "label", "labels", "anomaly", "is_anomaly", "class"})


def smd(folder: Path) -> Found:
    """ServerMachineDataset: train/*.txt, test/*.txt and test_label/*.txt of the same names, commas between channels."""
    paths = sorted((folder / "test_label").glob("*.txt")) if (folder / "train").is_dir() else []
    return {path.stem: partial(_machine, folder, path.name) for path in paths}


def _machine(folder: Path, name: str) -> Labelled:
    X, train = array(folder / "test" / name), array(folder / "train" / name)
    y = array(folder / "test_label" / name)[:, 0].astype(np.int64)
    return Labelled(Path(name).stem, "smd", X, y, train, None, unnamed(X.shape[1]))


def telemanom(folder: Path, spacecraft: str) -> Found:
    """SMAP or MSL: train/*.npy, test/*.npy, labeled_anomalies.csv there or above; both ends of a span count."""
    index = next((p for p in (folder / LABELS, folder.parent / LABELS) if p.is_file()), None)
    if index is None or not (folder / "test").is_dir():
        return {}
    spans: dict[str, list[tuple[int, int]]] = {}
    with guarded(index), index.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["spacecraft"].strip().upper() == spacecraft:
                found = [(int(a), int(b) + 1) for a, b in ast.literal_eval(row["anomaly_sequences"])]
                spans.setdefault(row["chan_id"], []).extend(found)
    present = {name: found for name, found in spans.items() if (folder / "test" / f"{name}.npy").is_file()}
    return {name: partial(_telemetry, folder, name, spacecraft.lower(), found) for name, found in present.items()}


def _telemetry(folder: Path, name: str, collection: str, spans: Sequence[tuple[int, int]]) -> Labelled:
    X, train = (array(folder / part / f"{name}.npy") for part in ("test", "train"))
    return Labelled(name, collection, X, marked(len(X), spans), train, None, unnamed(X.shape[1]))


def psm(folder: Path) -> Found:
    """train.csv, test.csv and test_label.csv."""
    whole = all((folder / f"{part}.csv").is_file() for part in ("train", "test", "test_label"))
    return {"psm": partial(_pooled, folder)} if whole else {}


def _pooled(folder: Path) -> Labelled:
    train, test, truth = (table(folder / f"{part}.csv") for part in ("train", "test", "test_label"))
    label = truth.names[-1]
    names = channels(test, None)
    y = labels(truth.arrow[label], label)
    return Labelled("psm", "psm", numbers(test, names), y, _like(train, names), None, names)


def plant(folder: Path, collection: str, calm: Sequence[str], attacked: Sequence[str]) -> Found:
    """SWaT or WADI as csv: one file of normal operation and one with labelled attacks, told apart by their names."""
    files = sorted(p for p in folder.glob("*.csv") if p.is_file()) if folder.is_dir() else []
    train = [p for p in files if any(mark in p.name.lower() for mark in calm)]
    test = [p for p in files if p not in train and any(mark in p.name.lower() for mark in attacked)]
    test = [p for p in test if "lable" in p.name.lower() or "label" in p.name.lower()] or test
    return {collection: partial(_attacked, train[-1], test[-1], collection)} if train and test else {}


def _attacked(calm: Path, attacked: Path, collection: str) -> Labelled:
    test = table(attacked)
    label = attack_column(test.names)
    if label is None:
        raise Unreadable(f"{attacked.name} has no column of attacks; take the version with labels.")
    test = _labelled_rows(test, label)
    train = table(calm)
    names = channels(test, label)
    y = labels(test.arrow[label], label)
    return Labelled(collection, collection, numbers(test, names), y, _like(train, names), None, names)


def attack_column(names: Sequence[str]) -> str | None:
    """The column that says when an attack was.

    >>> attack_column(["FIT101", "Attack LABLE (1:No Attack, -1:Attack)"])
    'Attack LABLE (1:No Attack, -1:Attack)'
    """
    plain = {name: name.replace(" ", "").lower() for name in names}
    return next((name for name, word in plain.items() if word in ATTACK_NAMES or word.startswith("attack")), None)


def _labelled_rows(test: Table, label: str) -> Table:
    """Without rows that have no label, such as blank ones at the end."""
    return Table(test.arrow.filter(pc.is_valid(test.arrow[label])))


def _like(train: Table, names: Sequence[str]) -> np.ndarray:
    """The same channels of the training part, by name, or by place where names differ and their number does not."""
    if set(names) <= set(train.names):
        return numbers(train, names)
    own = channels(train, attack_column(train.names))
    if len(own) != len(names):
        lost = [name for name in names if name not in train.names]
        raise Unreadable(f"the training part lacks the channels {', '.join(lost[:10])}; take parts of one version.")
    return numbers(train, own)
