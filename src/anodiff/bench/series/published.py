"""Published numbers of the same series: VUS-PR per method, not smoothed as ours is, and not run again.

Liu and Paparrizos, "The Elephant in the Room: Towards A Reliable Time-Series Anomaly Detection Benchmark" (TSB-AD),
2024, whose tables lie in ANODIFF_DATA/series/published.
"""

import csv

from anodiff.bench.series.tasks import place

SOURCE = "Liu and Paparrizos, TSB-AD, 2024"
PREFIX = "published:"
FACTS = ("file", "name", "ts_len", "anomaly_len", "num_anomaly", "avg_anomaly_len", "anomaly_ratio")
KINDS = ("point_anomaly", "seq_anomaly")


def table(collection: str | None) -> dict[str, dict[str, float]]:
    """VUS-PR by name of the series, by method; empty where there is no table."""
    path = place(f"published/{collection}_vuspr_per_series.csv")
    if path is None:
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {(row.get("name") or row["file"]).removesuffix(".csv"): _numbers(row) for row in rows}


def _numbers(row: dict[str, str]) -> dict[str, float]:
    return {PREFIX + name: float(value) for name, value in row.items() if value and name not in (*FACTS, *KINDS)}
