"""Memory over an hour of video: a file is written frame by frame, judged as a stream, and the process is weighed."""

import resource
import tempfile
from pathlib import Path

from anodiff.bench.machine import describe, versions
from anodiff.bench.series.timed import timed
from anodiff.data.film import film
from anodiff.data.walkway import walking, walkway
from anodiff.detect_video import VideoDetector
from anodiff.types import JSON

RATE = 10.0
"""Frames per second."""
WEIGHED = 20
"""How often the process is weighed."""
LEARNT = 600
SIZE = (120, 180)


def measured(minutes: float, command: str) -> JSON:
    """Fit on one minute of a walkway, then judge so many minutes of it from an mp4 file."""
    frames = round(minutes * 60 * RATE)
    with tempfile.TemporaryDirectory(prefix="anodiff-") as folder:
        path = Path(folder) / "long.mp4"
        film(path, (shown for shown, _ in walking(frames, size=SIZE, seed=1)), rate=RATE)
        detector = VideoDetector("video").fit(walkway(LEARNT, size=SIZE, seed=0).frames)
        weights, step = list[JSON](), max(1, frames // WEIGHED)
        with timed() as spent:
            for count, _ in enumerate(detector.judge(path, maps=False), 1):
                if count % step == 0:
                    weights.append({"frames": count, "megabytes": resident()})
    told = {"minutes": minutes, "frames": frames, "weights": weights, "frames_per_second": frames / spent.seconds}
    told["peak_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"command": command, "machine": describe(), "versions": versions(), "summary": told}


def resident() -> float:
    """Megabytes that the process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def page(found: JSON) -> str:
    """In words."""
    weights = [each["megabytes"] for each in found["weights"]]
    half = weights[len(weights) // 2 :]
    return (
        f"{found['minutes']:g} minutes, {found['frames']:,} frames of a walkway drawn by code, from an mp4 file: "
        f"{weights[0]:,.0f} MB after the first {100 / WEIGHED:g} %, {half[0]:,.0f} MB halfway, {weights[-1]:,.0f} MB "
        f"at the end; {found['frames_per_second']:.1f} frames a second.\n"
    )
