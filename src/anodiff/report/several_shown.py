"""Records as a report shows them: what stood in each part, small, and what was expected in its place."""

from typing import Any

import numpy as np
from PIL import Image as Pillow

from anodiff.data.records import Column, Records
from anodiff.explain.parts import Told
from anodiff.explain.values import written
from anodiff.types import JSON, Unreadable

SIDE = 280
"""The longer side in pixels at which a picture is shown."""
LONGEST = 400
"""Letters of a text that are shown."""
NUMBERS = 8
"""Of a row, that are written."""
POINTS = 120
"""Of a short series, that are drawn."""


def cells(found: Records, place: int) -> list[JSON]:
    """What a record holds, part by part; pictures as arrays."""
    return [cell(name, column, place) for name, column in found.columns.items()]


def cell(name: str, column: Column, place: int) -> JSON:
    """One part of a record: `text`, or `pixels`, or `line`; all None where it is missing."""
    bare: JSON = {"name": name, "kind": column.kind, "text": None, "pixels": None, "line": None}
    if not column.present[place]:
        return bare
    if column.kind == "image":
        try:
            return {**bare, "pixels": small(column.picture(place))}
        except Unreadable as refusal:
            return {**bare, "text": str(refusal)}
    return {**bare, **said(column.kind, column.values[place])}


def said(kind: str, value: Any) -> JSON:
    """A value that is no picture, as words or as a line.

    >>> said("numbers", np.array([1.0, 2.5])), said("text", "pour")
    ({'text': '1; 2.5'}, {'text': 'pour'})
    """
    if kind == "numbers":
        row = np.ravel(value)
        more = f"; and {len(row) - NUMBERS} more" if len(row) > NUMBERS else ""
        return {"text": "; ".join(written(float(v)) for v in row[:NUMBERS]) + more}
    if kind == "series":
        rows = np.asarray(value, float)
        return {"line": rows[:: max(1, len(rows) // POINTS)].tolist()}
    text = str(value)
    return {"text": text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"}


def small(pixels: np.ndarray) -> np.ndarray:
    """A picture `(H, W[, 3])` uint8 at the size at which it is shown."""
    height, width = (max(1, round(length * min(1.0, SIDE / max(pixels.shape[:2])))) for length in pixels.shape[:2])
    return np.asarray(Pillow.fromarray(pixels).resize((width, height), Pillow.Resampling.LANCZOS))


def expected(told: Told | None, kind: str) -> JSON | None:
    """What the other parts led to expect of one; None where nothing did."""
    if told is None or told.expected is None:
        return None
    bare: JSON = {"name": told.part, "kind": kind, "record": told.expected_of, "text": None, "line": None}
    if kind == "image":
        return {**bare, "pixels": np.asarray(told.expected)}
    return {**bare, "pixels": None, **said(kind, told.expected)}
