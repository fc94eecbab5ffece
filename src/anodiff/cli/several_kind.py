"""What only records of several kinds are asked: where their pictures lie, what their columns are."""

from pathlib import Path
from typing import Annotated, Any

import typer

Root = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Of records: where pictures lie; else beside the file.", show_default=False),
]


def modality_of(kinds: dict[str, str], root: Path | None) -> Any:
    """The settings as a modality."""
    from anodiff.modalities.multimodal import Multimodal

    given: dict[str, Any] = {"kinds": kinds or None, "root": None if root is None else str(root)}
    return Multimodal(**{name: value for name, value in given.items() if value is not None})


def refuse_of_several(command: str, **given: Any) -> None:
    """Refuse the first option that records of several kinds do not have.

    >>> refuse_of_several("score", causal=True)
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: --causal of score is not for several kinds at once, and these are several; leave it out.
    """
    from anodiff.cli.video_kind import refuse_of

    refuse_of("several kinds at once", "these are several", command, given)
