"""`anodiff explain`: the worst rows, or those asked for, with reasons."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from anodiff.cli.image_kind import refuse_of_images
from anodiff.cli.options import Data, Json, ModelPath, Quiet
from anodiff.cli.series_kind import refuse
from anodiff.cli.terminal import Terminal, inert
from anodiff.cli.video_kind import refuse_poses

if TYPE_CHECKING:
    from anodiff.explain import Explanation

MOST_CELLS = 6

Top = Annotated[int, typer.Option(min=1, help="How many of the worst rows.")]
Row = Annotated[list[int] | None, typer.Option(min=0, help="Instead: this row, counted from 0; may be repeated.")]
Cells = Annotated[int, typer.Option(min=1, help="How many cells per row, channels per event, regions per picture.")]


def explain(
    model: ModelPath,
    data: Data,
    top: Top = 10,
    row: Row = None,
    cells: Cells = 3,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Say why the worst rows score as they do: which cells, what was expected, the nearest normal row.

    Of series, the worst events: which channels, since when, what was expected. Of images, the worst pictures: where.
    Of video, the worst events: when and where. Of several kinds at once: which part, and what the others led to expect.
    """
    from anodiff.report.reasons import reasons_for, reasons_for_worst
    from anodiff.saving import load_detector

    terminal = Terminal(quiet, json)
    detector = load_detector(model)
    if detector.kind_ == "video":
        from anodiff.cli.video_explain import explain_video
        from anodiff.cli.video_kind import refuse_of_video

        refuse_of_video("explain", row=row)
        explain_video(detector.inner_, data, top, str(model), terminal)
        return
    if detector.kind_ == "multimodal":
        from anodiff.cli.several_explain import explain_several

        explain_several(detector.inner_, data, top, row, cells, str(model), terminal)
        return
    refuse_poses(detector.kind_)
    if detector.kind_ == "image":
        from anodiff.cli.image_explain import explain_images

        refuse_of_images("explain", row=row)
        explain_images(detector.inner_, data, top, cells, str(model), terminal)
        return
    if detector.kind_ == "series":
        from anodiff.cli.series_explain import explain_series

        refuse("explain", row=row)
        explain_series(detector.inner_, data, top, cells, str(model), terminal)
        return
    found = reasons_for(detector, data, row, cells) if row else reasons_for_worst(detector, data, top, cells)
    terminal.give({"model": str(model), "explanations": [each.to_dict() for each in found]})
    for each in found:
        terminal.show(*in_words(each, cells))


def in_words(each: "Explanation", cells: int) -> list[Any]:
    """A sentence, and a table of the cells that matter."""
    from rich.table import Table

    from anodiff.report.words import short

    mark = "[bold red]alarm[/]" if each.alarm else "[green]no alarm[/]"
    head = f"[bold]row {each.row}[/]  score {each.score:.4g}  p {each.p_value:.2g}  {mark}"
    table = Table(box=None, padding=(0, 2, 0, 2))
    for name in ("column", "value", "nearest normal row", "share of score"):
        table.add_column(name, justify="right" if name.startswith("share") else "left", header_style="dim")
    for cell in each.cells[: max(cells, MOST_CELLS)]:
        texts = (cell.column, short(cell.value, 40), short(cell.expected, 40))
        table.add_row(*map(inert, texts), f"{100 * cell.share:.0f} %")
    return [head, inert(each.sentence), table, ""]
