"""Records of several parts that go together: a picture of a coloured square, the step that names it, and a force."""

from typing import Any

import numpy as np

from anodiff.modalities.multimodal import Multimodal

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220)}
NAMES = list(COLOURS)
SIDE = 24


def modality(**settings: Any) -> Multimodal:
    """How they are read."""
    return Multimodal(**{"encoder": "hashed", "size": 32, "kinds": {"step": "text"}, **settings})


def records(count: int, seed: int = 0) -> tuple[dict[str, Any], np.ndarray]:
    """Columns photo, step and force, and which of the colours each record is of `(n,)`."""
    draw = np.random.default_rng(seed)
    colour = draw.integers(0, len(NAMES), count)
    photos = np.full((count, SIDE, SIDE, 3), 100, np.uint8) + draw.integers(0, 9, (count, 1, 1, 1)).astype(np.uint8)
    for photo, k in zip(photos, colour, strict=True):
        top, left = draw.integers(1, 11, 2)
        photo[top : top + 12, left : left + 12] = COLOURS[NAMES[k]]
    steps = [f"put the {NAMES[k]} block on the table" for k in colour]
    return {"photo": photos, "step": steps, "force": 2.0 * colour + draw.normal(0, 0.3, count)}, colour


def mixed_up(columns: dict[str, Any], colour: np.ndarray) -> dict[str, Any]:
    """The same with the step of another colour."""
    steps = [f"put the {NAMES[(k + 1) % len(NAMES)]} block on the table" for k in colour]
    return {**columns, "step": steps}
