"""Options that only images have, and those that images do not have."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

Size = Annotated[
    int | None,
    typer.Option(
        help="Of images: side in pixels of the square that they are read in; else 256. Of video: their longest side; "
        "else 360.",
        show_default=False,
    ),
]
Backbone = Annotated[
    str | None,
    typer.Option(help="Of images: embedded, hf:NAME, or a folder of a model; else the recipe's.", show_default=False),
]
Regions = Annotated[
    str | None, typer.Option(metavar="DIR", help="Of images: masks of --examples, of the same names, or with _mask.")
]
Maps = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Of images: for each a picture of where it is odd.", show_default=False),
]
Raw = Annotated[bool, typer.Option("--raw", help="With --maps: the numbers too, as tiff of single precision.")]


@dataclass(frozen=True)
class AskedOfImages:
    """Options of fit that only images have."""

    size: int | None = None
    backbone: str | None = None
    regions: str | None = None

    def given(self) -> list[str]:
        """Those that were given."""
        return [f"--{name}" for name, value in vars(self).items() if value is not None]

    def modality(self) -> Any:
        """The settings as a modality, or its name where there are none."""
        if self.size is None and self.backbone is None:
            return "image"
        from anodiff.modalities.features import Features
        from anodiff.modalities.image import Image

        image = Image() if self.size is None else Image(self.size)
        return image if self.backbone is None else Features(image, self.backbone)


def refuse_of_images(command: str, **given: Any) -> None:
    """Refuse the first option that images do not have.

    >>> refuse_of_images("score", keep=True)
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: --keep of score is not for images, and these are images; leave it out.
    """
    for name, value in given.items():
        if value is not None and value is not False and value != []:
            from anodiff.types import Misfit

            option = name.replace("_", "-")
            raise Misfit(f"--{option} of {command} is not for images, and these are images; leave it out.")


def refuse_but_of_images(kind: str, **given: Any) -> None:
    """Refuse the first option that only images have.

    >>> refuse_but_of_images("series", maps="maps")
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: --maps is for images, and this model judges series; leave it out.
    """
    for name, value in given.items():
        if value is not None and value is not False:
            from anodiff.cli.video_kind import JUDGED
            from anodiff.types import Misfit

            raise Misfit(f"--{name} is for images, and this model judges {JUDGED[kind]}; leave it out.")
