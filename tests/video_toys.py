"""Clips of the walkway, and a detector that was fitted on some, for whoever tests video."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from anodiff.data.walkway import Walk, walkway
from anodiff.detect_video import VideoDetector
from anodiff.modalities.video import Video


def normal(seed: int = 0, frames: int = 36, **settings: Any) -> np.ndarray:
    return walkway(frames, seed=seed, **settings).frames


def planted(kinds: Sequence[str] = ("fast",), seed: int = 9, frames: int = 90, **settings: Any) -> Walk:
    return walkway(frames, kinds, seed=seed, **settings)


def small(**settings: Any) -> Video:
    return Video(**{"size": 96, "rate": 10.0, **settings})


QUICK = {"denoisers.learnt.steps": 40, "denoisers.learnt.width": 32}


def detector(video: Video | None = None, **settings: Any) -> VideoDetector:
    return VideoDetector(video or small(), **{"changes": QUICK, **settings})


def fitted(**settings: Any) -> VideoDetector:
    return detector(small(**settings)).fit([normal(seed) for seed in range(4)])


def moving(frames: int = 24, clips: int = 2, given: dict[str, Any] | None = None, **settings: Any) -> VideoDetector:
    """Fitted quickly, on motion alone."""
    found = detector(small(appearance=False, **settings), **(given or {}))
    return found.fit([normal(seed, frames) for seed in range(clips)])
