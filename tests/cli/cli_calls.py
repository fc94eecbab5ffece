import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Said(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Said]


def write_table(path: Path, rows: int, seed: int, bad: int = 0) -> Path:
    """amount follows hour; the first `bad` rows do not."""
    draw = np.random.default_rng(seed)
    hours = draw.integers(0, 24, rows)
    amounts = np.where(np.arange(rows) < bad, 9310.0, 100 + 5 * hours + 8 * draw.normal(size=rows))
    countries = draw.choice(["NL", "DE", "FR"], rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["amount", "hour", "country"])
        writer.writerows(zip(amounts.round(2).tolist(), hours.tolist(), countries.tolist(), strict=True))
    return path


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
