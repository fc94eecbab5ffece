"""What a generator made, as a folder: items, regions and verdicts, laid out by `data.made_files`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from anodiff.data.made_files import Sort, check_made_free, write_made
from anodiff.made import Made

check_folder = check_made_free


def write(
    made: Made,
    kind: str,
    path: str | Path,
    *,
    good: Any = None,
    names: Sequence[str] | None = None,
    rate: float | None = None,
    overwrite: bool = False,
) -> Path:
    """Write what was made, accepted and rejected apart.

    Args:
        made: By a generator.
        kind: Of data, the generator's `kind_`.
        path: Of the folder.
        good: Normal pictures or clips, for loaders that ask for train/good.
        names: Of channels, or of the columns of an array.
        rate: Of clips: frames a second of the films that are written; by default frames are, without loss.
        overwrite: Replace a folder that was written here before.

    Raises:
        FileExistsError: there is something else at `path`.
    """
    return write_made(
        path,
        cast(Sort, kind),
        made.data,
        made.region,
        made.rows(),
        good=good,
        names=names,
        facts=made.facts,
        rate=rate,
        overwrite=overwrite,
    )
