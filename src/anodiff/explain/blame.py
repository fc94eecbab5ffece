r"""What a channel did that was not expected, and since when,

.. math:: u_t = \frac{x_t - q_{0.5}(t)}{q_{0.95}(t) - q_{0.5}(t)} \quad \text{above the median, likewise below it}.

A channel is out of its band where :math:`|u_t|` exceeds 1.5, about three standard deviations, and what hardly a draw
reaches; since when is where the run begins that exceeds it by most.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from anodiff.explain.band import Band
from anodiff.explain.course import oddity
from anodiff.explain.located import run_of

FAR = 1.5
HARDLY = 0.99
"""Share of the draws that never leave the band as far."""
STILL = 0.2
"""A channel stands still where it spans less than this share of what it was expected to."""
SHORTEST = 4
UNLIKELY = 0.05


@dataclass(frozen=True)
class Deed:
    """What a channel did.

    Attributes:
        kind: "above", "below", "still", "swings", "category", "missing"; where no instant is out of its band "mean",
            "span", "steps" or "shift", or "course", which is none of these.
        since: First place of it in the scene; None where none says.
        until: Last one.
        at: Where it is farthest.
        value: What was observed there: for "swings" the lowest and the highest, for "shift" how many instants late.
        low: What was expected at least: of numbers the 5 % quantile, of categories the likeliest.
        high: The 95 % quantile.
        moved: Whether it went there; else it stayed where it was while something else was expected.
    """

    kind: str
    since: int | None = None
    until: int | None = None
    at: int = 0
    value: Any = None
    low: Any = None
    high: Any = None
    moved: bool = True


def deed(band: Band, hidden: np.ndarray, least: float) -> Deed:
    """What a channel did at the points that were hidden `(n,)`; differences below `least` are none."""
    place = np.flatnonzero(hidden)
    gone = np.array([v is None or v != v for v in band.observed[place]])
    missing = Deed("missing", int(place[gone][0]), int(place[gone][-1]), int(place[gone][0])) if gone.any() else None
    if missing is not None and gone.all():
        return missing
    found = _number(band, place[~gone], least) if band.numeric else _category(band, place[~gone])
    return missing if missing is not None and found.kind == "course" and 2 * gone.sum() > len(gone) else found


def out_of_band(observed: np.ndarray, quantiles: np.ndarray, least: float) -> np.ndarray:
    """u of numbers `(..., n)` given their `QUANTILES` `(5, n)`."""
    away = observed - quantiles[2]
    room = np.where(away >= 0, quantiles[4] - quantiles[2], quantiles[2] - quantiles[0])
    return np.asarray(away / np.maximum(room, least))


def _number(band: Band, place: np.ndarray, least: float) -> Deed:
    q, x = band.quantiles()[:, place], band.observed[place].astype(float)
    u = out_of_band(x, q, least)
    limit = max(FAR, float(np.quantile(np.abs(out_of_band(band.draws[:, place], q, least)).max(1), HARDLY)))
    first, stop = run_of(np.abs(u) - limit)
    far = bool(np.abs(u).max() > limit)
    since, until = (int(place[first]), int(place[stop - 1])) if far else (None, None)
    span = slice(first, stop) if far and stop - first >= SHORTEST else slice(None)
    if _still(x[span], band.draws[:, place[span]], least):
        first, stop = _level(x, span, least)
        ends = int(place[first]), int(place[stop - 1])
        return Deed("still", *ends, ends[0], float(x[first:stop].mean()), *_range(q[:, first:stop]))
    if far and min(u.max(), -u.min()) > max(limit, np.abs(u).max() / 3):
        return Deed("swings", since, until, int(place[first]), [float(x.min()), float(x.max())], *_range(q))
    if far:
        at = int(np.abs(u).argmax())
        away = x[first:stop] - _before(band, int(place[first]), q[2, at])
        moved = np.abs(away).max() > (q[4, at] - q[0, at]) / 2
        kind = "above" if u[at] > 0 else "below"
        return Deed(kind, since, until, int(place[at]), float(x[at]), float(q[0, at]), float(q[4, at]), bool(moved))
    odd = oddity(x, band.draws[:, place], least)
    if odd is not None:
        return Deed(odd.feature, None, None, int(place[0]), odd.value, odd.low, odd.high)
    return Deed("course", None, None, int(place[np.abs(u).argmax()]), float(x[np.abs(u).argmax()]), *_range(q))


def _still(x: np.ndarray, draws: np.ndarray, least: float) -> bool:
    if len(x) < SHORTEST:
        return False
    wanted = float(np.median(np.ptp(draws, axis=1)))
    return wanted > 2 * least and float(np.ptp(x)) < STILL * wanted


def _level(x: np.ndarray, span: slice, least: float) -> tuple[int, int]:
    """Begin and end (exclusive) of the run around a span in which x `(n,)` stays where it is in the span."""
    first, stop, _ = span.indices(len(x))
    level, room = float(np.median(x[first:stop])), 1.5 * max(float(np.ptp(x[first:stop])), least)
    away = np.abs(x - level) > room
    before, after = np.flatnonzero(away[:first]), np.flatnonzero(away[stop:])
    return int(before[-1]) + 1 if len(before) else 0, stop + int(after[0]) if len(after) else len(x)


def _range(q: np.ndarray) -> tuple[float, float]:
    return float(q[0].min()), float(q[4].max())


def _before(band: Band, since: int, otherwise: float) -> float:
    """The last reading before; what was expected, where there is none."""
    earlier = band.observed[:since].astype(float)
    earlier = earlier[np.isfinite(earlier)]
    return float(earlier[-1]) if len(earlier) else float(otherwise)


def _category(band: Band, place: np.ndarray) -> Deed:
    seen = band.observed[place].astype(str)
    share = (band.draws[:, place].astype(str) == seen).mean(0)
    at = int(share.argmin())
    likeliest, _ = band.likeliest()[place[at]]
    if share[at] > UNLIKELY or likeliest == seen[at]:
        return Deed("course", None, None, int(place[at]), seen[at], likeliest, likeliest)
    first, stop = run_of(np.where(share <= UNLIKELY, 1.0, -0.5))
    return Deed("category", int(place[first]), int(place[stop - 1]), int(place[at]), seen[at], likeliest, likeliest)
