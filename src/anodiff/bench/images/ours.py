"""anodiff on pictures, by its public interface: what it says of each picture, and its map in the square judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from anodiff.bench.images.settings import SIZE
from anodiff.detect import Detector
from anodiff.types import JSON, Scores, Unreadable

OURS = "anodiff"


@dataclass(frozen=True, eq=False)
class Said:
    """What is said of n pictures.

    Attributes:
        maps: `(n, S, S)` float32.
        scores: `(n,)`.
        p_values: `(n,)`.
    """

    maps: np.ndarray
    scores: Scores
    p_values: Scores


def fitted(
    pictures: Any,
    seed: int,
    recipe: str = "auto",
    changes: JSON | None = None,
    examples: Sequence[Any] | None = None,
    regions: Sequence[np.ndarray] | None = None,
) -> Detector:
    """The detector that has learnt the pictures, and known defects where some are given."""
    detector = Detector("image", recipe=recipe, changes=changes or None, seed=seed)
    known = {} if examples is None else {"examples": list(examples), "regions": regions}
    return detector.fit(pictures, **known)


def said(detector: Detector, pictures: Any) -> Said:
    """What it says of pictures.

    Raises:
        Unreadable: one of them cannot be read.
    """
    maps, scores, p_values = list[np.ndarray](), list[float](), list[float]()
    for verdict in detector.inner_.judge(pictures):
        if verdict.unread is not None:
            raise Unreadable(f"picture {verdict.name}: {verdict.unread}")
        maps.append(resized(detector.inner_.laid(verdict)))
        scores.append(verdict.score)
        p_values.append(verdict.p_value)
    return Said(np.stack(maps), np.array(scores), np.array(p_values))


def resized(map: np.ndarray, side: int = SIZE) -> np.ndarray:
    """A map `(H, W)` in a square, squashed."""
    if map.shape == (side, side):
        return np.asarray(map, np.float32)
    plane = Image.fromarray(np.ascontiguousarray(map, np.float32))
    return np.asarray(plane.resize((side, side), Image.Resampling.BILINEAR))
