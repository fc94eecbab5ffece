"""`anodiff info`: what is installed, and what is in a model."""

import platform
from pathlib import Path
from typing import Annotated, Any

import typer

from anodiff.cli.options import Json, Quiet
from anodiff.cli.terminal import Terminal, inert
from anodiff.cli.video_kind import refuse_poses


def info(
    model: Annotated[Path | None, typer.Argument(help="A folder that fit wrote.", show_default=False)] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Show versions and recipes; with MODEL, what it learnt and how it is calibrated."""
    terminal = Terminal(quiet, json)
    facts = installed() if model is None else of_model(model)
    terminal.give(facts)
    terminal.show(*(_installed_in_words(facts) if model is None else _model_in_words(facts)))


def installed() -> dict[str, Any]:
    """Versions, threads, recipes."""
    import torch

    from anodiff.recipes.schema import available, recipe
    from anodiff.version import __version__

    return {
        "anodiff": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "recipes": {name: recipe(name).about for name in available()},
    }


def of_model(path: Path) -> dict[str, Any]:
    """What a saved model says of itself."""
    from anodiff.detect import Detector
    from anodiff.saving import load

    detector = load(path)
    if not isinstance(detector, Detector):
        from anodiff.cli.generator_fit import of_generator

        return {"model": str(path), "generator": True, **of_generator(detector)}
    if detector.kind_ == "video":
        from anodiff.cli.video_info import of_video_model

        return of_video_model(str(path), detector.inner_)
    if detector.kind_ == "multimodal":
        from anodiff.cli.several_info import of_several_model

        return of_several_model(str(path), detector.inner_)
    refuse_poses(detector.kind_)
    if detector.kind_ == "image":
        from anodiff.cli.image_info import of_image_model

        return of_image_model(str(path), detector.inner_)
    if detector.kind_ == "series":
        from anodiff.cli.series_info import of_series_model

        return of_series_model(str(path), detector.inner_)
    model = detector.model_
    return {
        "model": str(path),
        "recipe": model.recipe.name,
        "about": model.recipe.about,
        "rows_seen": model.facts["rows_seen"],
        "rows_fitted": model.facts["rows_fitted"],
        "seconds": model.facts["seconds"],
        "columns": model.facts["columns"],
        "dropped": model.facts.get("dropped", []),
        "evaluations_per_row": model.score.nfe,
        "agreement_by_budget": detector.agreement_,
        "contamination": model.facts["contamination"],
        "examples": model.facts["examples"],
        "false_alarm_rate": detector.false_alarm_rate_,
        "threshold": detector.threshold_,
        "calibration": detector.statement(),
        "settings": model.recipe.model_dump(mode="json"),
        "references": detector.references(),
    }


def _installed_in_words(facts: dict[str, Any]) -> list[Any]:
    from rich.table import Table

    table = Table(title="recipes", title_justify="left", box=None, padding=(0, 2, 0, 0), show_header=False)
    for name, about in facts["recipes"].items():
        table.add_row(f"[bold]{name}[/]", about)
    versions = (f"{name} {facts[name]}" for name in ("anodiff", "python", "torch"))
    return [f"{', '.join(versions)}, {facts['threads']} threads", table]


def _model_in_words(facts: dict[str, Any]) -> list[Any]:
    if facts.get("generator"):
        from anodiff.cli.generator_fit import in_words as of_generator_in_words

        head = f"[bold]{inert(facts['model'])}[/]: a generator of anomalies in {facts['modality']} data"
        return [head, *of_generator_in_words(facts)]
    if facts.get("modality") == "image":
        from anodiff.cli.image_info import in_words as of_images_in_words

        return of_images_in_words(facts)
    if facts.get("modality") == "series":
        from anodiff.cli.series_info import in_words

        return in_words(facts)
    if facts.get("modality") == "video":
        from anodiff.cli.video_info import in_words as of_video_in_words

        return of_video_in_words(facts)
    if facts.get("modality") == "multimodal":
        from anodiff.cli.several_info import in_words as of_several_in_words

        return of_several_in_words(facts)
    from rich.table import Table

    from anodiff.report.citing import works
    from anodiff.report.words import normal

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("column", "kind", "type", "missing", "normal values"):
        table.add_column(heading)
    for column in facts["columns"][:50]:
        cells = (column["name"], column["kind"], column["type"], f"{100 * column['missing']:.3g} %", normal(column))
        table.add_row(*map(inert, cells))
    more = len(facts["columns"]) - 50
    return [
        f"[bold]{inert(facts['model'])}[/]: recipe {inert(facts['recipe'])}, {facts['rows_fitted']:,} of "
        f"{facts['rows_seen']:,} rows learnt, {facts['evaluations_per_row']} network evaluations per row",
        inert(facts["about"]),
        f"Alarms above {facts['threshold']:.4g}, at {100 * facts['false_alarm_rate']:g} % false alarms: "
        f"{inert(facts['calibration'])}",
        table,
        *([f"... and {more} more columns"] if more > 0 else []),
        "",
        *(inert(f"{w['who']}, {w['what']}, {w['when']}. {w['where']}") for w in works(facts["references"])),
    ]
