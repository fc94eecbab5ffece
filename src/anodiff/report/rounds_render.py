"""What the rounds of the cycle found, as one html file that needs nothing else: no script, no network."""

import base64
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from anodiff.report.plots import ALARM, CALM, FAINT, INK, uri
from anodiff.rounds.record import HELPS, NOT, OURS, WITHOUT, WORSE, Rounds

NAMES = {OURS: "generated anomalies", WITHOUT: "none", "without examples": "none, nor known ones"}
"""What a detector was taught besides the known anomalies, for people."""


def render_rounds(found: Rounds, sheet: bytes | None = None) -> str:
    """The page.

    Args:
        found: All rounds.
        sheet: A contact sheet of what was made, png.
    """
    pages = Environment(
        loader=PackageLoader("anodiff.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    last = found.best or found.rounds[-1]
    return pages.get_template("rounds.html.j2").render(
        f=found,
        last=last,
        headline=headline(found),
        measures=list(last.values[OURS]),
        names={name: NAMES.get(name, name) for name in last.values},
        gains=gain_plot(found),
        good=HELPS,
        bad=(NOT, WORSE),
        sheet=None if sheet is None else f"data:image/png;base64,{base64.b64encode(sheet).decode()}",
    )


def headline(found: Rounds) -> str:
    """Whether it helps, in a few words."""
    if found.best is None:
        worse = all(each.verdict == WORSE for each in found.rounds)
        return f"Made anomalies {'make it worse' if worse else 'do not help'} here"
    if found.best.verdict == HELPS:
        return "Made anomalies help, more than the classical ones do"
    return "Made anomalies help, but no more than the classical ones do"


def gain_plot(found: Rounds) -> str:
    """Gains over each other, round by round, with their intervals."""
    others = list(found.rounds[0].gains)
    figure = Figure(figsize=(7.2, 0.9 + 0.32 * len(others) * len(found.rounds)), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=INK, lw=1)
    place, ticks = 0.0, list[tuple[float, str]]()
    for name in others:
        for each in found.rounds:
            gain = each.gains[name]
            colour = ALARM if gain.high < 0 else CALM if gain.low > 0 else INK
            axes.plot([gain.low, gain.high], [-place, -place], color=colour, lw=2.2, solid_capstyle="round")
            axes.plot(gain.value, -place, "o", color=colour, ms=5)
            ticks.append((-place, f"over {NAMES.get(name, name)}, round {each.number}"))
            place += 1
        axes.axhline(-place + 0.3, color=FAINT, lw=0.8)
        place += 0.4
    axes.set_yticks([at for at, _ in ticks], [text for _, text in ticks], fontsize=8)
    axes.set_xlabel(f"gain in average precision, {100 * found.confidence:.3g} % interval")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return uri(figure)


def report_rounds(found: Rounds, first: int = 40) -> str:
    """The page with a contact sheet of what was made in the last round, the first so many, none picked."""
    from anodiff.report.contact import sheet

    made: Any = found.sample
    return render_rounds(found, None if made is None else sheet(made, first=first))
