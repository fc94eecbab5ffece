"""Published numbers beside ours: as published, not run again."""

import numpy as np

from anodiff.bench.values import OURS, Book
from anodiff.data import benchmarks
from anodiff.types import JSON

SOURCE = "Livernoche and others, On diffusion modeling for anomaly detection, 2024"


def beside(book: Book) -> list[JSON]:
    """Per metric, published means over our sets and anodiff's place among them; none where there is no table.

    The means are over the sets that we have run and that are published for every method.
    """
    level = book.settings.levels[0]
    tables = ((name, benchmarks.published(book.settings.protocol, name)) for name in book.metrics)
    return [_table(book, name, level, table) for name, table in tables if set(table) & set(_ours(book, name, level))]


def _ours(book: Book, metric: str, level: object) -> dict[str, float]:
    values = book.values(OURS, level, metric)  # type: ignore[arg-type]
    return {name: float(np.mean(list(of.values()))) for name, of in values.items()}


def _table(book: Book, metric: str, level: object, table: dict[str, dict[str, float]]) -> JSON:
    ours = _ours(book, metric, level)
    methods = set.union(*(set(row) for row in table.values()))
    sets = sorted(name for name, row in table.items() if name in ours and set(row) == methods)
    means = {f"published:{m}": float(np.mean([table[name][m] for name in sets])) for m in methods} if sets else {}
    mine = float(np.mean([ours[name] for name in sets])) if sets else None
    ordered = sorted([*means.items(), *([] if mine is None else [(OURS, mine)])], key=lambda pair: -pair[1])
    return {
        "metric": metric,
        "source": SOURCE,
        "sets": len(sets),
        "place": None if mine is None else [name for name, _ in ordered].index(OURS) + 1,
        "means": dict(ordered),
    }
