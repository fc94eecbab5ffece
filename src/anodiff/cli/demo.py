"""`anodiff demo`: the main job on real data that scikit-learn carries."""

from pathlib import Path
from typing import Annotated

import typer

from anodiff.cli.options import Json, Overwrite, Quiet, Seed
from anodiff.cli.terminal import Terminal

Out = Annotated[Path, typer.Option("--output", "-o", help="The folder to write to.")]


def demo(
    output: Out = Path("anodiff-demo"),
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Learn benign tumours, raise alarms on malignant ones, beside kNN and isolation forest. Under a minute."""
    from anodiff.report.demo import in_words, run

    terminal = Terminal(quiet, json)
    facts = run(output, seed, overwrite, terminal.follow)
    terminal.give(facts)
    terminal.show(*in_words(facts))
