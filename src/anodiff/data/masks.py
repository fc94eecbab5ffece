"""Masks of known defects: which belongs to which picture, and the same in a frame.

A mask is True where the defect is. What is white, or anything but black, in a file or an array is True.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import numpy as np

from anodiff.data.frames import Frame, planes_of
from anodiff.data.picture_files import marked
from anodiff.data.picture_folders import listing
from anodiff.types import Misfit, Unreadable

Marks: TypeAlias = np.ndarray | None
"""Where a defect is, `(H, W)` bool; None where nobody knows."""
TAIL = "_mask"


def masks_of(regions: Any, names: Sequence[str], sizes: Sequence[tuple[int, int] | None]) -> list[Marks]:
    """The masks of pictures of these names and sizes (H, W), in their order.

    Args:
        regions: A list with a mask for each picture: a bool array `(H, W)`, the path of a file, or None where nobody
            knows; or a folder of files with the pictures' names, `_mask` behind them or not; None for nobody knows.
        names: What the pictures are called, with the folders that they lie in.
        sizes: Of the pictures; None for one that could not be read, which has no mask then.

    Raises:
        Misfit: there are more or fewer masks than pictures, or one has another size.
        Unreadable: a file cannot be read, or a folder has no file for any of the pictures.
    """
    if regions is None:
        return [None] * len(names)
    given = _in_folder(Path(regions), names) if isinstance(regions, str | os.PathLike) else _as_list(regions)
    if len(given) != len(names):
        raise Misfit(f"there are {len(given)} regions for {len(names)} examples; give one mask, or None, for each.")
    return [
        None if size is None else _mask(mask, name, size) for mask, name, size in zip(given, names, sizes, strict=True)
    ]


def in_frame(mask: np.ndarray, frame: Frame) -> np.ndarray:
    """A mask `(H, W)` of which something is True, in a frame `(S, S)` bool; there too, where the frame sees any of it.

    A pixel of the frame is True where at least half of it is; if none is, where most of it is.
    """
    found = frame.filled(planes_of(mask[..., None].astype(np.float32)), mask.shape)[..., 0]
    most = float(found.max())
    return np.asarray(found >= min(0.5, most)) if most > 0 else np.zeros(found.shape, bool)


def _as_list(regions: Any) -> list[Any]:
    if isinstance(regions, Iterable):
        return list(regions)
    raise Misfit(f"regions are a {type(regions).__name__}; give a list of masks, one for each example, or a folder.")


def _mask(given: Any, name: str, size: tuple[int, int]) -> Marks:
    if given is None:
        return None
    if isinstance(given, str | os.PathLike):
        try:
            found = marked(Path(given))
        except Unreadable as refusal:
            raise Unreadable(f"mask {given}: {refusal}") from None
    else:
        values = np.asarray(given)
        if values.ndim not in (2, 3) or values.dtype.kind not in "biuf":
            raise Misfit(f"the mask of {name} has shape {values.shape}; give a bool array (H, W).")
        found = np.asarray((values > 0).reshape(*values.shape[:2], -1).any(2))
    if found.shape != size:
        (h, w), (rows, columns) = size, found.shape
        raise Misfit(
            f"the mask of {name} is {rows} x {columns} pixels, its picture is {h} x {w}; give it at that size."
        )
    return found


def _in_folder(folder: Path, names: Sequence[str]) -> list[Path | None]:
    """Of each picture the file of its name, in a folder of the same name where several are called so."""
    try:
        files = {PurePosixPath(name): path for name, path in listing(folder).found.items() if isinstance(path, Path)}
    except OSError as error:
        raise Unreadable(f"folder {folder} of regions cannot be listed ({error.strerror}); check the path.") from None
    found = [_named(files, PurePosixPath(name)) for name in names]
    if not any(found):
        raise Unreadable(
            f"folder {folder} has no mask for any of {len(names)} examples; the one of {names[0]} would be called "
            f"{PurePosixPath(names[0]).stem}{TAIL}.png."
        )
    return found


def _named(files: dict[PurePosixPath, Path], name: PurePosixPath) -> Path | None:
    alike = [place for place in files if place.stem in (name.stem, name.stem + TAIL)]
    if len(alike) > 1:
        beside = [place for place in alike if place.parent.name == name.parent.name]
        alike = beside or alike
    if len(alike) > 1:
        raise Unreadable(f"{alike[0]} and {alike[1]} may both be the mask of {name}; give regions as a list.")
    return files[alike[0]] if alike else None
