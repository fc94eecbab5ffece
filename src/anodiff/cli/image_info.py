"""`anodiff info` of a model of images."""

from typing import TYPE_CHECKING, Any

from anodiff.cli.image_fit import alarms_in_words, count, examples_in_words, of_images, seen_in_words
from anodiff.cli.terminal import inert

if TYPE_CHECKING:
    from anodiff.detect_images import ImageDetector


def of_image_model(path: str, detector: "ImageDetector") -> dict[str, Any]:
    """What a saved model says of itself."""
    recipe = detector.model_.recipe
    return {
        "model": path,
        "modality": "image",
        "about": recipe.about,
        **of_images(detector),
        "settings": recipe.model_dump(mode="json"),
        "references": detector.references(),
    }


def in_words(facts: dict[str, Any]) -> list[Any]:
    """The same for people."""
    from anodiff.report.citing import works

    return [
        f"[bold]{inert(facts['model'])}[/]: images, recipe {inert(facts['recipe'])}, learnt from {count(facts)}; "
        f"{facts['evaluations_per_picture']} evaluations per picture",
        inert(facts["about"]),
        seen_in_words(facts),
        *examples_in_words(facts),
        alarms_in_words(facts),
        "",
        *(inert(f"{w['who']}, {w['what']}, {w['when']}. {w['where']}") for w in works(facts["references"])),
    ]
