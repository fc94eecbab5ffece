"""What `anodiff bench` says to people in a hurry: the verdict, a table, warnings, where the files are, what is next."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from anodiff.cli.terminal import inert

if TYPE_CHECKING:
    from anodiff.bench.results import Results
    from anodiff.bench.sheets import Sheet

DETAILS, AHEAD = ("oracle F1", "s, in all"), "anodiff ahead by"
"""Columns that are on the page only, and one that is not broken."""
LOSS = 3.0
"""A set on which anodiff loses so many points is named."""


def in_words(results: "Results", folder: Path, written: list[str]) -> list[Any]:
    """The verdict first."""
    from anodiff.bench.sentences import headline

    summary, varies = results.summary, results.settings.plan().varies
    head, *rest = headline(summary, varies) or ["No set could be judged; see the warnings."]
    warnings = [*summary["warnings"], *worst_losses(summary)]
    place = inert(str(folder))
    return [
        f"[bold]{inert(head)}[/]",
        *(inert(line) for line in (*rest, *places(summary))),
        "",
        *(part for sheet in chosen(summary, varies) for part in (drawn(sheet, summary["sets"]), "")),
        f"[dim]{inert(note(summary))}[/]",
        *(["", *(f"[yellow]warning[/] {inert(each)}" for each in warnings)] if warnings else []),
        "",
        f"Written to {place}/: {', '.join(written)}",
        "Next:",
        f"  less {place}/summary.md",
        f"  anodiff bench --redo {place}/results.json",
    ]


def places(summary: dict[str, Any]) -> list[str]:
    """Where anodiff stands among published numbers."""
    from anodiff.bench.sentences import NAMES

    told = [
        f"number {table['place']} of {len(table['means'])} by {NAMES[table['metric']]} on {table['sets']} sets"
        for table in summary["published"]
        if table["place"] is not None
    ]
    return [f"Among the methods of the published table (not re-run) it is {', '.join(told)}."] if told else []


def chosen(summary: dict[str, Any], varies: str | None) -> list["Sheet"]:
    """One table, and a second where the protocol asks a second question."""
    from anodiff.bench import sheets

    if not summary["levels"] or not summary["metrics"]:
        return []
    if varies == "budget":
        return [sheets.anytime(summary)]
    first = [sheets.methods(summary["levels"][0], summary, None)]
    main = first if varies is None else [sheets.by_level(summary, varies, summary["metrics"][0])]
    return [*main, *([sheets.estimates(summary, varies)] if summary["contamination"] else [])]


def note(summary: dict[str, Any]) -> str:
    """What the columns mean, in a line."""
    sets = "1 set" if summary["sets"] == 1 else f"{summary['sets']} sets"
    said = f"Means over {sets}, intervals of 95 % over {summary['over']}."
    made = any(name.startswith("made") for name in summary["metrics"])
    last = " Made anomalies are no real ones." if made else ""
    return f"{said} s: fit and score of a split; MB: what memory grew by, at most.{last}"


def worst_losses(summary: dict[str, Any]) -> list[str]:
    """Where anodiff loses more than a little to somebody, the worst first."""
    metric = next(iter(summary["metrics"]), "")
    found = [
        (gap[metric]["worst"], gap[metric]["worst_set"], gap["rival"])
        for at in summary["levels"][:1]
        for gap in at["against"]
        if gap.get(metric) and gap[metric]["worst"] <= -LOSS
    ]
    told = ", ".join(f"{-lost:.1f} to {rival} on {name}" for lost, name, rival in sorted(found)[:3])
    return [f"worst losses of anodiff, in points: {told}."] if told else []


def drawn(sheet: "Sheet", sets: int) -> Any:
    """A sheet for the terminal, in 80 columns where that can be; anodiff's own row stands out."""
    from rich.table import Table

    kept = [i for i, head in enumerate(sheet.heads) if head not in DETAILS and (sets > 1 or head != "won : lost")]
    title = None if sheet.title == "Methods" else inert(sheet.title)
    table = Table(
        title=title, title_justify="left", title_style="dim", box=None, padding=(0, 2, 0, 0), header_style="dim"
    )
    for i in kept:
        fixed = sheet.heads[i] == AHEAD
        table.add_column(
            inert(sheet.heads[i]),
            justify="right" if i else "left",
            no_wrap=fixed,
            overflow="fold",
            min_width=7 if i < 3 else None,
        )
    for row in sheet.rows:
        cells = [short(row[0]), *row[1:]]
        table.add_row(*(inert(cells[i]) for i in kept), style="bold" if row[0] == "anodiff" else "")
    return table


def short(name: str) -> str:
    """A rival's name without its package.

    >>> short("pyod.models.hbos.HBOS(n_bins=5)"), short("knn")
    ('HBOS(n_bins=5)', 'knn')
    """
    path, bracket, settings = name.partition("(")
    return path.rpartition(".")[2] + bracket + settings
