"""`anodiff fit` of images."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from anodiff.cli.image_kind import AskedOfImages
from anodiff.cli.terminal import Terminal, inert
from anodiff.types import Misfit

if TYPE_CHECKING:
    from anodiff.detect_images import ImageDetector


def fit_images(
    data: str,
    output: Path,
    asked: AskedOfImages,
    examples: str | None,
    settings: dict[str, Any],
    overwrite: bool,
    terminal: Terminal,
) -> None:
    """Learn pictures and save what was learnt."""
    from anodiff.detect import Detector

    if asked.regions is not None and examples is None:
        raise Misfit("--regions are the masks of --examples, and there are none; give both, or leave it out.")
    detector = Detector(asked.modality(), **settings)
    terminal.follow(detector.fitting(data, examples=examples, regions=asked.regions))
    detector.save(output, overwrite=overwrite)
    facts = {"model": str(output), **of_images(detector.inner_)}
    terminal.give(facts)
    terminal.show(*in_words(facts))


def of_images(detector: "ImageDetector") -> dict[str, Any]:
    """What there is to say about a model of pictures."""
    model = detector.model_
    facts, image = model.facts, model.modality.image_
    seen = model.modality.backbone_
    return {
        "recipe": model.recipe.name,
        "pictures_seen": facts["rows_seen"],
        "pictures": facts["rows_fitted"],
        "unread": [{"name": name, "why": why} for name, why in facts["unread"]],
        "near_duplicates": facts["twins"],
        "seconds": round(facts["seconds"], 3),
        "size": int(image.size),
        "grey": image.channels_ == 1,
        "usual_size": list(image.median_),
        "backbone": None if seen is None else seen.name,
        "evaluations_per_picture": model.nfe,
        "contamination": facts["contamination"],
        "examples": facts["examples"],
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
        seen_in_words(facts),
        *examples_in_words(facts),
        alarms_in_words(facts),
        *suspected(facts["contamination"], "pictures"),
        f"Next:  anodiff score {model} NEW/ -o scores.csv --maps maps",
        f"       anodiff watch {model} FOLDER/",
    ]


def count(facts: dict[str, Any]) -> str:
    """How much was learnt from."""
    of = "" if facts["pictures"] == facts["pictures_seen"] else f" of {facts['pictures_seen']:,}"
    unread = len(facts["unread"])
    left = f" ({unread:,} could not be read)" if unread else ""
    return f"{facts['pictures']:,}{of} pictures{left}"


def seen_in_words(facts: dict[str, Any]) -> str:
    """How pictures are looked at, and what they are like."""
    (height, width), size = facts["usual_size"], facts["size"]
    grey = "grey" if facts["grey"] else "in colour"
    with_backbone = "" if facts["backbone"] is None else f", through the backbone {inert(facts['backbone'])}"
    twins = facts["near_duplicates"]
    alike = f"; {twins:,} have a near-duplicate among the others, and were held out together with it" if twins else ""
    return f"Read at {size} x {size} pixels, {grey} (usually {width:,} x {height:,}){with_backbone}{alike}."


def examples_in_words(facts: dict[str, Any]) -> list[str]:
    """How many known defects it was shown, if any."""
    return [f"It was shown {facts['examples']:,} pictures of known defects."] if facts["examples"] else []


def alarms_in_words(facts: dict[str, Any]) -> str:
    """Threshold, its rate and what stands behind it."""
    return (
        f"Alarms above score {facts['threshold']:.4g}, at most {100 * facts['false_alarm_rate']:g} % of normal "
        f"pictures: {inert(facts['calibration'])}"
    )
