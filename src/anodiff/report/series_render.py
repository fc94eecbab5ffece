"""Findings of series as one html file that needs nothing else: no script, no network, and it prints."""

from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from anodiff.alarms.base import percent
from anodiff.explain.moment_words import chance, instants, lasting
from anodiff.report.series_drift import SHOWN
from anodiff.report.series_findings import SeriesFindings
from anodiff.report.series_plots import calibration_plot, drift_plot, overview_plot, zoom_plot
from anodiff.report.series_words import how_often
from anodiff.report.words import short

MOST_CHANNELS = 60


def render_series(found: SeriesFindings, units: Mapping[str, str] | None = None) -> str:
    """The page. Every value of the data is escaped."""
    pages = Environment(
        loader=PackageLoader("anodiff.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(written=short, percent=percent, chance=chance, instants=instants, lasting=lasting)
    given, curve = dict(units or {}), found.alarms["curve"]
    zone = None if found.data is None else found.data["zone"]
    levels = [] if found.drift is None else [c for c in found.drift["channels"] if c["trace"].get("place")][:SHOWN]
    return pages.get_template("series.html.j2").render(
        f=found,
        often=how_often(found.alarms["rate"], found.model["step"]),
        overviews=[overview_plot(track, zone, given) for track in found.overview],
        zooms=[zoom_plot(event, zone) for event in found.worst],
        calibration=calibration_plot(curve, 1e4 * found.alarms["rate"]) if curve else "",
        drifting=drift_plot(levels, zone, given) if levels else "",
        channels=found.channels[:MOST_CHANNELS],
        more_channels=max(0, len(found.channels) - MOST_CHANNELS),
        trusted=all(check["good"] for check in found.trust),
    )
