"""What the main job costs: seconds and peak memory, each in a process of its own.

    python benchmarks/speed.py

Writes benchmarks/results/speed.json. Nearest neighbours on the same table in the same run give the ratio to go by,
since machines are noisy.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from anodiff.bench.machine import describe, versions

COMMAND = """
import re
from anodiff.cli import main
try:
    main()
finally:
    print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
RESULTS = Path(__file__).parent / "results"


def table(rows, columns=20, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, columns)) @ np.random.default_rng(1).normal(size=(columns, columns))


def main_job():
    """10,000 x 20 fitted and calibrated, 100,000 rows scored."""
    from sklearn.neighbors import NearestNeighbors

    from anodiff import Detector

    normal, new = table(10_000), table(100_000, seed=2)
    start = time.perf_counter()
    detector = Detector().fit(normal)
    fitted = time.perf_counter()
    detector.decision_function(new)
    scored = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    NearestNeighbors(n_neighbors=5).fit(normal).kneighbors(new)
    return {
        "fit_seconds": fitted - start,
        "score_seconds": scored - fitted,
        "knn_score_seconds": time.perf_counter() - scored,
        "peak_megabytes": peak / 1024,
    }


def stream(rows):
    """Score so many rows of parquet on the command line; peak memory of that process."""
    from anodiff import Detector

    with tempfile.TemporaryDirectory() as folder:
        path, model = Path(folder) / "rows.parquet", Path(folder) / "model"
        names = [f"c{i}" for i in range(20)]
        writer = None
        for block in range(rows // 50_000):
            part = pa.table(dict(zip(names, table(50_000, seed=block).T, strict=True)))
            writer = writer or pq.ParquetWriter(path, part.schema)
            writer.write_table(part)
        writer.close()
        normal = pa.table(dict(zip(names, table(5_000, seed=99).T, strict=True)))
        Detector().fit(normal).save(model)
        command = ["score", str(model), str(path), "--quiet", "-o", str(Path(folder) / "scores.csv")]
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", COMMAND, *command], check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - start
    return {"rows": rows, "seconds": seconds, "peak_megabytes": int(done.stdout.split()[-1]) / 1024}


def large():
    """100,000 x 100 fitted."""
    from anodiff import Detector

    normal = table(100_000, columns=100)
    start = time.perf_counter()
    Detector().fit(normal)
    seconds = time.perf_counter() - start
    return {"fit_seconds": seconds, "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def per_row(rows):
    """Cost of scoring a row after fitting so many, beside exact nearest neighbours' on the same rows."""
    from sklearn.neighbors import NearestNeighbors

    from anodiff import Detector

    normal, new = table(rows), table(2_000, seed=2)
    detector, near = Detector().fit(normal), NearestNeighbors(n_neighbors=5, algorithm="brute").fit(normal)
    found = {"rows": rows}
    for name, score in (("anodiff", detector.decision_function), ("knn", near.kneighbors)):
        score(new[:64])
        start = time.perf_counter()
        score(new)
        found[f"{name}_microseconds_per_row"] = 1e6 * (time.perf_counter() - start) / len(new)
    return found


CALLS = {"main_job": main_job, "large": large, "stream": stream, "per_row": per_row}


def alone(call):
    """A measurement in a fresh process."""
    done = subprocess.run([sys.executable, __file__, call], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    if len(sys.argv) > 1:
        name, _, rows = sys.argv[1].partition(":")
        print(json.dumps(CALLS[name](*([int(rows)] if rows else []))))
        return
    found = {
        "machine": describe() | versions(),
        "main_job": [alone("main_job") for _ in range(3)],
        "large": alone("large"),
        "per_row": [alone(f"per_row:{rows}") for rows in (5_000, 20_000, 50_000, 100_000)],
        "stream": [alone(f"stream:{rows}") for rows in (100_000, 1_000_000)],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "speed.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
