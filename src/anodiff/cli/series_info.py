"""`anodiff info` of a model of series."""

from typing import TYPE_CHECKING, Any

from anodiff.cli.series_fit import alarms_in_words, count, cut_in_words, of_series
from anodiff.cli.terminal import inert

if TYPE_CHECKING:
    from anodiff.detect_series import SeriesDetector


def of_series_model(path: str, detector: "SeriesDetector") -> dict[str, Any]:
    """What a saved model says of itself."""
    recipe = detector.model_.recipe
    return {
        "model": path,
        "modality": "series",
        "about": recipe.about,
        **of_series(detector),
        "settings": recipe.model_dump(mode="json"),
        "references": detector.references(),
    }


def in_words(facts: dict[str, Any]) -> list[Any]:
    """The same for people."""
    from rich.table import Table

    from anodiff.report.citing import works

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("channel", "kind", "missing", "normal values"):
        table.add_column(heading)
    for channel in facts["channels"][:50]:
        missing = f"{100 * channel['missing']:.3g} %"
        table.add_row(*map(inert, (channel["name"], channel["kind"], missing, usual(channel))))
    more = len(facts["channels"]) - 50
    return [
        f"[bold]{inert(facts['model'])}[/]: series, recipe {inert(facts['recipe'])}, learnt from {count(facts)}; "
        f"{facts['evaluations_per_instant']} evaluations per instant",
        inert(facts["about"]),
        cut_in_words(facts),
        alarms_in_words(facts),
        *([f"Entities: {inert(few(facts['entities']))}"] if facts["entities"] else []),
        table,
        *([f"... and {more} more channels"] if more > 0 else []),
        "",
        *(inert(f"{w['who']}, {w['what']}, {w['when']}. {w['where']}") for w in works(facts["references"])),
    ]


def few(names: list[str], most: int = 20) -> str:
    """Names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def usual(channel: dict[str, Any]) -> str:
    """The normal values of a channel."""
    if channel["kind"] == "numeric":
        return f"{channel['mean']:.4g} ± {channel['sd']:.3g}"
    return ", ".join(list(channel.get("top", {}))[:3])
