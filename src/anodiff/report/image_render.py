"""Findings of pictures as one html file that needs nothing else: no script, no network, and it prints."""

import base64
import io

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image as Pillow

from anodiff.alarms.base import percent
from anodiff.explain.moment_words import chance
from anodiff.report.image_findings import ImageFindings
from anodiff.report.image_shown import Shot
from anodiff.report.image_words import counted
from anodiff.report.plots import calibration_plot, score_plot
from anodiff.report.words import short
from anodiff.types import JSON

BRIEFLY = 3
"""Pictures that are told of before everything else."""
QUALITY = 82
"""Of jpeg, 1 to 95."""


def render_images(found: ImageFindings) -> str:
    """The page. Every value of the data is escaped; pictures are within it, small."""
    pages = Environment(
        loader=PackageLoader("anodiff.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(written=short, percent=lambda rate: tied(percent(rate)), chance=chance)
    pages.filters.update(counted=counted, tied=tied)
    alarms = found.alarms
    return pages.get_template("image.html.j2").render(
        f=found,
        shots=[panels(shot) for shot in found.shots],
        thumbs=["" if shot is None else jpeg(shot.heat) for shot in found.shots[:BRIEFLY]],
        normals=[jpeg(picture) for picture in found.normals],
        briefly=BRIEFLY,
        score_plot=score_plot(found.scores, alarms["threshold"], "pictures"),
        calibration_plot=calibration_plot(alarms["curve"], alarms["rate"], "pictures"),
        trusted=all(check["good"] for check in found.trust),
    )


def panels(shot: Shot | None) -> list[JSON]:
    """The small pictures of one, each with a caption."""
    if shot is None:
        return []
    named = {
        "picture": shot.photo,
        "how odd": shot.heat,
        "closer": shot.close,
        "how it should look": shot.normal,
    }
    return [{"caption": name, "source": jpeg(pixels)} for name, pixels in named.items() if pixels is not None]


def jpeg(pixels: np.ndarray) -> str:
    """Pixels `(h, w[, 1|3])` uint8 as an image that lives inside the page."""
    page = io.BytesIO()
    plane = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    Pillow.fromarray(np.ascontiguousarray(plane)).save(page, "JPEG", quality=QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(page.getvalue()).decode()


def tied(text: str) -> str:
    r"""Numbers are not parted from what they count.

    >>> tied("7 % of it (p = 0.02)").count("\u00a0")
    3
    """
    return text.replace(" %", "\u00a0%").replace(" = ", "\u00a0=\u00a0").replace(" x ", "\u00a0x\u00a0")
