r"""Several kinds of data at once: a modality of modalities. Each part becomes features, side by side,

.. math:: x = [x_1, \dots, x_P], \qquad x_p = \frac{f_p - \mu_p}{\sigma_p},

with :math:`f_p` what `modalities.parts` sees of column p. A part that a record lacks is 0 and not known.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from anodiff.data.records import Records, records
from anodiff.modalities.base import Encoded, Modality
from anodiff.modalities.parts import PARTS, Part, part_of
from anodiff.nets.backbones import EMBEDDED
from anodiff.types import JSON, BadModel, Misfit, Refusal, Unreadable

FUSIONS = ("auto", "early", "late", "dynamic")
MOST = 16
"""Parts that are told apart."""
LEAST_ROWS = 5
"""Records that show what is normal of a part, at least."""
SMALL = 1e-6


class Multimodal(Modality, BaseEstimator):
    """Records of several parts as vectors; constructors only store.

    Args:
        kinds: For columns whose content misleads, "image", "text", "numbers", "category", "series" or "ignore".
        root: The folder that paths of pictures are relative to, and may not leave; by default that of the file.
        fusion: How what is said of the parts becomes one score: "auto", "early" (all parts as one item), "late"
            (p-values of the parts, combined so that dependence does no harm) or "dynamic" (by how much each part's
            word is worth, and how far it lies from what it knows).
        encoder: Of texts, as `anodiff.modalities.text.Text` takes it; "auto" is MiniLM where it is installed.
        templates: Whether texts are log lines, of which templates are learnt.
        pairs: Whether pictures of two columns are views of one thing, the first the reference of the second: True,
            False, or "auto" where both have one size in every record.
        backbone: Of pictures, as `anodiff.nets.backbones.backbone` takes it.
        size: Side in pixels that pictures are read at.

    >>> data = {"force": np.arange(6.0), "step": ["fill", "shake"] * 3}
    >>> Multimodal(encoder="hashed", kinds={"step": "category"}).fit(data).encode(data).x.shape
    torch.Size([6, 6])
    """

    kind = "multimodal"

    def __init__(
        self,
        kinds: Mapping[str, str] | None = None,
        root: str | os.PathLike | None = None,
        fusion: str = "auto",
        encoder: str = "auto",
        templates: bool = False,
        pairs: bool | str = "auto",
        backbone: str = EMBEDDED,
        size: int = 256,
    ) -> None:
        self.kinds = kinds
        self.root = root
        self.fusion = fusion
        self.encoder = encoder
        self.templates = templates
        self.pairs = pairs
        self.backbone = backbone
        self.size = size

    def fit(self, X: Any) -> Self:
        """Learn how to read each column, and each feature's mean and standard deviation.

        Raises:
            Unreadable: there are no records, or a column cannot be read.
            Misfit: a setting is out of range.
        """
        self.fit_encode(X)
        return self

    def fit_encode(self, X: Any) -> tuple[Encoded, Records]:
        """`fit` and `encode` with one look at each record, and the records as they were read."""
        self._check()
        found = records(X, self.kinds, self.root)
        if len(found.columns) > MOST:
            raise Unreadable(
                f"there are {len(found.columns)} columns to tell apart, {MOST} at most; give numbers that belong "
                "together as one column (n, k), or leave columns out by kinds={'name': 'ignore'}."
            )
        found = learnable(found)
        self.layout_ = found.layout
        self.parts_ = {
            name: part_of(column.kind, **self._settings(column.kind)).fit(column)
            for name, column in found.columns.items()
        }
        seen, found = self._seen(found)
        present = found.present
        self.widths_ = [rows.shape[1] for rows in seen]
        self.mean_, self.std_ = _moments(seen, present)
        return self._joined(seen, present), found

    def read(self, X: Any) -> Records:
        """Records with the columns of fit; a column that is not given is missing everywhere."""
        return records(X, self.kinds, self.root, like=self._fitted.layout_)

    def encode(self, X: Any) -> Encoded:
        """Records to `x` and `known`, `(n, F)`."""
        return self.look(X)[0]

    def look(self, X: Any) -> tuple[Encoded, Records]:
        """`encode`, and the records as they were read: a part that cannot be opened is missing in them and listed."""
        seen, found = self._seen(self.read(X))
        return self._joined(seen, found.present), found

    def decode(self, x: Tensor, known: Tensor | None = None) -> Any:
        """There is no way back.

        Raises:
            Misfit: always.
        """
        raise Misfit("what is seen of records cannot be turned back into them; see explain() for their nearest ones.")

    def locate(self, map: Tensor, known: Tensor | None = None) -> np.ndarray:
        """Evidence `(n, F)` summed over the features of each part, `(n, P)` float64."""
        evidence = map.detach().cpu().numpy().astype(np.float64)
        return np.add.reduceat(evidence, np.cumsum([0, *self._fitted.widths_[:-1]]), axis=1)

    @property
    def columns(self) -> list[str]:
        """Names of the parts."""
        return list(self._fitted.layout_)

    def describe(self) -> list[JSON]:
        """Facts for a report, one dict per part."""
        return [
            {"name": name, "kind": told["kind"], "features": width}
            for (name, told), width in zip(self._fitted.layout_.items(), self.widths_, strict=True)
        ]

    def config(self) -> JSON:
        """What was set and learnt, as JSON; of backbones and text encoders their fingerprints, not their weights."""
        self._check()
        return {
            "kinds": None if self.kinds is None else dict(self.kinds),
            "root": None if self.root is None else os.fspath(self.root),
            "fusion": self.fusion,
            "encoder": self.encoder,
            "templates": bool(self.templates),
            "pairs": self.pairs,
            "backbone": self.backbone,
            "size": int(self.size),
            "layout": self._fitted.layout_,
            "widths": list(self.widths_),
            "parts": {name: part.config() for name, part in self.parts_.items()},
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Means and standard deviations, and what the parts have learnt, named by place: "0.key"."""
        own = {"mean": self._fitted.mean_, "std": self.std_}
        of_parts = (
            (f"{i}.{key}", value) for i, part in enumerate(self.parts_.values()) for key, value in part.arrays().items()
        )
        return own | dict(of_parts)

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The fitted modality of which these are `config` and `arrays`.

        Raises:
            BadModel: they are of none, or a backbone or encoder has other weights now.
        """
        settings = ("kinds", "root", "fusion", "encoder", "templates", "pairs", "backbone", "size")
        try:
            made = cls(**{name: config[name] for name in settings})
            made._check()
            made.layout_ = {str(name): dict(told) for name, told in config["layout"].items()}
            made.widths_ = [int(width) for width in config["widths"]]
            made.parts_ = {}
            for i, (name, told) in enumerate(made.layout_.items()):
                own = {k.partition(".")[2]: v for k, v in arrays.items() if k.partition(".")[0] == str(i)}
                made.parts_[name] = PARTS[told["kind"]].restore(config["parts"][name], own)
            made.mean_, made.std_ = (np.asarray(arrays[name], np.float32) for name in ("mean", "std"))
            shape = (sum(made.widths_),)
            if made.mean_.shape != shape or made.std_.shape != shape or not np.isfinite(made.mean_).all():
                raise ValueError("means and standard deviations do not match the parts")
            if not (np.isfinite(made.std_).all() and (made.std_ > 0).all()) or min(made.widths_) < 1:
                raise ValueError("standard deviations are not positive")
        except Refusal:
            raise
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise BadModel(
                f"the encoding of the parts is damaged ({type(error).__name__}: {error}); save the model again."
            ) from None
        return made

    @property
    def _fitted(self) -> Self:
        if not hasattr(self, "std_") and not hasattr(self, "parts_"):
            raise Misfit("this Multimodal has not seen data; call fit first.")
        return self

    def _settings(self, kind: str) -> JSON:
        return {
            "image": {"backbone": self.backbone, "size": int(self.size)},
            "text": {"encoder": self.encoder, "templates": bool(self.templates)},
        }.get(kind, {})

    def _seen(self, found: Records) -> tuple[list[np.ndarray], Records]:
        """What is seen of each part, and the records without what could not be opened."""
        seen = []
        for name, part in cast(Mapping[str, Part], self.parts_).items():
            rows, lost = part.see(found.columns[name])
            seen.append(rows)
            if lost:
                found = found.without(name, lost)
        return seen, found

    def _joined(self, seen: list[np.ndarray], present: np.ndarray) -> Encoded:
        known = np.repeat(present, self.widths_, axis=1)
        x = np.where(known, (np.concatenate(seen, 1) - self.mean_) / self.std_, 0).astype(np.float32)
        return Encoded(torch.from_numpy(x), torch.from_numpy(known))

    def _check(self) -> None:
        if self.fusion not in FUSIONS:
            raise Misfit(f"fusion is {self.fusion!r}; choose one of {', '.join(FUSIONS)}.")
        if not isinstance(self.pairs, bool) and self.pairs != "auto":
            raise Misfit(f"pairs is {self.pairs!r}; choose True, False or 'auto'.")
        if self.kinds is not None and not isinstance(self.kinds, Mapping):
            raise Misfit(f"kinds is {self.kinds!r}; give a dict of column names and kinds.")
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 32:
            raise Misfit(f"size is {self.size!r}; give a number of pixels from 32.")


def learnable(found: Records) -> Records:
    """The same records without the columns that too few of them have; a note says which.

    Raises:
        Unreadable: no column is left.
    """
    having = {name: int(column.present.sum()) for name, column in found.columns.items()}
    few = [name for name, count in having.items() if count < LEAST_ROWS]
    if len(few) == len(having):
        told = ", ".join(f"{name} in {count}" for name, count in list(having.items())[:6])
        raise Unreadable(
            f"of {len(found)} records too few have a part to learn what is normal ({told}); give at least "
            f"{LEAST_ROWS} that have it, better 100."
        )
    notes = [
        f"Column {name} is there in {having[name]} of {len(found)} records, too few to learn from, and is not read; "
        f"give at least {LEAST_ROWS}."
        for name in few
    ]
    return replace(found.only([name for name in having if name not in few]), notes=[*found.notes, *notes])


def _moments(seen: list[np.ndarray], present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature over the rows that have its part; 1 where it does not vary."""
    means, stds = [], []
    for rows, there in zip(seen, present.T, strict=True):
        some = rows[there].astype(np.float64)
        mean, std = some.mean(0), some.std(0)
        means.append(mean)
        stds.append(np.where(std > SMALL * (1 + np.abs(mean)), std, 1.0))
    return np.concatenate(means).astype(np.float32), np.concatenate(stds).astype(np.float32)
