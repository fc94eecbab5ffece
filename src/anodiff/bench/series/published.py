"""Published numbers of the same series: VUS-PR per method, not smoothed as ours is, and not run again.

Liu and Paparrizos, "The Elephant in the Room: Towards A Reliable Time-Series Anomaly Detection Benchmark" (TSB-AD),
2024, whose tables lie in ANODIFF_DATA/series/published.
"""

import csv
import os
from pathlib import Path

SOURCE = "Liu and Paparrizos, TSB-AD, 2024"
PREFIX = "published:"
FILE = "{}_vuspr_per_series.csv"
FACTS = ("file", "name", "ts_len", "anomaly_len", "num_anomaly", "avg_anomaly_len", "anomaly_ratio")
KINDS = ("point_anomaly", "seq_anomaly")


def table(collection: str | None) -> dict[str, dict[str, float]]:
    """VUS-PR by name of the series, by method; empty where there is no table."""
    place = Path(os.environ.get("ANODIFF_DATA", ""), "series", "published", FILE.format(collection))
    if collection is None or not place.is_file():
        return {}
    with place.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {(row.get("name") or row["file"]).removesuffix(".csv"): _numbers(row) for row in rows}


def _numbers(row: dict[str, str]) -> dict[str, float]:
    return {PREFIX + name: float(value) for name, value in row.items() if value and name not in (*FACTS, *KINDS)}
