"""Findings of records of several kinds as one html file that needs nothing else: no script, no network; it prints."""

from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from anodiff.alarms.base import percent
from anodiff.explain.moment_words import chance
from anodiff.report.image_render import jpeg, tied
from anodiff.report.image_words import counted
from anodiff.report.plots import calibration_plot, score_plot, uri
from anodiff.report.series_axes import EXPECTED, INK
from anodiff.report.several_findings import SeveralFindings
from anodiff.report.words import short
from anodiff.types import JSON

BRIEFLY = 3
"""Records that are told of before everything else."""


def render_several(found: SeveralFindings) -> str:
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
    return pages.get_template("several.html.j2").render(
        f=found,
        shown=[drawn(each) for each in found.shown],
        briefly=BRIEFLY,
        score_plot=score_plot(found.scores, alarms["threshold"], "records"),
        calibration_plot=calibration_plot(alarms["curve"], alarms["rate"], "records"),
        trusted=all(check["good"] for check in found.trust),
    )


def drawn(shown: JSON) -> JSON:
    """Parts of a record with their pictures and lines as images that live inside the page."""
    wanted = shown["expected"]
    return {
        "about": shown["about"],
        "cells": [imaged(each, INK) for each in shown["cells"]],
        "expected": None if wanted is None else imaged(wanted, EXPECTED),
    }


def imaged(cell: JSON, colour: str) -> JSON:
    """A part with its `source`, if it is a picture or a line."""
    source = None if cell["pixels"] is None else jpeg(np.asarray(cell["pixels"]))
    return {**cell, "pixels": None, "line": None, "source": source or line(cell["line"], colour)}


def line(values: Any, colour: str) -> str | None:
    """A short series `(T, c)` as lines without axes."""
    if values is None:
        return None
    figure = Figure(figsize=(2.8, 0.9))
    axes = figure.add_axes((0.01, 0.04, 0.98, 0.92))
    axes.plot(np.asarray(values, float), color=colour, lw=1)
    axes.set_axis_off()
    return uri(figure)
