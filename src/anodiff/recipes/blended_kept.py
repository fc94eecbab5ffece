"""Records that are kept to be shown: what was expected of a part, given the rest, is that of the record that fits best.

A picture is kept small, with its name; a text by its beginning; numbers, a category and a series as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from PIL import Image as Pillow
from torch import Tensor

from anodiff.data.records import Column, Records
from anodiff.diffusion.parted import squares
from anodiff.types import JSON, BadModel, Unreadable

MOST = 1000
"""Records that are kept at most."""
SIDE = 64
LONGEST = 300


@dataclass(frozen=True)
class Kept:
    """Some records of fit.

    Attributes:
        names: What they are called.
        codes: `(m, D)`, the codes of their parts.
        present: `(m, P)`, which parts each has.
        shown: Of each part, by its name: pictures `(m, 64, 64, 3)` uint8, texts, or rows of numbers.
    """

    names: Sequence[str]
    codes: Tensor
    present: Tensor
    shown: Mapping[str, Any]

    @classmethod
    def of(cls, records: Records, codes: Tensor, present: np.ndarray) -> Self:
        """Of records, evenly spread among them where they are many."""
        some = np.linspace(0, len(records) - 1, min(len(records), MOST)).astype(int)
        few = records.take(some)
        shown = {name: _shown(column) for name, column in few.columns.items()}
        return cls(few.names, codes[some], torch.from_numpy(present[some]), shown)

    def nearest(self, z: Tensor, present: Tensor, part: int, widths: Sequence[int]) -> int | None:
        """The place of the record that has a part and whose other parts are most like those of `z` `(D,)`.

        Args:
            z: The codes of an item.
            present: Which parts it has `(P,)`.
            part: The part that is not looked at.
            widths: Cells of each part.
        """
        told = [p for p in range(len(widths)) if p != part and bool(present[p])]
        having = self.present[:, [part, *told]].all(1)
        if not bool(having.any()):
            return None
        apart = torch.zeros(int(having.sum()), dtype=torch.float64)
        own, rows = torch.split(z, list(widths)), torch.split(self.codes, list(widths), 1)
        for p in told:
            apart += squares(own[p][None].double(), rows[p][having].double())[0] / widths[p]
        return int(torch.nonzero(having)[int(apart.argmin())])

    def of_part(self, name: str, place: int) -> Any:
        """What a kept record holds of a part."""
        return self.shown[name][place]

    def config(self) -> JSON:
        """Names, texts and categories, as JSON."""
        texts = {name: list(held) for name, held in self.shown.items() if not isinstance(held, np.ndarray)}
        return {"names": list(self.names), "texts": texts}

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything else."""
        held = {f"shown.{name}": held for name, held in self.shown.items() if isinstance(held, np.ndarray)}
        return {"codes": self.codes.numpy(), "present": self.present.numpy(), **held}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray], columns: Sequence[str]) -> Self:
        """The inverse of `config` and `arrays`."""
        names = [str(name) for name in config["names"]]
        shown: dict[str, Any] = {}
        for name in columns:
            held = config["texts"].get(name)
            shown[name] = arrays[f"shown.{name}"] if held is None else [str(text) for text in held]
        kept = cls(names, torch.from_numpy(arrays["codes"]), torch.from_numpy(arrays["present"]), shown)
        odd = {len(held) for held in (kept.codes, kept.present, *shown.values())} - {len(names)}
        if odd or kept.present.dtype != torch.bool or kept.present.shape[1:] != (len(columns),):
            raise BadModel("the records that it shows do not match each other.")
        return kept


def _shown(column: Column) -> Any:
    if column.kind == "image":
        return np.stack([_small(column, i) for i in range(len(column))])
    if column.kind == "numbers":
        return np.nan_to_num(np.asarray(column.values, np.float64))
    if column.kind == "series":
        return np.stack([_ends(np.asarray(values, np.float64)) for values in column.values])
    return [text if len(text) <= LONGEST else text[: LONGEST - 3] + "..." for text in column.values]


def _small(column: Column, i: int) -> np.ndarray:
    """A picture of 64 x 64 pixels in colour; black where there is none."""
    if not column.present[i]:
        return np.zeros((SIDE, SIDE, 3), np.uint8)
    try:
        picture = Pillow.fromarray(column.picture(i)).convert("RGB")
    except Unreadable:
        return np.zeros((SIDE, SIDE, 3), np.uint8)
    return np.asarray(picture.resize((SIDE, SIDE), Pillow.Resampling.BILINEAR))


def _ends(values: np.ndarray) -> np.ndarray:
    """A series `(T, c)` as 16 points of each channel `(16, c)`; zeros where there is none."""
    if not len(values):
        return np.zeros((16, values.shape[1]))
    at = np.linspace(0, len(values) - 1, 16).round().astype(int)
    return np.asarray(np.nan_to_num(values[at]))
