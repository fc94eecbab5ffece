"""`anodiff report`: one self-contained html file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anodiff.cli.options import Json, ModelPath, Overwrite, Quiet
from anodiff.cli.terminal import Terminal, inert
from anodiff.cli.video_kind import refuse_poses

if TYPE_CHECKING:
    from anodiff import Detector
    from anodiff.report.findings import Findings
    from anodiff.report.image_findings import ImageFindings
    from anodiff.report.series_findings import SeriesFindings
    from anodiff.report.several_findings import SeveralFindings
    from anodiff.report.video_findings import VideoFindings

Out = Annotated[Path, typer.Option("--output", "-o", help="The html file to write.")]
Data = Annotated[str | None, typer.Argument(help="Data to judge; without it, the fit alone.", show_default=False)]


def report(
    model: ModelPath,
    data: Data = None,
    output: Out = Path("report.html"),
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write a report to read and to print: alarms, reasons, calibration, drift. One offline html file."""
    from anodiff.data.atomic import check_free, replacing

    check_free(output, overwrite)
    from anodiff.saving import load_detector

    terminal = Terminal(quiet, json)
    detector = load_detector(model)
    refuse_poses(detector.kind_)
    found, page = KINDS[detector.kind_](detector, data, model)
    with replacing(output, overwrite) as path:
        path.write_text(page, encoding="utf-8", errors="replace")
    terminal.give({"output": str(output), **found.to_dict()})
    terminal.show(inert(found.headline), f"Written: {inert(str(output.absolute()))}")


def of_rows(detector: "Detector", data: str | None, model: Path) -> "tuple[Findings, str]":
    """What is found of rows, and the page that says it."""
    from anodiff.report.findings import findings
    from anodiff.report.render import render

    found = findings(detector, data, model=str(model))
    return found, render(found)


def of_series(detector: "Detector", data: str | None, model: Path) -> "tuple[SeriesFindings, str]":
    """The same of series."""
    from anodiff.report.series_findings import series_findings
    from anodiff.report.series_render import render_series

    found = series_findings(detector.inner_, data, model=str(model))
    return found, render_series(found)


def of_images(detector: "Detector", data: str | None, model: Path) -> "tuple[ImageFindings, str]":
    """The same of images."""
    from anodiff.report.image_findings import image_findings
    from anodiff.report.image_render import render_images

    found = image_findings(detector.inner_, data, model=str(model))
    return found, render_images(found)


def of_video(detector: "Detector", data: str | None, model: Path) -> "tuple[VideoFindings, str]":
    """The same of video."""
    from anodiff.report.video_findings import video_findings
    from anodiff.report.video_render import render_video

    found = video_findings(detector.inner_, data, model=str(model))
    return found, render_video(found)


def of_records(detector: "Detector", data: str | None, model: Path) -> "tuple[SeveralFindings, str]":
    """The same of records of several kinds."""
    from anodiff.report.several_findings import several_findings
    from anodiff.report.several_render import render_several

    found = several_findings(detector.inner_, data, model=str(model))
    return found, render_several(found)


KINDS: dict[str, Callable[["Detector", str | None, Path], tuple[Any, str]]] = {
    "tabular": of_rows,
    "series": of_series,
    "image": of_images,
    "video": of_video,
    "multimodal": of_records,
}
