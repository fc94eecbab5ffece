"""`anodiff stress`: which made anomalies does a detector miss?"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anodiff.cli.generate import modality_of
from anodiff.cli.options import Json, ModelPath, Overwrite, Quiet, Seed
from anodiff.cli.terminal import Terminal, inert

if TYPE_CHECKING:
    from anodiff.stress import StressCurve

On = Annotated[
    str, typer.Option("--on", metavar="DATA", help="Normal items that the model has not seen.", show_default=False)
]
Made = Annotated[
    Path | None,
    typer.Option("--generator", metavar="DIR", help="A generator; else one learns from half of --on."),
]
Picture = Annotated[Path | None, typer.Option("--output", "-o", help="Draw the curves into this png, svg or pdf.")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="Only this kind; may be repeated.")]
Place = Annotated[list[str] | None, typer.Option("--where", help="This kind of place; may be repeated.")]
Sizes = Annotated[list[float] | None, typer.Option("--size", help="This share of an item; may be repeated.")]
Strengths = Annotated[list[float] | None, typer.Option("--strength", help="At this strength; may be repeated.")]
Number = Annotated[int | None, typer.Option("--n", "-n", help="Items of each kind, place, size and strength.")]
Rate = Annotated[float, typer.Option(help="Share of normal items that may raise an alarm.")]
SUFFIXES = (".png", ".svg", ".pdf")


def stress(
    model: ModelPath,
    on: On,
    output: Picture = None,
    generator: Made = None,
    kinds: Kinds = None,
    where: Place = None,
    sizes: Sizes = None,
    strengths: Strengths = None,
    n: Number = None,
    rate: Rate = 0.05,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Make anomalies of every kind and strength, and tell which of them the model finds and which it misses."""
    from anodiff.data.atomic import check_free, replacing
    from anodiff.saving import load_detector
    from anodiff.stress import STRENGTHS
    from anodiff.stress import stress as stressed
    from anodiff.types import Misfit

    if output is not None and output.suffix.lower() not in SUFFIXES:
        raise Misfit(f"--output is {output}; give a name that ends in one of {', '.join(SUFFIXES)}.")
    if output is not None:
        check_free(output, overwrite)
    detector, terminal = load_detector(model), Terminal(quiet, json)
    maker, held = made_by(detector, generator, on, seed, terminal)
    with warnings.catch_warnings():  # what the detector's own alarms rest on plays no part: others are counted here
        warnings.filterwarnings("ignore", message=".*held-out normals")
        found = stressed(
            detector,
            maker,
            held,
            strengths=strengths or STRENGTHS,
            sizes=sizes,
            kinds=kinds,
            where=where,
            n=n,
            seed=seed,
            false_alarm_rate=rate,
        )
    if output is not None:
        from anodiff.report.stress_plot import stress_figure

        with replacing(output, overwrite) as fresh:
            stress_figure(found).savefig(fresh, format=output.suffix[1:].lower(), dpi=140)
    terminal.give({"model": str(model), **found.to_dict()})
    terminal.show(table_of(found), *(inert(line) for line in found.blind()))
    if output is not None:
        terminal.show(f"The curves are in {inert(str(output))}. Anomalies were made: real ones may differ.")


def table_of(found: "StressCurve") -> Any:
    """AUROC and the share that is found, a row per curve, a column per strength."""
    from rich.table import Table

    table = Table(title="AUROC · found", title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("strength")
    for strength in found.strengths:
        table.add_column(f"{strength:g}", justify="right")
    for name, cells in found.lines().items():
        said = {cell.strength: f"{cell.auroc.value:.2f} · {100 * cell.recall.value:.0f} %" for cell in cells}
        table.add_row(inert(name), *(said.get(strength, "") for strength in found.strengths))
    return table


def made_by(detector: Any, folder: Path | None, on: str, seed: int, terminal: Terminal) -> tuple[Any, Any]:
    """A generator, and normal items that neither it nor the detector has seen.

    Raises:
        Misfit: the folder holds no generator, or one of another kind of data.
    """
    from anodiff.generate import Generator
    from anodiff.rounds.items import halves, plain
    from anodiff.saving import load
    from anodiff.types import Misfit

    kind = detector.kind_
    if folder is None:
        learnt, held = halves(kind, on, 0.5, seed)
        fresh = Generator(modality_of(detector), seed=seed)
        terminal.follow(fresh.fitting(learnt))
        return fresh, held
    found = load(folder)
    if not isinstance(found, Generator) or found.kind_ != kind:
        what = f"a generator of {found.kind_} data" if isinstance(found, Generator) else "a detector"
        raise Misfit(f"{folder} is {what}; give a generator of {kind} data, or leave --generator out.")
    return found, plain(kind, on)
