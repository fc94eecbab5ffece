r"""The unit of false alarms in time: events per 10,000 instants,

.. math:: \text{events per day} = \frac{\text{rate}}{10^4} \cdot \frac{86400}{\text{seconds between instants}} .
"""

import math

from anodiff.types import Misfit

PER = 10_000
DAY = 86_400


def per_day(rate: float, step_seconds: float) -> float:
    """Events per day from events per 10,000 instants that are `step_seconds` apart.

    >>> per_day(10, step_seconds=60)
    1.44
    """
    return check_events(rate) * DAY / check_step(step_seconds) / PER


def from_per_day(events: float, step_seconds: float) -> float:
    """Events per 10,000 instants from events per day.

    >>> from_per_day(1.44, step_seconds=60)
    10.0
    """
    return check_events(events * PER * check_step(step_seconds) / DAY)


def check_events(rate: float) -> float:
    """Refuse what is no number of events per 10,000 instants.

    >>> check_events(0)
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: rate is 0 events per 10,000 instants; give more than 0 and fewer than 10,000, such as 5.
    """
    if not 0 < rate < PER:
        raise Misfit(
            f"rate is {rate:.6g} events per {PER:,} instants; give more than 0 and fewer than {PER:,}, such as 5."
        )
    return float(rate)


def check_step(seconds: float) -> float:
    """Refuse a step that is not a positive number of seconds."""
    if not 0 < seconds < math.inf:
        raise Misfit(f"step_seconds is {seconds}; give the positive number of seconds between two instants.")
    return float(seconds)
