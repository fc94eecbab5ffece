"""Frames as a film: an mp4 of h264 that browsers and players show, whole or not there."""

from collections.abc import Iterable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from anodiff.data.atomic import replacing
from anodiff.data.clip_files import pyav
from anodiff.data.reels import check_rate
from anodiff.types import Misfit

QUALITY = {"crf": "18", "preset": "veryfast", "threads": "1"}


def film(
    path: str | Path,
    frames: Iterable[np.ndarray],
    rate: float = 25.0,
    *,
    overwrite: bool = False,
    began: float | None = None,
) -> int:
    """Write frames to an mp4, one at a time, and return how many there were.

    Args:
        path: ending in .mp4.
        frames: `(H, W)` or `(H, W, 3)` uint8, RGB; the first sets the size, to which others are scaled. Where height
            or width is odd, the last row or column is repeated, for h264 has even sizes only.
        rate: frames a second.
        overwrite: whether a file that is there may be replaced.
        began: when the first was taken, in unix seconds, which the file then states.

    Raises:
        FileExistsError: there is such a file.
        Misfit: the path ends otherwise, there is no frame, or one is none.
    """
    to, speed = Path(path), check_rate(rate)
    if to.suffix.lower() != ".mp4":
        raise Misfit(f"{to.name} is no name of an mp4; give a path that ends in .mp4.")
    if speed is None:
        raise Misfit("the rate of a film is None; give frames a second, such as 25.")
    with replacing(to, overwrite) as fresh:
        return _written(fresh, frames, speed, began)


def _written(path: Path, frames: Iterable[np.ndarray], rate: float, began: float | None) -> int:
    av, count = pyav(), 0
    speed = max(Fraction(rate).limit_denominator(1001), Fraction(1, 1001))
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        if began is not None:
            container.metadata["creation_time"] = datetime.fromtimestamp(began, UTC).isoformat()
        stream: Any = None
        for frame in frames:
            _check_frame(frame, count)
            shown = av.VideoFrame.from_ndarray(_even(frame), "gray" if frame.ndim == 2 else "rgb24")
            stream = stream or _stream(container, speed, shown)
            if (shown.width, shown.height) != (stream.width, stream.height):
                shown = shown.reformat(stream.width, stream.height)
            shown.pts, shown.time_base = count, 1 / speed
            container.mux(stream.encode(shown))
            count += 1
        if stream is None:
            raise Misfit("there is no frame to write; give at least one.")
        container.mux(stream.encode(None))
    return count


def _stream(container: Any, rate: Fraction, first: Any) -> Any:
    h264 = "libx264" in pyav().codecs_available
    stream = container.add_stream("libx264" if h264 else "mpeg4", rate=rate, options=QUALITY if h264 else {})
    stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
    return stream


def _check_frame(frame: Any, place: int) -> None:
    shape: tuple[int, ...] = getattr(frame, "shape", ())
    kind = getattr(frame, "dtype", type(frame).__name__)
    plain = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
    if not plain or not min(shape) or kind != np.uint8:
        raise Misfit(f"frame {place} is {kind} of shape {shape}; give uint8 (H, W) or (H, W, 3).")


def _even(frame: np.ndarray) -> np.ndarray:
    spare = [(0, length % 2) for length in frame.shape[:2]] + [(0, 0)] * (frame.ndim - 2)
    return np.ascontiguousarray(np.pad(frame, spare, "edge") if np.any(spare) else frame)
