"""Events in plain words: when, what each channel did and what was expected of it, in units and times."""

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from anodiff.explain.blame import Deed
from anodiff.explain.values import number
from anodiff.explain.words import quoted

UNITS = ((86_400_000_000, "day"), (3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s"), (1_000, "ms"), (1, "µs"))
MINUTE, DAY = 60_000_000, 86_400_000_000
TINY = 1e-6
FEATURES = {"mean": "averaged", "span": "spanned", "steps": "changed from instant to instant by"}


def clock(micro: int, zone: str | None = None, step: int | None = None, like: int | None = None) -> str:
    """A time as people write it, as fine as the `step` between instants; without the date if `like` has the same.

    >>> clock(1_709_301_900_000_000), clock(1_709_301_900_000_000, "Europe/Berlin", like=1_709_301_000_000_000)
    ('2024-03-01 14:05', '15:05')
    """
    when, other = (pa.scalar(t, pa.timestamp("us", zone)).as_py() for t in (micro, micro if like is None else like))
    fine = math.gcd(micro, step or DAY)
    if fine % DAY == 0 and zone is None:
        return f"{when.date().isoformat()}"
    exact = "minutes" if fine % MINUTE == 0 else "seconds" if fine % 1_000_000 == 0 else "milliseconds"
    time = when.time().isoformat(exact)
    return f"{time}" if like is not None and other.date() == when.date() else f"{when.date().isoformat()} {time}"


def lasting(micro: int) -> str:
    """A time that passes, in at most two units.

    >>> [lasting(1_000_000 * s) for s in (45, 900, 7500, 97_200)]
    ['45 s', '15 min', '2 h 5 min', '1 day 3 h']
    """
    for i, (size, name) in enumerate(UNITS):
        if micro >= size:
            finer = UNITS[i + 1][0] if i + 1 < len(UNITS) else 1
            many, rest = divmod(round(micro / finer) * finer, size)
            tail = f" {rest // finer} {UNITS[i + 1][1]}" if rest else ""
            return f"{many:,} {name}{'s' * (name == 'day' and many > 1)}{tail}"
    return "0 s"


def instants(count: int) -> str:
    """So many instants.

    >>> instants(1), instants(1200)
    ('1 instant', '1,200 instants')
    """
    return f"{count:,} instant{'s' * (count != 1)}"


def digits(width: float) -> int:
    """Decimals that tell the ends of a range of this width apart.

    >>> digits(0.4), digits(30.0), digits(0.0)
    (1, 0, 3)
    """
    return 3 if width <= 0 or not math.isfinite(width) else min(12, max(0, -math.floor(math.log10(width / 3))))


def ranged(low: float, high: float) -> str:
    """A range, no finer than it is wide.

    >>> ranged(4.93, 5.31), ranged(2.0, 2.0)
    ('4.9 to 5.3', '2')
    """
    first, last = (rounded(v, high - low) for v in (low, high))
    return first if first == last else f"{first} to {last}"


def rounded(value: float, width: float) -> str:
    """A number with the decimals that suit a range of this width."""
    if width <= 0 or not 1e-4 <= max(abs(value), width) < 1e15:
        return number(value)
    text = f"{value:,.{digits(width)}f}"
    return text.lstrip("-") if not any(c in "123456789" for c in text) else text


def did(channel: str, deed: Deed, unit: str = "", step: int | None = None) -> str:
    """What a channel did; `step` is the time between instants.

    >>> did("pressure", Deed("above", 3, 5, 4, 7.13, 4.93, 5.31), "bar")
    'pressure rose to 7.1 bar where 4.9 to 5.3 was expected'
    """
    of = f" {unit}" if unit else ""
    if deed.kind == "missing":
        return f"{channel} had no readings"
    if deed.kind == "category":
        return f"{channel} was {quoted(deed.value)} where {quoted(deed.low)} was expected"
    if deed.kind == "course":
        return f"{channel} took an unusual course{_within(deed, of)}"
    if deed.kind == "shift":
        count = instants(abs(int(deed.value)))
        return f"{channel} ran {count if step is None else lasting(abs(int(deed.value)) * step)} {_side(deed.value)}"
    expected = f"where {ranged(deed.low, deed.high)} was expected"
    width = deed.high - deed.low
    if deed.kind in FEATURES:
        return f"{channel} {FEATURES[deed.kind]} {rounded(deed.value, width)}{of} {expected}"
    if deed.kind == "swings":
        return f"{channel} swung from {' to '.join(rounded(v, width) for v in deed.value)}{of} {expected}"
    verb = {"above": "rose to", "below": "fell to", "still": "stood still at"}[deed.kind]
    verb = verb if deed.moved else "stayed at"
    return f"{channel} {verb} {rounded(deed.value, width)}{of} {expected}"


def sentence(when: str, deeds: Sequence[str], more: int, p_value: float | None) -> str:
    """All of an event in one sentence.

    >>> sentence("instant 7", ["flow fell to 3 where 5 was expected"], 0, 0.0004)
    'instant 7: flow fell to 3 where 5 was expected; p = 0.0004.'
    """
    rest = [f"and {more} more channel{'s' * (more != 1)}"] if more else []
    told = [] if p_value is None else [f"p {chance(p_value)}"]
    return f"{when}: {'; '.join([*deeds, *rest, *told])}."


def chance(p: float) -> str:
    """A p-value with one digit, as an equation; far beyond what anybody can count it is only small.

    >>> chance(0.000412), chance(3.6e-6), chance(1e-12), chance(1.0)
    ('= 0.0004', '= 0.000004', '< 0.000001', '= 1')
    """
    if p < TINY:
        return "< 0.000001"
    return f"= {float(f'{p:.1g}'):.6f}".rstrip("0").rstrip(".")


def later(gap: int, unit: str) -> str:
    """How much later or earlier than another.

    >>> later(3, "3 min"), later(-3, "3 min"), later(0, "")
    ('3 min later ', '3 min earlier ', 'at the same time ')
    """
    return "at the same time " if gap == 0 else f"{unit} {'later' if gap > 0 else 'earlier'} "


def _side(shift: float) -> str:
    return "late" if shift > 0 else "early"


def _within(deed: Deed, of: str) -> str:
    if isinstance(deed.value, str):
        return f" ({quoted(deed.value)})"
    bounds: Any = (deed.low, deed.high)
    return f" within its usual {ranged(*bounds)}{of}"
