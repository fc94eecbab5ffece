"""Which commands there are. Each imports what it needs when it runs, so that help is instant."""

from typing import Annotated

import typer

from anodiff.cli import bench, demo, explain, fit, generate, info, report, score, stress, watch
from anodiff.version import __version__

app = typer.Typer(
    name="anodiff",
    help="Anomaly detection with diffusion models: normal data in, calibrated alarm out.",
    epilog="Example:  anodiff fit normal.csv -o model",
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"anodiff {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Anomaly detection with diffusion models: normal data in, calibrated alarm out."""


app.command(epilog="Example:  anodiff fit normal.csv -o model --rate 0.01")(fit.fit)
app.command(epilog="Example:  anodiff score model new.csv -o scores.csv")(score.score)
app.command(epilog="Example:  anodiff explain model new.csv --top 5")(explain.explain)
app.command(epilog="Example:  anodiff report model new.csv -o report.html")(report.report)
app.command(epilog="Example:  tail -f log.csv | anodiff watch model --per-day 1")(watch.watch)
app.command(epilog="Example:  anodiff bench mine.csv --label state --anomaly bad --rivals knn,iforest")(bench.bench)
app.command(epilog="Example:  anodiff generate generator --n 200 --where blob --strength 0.6 --on good/ -o made")(
    generate.generate
)
app.command(epilog="Example:  anodiff stress model --on held.csv -o stress.png")(stress.stress)
app.command(epilog="Example:  anodiff info model")(info.info)
app.command(epilog="Example:  anodiff demo -o anodiff-demo")(demo.demo)
