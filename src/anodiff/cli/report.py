"""`anodiff report`: one self-contained html file."""

from pathlib import Path
from typing import Annotated

import typer

from anodiff.cli.options import Json, ModelPath, Overwrite, Quiet
from anodiff.cli.terminal import Terminal, inert

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
    from anodiff import load
    from anodiff.report.findings import findings
    from anodiff.report.render import render

    terminal = Terminal(quiet, json)
    found = findings(load(model), data, model=str(model))
    with replacing(output, overwrite) as path:
        path.write_text(render(found), encoding="utf-8", errors="replace")
    terminal.give({"output": str(output), **found.to_dict()})

    terminal.show(inert(found.headline), f"Written: {inert(str(output.absolute()))}")
