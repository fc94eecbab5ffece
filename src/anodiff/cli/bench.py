"""`anodiff bench`: proof against the cheap baselines, on public sets or on a table of one's own."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anodiff.cli.options import Json, Overwrite, Quiet, pairs, scalar
from anodiff.cli.terminal import Terminal, inert

if TYPE_CHECKING:
    from anodiff.bench.results import Results
    from anodiff.bench.run import Finished
    from anodiff.bench.settings import Settings

Table = Annotated[
    str | None, typer.Argument(help="A table or a folder of tables; without it, public sets.", show_default=False)
]
Out = Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the results.  [default: anodiff-bench]")]
ProtocolName = Annotated[
    str | None,
    typer.Option(
        help="published, shuffled, unsupervised, contaminated, small, missing, mixed, fresh, examples, anytime, "
        "unlabelled; series-univariate, series-multivariate, series-own-train, series-ucr, series-ablation, "
        "series-missing, series-rates, series-cost.  [default: shuffled, or unlabelled]"
    ),
]
Label = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column that says which rows are anomalies.")]
Anomaly = Annotated[str | None, typer.Option(metavar="VALUE", help="The value of that column that is abnormal.")]
Drop = Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Leave this column out, such as an identifier.")]
RivalNames = Annotated[
    str,
    typer.Option(
        metavar="A,B",
        help="knn, knn50, knn-mean, dte-np, iforest, lof, pca, ecod, mcd, ocsvm; "
        "package.module.Class(x=1); anodiff:RECIPE; all; none.",
    ),
]
Budget = Annotated[int | None, typer.Option(min=1, help="Network evaluations per row for anodiff; else its default.")]
Jobs = Annotated[int, typer.Option(min=0, help="Processes; 0 works in this one, without a limit of time.")]
Seeds = Annotated[int, typer.Option(min=1, help="How many splits of each set.")]
Sets = Annotated[str | None, typer.Option(metavar="A,B", help="Only these sets.")]
Levels = Annotated[str | None, typer.Option(metavar="A,B", help="Of what the protocol varies, such as 0,0.05.")]
Split = Annotated[str, typer.Option(help="shuffled, or published, for protocols that shuffle.")]
Seconds = Annotated[float, typer.Option(min=1, help="After which a rival is stopped and recorded as failed.")]
Recipe = Annotated[str, typer.Option(help="Of anodiff.")]
Changes = Annotated[list[str] | None, typer.Option("--set", metavar="A.B=C", help="Change the recipe.")]
Redo = Annotated[Path | None, typer.Option(help="Run the settings of these results again, into a new folder.")]
Compare = Annotated[
    tuple[Path, Path] | None, typer.Option(metavar="OLD NEW", help="Say which numbers of two runs differ; exits 1 if.")
]
Tolerance = Annotated[float, typer.Option(min=0, help="Of --compare, in points.")]
Show = Annotated[list[Path] | None, typer.Option(metavar="FOLDER", help="Print results as markdown; may be repeated.")]
DIFFERENT, INTERRUPTED = 1, 130
FOLDER = Path("anodiff-bench")


def bench(
    data: Table = None,
    protocol: ProtocolName = None,
    label: Label = None,
    anomaly: Anomaly = None,
    drop: Drop = None,
    rivals: RivalNames = "all",
    seeds: Seeds = 5,
    sets: Sets = None,
    levels: Levels = None,
    split: Split = "shuffled",
    budget: Budget = None,
    recipe: Recipe = "auto",
    changes: Changes = None,
    rival_seconds: Seconds = 300.0,
    jobs: Jobs = 1,
    output: Out = None,
    redo: Redo = None,
    compare: Compare = None,
    tolerance: Tolerance = 0.1,
    show: Show = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Judge anodiff beside cheap rivals, on the same rows. An interrupted run goes on with the same command."""
    terminal = Terminal(quiet, json)
    if show:
        shown(show, terminal)
        return
    if compare:
        compared(*compare, tolerance, terminal)
        return
    if redo is not None:
        again(redo, output, jobs, tolerance, overwrite, terminal)
        return
    if (protocol or "").startswith("series-"):
        from anodiff.cli.series_bench import check_public, judged

        check_public({"a path": data, "--label": label, "--levels": levels, "--budget": budget})
        changed = {name: scalar(text) for name, text in pairs(changes, "--set").items()}
        asked = {"seeds": seeds, "sets": sets, "recipe": recipe, "changes": changed}
        judged(str(protocol), output or FOLDER, asked, rivals, jobs, overwrite, terminal)
        return
    from anodiff.bench.named import names
    from anodiff.bench.protocols import levels as of_protocol
    from anodiff.bench.protocols import protocol as known
    from anodiff.bench.settings import Settings

    chosen = protocol or usual(data, label, anomaly)
    settings = Settings(
        protocol=chosen,
        levels=of_protocol(known(chosen), levels),
        seeds=seeds,
        rivals=tuple(names(rivals)),
        data=data,
        label=label,
        anomaly=anomaly,
        drop=tuple(drop or ()),
        sets=None if sets is None else tuple(name.strip() for name in sets.split(",") if name.strip()),
        split=split,
        recipe=recipe,
        changes={name: scalar(text) for name, text in pairs(changes, "--set").items()},
        budget=budget,
        rival_seconds=rival_seconds,
    )
    measure(settings, output or FOLDER, jobs, overwrite, terminal)


def usual(data: str | None, label: str | None, anomaly: str | None) -> str:
    """The protocol where none is asked for: by whether there are labels."""
    if data is None or label is not None:
        return "shuffled"
    from anodiff.bench.protocols import PROTOCOLS
    from anodiff.bench.sets import sources

    first = sources(data, PROTOCOLS["shuffled"], label, anomaly, None)[0]
    return "unlabelled" if first.load().y is None else "shuffled"


def measure(settings: "Settings", folder: Path, jobs: int, overwrite: bool, terminal: Terminal) -> "Results":
    """Run, and tell what was found; what is done is kept when somebody interrupts."""
    from anodiff.bench.conclude import command, conclude
    from anodiff.bench.run import prepare, proceed
    from anodiff.cli.benched import in_words

    results, found = prepare(settings, folder, command(settings, folder, jobs), overwrite)
    try:
        follow(proceed(results, found, folder, jobs, overwrite), terminal)
    except KeyboardInterrupt:
        if results.records:
            conclude(results, folder)
        kept = f"{len(results.done)} jobs are kept in {folder}; the same command goes on from there"
        sys.stderr.write(f"anodiff: interrupted; {kept}.\n")
        raise typer.Exit(INTERRUPTED) from None
    written = conclude(results, folder)
    terminal.give({"folder": str(folder), "files": written, "command": results.command, **results.summary})
    terminal.show(*in_words(results, folder, written))
    return results


def again(old: Path, new: Path | None, jobs: int, tolerance: float, overwrite: bool, terminal: Terminal) -> None:
    """Run recorded settings again, and compare."""
    from anodiff.bench import results as files
    from anodiff.bench.compare import compare, in_words
    from anodiff.bench.run import again as recorded

    settings, folder = recorded(old, new)
    results = measure(settings, folder, jobs, overwrite, Terminal(terminal.quiet or terminal.json))
    found = compare(files.read(old), results, tolerance)
    terminal.give({"folder": str(folder), **found})
    terminal.show("", *(inert(line) for line in in_words(found)))


def compared(old: Path, new: Path, tolerance: float, terminal: Terminal) -> None:
    """Say what differs between two runs; the exit code says whether anything does."""
    from anodiff.bench import results as files
    from anodiff.bench.compare import compare, in_words

    found = compare(files.read(old), files.read(new), tolerance)
    terminal.give(found)
    terminal.show(*(inert(line) for line in in_words(found)))
    if not found["same"]:
        raise typer.Exit(DIFFERENT)


def shown(folders: list[Path], terminal: Terminal) -> None:
    """Print recorded runs as markdown, or their facts as json."""
    from anodiff.bench import results as files
    from anodiff.bench.conclude import show

    if terminal.json:
        terminal.give({str(folder): files.read(folder).summary for folder in folders})
    elif not terminal.quiet:
        sys.stdout.write(show(folders))


def follow(finished: Iterable["Finished"], terminal: Terminal) -> None:
    """Take all jobs, with a bar and the time left where somebody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    hidden = terminal.quiet or terminal.json or not console.is_terminal
    parts: tuple[Any, ...] = (
        MofNCompleteColumn(),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*parts, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=None)
        for each in finished:
            bar.update(task, completed=each.done, total=each.of, description=inert(each.last))
