"""`anodiff info` of a model of video."""

from typing import TYPE_CHECKING, Any

from anodiff.cli.terminal import inert
from anodiff.cli.video_fit import alarms_in_words, count, of_video, seen_in_words

if TYPE_CHECKING:
    from anodiff.detect_video import VideoDetector


def of_video_model(path: str, detector: "VideoDetector") -> dict[str, Any]:
    """What a saved model says of itself."""
    recipe = detector.model_.recipe
    return {
        "model": path,
        "modality": "video",
        "about": recipe.about,
        **of_video(detector),
        "settings": recipe.model_dump(mode="json"),
        "references": detector.references(),
    }


def in_words(facts: dict[str, Any]) -> list[Any]:
    """The same for people."""
    from anodiff.report.citing import works

    return [
        f"[bold]{inert(facts['model'])}[/]: video, recipe {inert(facts['recipe'])}, learnt from {count(facts)}; "
        f"{facts['evaluations_per_cell']} evaluations per cell",
        inert(facts["about"]),
        seen_in_words(facts),
        alarms_in_words(facts),
        "",
        *(inert(f"{w['who']}, {w['what']}, {w['when']}. {w['where']}") for w in works(facts["references"])),
    ]
