"""Where the public series lie, and what is in them: folders as they are distributed, under the one of ANODIFF_DATA.

`find("smd")` looks for the layout of the authors in folders of the usual names; of some sets a part lies as npz files
in ANODIFF_DATA/series, whose collection is then "multivariate", "univariate" or "ucr".
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from anodiff.data.labelled import Found, Labelled
from anodiff.data.public_catalogue import COLLECTIONS, Collection
from anodiff.types import Misfit, Unreadable

__all__ = ["COLLECTIONS", "Labelled", "find"]


def find(collection: str, folder: str | os.PathLike | None = None) -> Found:
    """The series of a public set by name; each is read when it is called.

    Args:
        collection: one of `COLLECTIONS`, whatever the case.
        folder: where to look: the folder of the set, or one that holds it. Without it, the one that the environment
            variable ANODIFF_DATA names, and its folder series.

    Returns:
        Functions by name, each of which gives a `Labelled`.

    Raises:
        Misfit: there is no collection of that name.
        Unreadable: it is not there; the message says what was looked for and where to get it.

    >>> find("smd", "/nowhere")
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: SMD, server machines: not found; looked for train/*.txt, test/*.txt and test_label/*.txt \
in /nowhere and /nowhere/series. Get it from the project OmniAnomaly of Su and others, 2019, keep it in a folder \
ServerMachineDataset, and name the folder around it by the environment variable ANODIFF_DATA, or by folder=.
    """
    wanted = COLLECTIONS.get(collection.lower())
    if wanted is None:
        raise Misfit(f"there is no collection {collection!r}; choose one of {', '.join(COLLECTIONS)}.")
    places = _places(folder)
    found = next(_found(wanted, places, folder is not None), None)
    if found is None:
        raise Unreadable(_absent(wanted, places))
    return found


def _places(folder: str | os.PathLike | None) -> list[Path]:
    given = os.environ.get("ANODIFF_DATA", "") if folder is None else folder
    return [Path(given), Path(given) / "series"] if str(given) else []


def _found(wanted: Collection, places: Sequence[Path], named: bool) -> Iterator[Found]:
    """What is found, the layout of the authors first; the folder itself is looked into only where it was `named`."""
    for place in places if wanted.layout is not None else []:
        assert wanted.layout is not None
        folders = [*(place / name for name in wanted.folders), *([place] if named else [])]
        yield from (found for at in folders if (found := wanted.layout(at)))
    if wanted.copy is not None:
        yield from (found for place in places if (found := wanted.copy(place)))


def _absent(wanted: Collection, places: Sequence[Path]) -> str:
    looked = f"looked for {wanted.shape} in {' and '.join(map(str, places))}" if places else f"it is {wanted.shape}"
    folder = f" in a folder {wanted.folders[0]}" if wanted.folders else ""
    return (
        f"{wanted.title}: not found; {looked}. Get it from {wanted.origin}, keep it{folder}, "
        "and name the folder around it by the environment variable ANODIFF_DATA, or by folder=."
    )
