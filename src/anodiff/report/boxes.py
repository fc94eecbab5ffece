"""Boxes with a number, and words, on pictures: drawn alike in films and on pages."""

from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from anodiff.report.overlay import outlined

ALARM, INK, SOFT, PAPER = (213, 94, 0), (27, 39, 51), (86, 101, 115), (255, 255, 255)
"""Colours that all eyes tell apart (Okabe and Ito, "Color Universal Design", 2008)."""
Box = Sequence[int]
"""Left, top, right and bottom in pixels; the last two are just outside."""


def font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Letters so many pixels high."""
    return ImageFont.load_default(height)


def boxed(picture: np.ndarray, box: Box, number: int | None = None, letters: int = 14) -> np.ndarray:
    """A picture `(H, W, 3)` uint8 with a line around a box, and the number of its event in the corner.

    Args:
        picture: Left as it is.
        box: In pixels of the picture; what is beyond it is cut off, and a box is two pixels wide and high at least.
        number: What to write; None for nothing.
        letters: Height of the number in pixels.

    >>> boxed(np.zeros((9, 9, 3), np.uint8), (3, 3, 6, 6))[2, 4].tolist()
    [86, 180, 233]
    """
    height, width = picture.shape[:2]
    left, top = min(max(box[0], 0), width - 2), min(max(box[1], 0), height - 2)
    right, bottom = max(min(box[2], width), left + 2), max(min(box[3], height), top + 2)
    inside = np.zeros((height, width), bool)
    inside[top:bottom, left:right] = True
    drawn = outlined(picture, inside, max(1, round(letters / 7)))
    return drawn if number is None else tagged(drawn, str(number), (left, top, bottom), letters)


def tagged(picture: np.ndarray, text: str, at: tuple[int, int, int], letters: int) -> np.ndarray:
    """A picture with a word on a flag above a box, or below it, or inside it, where there is room.

    Args:
        picture: `(H, W, 3)` uint8.
        text: The word.
        at: Left, top and bottom of the box.
        letters: Height in pixels.
    """
    left, top, bottom = at
    image, shape = Pillow.fromarray(picture), font(letters)
    draw = ImageDraw.Draw(image)
    wide, high = round(draw.textlength(text, font=shape)) + letters // 2, round(1.3 * letters)
    x = min(left, picture.shape[1] - wide)
    above, below = top - high - 2, bottom + 2
    y = above if above >= 0 else below if below + high <= picture.shape[0] else top
    draw.rectangle((x, y, x + wide - 1, y + high - 1), fill=ALARM)
    draw.text((x + wide / 2, y + high / 2), text, fill=PAPER, font=shape, anchor="mm")
    return np.asarray(image)
