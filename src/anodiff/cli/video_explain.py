"""`anodiff explain` of video: the worst events, with reasons."""

from typing import TYPE_CHECKING, Any

from anodiff.cli.terminal import Terminal, inert

if TYPE_CHECKING:
    from anodiff.detect_video import VideoDetector
    from anodiff.explain.scenes import Scene


def explain_video(detector: "VideoDetector", data: str, top: int, model: str, terminal: Terminal) -> None:
    """Say of the worst events when and where they are, and what is odd about them."""
    found = detector.explain(data, top=top)
    terminal.give({"model": model, "events": [each.to_dict() for each in found]})
    for each in found:
        terminal.show(*in_words(each))
    if not found:
        terminal.show("No frame raises an alarm.")


def in_words(each: "Scene") -> list[Any]:
    """A line, and a sentence."""
    from anodiff.report.video_words import clock

    event = each.incident
    when = f"{clock(event.start_time)} to {clock(event.end_time)}"
    head = f"[bold]{inert(event.clip)}[/]  {when}  score {event.score:.4g}  p {event.p_value:.2g}"
    return [head, inert(each.sentence), ""]
