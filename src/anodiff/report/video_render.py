"""Findings of video as one html file that needs nothing else: no script, no network, and it prints."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from anodiff.alarms.base import percent
from anodiff.explain.moment_words import chance
from anodiff.report.film import enlarged
from anodiff.report.image_render import jpeg, tied
from anodiff.report.image_words import counted
from anodiff.report.overlay import coloured
from anodiff.report.series_plots import calibration_plot
from anodiff.report.video_findings import VideoFindings
from anodiff.report.video_plots import curves_plot
from anodiff.report.video_survey import Still, shown_size
from anodiff.report.video_words import clock, how_often
from anodiff.report.words import short
from anodiff.types import JSON

BRIEFLY = 3
"""Events that are told of before everything else."""


def render_video(found: VideoFindings) -> str:
    """The page. Every value of the data is escaped; frames are within it, small."""
    pages = Environment(
        loader=PackageLoader("anodiff.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(written=short, percent=percent, chance=chance, counted=counted, tied=tied, clock=clock)
    alarms, points = found.alarms, found.alarms["curve"]
    clocked = bool(found.data and found.data["clocked"])
    return pages.get_template("video.html.j2").render(
        f=found,
        often=how_often(alarms),
        briefly=BRIEFLY,
        strips=[strip(still) for still in found.stills],
        normals=[jpeg(enlarged(coloured(frame), shown_size(frame.shape[:2]))) for frame in found.normals],
        curves=curves_plot(found.tracks, alarms["middle"], alarms["threshold"], clocked) if found.tracks else "",
        calibration=calibration_plot(points, 1e4 * alarms["rate"], "frames") if points else "",
        trusted=all(check["good"] for check in found.trust),
    )


def strip(still: Still) -> list[JSON]:
    """The small pictures of an event, each with a caption."""
    named = {
        "the frame": still.frame,
        "how odd": still.heat,
        "closer": still.close,
        "what is normal here": still.expected,
    }
    return [{"caption": name, "source": jpeg(pixels)} for name, pixels in named.items() if pixels is not None]
