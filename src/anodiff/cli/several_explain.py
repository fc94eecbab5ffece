"""`anodiff explain` of records of several kinds: the worst of them, with reasons."""

from typing import TYPE_CHECKING, Any

import numpy as np

from anodiff.cli.terminal import Terminal, inert

if TYPE_CHECKING:
    from anodiff.detect_multimodal import MultimodalDetector
    from anodiff.explain.parts import Reason


def explain_several(
    detector: "MultimodalDetector",
    data: str,
    top: int,
    row: list[int] | None,
    parts: int,
    model: str,
    terminal: Terminal,
) -> None:
    """Say of the worst records, or those asked for, which part raised the score and what was expected of it."""
    from anodiff.types import Misfit

    records = detector.model_.modality.read(data)
    if row and max(row) >= len(records):
        raise Misfit(f"--row {max(row)} is beyond the last of {len(records)} records; they count from 0.")
    places = row or np.argsort(-detector.decision_function(records), kind="stable")[:top].tolist()
    found = detector.explain(records.take(places), top=parts)
    terminal.give({"model": model, "records": [each.to_dict() for each in found]})
    for each in found:
        terminal.show(*in_words(each))


def in_words(each: "Reason") -> list[Any]:
    """A line, and a sentence."""
    mark = "[bold red]alarm[/]" if each.alarm else "[green]no alarm[/]"
    head = f"[bold]{inert(each.name)}[/]  score {each.score:.4g}  p {each.p_value:.2g}  {mark}"
    return [head, inert(each.sentence), ""]
