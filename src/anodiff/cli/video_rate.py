"""The unit of false alarms of video: events per normal frame, or per normal hour."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anodiff.detect_video import VideoDetector


def with_rate(detector: "VideoDetector", per_hour: float | None, asked: dict[str, Any]) -> "VideoDetector":
    """The detector with the settings that were asked for: `false_alarm_rate`, or `per_hour` instead, and others."""
    from anodiff.settings import check_settings
    from anodiff.types import Misfit

    rate = asked["false_alarm_rate"]
    if rate is not None and per_hour is not None:
        raise Misfit("give either --rate or --per-hour, not both.")
    given = {**asked, "false_alarm_rate": rate if per_hour is None else detector.rate(per_hour=per_hour)}
    detector.set_params(**{name: value for name, value in given.items() if value is not None})
    check_settings(detector)
    return detector
