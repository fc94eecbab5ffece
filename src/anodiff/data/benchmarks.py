"""Where the public tables lie: folders under the one that the environment variable ANODIFF_DATA names.

tabular/adbench/*.npz, tabular/embeddings/*.npz (`X`, and `y` = 1 for anomalies), tabular/mixed/*.csv.gz (column
`is_anomaly`), and tabular/published/*.csv with the tables of Livernoche and others, "On diffusion modeling for anomaly
detection", 2024, whose names of the sets adbench.csv knows.
"""

import csv
import os
from pathlib import Path

LABEL = "is_anomaly"
COLLECTIONS = {
    "adbench": ("adbench/*.npz",),
    "mixed": ("mixed/*.csv.gz",),
    "fresh": ("embeddings/*.npz", "mixed/*.csv.gz"),
}
PUBLISHED = {
    ("published", "auroc"): "dte_semi_aucroc.csv",
    ("published", "ap"): "dte_semi_aucpr.csv",
    ("unsupervised", "auroc"): "dte_unsup_aucroc.csv",
    ("unsupervised", "ap"): "dte_unsup_aucpr.csv",
}


def folder() -> Path | None:
    """The folder of public tables, or None where there is none."""
    given = os.environ.get("ANODIFF_DATA", "")
    place = Path(given) / "tabular"
    return place if given and place.is_dir() else None


def paths(collection: str) -> dict[str, Path]:
    """The sets of a collection, by name; none where there is no folder of public tables."""
    place = folder()
    found = [path for part in COLLECTIONS[collection] for path in sorted(place.glob(part))] if place else []
    return {name_of(path): path for path in found}


def name_of(path: Path) -> str:
    """The name of the set in a file.

    >>> name_of(Path("mixed/nursery.csv.gz"))
    'nursery'
    """
    return Path(path.name.removesuffix(".gz")).stem


def published(protocol: str, metric: str) -> dict[str, dict[str, float]]:
    """Published numbers, in points, by our name of the set and their name of the method; empty where not found."""
    place, file = folder(), PUBLISHED.get((protocol, metric))
    if place is None or file is None or not (place / "published" / file).is_file():
        return {}
    names = {row["published_name"]: row["name"] for row in _rows(place / "adbench.csv")}
    tables = {row.pop("dataset"): row for row in _rows(place / "published" / file)}
    known = {names[name]: row for name, row in tables.items() if name in names}
    return {name: {method: float(v) for method, v in row.items() if v} for name, row in known.items()}


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
