r"""Where an anomaly of a series lies: some channels, from an instant on, for a while,

.. math:: m_{t, c} = \mathbb{1}\{t_0 \le t < t_0 + \ell\} \, \mathbb{1}\{c \in S\}, \qquad
          \log \ell \sim \mathcal{U}(\log \ell_0, \log \ell_1) .

Places differ in how long they last and how many channels they hold. Cells where nothing was observed, and channels in
which nothing can change, are never among them.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anodiff.types import Misfit

INSTANT, SPAN, CHANNEL, CHANNELS, EXAMPLES = "instant", "span", "channel", "channels", "examples"
TRIES = 20


class Spans(ABC):
    """Places in a series. Think twice before adding anything here, every place carries it."""

    @abstractmethod
    def drawn(self, usable: np.ndarray, lengths: tuple[int, int], draw: np.random.Generator) -> tuple[int, np.ndarray]:
        """How many instants, and which channels `(C,)`, of a series whose cells are `usable` `(T, C)`."""

    def __call__(self, usable: np.ndarray, lengths: tuple[int, int], draw: np.random.Generator) -> np.ndarray:
        """True where abnormal, `(T, C)`, at least one cell and never all of them.

        Args:
            usable: `(T, C)`, True where something was observed that can change.
            lengths: Least and most instants.
            draw: Of all chance.

        Raises:
            Misfit: nothing of the series can change.
        """
        if not usable.any():
            raise Misfit("nothing that can change was observed in this series; give one in which a channel varies.")
        region = np.zeros(usable.shape, dtype=bool)
        for _ in range(TRIES):
            length, channels = self.drawn(usable, lengths, draw)
            length = max(1, min(length, len(usable) - 1))
            start = int(draw.integers(0, len(usable) - length + 1))
            region[start : start + length] = channels
            region &= usable
            if region.any() and not region.all():
                return region
            region[:] = False
        cell = draw.choice(np.flatnonzero(usable))
        region.flat[cell] = True
        return region


@dataclass(frozen=True)
class Instant(Spans):
    """One or two instants of one channel, or of as many as `channels` says at most."""

    channels: int = 1

    def drawn(self, usable: np.ndarray, lengths: tuple[int, int], draw: np.random.Generator) -> tuple[int, np.ndarray]:
        return int(draw.integers(1, 3)), chosen(usable, int(draw.integers(1, self.channels + 1)), draw)


class Span(Spans):
    """A span of all channels."""

    def drawn(self, usable: np.ndarray, lengths: tuple[int, int], draw: np.random.Generator) -> tuple[int, np.ndarray]:
        return lasting(lengths, draw), np.asarray(usable.any(0))


class Channel(Spans):
    """A span of one channel."""

    def drawn(self, usable: np.ndarray, lengths: tuple[int, int], draw: np.random.Generator) -> tuple[int, np.ndarray]:
        return lasting(lengths, draw), chosen(usable, 1, draw)


class SeveralChannels(Spans):
    """A span of two channels or more, up to a third of them."""

    def drawn(self, usable: np.ndarray, lengths: tuple[int, int], draw: np.random.Generator) -> tuple[int, np.ndarray]:
        most = max(2, usable.shape[1] // 3)
        return lasting(lengths, draw), chosen(usable, int(draw.integers(2, most + 1)), draw)


@dataclass(frozen=True)
class LikeExamples(Spans):
    """As long as a known anomaly, give or take a quarter, and in the same channels.

    Attributes:
        regions: Of the examples, `(T_i, C)` each.
        like: The only one to follow; None for any.
    """

    regions: Sequence[np.ndarray]
    like: int | None = None

    def drawn(self, usable: np.ndarray, lengths: tuple[int, int], draw: np.random.Generator) -> tuple[int, np.ndarray]:
        known = self.regions[int(draw.integers(len(self.regions))) if self.like is None else self.like]
        length = int(np.ptp(np.flatnonzero(known.any(1)))) + 1
        return max(1, round(length * draw.uniform(0.75, 1.25))), np.asarray(known.any(0))


PLACES: dict[str, Spans] = {
    INSTANT: Instant(),
    SPAN: Span(),
    CHANNEL: Channel(),
    CHANNELS: SeveralChannels(),
}


def lasting(lengths: tuple[int, int], draw: np.random.Generator) -> int:
    """How many instants, uniform in the logarithm."""
    least, most = np.log(lengths)
    return max(1, round(float(np.exp(draw.uniform(least, most)))))


def chosen(usable: np.ndarray, count: int, draw: np.random.Generator) -> np.ndarray:
    """Some channels in which something can change `(C,)`."""
    able = np.flatnonzero(usable.any(0))
    which = np.zeros(usable.shape[1], dtype=bool)
    which[draw.choice(able, min(count, len(able)), replace=False)] = True
    return which


def given_region(region: np.ndarray, shape: tuple[int, int], whose: str) -> np.ndarray:
    """A region that was given for a series of shape `(T, C)`, as bool of that shape; one of `(T,)` is of all channels.

    Raises:
        Misfit: it is of another shape, no mask, empty, or covers everything.
    """
    mask = np.asarray(region)
    if mask.dtype != bool:
        if mask.dtype.kind not in "iu" or not np.isin(mask, (0, 1)).all():
            raise Misfit(f"the region of {whose} holds {mask.dtype} values; give True where it is to be abnormal.")
        mask = mask.astype(bool)
    if mask.ndim == 1 and len(mask) == shape[0]:
        mask = np.repeat(mask[:, None], shape[1], 1)
    if mask.shape != shape:
        has = f"the region of {whose} has the shape {mask.shape} and the series {shape}"
        raise Misfit(f"{has}; give one laid out like it, or ({shape[0]},) for all channels.")
    if not mask.any():
        raise Misfit(f"the region of {whose} is empty; mark at least one cell, or order kind='normal'.")
    if mask.all():
        raise Misfit(f"the region of {whose} covers all of it; leave some of it as it is, or order kind='normal'.")
    return mask
