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

import machine
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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


def alone(call):
    """A measurement in a fresh process."""
    done = subprocess.run([sys.executable, __file__, call], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    if len(sys.argv) > 1:
        name, _, rows = sys.argv[1].partition(":")
        print(json.dumps(stream(int(rows)) if name == "stream" else main_job()))
        return
    found = {
        "machine": machine.describe(),
        "main_job": [alone("main_job") for _ in range(3)],
        "stream": [alone(f"stream:{rows}") for rows in (100_000, 1_000_000)],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "speed.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
