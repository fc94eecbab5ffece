"""What a call costs: seconds, and by how much the memory of the process grew at its peak.

On Linux the kernel keeps the highest resident size and lets a process reset it, so the growth is that of this call.
What the process had freed and kept for itself is not counted again; it is handed back first, where the C library can.
Elsewhere there is no such number, and None is told rather than a guess.
"""

import ctypes
import gc
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class Cost:
    """Seconds, and megabytes that the process grew by at its peak (None where the system does not tell)."""

    seconds: float = 0.0
    megabytes: float | None = None


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the block; the numbers are there when it has ended."""
    cost, before = Cost(), _fresh_peak()
    start = time.perf_counter()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - start
        peak = kilobytes("VmHWM")
        cost.megabytes = None if before is None or peak is None else max(peak - before, 0) / 1024


def _fresh_peak() -> float | None:
    """Hand back what is free, forget the peak so far, and tell the resident size."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        RESET.write_text("5", encoding="ascii")
    except OSError:
        return None
    return kilobytes("VmRSS")


def kilobytes(name: str) -> float | None:
    """What the system tells of this process by that name, such as VmHWM; None where it does not tell."""
    if not STATUS.is_file():
        return None
    found = re.search(rf"^{name}:\s+(\d+)", STATUS.read_text(encoding="ascii", errors="replace"), re.MULTILINE)
    return float(found[1]) if found else None
