"""Findings as one html file that needs nothing else: no script, no network, and it prints."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from anodiff.alarms.base import percent
from anodiff.report.findings import Findings
from anodiff.report.plots import calibration_plot, score_plot
from anodiff.report.words import normal, short

MOST_COLUMNS = 200


def render(found: Findings) -> str:
    """The page. Every value of the data is escaped."""
    pages = Environment(
        loader=PackageLoader("anodiff.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(written=short, percent=lambda rate: percent(rate).replace(" ", "\u00a0"), normal=normal)
    alarms = found.alarms
    return pages.get_template("report.html.j2").render(
        f=found,
        columns=found.columns[:MOST_COLUMNS],
        more_columns=max(0, len(found.columns) - MOST_COLUMNS),
        score_plot=score_plot(found.scores, alarms["threshold"]),
        calibration_plot=calibration_plot(alarms["curve"], alarms["rate"]),
        trusted=all(check["good"] for check in found.trust),
    )
