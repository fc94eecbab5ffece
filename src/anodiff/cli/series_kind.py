"""What DATA is to the commands: rows of a table, or series in time."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import typer

Kind = Literal["auto", "series", "tabular"]
Modality = Annotated[Kind, typer.Option(help="What DATA is; auto takes for series what begins with a column of times.")]
Time = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Of series: the column of times, or none; else it is looked for.")
]
Entity = Annotated[str | None, typer.Option(metavar="COLUMN", help="Of series: the column that tells them apart.")]
Window = Annotated[
    list[int] | None, typer.Option(help="Of series: instants in a window; may be repeated; else by the period.")
]
Causal = Annotated[bool, typer.Option("--causal", help="Of series: judge an instant by those before it alone.")]
PerDay = Annotated[float | None, typer.Option("--per-day", help="Of series: false alarms per day, instead of --rate.")]


@dataclass(frozen=True)
class AskedOfSeries:
    """Options that only series have."""

    time: str | None = None
    entity: str | None = None
    window: list[int] = field(default_factory=list)
    causal: bool = False
    per_day: float | None = None

    def given(self) -> list[str]:
        """Those that were given."""
        return [f"--{name.replace('_', '-')}" for name, value in vars(self).items() if told(value)]

    def modality(self) -> Any:
        """The settings as a modality."""
        from anodiff.modalities.series import Series

        time = "auto" if self.time is None else None if self.time == "none" else self.time
        return Series(time, self.entity, self.window or "auto", self.causal)


def kind_of_data(data: str, modality: Kind, asked: AskedOfSeries) -> Literal["series", "tabular"]:
    """Whether to judge `data` as series: as is said, else where something was asked that only series have, else by it.

    Raises:
        Misfit: it is said to be a table, and something of series is asked.
    """
    from anodiff.types import Misfit

    if modality == "tabular" and asked.given():
        raise Misfit(f"{asked.given()[0]} is for series, and the data is said to be tabular; give --modality series.")
    if modality != "auto":
        return modality
    if asked.given():
        return "series"
    from anodiff.data.timed import looks_timed

    return "series" if looks_timed(data) else "tabular"


def refuse(command: str, **given: Any) -> None:
    """Refuse the first option that series do not have.

    >>> refuse("score", fdr=0.1)
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: --fdr of score is for rows of tables, and these are series; leave it out.
    """
    from anodiff.types import Misfit

    for name, value in given.items():
        if told(value):
            raise Misfit(f"--{name} of {command} is for rows of tables, and these are series; leave it out.")


def refuse_for_rows(**given: Any) -> None:
    """Refuse the first option that only series have."""
    from anodiff.types import Misfit

    for name, value in given.items():
        if told(value):
            option = name.replace("_", "-")
            raise Misfit(f"--{option} is for series, and this model judges rows of tables; leave it out.")


def told(value: object) -> bool:
    """Whether an option was given."""
    return value is not None and value is not False and value != []
