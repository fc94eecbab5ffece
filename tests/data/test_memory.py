"""Reading in pieces takes memory that does not grow with the rows."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

STATUS = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(not STATUS.is_file(), reason="the peak of one process is read from /proc")
PEAK = """
import re, sys
from anodiff.data.readers import chunks
rows = sum(len(table) for table in chunks(sys.argv[1], 16_384))
print(rows, int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


def written(path: Path, rows: int, group: int) -> Path:
    rng = np.random.default_rng(0)
    table = pa.table({f"c{i}": rng.normal(size=rows) for i in range(12)})
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pq.write_table(table, path, row_group_size=group)
    return path


def peak(path: Path) -> tuple[int, int]:
    """Rows read and megabytes held at most, in a process of its own; getrusage would count what its parent held."""
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], check=True, capture_output=True, text=True)
    rows, megabytes = map(int, done.stdout.split())
    return rows, megabytes


@pytest.mark.parametrize(
    ("name", "group"), [("many groups.parquet", 50_000), ("one group.parquet", 10**9), ("text.csv", 0)]
)
def test_memory_does_not_grow_with_rows(tmp_path: Path, name: str, group: int) -> None:
    few, many = 150_000, 900_000
    rows, small = peak(written(tmp_path / f"few {name}", few, group))
    more, large = peak(written(tmp_path / f"many {name}", many, group))
    assert (rows, more) == (few, many)
    assert large < small + 0.7 * (many - few) * 12 * 8 / 2**20, (small, large)
