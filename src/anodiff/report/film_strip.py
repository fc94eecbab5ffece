r"""The strip below a film: the time, the score, and how the score went, against the threshold.

.. math:: v = \frac{a - b}{t - b}, \qquad h(v) = \begin{cases} v / 2 & v \le 1 \\ 1 - 1 / (2 v) & v > 1 \end{cases}

a the score, b what normal frames have at the middle, t the threshold: so the line of the threshold lies at half the
height, and no score leaves the strip. Of a clip of known length the strip is its whole time; else all so far. It
remembers one number per column of pixels, however long the clip is.
"""

import math

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from anodiff.report.boxes import ALARM, INK, PAPER, SOFT, font

CALM, LINE = (150, 168, 185), (223, 230, 236)


def squeezed(value: float) -> float:
    """How high a score is drawn that is so many times as far above the middle as the threshold, 0 to 1.

    >>> [squeezed(value) for value in (-1.0, 0.0, 1.0, 2.0, 5.0)]
    [0.0, 0.0, 0.5, 0.75, 0.9]
    """
    return max(value, 0.0) / 2 if value <= 1 else 1 - 1 / (2 * value)


class Strip:
    """Draws the strip of a film.

    Args:
        width: In pixels.
        letters: Height of its letters in pixels.
        middle: What normal frames score at the middle.
        threshold: What an alarm exceeds.
        frames: How many are to come; None where that is not known.
    """

    def __init__(self, width: int, letters: int, middle: float, threshold: float, frames: int | None = None) -> None:
        self.width, self.letters = width, letters
        self.middle, self.threshold = middle, threshold
        self.margin, self.high = letters // 2, 4 * letters
        self.columns = max(8, width - 2 * self.margin)
        self.known = frames is not None
        self.each = 1.0 if not frames else max(frames / self.columns, 1 / self.columns)
        self._levels = np.full(self.columns, np.nan)
        self._now = 0

    @property
    def height(self) -> int:
        """In pixels."""
        return self.high + round(2.2 * self.letters)

    def level(self, score: float) -> float:
        """How high a score is drawn, 0 to 1; the threshold is at 0.5."""
        above = self.threshold - self.middle
        return squeezed((score - self.middle) / above) if above > 0 else 0.75 * (score > self.threshold)

    def push(self, place: int, score: float) -> None:
        """The score of a frame, counted from 0 in the film."""
        while place / self.each >= self.columns:
            self._halve()
        first, last = int(place / self.each), min(self.columns, max(math.ceil((place + 1) / self.each), 1))
        self._levels[first:last] = np.fmax(self._levels[first:last], self.level(score))
        self._now = last

    def drawn(self, clock: str, score: float, event: str) -> np.ndarray:
        """The strip `(h, width, 3)` uint8, with the time, the score of the frame and what event it is in."""
        image = Pillow.new("RGB", (self.width, self.height), PAPER)
        draw, shape = ImageDraw.Draw(image), font(self.letters)
        y, alarm = round(0.95 * self.letters), score > self.threshold
        draw.text((self.margin, y), clock, fill=INK, font=shape, anchor="lm")
        said = f"score {score:.2f}  (alarm above {self.threshold:.2f})"
        draw.text((self.width / 2, y), said, fill=ALARM if alarm else SOFT, font=shape, anchor="mm")
        draw.text((self.width - self.margin, y), event, fill=ALARM, font=shape, anchor="rm")
        self._curve(draw)
        return np.asarray(image)

    def _curve(self, draw: ImageDraw.ImageDraw) -> None:
        foot = self.height - round(0.4 * self.letters)
        right = self.margin + self.columns
        draw.rectangle((self.margin, foot - self.high, right, foot), outline=LINE)
        for x, level in enumerate(self._levels):
            if np.isfinite(level):
                colour = ALARM if level > 0.5 else CALM
                draw.line((self.margin + x, foot, self.margin + x, foot - round(level * self.high)), fill=colour)
        limit, thick = foot - self.high // 2, max(1, self.letters // 12)
        dash = max(4, self.letters // 2)
        for x in range(self.margin, right, 2 * dash):
            draw.line((x, limit, min(x + dash, right), limit), fill=INK, width=thick)
        now = self.margin + self._now
        draw.line((now, foot - self.high, now, foot), fill=INK, width=2 * thick)

    def _halve(self) -> None:
        """Twice as many frames to a column."""
        pairs = np.full((self.columns // 2 + self.columns % 2) * 2, np.nan)
        pairs[: self.columns] = self._levels
        merged = np.fmax(pairs[::2], pairs[1::2])
        self._levels = np.full(self.columns, np.nan)
        self._levels[: len(merged)] = merged
        self.each *= 2
