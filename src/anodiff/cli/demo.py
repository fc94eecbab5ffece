"""`anodiff demo`: the main job on real data that scikit-learn carries."""

from pathlib import Path
from typing import Annotated, Any

import typer

from anodiff.cli.options import Json, Overwrite, Quiet, Seed
from anodiff.cli.terminal import Terminal, inert

Out = Annotated[Path, typer.Option("--output", "-o", help="The folder to write to.")]


def demo(
    output: Out = Path("anodiff-demo"),
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Learn benign tumours, raise alarms on malignant ones, beside kNN and isolation forest. Under a minute."""
    from anodiff.demo import run

    terminal = Terminal(quiet, json)
    facts = run(output, seed, overwrite, terminal.follow)
    terminal.give(facts)
    terminal.show(*in_words(facts))


def in_words(facts: dict[str, Any]) -> list[Any]:
    """What was found, the table, how it was measured, what to type next."""
    folder = inert(facts["folder"])
    return [
        "",
        f"[bold]{opening(facts)}[/]",
        *(_against(name, found) for name, found in facts["ahead"].items()),
        "",
        _table(facts),
        "",
        f"[dim]Wisconsin breast cancer, from scikit-learn. Learnt {facts['learnt']} benign tumours (a seeded half), "
        f"judged the other {facts['benign']} and {facts['malignant']} malignant ones. Every threshold comes from "
        "training rows held out of the model that scored them. In brackets 95 % intervals. One split, no benchmark.[/]",
        "",
        f"Written to {folder}/ in {facts['seconds']:.0f} s: report.html, scores.csv, model/, normal.csv, new.csv",
        "Next:",
        f"  anodiff explain {folder}/model {folder}/new.csv --top 3",
        f"  anodiff score {folder}/model {folder}/new.csv --rate 0.01",
        f"  anodiff fit {folder}/normal.csv -o my-model --rate 0.05",
    ]


def opening(facts: dict[str, Any]) -> str:
    """The finding in one sentence."""
    ours = facts["methods"]["anodiff"]
    hits, misses = ours["alarms"]["found"], ours["alarms"]["false_alarms"]
    return (
        f"Shown only benign tumours, anodiff raised an alarm on {hits} of {facts['malignant']} malignant ones, "
        f"and on {misses} of {facts['benign']} benign ones it had never seen "
        f"({100 * ours['false_alarms']['value']:.1f} %, {100 * facts['rate']:g} % wanted)."
    )


def _against(name: str, found: dict[str, Any]) -> str:
    said = {"wins": "anodiff ranks better than", "loses": "anodiff ranks worse than", "ties": "a tie with"}
    difference, low, high = (100 * found[key] for key in ("difference", "low", "high"))
    return f"  {said[found['verdict']]} {name}: AUROC {difference:+.1f} points ({low:+.1f} to {high:+.1f})."


def _table(facts: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("method")
    for heading in ("AUROC", "AP", "malignant found", "false alarms", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, found in facts["methods"].items():
        rates = (_rate(found[key]) for key in ("found", "false_alarms"))
        ranks = (f"{100 * found[key]:.1f}" for key in ("auroc", "average_precision"))
        table.add_row(name, *ranks, *rates, f"{found['seconds']:.1f}")
    return table


def _rate(found: dict[str, float]) -> str:
    value, low, high = (100 * found[key] for key in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f}-{high:.1f})"
