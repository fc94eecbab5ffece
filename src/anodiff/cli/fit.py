"""`anodiff fit`: normal data in, a model folder out."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anodiff.cli.image_kind import AskedOfImages, Backbone, Regions, Size, refuse_of_images
from anodiff.cli.options import Data, Json, Overwrite, Quiet, Rule, Seed, kind, pairs, scalar
from anodiff.cli.series_kind import (
    AskedOfSeries,
    Causal,
    Entity,
    Modality,
    PerDay,
    Time,
    Window,
    kind_of_data,
    refuse,
    told,
)
from anodiff.cli.several_kind import Root
from anodiff.cli.terminal import Terminal, inert
from anodiff.cli.video_kind import AskedOfVideo, Fps, PerHour, Stride

if TYPE_CHECKING:
    from anodiff.detect import Detector

Out = Annotated[Path, typer.Option("--output", "-o", help="The folder to write the model to.", show_default=False)]
Recipe = Annotated[str, typer.Option(help="Name of a recipe (see: anodiff info) or a yaml file.")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=C", help="Change the recipe, e.g. denoisers.learnt.steps=200.")
]
Rate = Annotated[
    float | None, typer.Option(help="Share of normal rows that may raise an alarm: 0.01, or placed by --examples.")
]
Contamination = Annotated[
    str, typer.Option(metavar="SHARE", help="Share of anomalies among the rows, 0 to 0.4, or auto if it is not known.")
]
Examples = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="A few known anomalies: a table like DATA, a folder of pieces or pictures."),
]
Budget = Annotated[int | None, typer.Option(help="At most so many evaluations per row that is scored.")]
Seconds = Annotated[float | None, typer.Option("--max-seconds", help="About how long this may take.")]
Alarm = Annotated[Rule, typer.Option(help="Count held-out normals, or model their tail; auto: only where too few.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="COLUMN=KIND",
        help="numeric, categorical, boolean, ordinal, datetime; or low,high. Of records: image, text, numbers, "
        "category, series, ignore.",
    ),
]
AsGenerator = Annotated[
    bool, typer.Option("--generator", help="Learn to make anomalies instead of finding them; see generate.")
]
Drop = Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Leave this column out, here and in score.")]


def fit(
    data: Data,
    output: Out,
    recipe: Recipe = "auto",
    changes: Changes = None,
    rate: Rate = None,
    contamination: Contamination = "0",
    examples: Examples = None,
    alarm: Alarm = "auto",
    budget: Budget = None,
    max_seconds: Seconds = None,
    kinds: Kinds = None,
    drop: Drop = None,
    modality: Modality = "auto",
    time: Time = None,
    entity: Entity = None,
    window: Window = None,
    causal: Causal = False,
    per_day: PerDay = None,
    size: Size = None,
    backbone: Backbone = None,
    regions: Regions = None,
    fps: Fps = None,
    stride: Stride = None,
    per_hour: PerHour = None,
    root: Root = None,
    generator: AsGenerator = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Learn what is normal: from normal rows, normal series, a folder of good pictures, video, or records of several
    kinds.
    """
    check_place(output, overwrite)
    if data == examples == "-":
        raise typer.BadParameter("stdin can be DATA or --examples, not both; give one of them as a file")
    terminal, asked = Terminal(quiet, json), AskedOfSeries(time, entity, window or [], causal, per_day)
    pictured, filmed = AskedOfImages(size, backbone, regions), AskedOfVideo(fps, stride, per_hour)
    settings: dict[str, Any] = {
        "recipe": recipe,
        "changes": {name: scalar(text) for name, text in pairs(changes, "--set").items()} or None,
        "contamination": scalar(contamination),
        "false_alarm_rate": "auto" if rate is None else rate,
        "alarm": alarm,
        "budget": budget,
        "max_seconds": max_seconds,
        "seed": seed,
    }
    found = kind_of_data(data, modality, asked, pictured, filmed)
    refuse_elsewhere(found, rate=rate, per_hour=per_hour, root=root)
    if generator:
        from anodiff.cli.generator_fit import fit_generator
        from anodiff.cli.several_kind import modality_of
        from anodiff.modalities.tabular import Tabular

        of_rows = {name: kind(text) for name, text in pairs(kinds, "--kind").items()}
        refuse_of_generators(recipe=recipe != "auto", set=changes, rate=rate, budget=budget, drop=drop, per_day=per_day)
        refuse_of_generators(per_hour=per_hour, size=size if found == "video" else None)
        given: dict[str, Callable[[], Any]] = {
            "image": pictured.modality,
            "series": asked.modality,
            "tabular": partial(Tabular, of_rows or None),
            "video": filmed.modality,
            "multimodal": partial(modality_of, pairs(kinds, "--kind"), root),
        }
        if found not in given:
            raise typer.BadParameter(f"--generator makes nothing of {found}; it knows {', '.join(given)}")
        fit_generator(data, output, given[found](), examples, regions, settings, overwrite, terminal)
        return
    if found == "video":
        from anodiff.cli.video_fit import fit_video
        from anodiff.cli.video_kind import refuse_of_video

        refuse_of_video("fit", kind=kinds, drop=drop, examples=examples)
        fit_video(data, output, filmed.modality(causal, size), settings, overwrite, terminal)
        return
    if found == "multimodal":
        from anodiff.cli.several_fit import fit_several
        from anodiff.cli.several_kind import modality_of, refuse_of_several

        refuse_of_several("fit", drop=drop, examples=examples, budget=budget)
        fit_several(data, output, modality_of(pairs(kinds, "--kind"), root), settings, overwrite, terminal)
        return
    if found == "poses":
        raise typer.BadParameter("poses are fitted from Python: Detector('poses').fit(tracks)", param_hint="--modality")
    if found == "image":
        from anodiff.cli.image_fit import fit_images

        refuse_of_images("fit", kind=kinds, drop=drop)
        fit_images(data, output, pictured, examples, settings, overwrite, terminal)
        return
    if found == "series":
        from anodiff.cli.series_fit import fit_series

        refuse("fit", kind=kinds, drop=drop)
        fit_series(data, output, asked, settings, overwrite, terminal, examples)
        return
    from anodiff.detect import Detector
    from anodiff.modalities.tabular import Tabular

    columns = {name: kind(text) for name, text in pairs(kinds, "--kind").items()}
    detector = Detector(Tabular(columns or None), **settings)
    learn(detector, data, examples, drop or [], terminal)
    detector.save(output, overwrite=overwrite)
    facts = learnt(detector, output)
    terminal.give(facts)
    terminal.show(*in_words(facts))


def refuse_of_generators(**given: Any) -> None:
    """Refuse the first option that a generator does not have."""
    from anodiff.types import Misfit

    for name, value in given.items():
        if told(value):
            raise Misfit(f"--{name.replace('_', '-')} is for detectors, and --generator makes none; leave it out.")


def refuse_elsewhere(kind: str, rate: float | None, per_hour: float | None, root: Path | None) -> None:
    """Refuse what only one kind of data has, or what contradicts itself."""
    from anodiff.types import Misfit

    if rate is not None and per_hour is not None:
        raise Misfit("give either --rate or --per-hour, not both.")
    if root is not None and kind != "multimodal":
        raise Misfit(f"--root is for records of several kinds, and the data is {kind}; leave it out.")


def learn(detector: "Detector", data: Any, examples: str | None, drop: list[str], terminal: Terminal) -> None:
    """Fit; a model remembers the columns that it was not shown."""
    if not drop:
        terminal.follow(detector.fitting(data, examples=examples))
        return
    from anodiff.data.drop import check_droppable, without
    from anodiff.data.readers import read, sample

    table, seen = sample(data, detector.max_rows, detector.seed)
    check_droppable(table, drop)
    known = None if examples is None else read(examples, like=table.arrow.schema)
    known = None if known is None else without(known, drop)
    terminal.follow(detector.fitting(without(table, drop), examples=known))
    detector.model_.facts.update(rows_seen=seen, dropped=drop)


def check_place(path: Path, overwrite: bool) -> None:
    """Refuse a taken or unwritable path before any work is done."""
    if path.exists() and not (overwrite and (path / "config.json").is_file()):
        hint = "it is no anodiff model, so it is left alone" if overwrite else "give --overwrite, or another path"
        raise FileExistsError(f"{path} exists; {hint}.")
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise PermissionError(f"no folder can be made in {above}; give another path.")


def learnt(detector: "Detector", path: Path) -> dict[str, Any]:
    """What there is to say about a fresh model."""
    facts = detector.model_.facts
    return {
        "model": str(path),
        "recipe": detector.model_.recipe.name,
        "rows_seen": facts["rows_seen"],
        "rows_fitted": facts["rows_fitted"],
        "columns": len(facts["columns"]),
        "dropped": facts.get("dropped", []),
        "seconds": round(facts["seconds"], 3),
        "false_alarm_rate": detector.false_alarm_rate_,
        "contamination": facts["contamination"],
        "examples": facts["examples"],
        "evaluations_per_row": detector.model_.score.nfe,
        "threshold": detector.threshold_,
        "calibration": detector.statement(),
    }


def in_words(facts: dict[str, Any]) -> list[str]:
    """The same for people, and what to type next."""
    of = "" if facts["rows_seen"] == facts["rows_fitted"] else f" of {facts['rows_seen']:,}"
    return [
        f"[bold]Learnt what is normal[/] from {facts['rows_fitted']:,}{of} rows, {facts['columns']} columns, "
        f"in {facts['seconds']:.1f} s (recipe {inert(facts['recipe'])}).",
        f"Alarms above score {facts['threshold']:.4g}, at most {100 * facts['false_alarm_rate']:g} % of normal rows: "
        f"{inert(facts['calibration'])}",
        *suspected(facts["contamination"]),
        f"Next:  anodiff score {inert(facts['model'])} NEW.csv -o scores.csv",
    ]


def suspected(share: dict[str, Any], what: str = "rows") -> list[str]:
    """How many of what was learnt from are doubted, if any."""
    if not share["value"]:
        return []
    if share["low"] == share["high"]:
        told = f"The most suspicious {100 * share['value']:.3g} % of the {what} are not counted as normal, as you said."
        return [told]
    return [
        f"About {100 * share['value']:.2g} % of the {what} may be anomalies (anything from {100 * share['low']:.1g} to "
        f"{100 * share['high']:.2g} %: scores alone hardly tell); so many are not counted as normal."
    ]
