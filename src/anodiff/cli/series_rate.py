"""The unit of false alarms in time: events per normal instant, or per normal day."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anodiff.detect_series import SeriesDetector


def chosen_rate(rate: float | None, per_day: float | None, step: int | None) -> float | None:
    """Events per normal instant, from either unit; None where neither is given. `step` is in microseconds.

    >>> chosen_rate(None, 1.44, 60_000_000)
    0.001
    """
    from anodiff.alarms.base import check_rate
    from anodiff.alarms.rates import PER, from_per_day
    from anodiff.types import Misfit

    if rate is not None and per_day is not None:
        raise Misfit("give either --rate or --per-day, not both.")
    if per_day is None:
        return None if rate is None else check_rate(rate, "--rate")
    if step is None:
        raise Misfit("--per-day needs a clock, and the series were fitted without times; give --rate instead.")
    return from_per_day(per_day, step / 1e6) / PER


def series_of(detector: Any, command: str) -> "SeriesDetector":
    """The detector of series behind a loaded one.

    Raises:
        Misfit: it judges something else.
    """
    from anodiff.detect_series import SeriesDetector
    from anodiff.types import Misfit

    found = detector if isinstance(detector, SeriesDetector) else detector.inner_
    if not isinstance(found, SeriesDetector):
        from anodiff.cli.video_kind import JUDGED

        raise Misfit(f"{command} is for series, and this model judges {JUDGED[detector.kind_]}; use anodiff score.")
    return found


def with_settings(detector: "SeriesDetector", per_day: float | None, asked: dict[str, Any]) -> "SeriesDetector":
    """The detector with the settings that were asked for: `false_alarm_rate`, or `per_day` in its place, and others."""
    from anodiff.settings import check_settings

    rate = chosen_rate(asked["false_alarm_rate"], per_day, detector.whole_.modality.step_)
    given = {**asked, "false_alarm_rate": rate}
    detector.set_params(**{name: value for name, value in given.items() if value is not None})
    check_settings(detector)
    return detector
