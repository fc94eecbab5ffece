"""From what a user gives to rows that a recipe can learn from."""

import warnings
from typing import Literal, TypeAlias, cast

import numpy as np
import torch
from sklearn.base import clone

from anodiff.alarms import sketch_counts, sketch_numbers
from anodiff.alarms.drift import Sketch
from anodiff.data.clips import looks_filmed
from anodiff.data.mixed import looks_mixed
from anodiff.data.pictured import looks_pictured
from anodiff.data.timed import looks_timed
from anodiff.diffusion.fill import conditional_mean
from anodiff.diffusion.gaussian import Gaussian
from anodiff.modalities import MODALITIES, Encoded, Modality
from anodiff.modalities.series import Series
from anodiff.model import Model
from anodiff.settings import LEAST_ROWS
from anodiff.types import Misfit, Refusal, Unreadable

Kind: TypeAlias = Literal["tabular", "series", "image", "video", "poses", "multimodal"]
SAID: dict[str, Kind] = {"video": "video", "poses": "poses", "multimodal": "multimodal", "text": "multimodal"}
"""Kinds that a name, or the attribute `kind` of a modality, says."""


def sketch(values: np.ndarray | dict[str, int]) -> Sketch:
    """What drift is later measured against, of a column's numbers or counts."""
    return sketch_counts(values) if isinstance(values, dict) else sketch_numbers(values)


def kind_of(given: object, X: object) -> Kind:
    """What kind of data X is to be judged as: because it is said, or by what it is.

    "auto" takes for video what `looks_filmed` does, and for several kinds at once what `looks_mixed` does. Poses are
    arrays like others: they are to be said.
    """
    said = given if isinstance(given, str) else getattr(given, "kind", None)
    if said in SAID:
        return SAID[said]
    if given == "auto" and looks_filmed(X):
        return "video"
    if given == "auto" and looks_mixed(X):
        return "multimodal"
    if is_images(given, X):
        return "image"
    return "series" if is_series(given, X) else "tabular"


def is_series(given: object, X: object) -> bool:
    """Whether the data is to be judged as series: because it is said, or by what it is.

    "auto" takes for series what has a pandas index of times, and a frame or file whose first column holds times that
    never go back (and a path to nothing is for the reader to refuse).
    """
    if given == "series" or isinstance(given, Series):
        return True
    return given == "auto" and looks_timed(X)


def is_images(given: object, X: object) -> bool:
    """Whether the data is to be judged as images: because it is said, or by what it is.

    "auto" takes for images what `looks_pictured` does. Of a modality its attribute `kind` says so.
    """
    if given == "image" or getattr(given, "kind", None) in ("image", "features"):
        return True
    return given == "auto" and looks_pictured(X)


def chosen_modality(given: str | Modality) -> Modality:
    """A fresh modality: by name, or like the one given."""
    if isinstance(given, Modality):
        return cast(Modality, clone(given, safe=False))
    name = "tabular" if given == "auto" else given
    if name not in MODALITIES:
        known = ", ".join(["auto", *MODALITIES, "series", "image", *SAID])
        raise Misfit(f"modality is {given!r}; choose one of {known}.")
    return MODALITIES[name]()


def known_anomalies(model: Model, examples: object) -> torch.Tensor:
    """Known anomalies `(k, d)`, encoded and filled as rows to be scored are."""
    try:
        x = model.prepare(examples).x.to(torch.float32)
    except Refusal as error:
        raise type(error)(f"examples: {error}") from None
    if not len(x):
        raise Unreadable("examples has no rows; leave it out, or give known anomalies.")
    return x


def check_abnormal(known: torch.Tensor | None, normal: torch.Tensor | None) -> None:
    """Refuse known anomalies `(k, d)` that are all among the normal rows `(n, d)`; warn where some are.

    Raises:
        Unreadable: they are.
    """
    if known is None or normal is None:
        return
    rows = {row.tobytes() for row in normal.to(torch.float32).numpy()}
    among = sum(row.tobytes() in rows for row in known.to(torch.float32).numpy())
    if among == len(known):
        raise Unreadable(f"all {among} examples are among the normal rows too; take them out of those.")
    if among:
        said = f"{among} of {len(known)} examples are among the normal rows too; take them out of those."
        warnings.warn(said, UserWarning, stacklevel=3)


def alone_rows(left: Encoded, encoded: Encoded, filler: Gaussian, x: torch.Tensor) -> torch.Tensor:
    """The filled rows `x`, those that encode differently when left out filled anew."""
    differs = (left.x != encoded.x).any(1)
    if not differs.any():
        return x
    alone = x.clone()
    alone[differs] = conditional_mean(filler, left.x[differs].double(), left.known[differs]).to(x.dtype)
    return alone


def check_rows(x: torch.Tensor, columns: int) -> None:
    """Refuse encoded rows `(n, d)` that are too few or all alike."""
    if len(x) < LEAST_ROWS:
        raise Unreadable(f"{len(x)} rows are too few to learn what is normal; give at least {LEAST_ROWS}, better 100.")
    if not (x != x[:1]).any():
        raise Unreadable(f"all {columns} columns are constant over all {len(x)} rows; there is nothing to learn from.")
