"""`anodiff fit` of series."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from anodiff.cli.series_kind import AskedOfSeries
from anodiff.cli.series_rate import chosen_rate
from anodiff.cli.terminal import Terminal, inert
from anodiff.types import Misfit, Unreadable

if TYPE_CHECKING:
    from anodiff.detect_series import SeriesDetector


def fit_series(
    data: str,
    output: Path,
    asked: AskedOfSeries,
    settings: dict[str, Any],
    overwrite: bool,
    terminal: Terminal,
    examples: str | None = None,
) -> None:
    """Learn series and save what was learnt."""
    from anodiff.detect import Detector

    if asked.per_day is not None and settings["false_alarm_rate"] != "auto":
        raise Misfit("give either --rate or --per-day, not both.")
    detector = Detector(asked.modality(), **settings)
    terminal.follow(detector.fitting(data, examples=None if examples is None else pieces(examples)))
    inner = detector.inner_
    if asked.per_day is not None:
        rate = chosen_rate(None, asked.per_day, inner.whole_.modality.step_)
        detector.set_params(false_alarm_rate=rate)
        inner.set_params(false_alarm_rate=rate)
    detector.save(output, overwrite=overwrite)
    facts = {"model": str(output), **of_series(inner)}
    terminal.give(facts)
    terminal.show(*in_words(facts))


def pieces(examples: str) -> list[str]:
    """The files of known anomalies, one each: those of a folder in the order of their names, or the one that is named.

    Raises:
        Unreadable: the folder is empty.
    """
    folder = Path(examples)
    if not folder.is_dir():
        return [examples]
    found = sorted(str(path) for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not found:
        raise Unreadable(f"--examples {examples} is an empty folder; put a file into it for each known anomaly.")
    return found


def of_series(detector: "SeriesDetector") -> dict[str, Any]:
    """What there is to say about a model of series."""
    model = detector.model_
    facts, modality = model.facts, model.modality
    return {
        "recipe": model.recipe.name,
        "instants": facts["rows_seen"],
        "series": facts["tracks"],
        "entities": modality.entities_,
        "channels": facts["columns"],
        "seconds": round(facts["seconds"], 3),
        "sampling_seconds": None if modality.step_ is None else modality.step_ / 1e6,
        "period": modality.period_ or None,
        "windows": sorted({view.length for view in model.views.values()}),
        "smooth": model.smooth,
        "causal": bool(modality.causal),
        "hold_off": detector.hold_off_,
        "evaluations_per_instant": model.nfe,
        "contamination": facts["contamination"],
        "examples": facts.get("examples", 0),
        "false_alarm_rate": detector.false_alarm_rate_,
        "false_alarms_per_day": detector.false_alarms_per_day_,
        "threshold": detector.threshold_,
        "calibration": detector.statement(),
    }


def in_words(facts: dict[str, Any]) -> list[str]:
    """The same for people, and what to type next."""
    return [
        f"[bold]Learnt what is normal[/] from {count(facts)}, in {facts['seconds']:.1f} s "
        f"(recipe {inert(facts['recipe'])}).",
        cut_in_words(facts),
        alarms_in_words(facts),
        f"Next:  anodiff score {inert(facts['model'])} NEW.csv -o scores.csv",
        f"       anodiff watch {inert(facts['model'])} LIVE.csv",
    ]


def count(facts: dict[str, Any]) -> str:
    """How much was learnt from."""
    series, channels = facts["series"], len(facts["channels"])
    of = f" of {series:,} series" if series > 1 else ""
    return f"{facts['instants']:,} instants{of}, {channels:,} channel{'s' * (channels > 1)}"


def cut_in_words(facts: dict[str, Any]) -> str:
    """Windows, period and sampling interval."""
    step = facts["sampling_seconds"]
    windows = ", ".join(map(str, facts["windows"]))
    return (
        f"Windows of {windows} instants; {of_period(facts['period'])}; "
        f"{'no clock' if step is None else f'one instant every {step:g} s'}; "
        f"{'judged by the past alone' if facts['causal'] else 'judged by what is before and after'}."
    )


def of_period(period: int | None) -> str:
    """The dominant period."""
    return "no period stands out" if period is None else f"the dominant period is {period} instants"


def alarms_in_words(facts: dict[str, Any]) -> str:
    """Threshold, its rate and what stands behind it."""
    day = facts["false_alarms_per_day"]
    per_day = "" if day is None else f", {day:.3g} a day"
    return (
        f"Alarms above score {facts['threshold']:.4g}, {facts['false_alarm_rate']:.3g} events per normal "
        f"instant{per_day}: {inert(facts['calibration'])}"
    )
