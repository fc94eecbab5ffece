"""`anodiff info` of a model of several kinds at once."""

from typing import TYPE_CHECKING, Any

from anodiff.cli.several_fit import alarms_in_words, count, of_several, parts_in_words
from anodiff.cli.terminal import inert

if TYPE_CHECKING:
    from anodiff.detect_multimodal import MultimodalDetector


def of_several_model(path: str, detector: "MultimodalDetector") -> dict[str, Any]:
    """What a saved model says of itself."""
    recipe = detector.model_.recipe
    return {
        "model": path,
        "modality": "multimodal",
        "about": recipe.about,
        **of_several(detector),
        "settings": recipe.model_dump(mode="json"),
        "references": detector.references(),
    }


def in_words(facts: dict[str, Any]) -> list[Any]:
    """The same for people."""
    from anodiff.report.citing import works

    return [
        f"[bold]{inert(facts['model'])}[/]: several kinds at once, recipe {inert(facts['recipe'])}, learnt from "
        f"{count(facts)}",
        inert(facts["about"]),
        parts_in_words(facts),
        alarms_in_words(facts),
        "",
        *(inert(f"{w['who']}, {w['what']}, {w['when']}. {w['where']}") for w in works(facts["references"])),
    ]
