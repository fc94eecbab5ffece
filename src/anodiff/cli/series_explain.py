"""`anodiff explain` of series: the worst events, with reasons."""

from typing import TYPE_CHECKING, Any

from anodiff.cli.terminal import Terminal, inert

if TYPE_CHECKING:
    from anodiff.detect_series import SeriesDetector
    from anodiff.explain.moment import Moment


def explain_series(detector: "SeriesDetector", data: str, top: int, cells: int, model: str, terminal: Terminal) -> None:
    """Say of the worst events which channels, since when, and what was expected."""
    from anodiff.explain.moments import moments

    found = moments(detector, data, top=cells, most=top)
    terminal.give({"model": model, "events": [each.to_dict() for each in found]})
    for each in found:
        terminal.show(*in_words(each, cells))
    if not found:
        rate = detector.false_alarm_rate_
        terminal.show(
            f"No event stands out at {rate:.3g} per normal instant; a higher --rate at fit or score shows more."
        )


def in_words(each: "Moment", cells: int) -> list[Any]:
    """A sentence, and a table of the channels that matter."""
    from rich.table import Table

    event = each.happening.event
    whose = "" if each.happening.entity is None else f"{inert(each.happening.entity)}  "
    p = "" if event.p_value is None else f"  p {event.p_value:.2g}"
    start, end = when(each, each.start, each.happening.start), when(each, each.end, each.happening.end)
    head = f"[bold]{whose}{start} to {end}[/]  score {event.score:.4g}{p}"
    table = Table(box=None, padding=(0, 2, 0, 2))
    for name in ("channel", "since", "what it did", "share of evidence"):
        table.add_column(name, justify="right" if name.startswith("share") else "left", header_style="dim")
    for blame in each.blamed[:cells]:
        since = "" if blame.since is None else when(each, blame.since)
        table.add_row(*map(inert, (blame.channel, since, blame.words)), f"{100 * blame.share:.0f} %")
    return [head, inert(each.sentence), table, ""]


def when(moment: "Moment", instant: int, otherwise: int | None = None) -> str:
    """The time of an instant, of the alarm where the moment has none; without a clock the number of the instant."""
    from anodiff.data.instants import written

    time = None if otherwise is None else written(otherwise, moment.zone)
    return moment.time(instant) or time or f"instant {instant}"
