"""`anodiff generate`: anomalies made to order, with their regions and verdicts, and a sheet to look at."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anodiff.cli.fit import check_place
from anodiff.cli.options import Json, Overwrite, Quiet, Seed
from anodiff.cli.terminal import Terminal, inert

if TYPE_CHECKING:
    from anodiff.generate import Generator
    from anodiff.made import Made

ModelPath = Annotated[
    Path, typer.Argument(help="The folder that fit wrote: a generator, or a detector, with --on.", show_default=False)
]
Out = Annotated[Path, typer.Option("--output", "-o", help="The folder to write to.", show_default=False)]
Number = Annotated[int, typer.Option("--n", "-n", help="How many to make.")]
On = Annotated[
    str | None, typer.Option(metavar="DATA", help="Normal items to make them on; else those that fit kept, or none.")
]
Place = Annotated[
    str,
    typer.Option(help="The kind of place by name (see: anodiff info MODEL), or a folder of masks."),
]
Kind = Annotated[str, typer.Option(help="By name (see: anodiff info MODEL), auto for all in turns, or normal.")]
Strength = Annotated[float, typer.Option(help="Above 0 up to 1: how far from normal.")]
Share = Annotated[
    list[float] | None, typer.Option("--size", help="The share of an item that a region covers; twice for a range.")
]
Like = Annotated[int | None, typer.Option(help="The number of an example to resemble, from 0.")]
Examples = Annotated[
    str | None, typer.Option(metavar="DATA", help="With a detector: known anomalies that the generator learns from.")
]
Regions = Annotated[str | None, typer.Option(metavar="DIR", help="Of images: masks of --examples.")]
Reach = Annotated[
    float | None, typer.Option(help="With a detector: how rarely normal items are as odd as one of strength 1.")
]
Keep = Annotated[Path | None, typer.Option(metavar="DIR", help="With a detector: save the generator, to use it again.")]
Sheet = Annotated[int, typer.Option(help="Items on the contact sheet: the first so many, none picked; 0 for no sheet.")]
Film = Annotated[
    float | None, typer.Option(metavar="RATE", help="Of video: write mp4 files of so many frames a second, not frames.")
]
Seconds = Annotated[float | None, typer.Option("--max-seconds", help="With a detector: about how long to learn.")]


def generate(
    model: ModelPath,
    output: Out,
    n: Number = 16,
    on: On = None,
    where: Place = "auto",
    kind: Kind = "auto",
    strength: Strength = 0.7,
    size: Share = None,
    like: Like = None,
    examples: Examples = None,
    regions: Regions = None,
    reach: Reach = None,
    keep: Keep = None,
    sheet: Sheet = 40,
    film: Film = None,
    max_seconds: Seconds = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Make anomalies to order on normal data: items, where they are abnormal, and a verdict on each."""
    from anodiff.report.contact import sheet as contact_sheet
    from anodiff.saving_made import check_folder, write

    check_counts(sheet, size)
    check_folder(output, overwrite)
    if keep is not None:
        check_place(keep, overwrite)
    terminal = Terminal(quiet, json)
    learning = {"examples": examples, "regions": regions, "reach": reach, "keep": keep, "max_seconds": max_seconds}
    generator = of_folder(model, on, learning, seed, overwrite, terminal)
    made = generator.sample(
        n,
        on=on,
        where=str(Path(where)) if Path(where).exists() else where,
        kind=kind,
        strength=strength,
        size=None if not size else (min(size), max(size)),
        like=like,
        seed=seed,
    )
    write(made, generator.kind_, output, rate=film, overwrite=overwrite)
    if sheet:
        (output / "sheet.png").write_bytes(contact_sheet(made, first=sheet))
    facts = {**told(made, generator, output), "look": ", the sheet in sheet.png" if sheet else ""}
    terminal.give(facts)
    terminal.show(*in_words(facts))


def check_counts(sheet: int, size: list[float] | None) -> None:
    """Refuse what would be found only when all is made.

    Raises:
        Misfit: a number is out of range.
    """
    from anodiff.types import Misfit

    if sheet < 0:
        raise Misfit(f"--sheet is {sheet}; give how many items it shows, 0 for no sheet.")
    if size and len(size) > 2:
        raise Misfit(f"--size is given {len(size)} times; give it once, or twice for least and most.")


def of_folder(
    model: Path, on: str | None, learning: dict[str, Any], seed: int, overwrite: bool, terminal: Terminal
) -> "Generator":
    """The generator in a folder; or one that learns from normal items, judged by the detector in the folder."""
    from anodiff.detect import Detector
    from anodiff.generate import Generator
    from anodiff.saving import load
    from anodiff.types import Misfit

    found = load(model)
    if not isinstance(found, Detector):
        for name, value in learning.items():
            if value is not None:
                option = name.replace("_", "-")
                raise Misfit(f"--{option} is for a detector's folder, and {model} is a generator; leave it out.")
        generator: Generator = found
        return generator
    if on is None:
        raise Misfit(
            f"{model} is a detector; give --on NORMALS, from which a generator learns, or make one with: "
            "anodiff fit NORMALS --generator -o FOLDER."
        )
    reach = "auto" if learning["reach"] is None else learning["reach"]
    generator = Generator(
        modality_of(found), reach=reach, detector=found, max_seconds=learning["max_seconds"], seed=seed
    )
    terminal.follow(generator.fitting(on, examples=learning["examples"], regions=learning["regions"]))
    if learning["keep"] is not None:
        generator.save(learning["keep"], overwrite=overwrite)
    return generator


def modality_of(detector: Any) -> Any:
    """How a fitted detector reads data, not fitted."""
    from sklearn.base import clone

    if detector.kind_ == "image":
        return clone(detector.inner_.whole_.modality.image_, safe=False)
    whole = detector.inner_.whole_
    return clone(whole.modality, safe=False)


def told(made: "Made", generator: "Generator", output: Path) -> dict[str, Any]:
    """What there is to say of what was made."""
    kinds = sorted(set(made.kind))
    return {
        "output": str(output),
        "made": len(made),
        "kept": int(made.accepted.sum()),
        "rejection_rate": made.rejection_rate,
        "why": made.reasons(),
        "kinds": {name: made.kind.count(name) for name in kinds},
        "modality": generator.kind_,
        "facts": made.facts,
    }


def in_words(facts: dict[str, Any]) -> list[str]:
    """The same for people."""
    kinds = ", ".join(f"{count} {inert(name)}" for name, count in facts["kinds"].items())
    rejected = facts["made"] - facts["kept"]
    why = "; ".join(f"{count} {word}" for word, count in facts["why"].items())
    return [
        f"[bold]{facts['made']} made[/] ({kinds}): {facts['kept']} kept, {rejected} rejected"
        + (f" ({why})." if why else "."),
        f"In {inert(facts['output'])}: items, regions, verdicts; rejected ones in rejected/{facts['look']}.",
        "They are made, not real: measure on real anomalies whether they help.",
    ]
