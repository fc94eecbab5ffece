"""What only video is asked: how densely it is looked at, and how many false alarms an hour may bring."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

Fps = Annotated[
    float | None,
    typer.Option("--fps", min=0.001, help="Of video: frames per second, where they do not say so."),
]
Stride = Annotated[int | None, typer.Option(min=1, help="Of video: look at every so manieth frame.")]
PerHour = Annotated[
    float | None, typer.Option("--per-hour", help="Of video: false alarms per hour, instead of --rate.")
]
Film = Annotated[
    Path | None,
    typer.Option(metavar="FILE.mp4", help="Of video: the clip with what was found in it.", show_default=False),
]


@dataclass(frozen=True)
class AskedOfVideo:
    """Options of fit that only video has."""

    fps: float | None = None
    stride: int | None = None
    per_hour: float | None = None

    def given(self) -> list[str]:
        """Those that were given."""
        return [f"--{name.replace('_', '-')}" for name, value in vars(self).items() if value is not None]

    def modality(self, causal: bool = False, size: int | None = None) -> Any:
        """The settings as a modality; `size` is the longest side in pixels."""
        from anodiff.modalities.video import Video

        given: dict[str, Any] = {
            "rate": self.fps,
            "stride": self.stride,
            "per_hour": self.per_hour,
            "causal": causal or None,
            "size": size,
        }
        return Video(**{name: value for name, value in given.items() if value is not None})


def refuse_of_video(command: str, **given: Any) -> None:
    """Refuse the first option that video does not have.

    >>> refuse_of_video("score", fdr=0.1)
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: --fdr of score is not for video, and this is video; leave it out.
    """
    refuse_of("video", "this is video", command, given)


def refuse_but_of_video(kind: str, **given: Any) -> None:
    """Refuse the first option that only video has.

    >>> refuse_but_of_video("series", film="out.mp4")
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: --film is for video, and this model judges series; leave it out.
    """
    from anodiff.cli.series_kind import told
    from anodiff.types import Misfit

    for name, value in given.items():
        if told(value):
            option = name.replace("_", "-")
            raise Misfit(f"--{option} is for video, and this model judges {JUDGED[kind]}; leave it out.")


def refuse_of(kind: str, this: str, command: str, given: dict[str, Any]) -> None:
    """Refuse the first option that a kind of data does not have."""
    from anodiff.cli.series_kind import told
    from anodiff.types import Misfit

    for name, value in given.items():
        if told(value):
            raise Misfit(f"--{name.replace('_', '-')} of {command} is not for {kind}, and {this}; leave it out.")


def refuse_poses(kind: str) -> None:
    """Poses are judged from Python alone."""
    if kind == "poses":
        from anodiff.types import Misfit

        raise Misfit("this model judges poses, which are arrays; use anodiff.load(...) from Python.")


JUDGED = {
    "tabular": "rows of tables",
    "series": "series",
    "image": "images",
    "video": "video",
    "poses": "poses",
    "multimodal": "records of several kinds",
}
"""What a model judges, by its kind."""
