"""Pictures of a contact sheet: normal, the region on it, made, made from closer, and a real one, in a grid."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from anodiff.report.contact import Shown
from anodiff.report.overlay import coloured, outlined, shrunk, to_look_at
from anodiff.report.plots import ALARM, FAINT, INK

SIDE, GAP, BETWEEN, TEXT = 144, 4, 22, 13
"""In pixels: of a picture, between pictures, between items, and of letters."""
WIDEST = 1540
HEADS = ("normal", "region", "made", "closer", "real")
AROUND, LEAST = 2.0, 24
"""From closer, a square so many times as long as the region, of so many pixels at least."""


def pictures_sheet(rows: Sequence[Shown]) -> bytes:
    """The items as a png, two beside each other."""
    panels = len(HEADS) - all(row.real is None for row in rows)
    wide, tall = panels * (SIDE + GAP) + BETWEEN, SIDE + 2 * (TEXT + 5) + 10
    across = min(max(1, WIDEST // wide), len(rows))
    page = Image.new("RGB", (across * wide + BETWEEN, -(-len(rows) // across) * tall + TEXT + 14), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=TEXT)
    for column in range(across):
        for k, head in enumerate(HEADS[:panels]):
            draw.text((BETWEEN + column * wide + k * (SIDE + GAP), 4), head, fill=INK, font=font)
    for i, row in enumerate(rows):
        left, top = BETWEEN + i % across * wide, TEXT + 12 + i // across * tall
        for k, picture in enumerate(_panels(row)[:panels]):
            page.paste(Image.fromarray(picture), (left + k * (SIDE + GAP), top))
        draw.text((left, top + SIDE + 2), row.title, fill=INK, font=font)
        draw.text((left, top + SIDE + TEXT + 5), row.verdict, fill=INK if row.accepted else ALARM, font=font)
    file = io.BytesIO()
    page.save(file, format="png")
    return file.getvalue()


def _panels(row: Shown) -> list[np.ndarray]:
    made = _small(row.made)
    normal = _empty() if row.normal is None else _framed(_small(row.normal))
    under = made if row.normal is None else _small(row.normal)
    closer = _framed(_small(_closer(np.asarray(row.made), np.asarray(row.region, bool))))
    found = [normal, _framed(_lined(under, row.region)), _framed(made), closer]
    if row.real is None:
        return [*found, _empty()]
    picture, region = row.real
    return [*found, _framed(_small(picture) if region is None else _lined(_small(picture), np.asarray(region)))]


def _closer(picture: np.ndarray, region: np.ndarray) -> np.ndarray:
    """A square around the region; all of the picture where there is none."""
    if not region.any():
        return picture
    ends = [np.flatnonzero(region.any(axis)) for axis in (1, 0)]
    side = max(LEAST, round(AROUND * max(end[-1] - end[0] + 1 for end in ends)))
    lengths = [min(side, n) for n in region.shape]
    first = [
        min(max(0, int(end[0] + end[-1] + 1 - m) // 2), n - m)
        for end, m, n in zip(ends, lengths, region.shape, strict=True)
    ]
    return picture[first[0] : first[0] + lengths[0], first[1] : first[1] + lengths[1]]


def _small(picture: Any) -> np.ndarray:
    """A picture `(h, w, 3)` uint8 whose longer side is that of a panel."""
    given = np.asarray(picture)
    given = given[..., None] if given.ndim == 2 else given
    if given.dtype != np.uint8:
        whole = float(np.iinfo(given.dtype).max) if given.dtype.kind in "iu" else 1.0
        given = to_look_at(np.nan_to_num(given.astype(np.float64)) / whole)
    large = Image.fromarray(np.ascontiguousarray(coloured(given)))
    height, width = _fitted(given.shape[0], given.shape[1])
    # What is smaller than its panel is shown pixel by pixel.
    how = Image.Resampling.NEAREST if max(given.shape[:2]) < SIDE else Image.Resampling.LANCZOS
    return np.asarray(large.resize((width, height), how))


def _lined(picture: np.ndarray, region: np.ndarray) -> np.ndarray:
    """A small picture with a line around a region of the large one."""
    inside = np.asarray(region, bool)
    size = picture.shape[:2]
    if not inside.any():
        return picture
    if inside.shape[0] < size[0] or inside.shape[1] < size[1]:
        rows, columns = (np.arange(n) * m // n for n, m in zip(size, inside.shape, strict=True))
        return outlined(picture, inside[np.ix_(rows, columns)], 1)
    return outlined(picture, shrunk(inside, size), 1)


def _framed(picture: np.ndarray) -> np.ndarray:
    """In the middle of a panel."""
    panel = _empty()
    top, left = (SIDE - picture.shape[0]) // 2, (SIDE - picture.shape[1]) // 2
    panel[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return panel


def _empty() -> np.ndarray:
    return np.full((SIDE, SIDE, 3), [int(FAINT[k : k + 2], 16) for k in (1, 3, 5)], np.uint8)


def _fitted(height: int, width: int) -> tuple[int, int]:
    longest = max(height, width)
    return max(1, round(SIDE * height / longest)), max(1, round(SIDE * width / longest))
