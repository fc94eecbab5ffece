"""`anodiff explain` of images: the worst pictures, with reasons."""

import heapq
import warnings
from typing import TYPE_CHECKING, Any

from anodiff.cli.image_score import in_a_sentence
from anodiff.cli.terminal import Terminal, inert
from anodiff.types import Unreadable

if TYPE_CHECKING:
    from anodiff.data.albums import Album
    from anodiff.detect_images import ImageDetector
    from anodiff.explain.sights import Sight


def explain_images(detector: "ImageDetector", data: str, top: int, cells: int, model: str, terminal: Terminal) -> None:
    """Say of the worst pictures where they are odd, and how."""
    from anodiff.data.pictures import album

    found = detector.explain(worst(detector, album(data), top, terminal), top=cells)
    terminal.give({"model": model, "pictures": [each.to_dict() for each in found]})
    for each in found:
        terminal.show(*in_words(each, cells))


def worst(detector: "ImageDetector", pictures: "Album", top: int, terminal: Terminal) -> "Album":
    """Of an album the pictures with the highest scores, the highest first; those that cannot be read are named."""
    scores, unread = list[tuple[float, int]](), list[tuple[str, str]]()
    verdicts = terminal.count(detector.judge(pictures, maps=False), lambda _: 1, "pictures")
    for place, verdict in enumerate(verdicts):
        if verdict.unread is None:
            scores.append((-verdict.score, place))
        else:
            unread.append((verdict.name, verdict.unread))
    if not scores:
        name, why = unread[0]
        raise Unreadable(f"no picture could be read; {name}: {why}")
    for note in in_a_sentence(unread):
        warnings.warn(note, UserWarning, stacklevel=2)
    return pictures.part(place for _, place in heapq.nsmallest(top, scores))


def in_words(each: "Sight", cells: int) -> list[Any]:
    """A sentence, and a table of the regions that matter."""
    from rich.table import Table

    mark = "[bold red]alarm[/]" if each.alarm else "[green]no alarm[/]"
    head = f"[bold]{inert(each.name)}[/]  score {each.score:.4g}  p {each.p_value:.2g}  {mark}"
    if not each.regions:
        return [head, inert(each.sentence), ""]
    table = Table(box=None, padding=(0, 2, 0, 2))
    for name in ("rows", "columns", "share of picture", "p"):
        table.add_column(name, justify="right", header_style="dim")
    for region in each.regions[:cells]:
        top, left, bottom, right = region.box
        share = f"{100 * region.share:.2g} %"
        table.add_row(f"{top} to {bottom - 1}", f"{left} to {right - 1}", share, f"{region.p_value:.2g}")
    return [head, inert(each.sentence), table, ""]
