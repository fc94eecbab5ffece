"""`anodiff fit` of records of several kinds."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from anodiff.cli.terminal import Terminal, inert

if TYPE_CHECKING:
    from anodiff.detect_multimodal import MultimodalDetector


def fit_several(
    data: str, output: Path, modality: Any, settings: dict[str, Any], overwrite: bool, terminal: Terminal
) -> None:
    """Learn records and save what was learnt."""
    from anodiff.detect import Detector

    detector = Detector(modality, **settings)
    terminal.follow(detector.fitting(data))
    detector.save(output, overwrite=overwrite)
    facts = {"model": str(output), **of_several(detector.inner_)}
    terminal.give(facts)
    terminal.show(*in_words(facts))


def of_several(detector: "MultimodalDetector") -> dict[str, Any]:
    """What there is to say about a model of several kinds."""
    model = detector.model_
    facts = model.facts
    return {
        "recipe": model.recipe.name,
        "records_seen": facts["rows_seen"],
        "records": facts["rows_fitted"],
        "columns": facts["columns"],
        "missing": facts["missing"],
        "evidences": detector.evidences_,
        "unread": [{"name": name, "why": why} for name, why in facts["unread"]],
        "seconds": round(facts["seconds"], 3),
        "contamination": facts["contamination"],
        "false_alarm_rate": detector.false_alarm_rate_,
        "threshold": detector.threshold_,
        "calibration": detector.statement(),
    }


def in_words(facts: dict[str, Any]) -> list[str]:
    """The same for people, and what to type next."""
    from anodiff.cli.fit import suspected

    model = inert(facts["model"])
    return [
        f"[bold]Learnt what is normal[/] from {count(facts)}, in {facts['seconds']:.1f} s "
        f"(recipe {inert(facts['recipe'])}).",
        parts_in_words(facts),
        alarms_in_words(facts),
        *suspected(facts["contamination"], "records"),
        f"Next:  anodiff score {model} NEW.jsonl -o scores.csv",
        f"       anodiff explain {model} NEW.jsonl",
    ]


def count(facts: dict[str, Any]) -> str:
    """How much was learnt from."""
    of = "" if facts["records"] == facts["records_seen"] else f" of {facts['records_seen']:,}"
    unread = f" ({len(facts['unread']):,} cells could not be read)" if facts["unread"] else ""
    return f"{facts['records']:,}{of} records{unread}"


def parts_in_words(facts: dict[str, Any]) -> str:
    """The parts and what they are, and what is judged."""
    told = []
    for each in facts["columns"]:
        missing = facts["missing"][each["name"]]
        lacking = f", {100 * missing:.0f} % missing" if missing else ""
        told.append(f"{inert(each['name'])} ({each['kind']}{lacking})")
    return f"Parts: {', '.join(told)}. Judged: {inert(', '.join(facts['evidences']))}."


def alarms_in_words(facts: dict[str, Any]) -> str:
    """Threshold, its rate and what stands behind it."""
    return (
        f"Alarms above score {facts['threshold']:.4g}, at most {100 * facts['false_alarm_rate']:g} % of normal "
        f"records: {inert(facts['calibration'])}"
    )
