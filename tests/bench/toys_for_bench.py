from pathlib import Path

import numpy as np

from anodiff.bench.protocols import PROTOCOLS
from anodiff.bench.results import Results
from anodiff.bench.sets import Source
from anodiff.bench.settings import Settings


def table(rows: int = 240, bad: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Correlated normals, and anomalies that break the correlation."""
    draw = np.random.default_rng(seed)
    X = draw.normal(size=(rows, 4)) @ np.array([[1, 0.9, 0, 0], [0, 0.4, 0, 0], [0, 0, 1, 0.5], [0, 0, 0, 1.0]])
    y = np.zeros(rows, dtype=np.int64)
    y[draw.permutation(rows)[:bad]] = 1
    X[y == 1, 1] *= -4
    return X, y


def save(folder: Path, name: str, **options: int) -> Source:
    X, y = table(**options)
    np.savez(folder / f"{name}.npz", X=X, y=y)
    return Source(name, str(folder / f"{name}.npz"))


def settings(protocol: str = "shuffled", **changes: object) -> Settings:
    known = {"levels": PROTOCOLS[protocol].levels, "seeds": 2, "rivals": ("knn",), "recipe": "mahalanobis"}
    return Settings(protocol, **{**known, **changes})


def made_up(numbers: dict[str, dict[str, list[float]]], **changes: object) -> Results:
    """Results of made-up accuracies: by method, by set, one per seed."""
    rivals = tuple(name for name in numbers if name != "anodiff")
    seeds = max(len(of) for table in numbers.values() for of in table.values())
    results = Results(settings(rivals=rivals, seeds=seeds, **changes), {}, {}, {"anodiff": "1"}, "anodiff bench")
    for method, table in numbers.items():
        for name, of in table.items():
            results.sets[name] = {"sha256": name}
            for seed, value in enumerate(of):
                at = {"set": name, "seed": seed, "level": None}
                if at not in [{k: s[k] for k in at} for s in results.splits]:
                    results.splits.append(
                        {
                            **at,
                            "skipped": None,
                            "n_normal": 100,
                            "leaky": False,
                            "copies_near": 0.0,
                            "contamination": None,
                        }
                    )
                results.records.append({**at, "method": method, **record(value)})
    return results


def record(value: float) -> dict[str, object]:
    if not np.isfinite(value):
        return {"status": "failed", "error": "it broke"}
    alarms = {f"{kind}_{rate}": 5 for kind in ("false_alarms", "found") for rate in ("0.01", "0.05", "0.1")}
    return {
        "status": "ok",
        "error": None,
        "auroc": value,
        "ap": value,
        "oracle_f1": value,
        "seconds": 1.0,
        "seconds_per_row": 0.1,
        "megabytes": 1.0,
        "transductive": False,
        **alarms,
    }
