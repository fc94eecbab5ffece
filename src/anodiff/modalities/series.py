r"""Time series as tensors: each track becomes a strip on a regular grid of instants, and comes back,

.. math:: x_{g} = (c_{g} - \mu) / s, \qquad
          g_{t+1} = g_t + \max\Big(1, \mathrm{round}\frac{\tau_{t+1} - \tau_t}{\Delta}\Big),

:math:`\Delta` the sampling interval: the median difference of the times of `fit`. Where the clock jumps, the grid has
instants that nobody observed; a jump of more than a window is cut to one. No instant's place depends on a later one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from anodiff.conditions.calendar import CYCLES, Calendar
from anodiff.data.log import Log, Track, read_log, slots
from anodiff.data.log import step as interval
from anodiff.modalities.channels import Channels, matrix
from anodiff.modalities.period import dominant
from anodiff.types import JSON, Misfit, Unreadable

SHORTEST, LONGEST = 2, 10_000
LEAST_INSTANTS = 20
GAP = 300
"""Instants to which a longer gap is cut."""
PACE = 1.5
FARTHEST = 1e15
"""Coordinate of readings beyond all measure; what is farther would overflow."""


@dataclass(frozen=True)
class Strip:
    """One track on its grid of G instants.

    Attributes:
        x: `(G, width)` float32; NaN never, 0 where nothing was observed.
        known: `(G, width)` bool.
        at: Where the track's T instants lie on the grid, `(T,)`.
        entity: Place of its entity among those of fit, from 1; 0 where it is new or there is one.
        times: Of the grid `(G,)`, microseconds since 1970 UTC; None without a clock.
    """

    x: Tensor
    known: Tensor
    at: np.ndarray
    entity: int = 0
    times: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)


class Series(BaseEstimator):
    """Settings of the modality; constructors only store.

    Args:
        time: The column of times: "auto", a name, or None to count instants.
        entity: The column that says which machine a row is of; a model serves them all.
        window: Instants in a window: "auto" goes by the dominant period, else a number or several.
        causal: Whether an instant's score may use later instants (False) or not (True).

    >>> t = np.arange(400)
    >>> Series().fit(np.sin(t / 5)).period_
    31
    """

    def __init__(
        self,
        time: str | None = "auto",
        entity: str | None = None,
        window: str | int | Sequence[int] = "auto",
        causal: bool = False,
    ) -> None:
        self.time = time
        self.entity = entity
        self.window = window
        self.causal = causal

    def fit(self, X: Any) -> Self:
        """Learn channels, scales, entities, the sampling interval and the dominant period.

        Raises:
            Unreadable: there are fewer than 20 instants, or nothing varies.
            Misfit: a setting is out of range.
        """
        self.fit_log(self.read(X))
        return self

    def fit_log(self, log: Log) -> Log:
        """`fit` for a log that was read; returns it."""
        self.windows()
        if any(not len(track) for track in log.tracks):
            empty = next(i for i, track in enumerate(log.tracks, start=1) if not len(track))
            raise Unreadable(f"series {empty} of {len(log.tracks)} is empty; leave it out.")
        if sum(len(track.table) for track in log.tracks) < LEAST_INSTANTS:
            given = sum(len(track.table) for track in log.tracks)
            raise Unreadable(f"{given} instants are too few to learn what is normal; give at least {LEAST_INSTANTS}.")
        named = sorted({track.entity for track in log.tracks if track.entity is not None})
        self.entities_ = named if len(named) > 1 else []
        places = [self._place(track) for track in log.tracks]
        self.channels_ = Channels.fit([track.table for track in log.tracks], places, len(self.entities_))
        clocks = [track.times for track in log.tracks if track.times is not None and len(track.times) > 1]
        self.step_ = int(np.median([interval(times) for times in clocks])) if clocks else None
        self.cycles_ = list(Calendar.fit(np.concatenate(clocks)).cycles) if clocks else []
        self.notes_ = list(log.notes)
        self.unseen_ = [n for n, m in zip(self.channels_.numeric, self.channels_.missing, strict=True) if m == 1]
        self.notes_ += [f"channel {name} holds no reading at all and says nothing." for name in self.unseen_]
        strips = [self.strip(track) for track in log.tracks]
        if not any((strip.x[strip.known] != 0).any() for strip in strips):
            raise Unreadable(
                f"no channel varies in {sum(map(len, strips)):,} instants; there is nothing to learn from."
            )
        self.period_ = dominant([s.x.numpy() for s in longest(strips)])
        return log

    def read(self, X: Any) -> Log:
        """Whatever the caller has, as tracks; its channels must be those of fit.

        Raises:
            Unreadable: it is no log, or its channels differ.
        """
        like = self.channels_.names if hasattr(self, "channels_") else None
        return read_log(X, time=self.time, entity=self.entity, like=like)

    def doubts(self, log: Log) -> Iterator[str]:
        """Sentences on what is odd about a log to be judged: clocks, entities and channels that differ from fit."""
        for i, track in enumerate(log.tracks, start=1):
            alone = "the series" if len(log.tracks) == 1 else f"series {i}"
            whose = alone if track.entity is None else track.entity
            if self.step_ is not None and track.times is not None and len(track.times) > 2:
                pace = interval(track.times) / self.step_
                if not 1 / PACE <= pace <= PACE:
                    yield (
                        f"{whose} has a reading every {interval(track.times) / 1e6:g} s, fit had one every "
                        f"{self.step_ / 1e6:g} s: its scores mean little; resample it, or fit on such series."
                    )
            if self.entities_ and track.entity is not None and track.entity not in self.entities_:
                yield f"{whose} was not among the {len(self.entities_)} of fit; it is judged by the scale of all."
            for name in self.channels_.numeric if len(track) else ():
                gone = not len(track.table.arrow[name].drop_null()) or np.isnan(matrix(track.table, [name])).all()
                if gone and name not in self.unseen_:
                    yield f"{whose} has no reading of {name}; what it does is not seen."
                if not gone and name in self.unseen_:
                    yield f"{whose} has readings of {name}, fit had none: they say nothing."

    def encode(self, X: Any) -> list[Strip]:
        """One strip per track; a track's strip never depends on another track."""
        return [self.strip(track) for track in self.read(X).tracks]

    def strip(self, track: Track, after: int | None = None) -> Strip:
        """A track on its grid, which begins one step `after` an instant where there was one, else with the track."""
        entity = self._place(track)
        values = self.channels_.encode(track.table, entity)
        at = self.grid(track.times, len(values), after)
        size = int(at[-1]) + 1 if len(at) else 0
        laid = np.full((size, values.shape[1]), np.nan)
        laid[at] = values
        known = ~np.isnan(laid)
        unseen = [self.channels_.numeric.index(name) for name in self.unseen_]
        laid[:, unseen] = 0.0
        known[:, unseen] = known[:, [c for c in range(known.shape[1]) if c not in unseen]].any(1, keepdims=True)
        laid = np.clip(laid, -FARTHEST, FARTHEST)
        x = torch.from_numpy(np.nan_to_num(laid).astype(np.float32))
        return Strip(x, torch.from_numpy(known), at, entity, self._clock(track.times, at, size, after))

    def grid(self, times: np.ndarray | None, instants: int, after: int | None = None) -> np.ndarray:
        """Where instants lie on the grid `(T,)`, by the times before them alone."""
        if times is None or self.step_ is None or instants == 0:
            return np.arange(instants)
        if after is not None:
            return np.asarray(np.cumsum(slots(np.append(after, times), self.step_, GAP)[1:]) - 1)
        return _from_zero(slots(times, self.step_, GAP))

    def windows(self) -> tuple[int, ...]:
        """The lengths given by hand; none for "auto".

        Raises:
            Misfit: one of them is no number of instants.
        """
        if isinstance(self.window, str):
            if self.window != "auto":
                raise Misfit(f"window is {self.window!r}; give a number of instants, several, or 'auto'.")
            return ()
        given = tuple(np.atleast_1d(np.asarray(self.window)).tolist())
        if not given:
            raise Misfit("window is empty; give a number of instants, several, or 'auto'.")
        for length in given:
            if not isinstance(length, int) or not SHORTEST <= length <= LONGEST:
                raise Misfit(f"window is {length!r}; give a whole number of instants from {SHORTEST} to {LONGEST:,}.")
        return given

    @property
    def columns(self) -> list[str]:
        """Names of the channels."""
        return self.channels_.names

    @property
    def width(self) -> int:
        """Coordinates per instant."""
        return len(self.channels_.owner)

    def describe(self) -> list[JSON]:
        """What was learnt of each channel, for people."""
        return self.channels_.describe()

    def config(self) -> JSON:
        """What was set and learnt, as JSON."""
        window = self.window if isinstance(self.window, str) else list(self.windows())
        return {
            "time": self.time,
            "entity": self.entity,
            "window": window,
            "causal": bool(self.causal),
            "entities": self.entities_,
            "step": self.step_,
            "cycles": self.cycles_,
            "period": self.period_,
            "notes": self.notes_,
            "channels": self.channels_.config(),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt and is too large for JSON."""
        return self.channels_.arrays()

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The fitted modality of which these are `config` and `arrays`."""
        made = cls(config["time"], config["entity"], config["window"], bool(config["causal"]))
        made.windows()
        made.channels_ = Channels.restore(config["channels"], arrays)
        made.entities_ = [str(name) for name in config["entities"]]
        made.step_ = None if config["step"] is None else int(config["step"])
        made.cycles_ = [str(name) for name in config["cycles"] if name in CYCLES]
        made.period_, made.notes_ = int(config["period"]), [str(note) for note in config["notes"]]
        pairs = zip(made.channels_.numeric, made.channels_.missing, strict=True)
        made.unseen_ = [name for name, missing in pairs if missing == 1]
        return made

    def _place(self, track: Track) -> int:
        return self.entities_.index(track.entity) + 1 if track.entity in self.entities_ else 0

    def _clock(self, times: np.ndarray | None, at: np.ndarray, size: int, after: int | None) -> np.ndarray | None:
        if times is None:
            return None
        if after is not None:
            at, times = np.append(-1, at), np.append(after, times)
        laid = np.interp(np.arange(size), at, times.astype(np.float64)) if size else np.zeros(0)
        return laid.astype(np.int64)


def stretched(strip: Strip, length: int) -> Strip:
    """The strip, mirrored at its end until a window fits in."""
    lack = length - len(strip)
    if lack <= 0 or not len(strip):
        return strip
    at = np.arange(length)
    turn = 2 * max(len(strip) - 1, 1)
    place = torch.from_numpy(np.minimum(at % turn, turn - at % turn) if len(strip) > 1 else at * 0)
    times = None if strip.times is None else strip.times[place.numpy()]
    return Strip(strip.x[place], strip.known[place], strip.at, strip.entity, times)


def longest(strips: Sequence[Strip], most: int = 8) -> list[Strip]:
    """The longest strips, at most so many."""
    return sorted(strips, key=len, reverse=True)[:most]


def _from_zero(apart: np.ndarray) -> np.ndarray:
    place = np.cumsum(apart)
    return np.asarray(place - place[0])
