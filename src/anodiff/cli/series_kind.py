"""What DATA is to the commands: rows of a table, series in time, images, video, or several kinds at once."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import typer

from anodiff.cli.image_kind import AskedOfImages
from anodiff.cli.video_kind import AskedOfVideo

Found = Literal["series", "tabular", "image", "video", "poses", "multimodal"]
Kind = Literal["auto", "series", "tabular", "image", "video", "poses", "multimodal"]
Modality = Annotated[
    Kind,
    typer.Option(
        help="What DATA is; auto: pictures, video and json lines by their names, series by a first column of times."
    ),
]
Time = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Of series: the column of times, or none; else it is looked for.")
]
Entity = Annotated[str | None, typer.Option(metavar="COLUMN", help="Of series: the column that tells them apart.")]
Window = Annotated[
    list[int] | None, typer.Option(help="Of series: instants in a window; may be repeated; else by the period.")
]
Causal = Annotated[
    bool, typer.Option("--causal", help="Of series and video: judge an instant by those before it alone.")
]
PerDay = Annotated[float | None, typer.Option("--per-day", help="Of series: false alarms per day, instead of --rate.")]


PLURAL = {
    "series": "series",
    "image": "images",
    "tabular": "tabular",
    "video": "video",
    "poses": "poses",
    "multimodal": "several kinds at once",
}


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


NONE_OF_IMAGES = AskedOfImages()
NONE_OF_VIDEO = AskedOfVideo()


def kind_of_data(
    data: str,
    modality: Kind,
    asked: AskedOfSeries,
    pictured: AskedOfImages = NONE_OF_IMAGES,
    filmed: AskedOfVideo = NONE_OF_VIDEO,
) -> Found:
    """What to judge `data` as: as is said, else where something was asked that only one kind has, else by it.

    Raises:
        Misfit: something is asked that this kind does not have.
    """
    from anodiff.data.clips import looks_filmed
    from anodiff.data.mixed import looks_mixed
    from anodiff.data.pictured import looks_pictured
    from anodiff.data.timed import looks_timed
    from anodiff.types import Misfit

    found: Found
    if modality != "auto":
        found, is_so = modality, "the data is said to be"
    elif filmed.given() or looks_filmed(data):
        found, is_so = "video", "the data is taken for"
    elif looks_mixed(data):
        found, is_so = "multimodal", "the data is taken for"
    elif pictured.given() or looks_pictured(data):
        found, is_so = "image", "the data is taken for"
    else:
        found, is_so = "series" if asked.given() or looks_timed(data) else "tabular", "the data is taken for"
    of_series = [name for name in asked.given() if name != "--causal" or found not in ("video", "poses")]
    of_images = [name for name in pictured.given() if name != "--size" or found != "video"]
    for kind, options in (("series", of_series), ("image", of_images), ("video", filmed.given())):
        if options and found != kind:
            told = f"{options[0]} is for {PLURAL[kind]}, and {is_so} {PLURAL[found]}"
            raise Misfit(f"{told}; leave it out, or give --modality {kind}.")
    return found


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
