"""`anodiff fit` of video."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from anodiff.cli.terminal import Terminal, inert

if TYPE_CHECKING:
    from anodiff.detect_video import VideoDetector


def fit_video(
    data: str, output: Path, modality: Any, settings: dict[str, Any], overwrite: bool, terminal: Terminal
) -> None:
    """Learn clips and save what was learnt."""
    from anodiff.detect import Detector

    detector = Detector(modality, **settings)
    terminal.follow(detector.fitting(data))
    detector.save(output, overwrite=overwrite)
    facts = {"model": str(output), **of_video(detector.inner_)}
    terminal.give(facts)
    terminal.show(*in_words(facts, data))


def of_video(detector: "VideoDetector") -> dict[str, Any]:
    """What there is to say about a model of video."""
    model = detector.model_
    facts, video = model.facts, model.modality
    return {
        "recipe": model.recipe.name,
        "frames_seen": facts["rows_seen"],
        "frames": facts["rows_fitted"],
        "clips": facts["clips"],
        "unread": [{"name": name, "why": why} for name, why in facts["unread"]],
        "seconds": round(facts["seconds"], 3),
        "stride": int(video.stride),
        "frames_per_second": video.rate_,
        "parts": list(model.members),
        "evaluations_per_cell": model.nfe,
        "contamination": facts["contamination"],
        "false_alarm_rate": detector.false_alarm_rate_,
        "false_alarms_per_hour": detector.false_alarms_per_hour_,
        "threshold": detector.threshold_,
        "calibration": detector.statement(),
    }


def in_words(facts: dict[str, Any], data: str) -> list[str]:
    """The same for people, and what to type next."""
    from anodiff.cli.fit import suspected

    model, shown = inert(facts["model"]), inert(data)
    return [
        f"[bold]Learnt what is normal[/] from {count(facts)}, in {facts['seconds']:.1f} s "
        f"(recipe {inert(facts['recipe'])}).",
        seen_in_words(facts),
        alarms_in_words(facts),
        *suspected(facts["contamination"], "frames"),
        f"Next:  anodiff score {model} NEW -o frames.csv --film found.mp4   (NEW: video such as {shown})",
        f"       anodiff watch {model} NEW",
    ]


def count(facts: dict[str, Any]) -> str:
    """How much was learnt from."""
    of = "" if facts["frames"] == facts["frames_seen"] else f" of {facts['frames_seen']:,}"
    unread = f" ({len(facts['unread']):,} could not be read)" if facts["unread"] else ""
    return f"{facts['frames']:,}{of} frames of {facts['clips']:,} clip{'s' * (facts['clips'] != 1)}{unread}"


def seen_in_words(facts: dict[str, Any]) -> str:
    """How frames are looked at."""
    every = "Every frame is" if facts["stride"] == 1 else f"One in {facts['stride']} frames is"
    rate = facts["frames_per_second"]
    speed = "how many make a second nobody said" if rate is None else f"{rate:.4g} make a second"
    return f"{every} looked at ({speed}), for {inert(', '.join(facts['parts']))}."


def alarms_in_words(facts: dict[str, Any]) -> str:
    """Threshold, its rate and what stands behind it."""
    hourly = facts["false_alarms_per_hour"]
    clock = "" if hourly is None else f", {hourly:.3g} an hour"
    return (
        f"Alarms above score {facts['threshold']:.4g}, at most {facts['false_alarm_rate']:.3g} events per normal "
        f"frame{clock}: {inert(facts['calibration'])}"
    )
