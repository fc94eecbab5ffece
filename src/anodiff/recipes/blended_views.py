r"""Two views of one thing: what the tested picture shows at a place, given what the reference shows there,

.. math:: r_p = b_p - \mu_b - G (a_p - \mu_a), \qquad m_p = r_p^\top V^{-1} r_p, \qquad
          G = C_{ba} (C_{aa} + \rho I)^{-1}, \qquad V = \mathrm{Cov}(r),

a and b what a frozen backbone sees of the reference, moved onto the tested picture, and of the tested picture. The
Gaussians are those of all places of all normal pairs; a pair says :math:`\log \max_p m_p`. A pair left out is judged by
the sums of the others, exactly.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from anodiff.data.albums import Unread
from anodiff.data.records import Records
from anodiff.data.stack import Stack
from anodiff.modalities.against import moved_onto
from anodiff.modalities.grids import on_one_grid
from anodiff.modalities.multimodal import Multimodal
from anodiff.modalities.parts import PicturePart
from anodiff.nets.backbones import EMBEDDED, Backbone, backbone
from anodiff.types import BadModel

LAYERS = ("s4", "s8")
STRIDE = 4
RIDGE = 1e-2
LOOKED = 50
"""Records whose sizes are compared."""
FEW = 5
"""Pairs that are needed."""
LEAST = 1e-12


@dataclass(frozen=True)
class Views:
    """A tested picture given its reference, place by place.

    Attributes:
        reference: Name of the part that is the reference.
        tested: Name of the other.
        mean: Of reference and tested features, `(2C,)`.
        std: Likewise.
        gain: G, `(C, C)`.
        precision: Of what is left, `(C, C)`.
    """

    reference: str
    tested: str
    mean: Tensor
    std: Tensor
    gain: Tensor
    precision: Tensor

    def map(self, seen: Tensor) -> Tensor:
        """Squared distances `(h, w)` of features `(2C, h, w)`, the reference's first."""
        reference, tested = torch.split((seen.double().flatten(1).T - self.mean) / self.std, len(self.gain), 1)
        left = tested - reference @ self.gain
        found: Tensor = ((left @ self.precision) * left).sum(1)
        return found.reshape(seen.shape[1:])

    def said(self, seen: Tensor) -> float:
        """What a pair says: the logarithm of its oddest place."""
        return float(torch.log(self.map(seen).max() + LEAST))

    def judge(self, modality: Multimodal, records: Records) -> np.ndarray:
        """What each record says `(n,)` float32; NaN where one of the two is missing."""
        found = np.full(len(records), np.nan, np.float32)
        for i, seen in pairs_of(modality, records, self.reference, self.tested):
            found[i] = self.said(seen)
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything but the names."""
        return {name: getattr(self, name).numpy() for name in ("mean", "std", "gain", "precision")}

    @classmethod
    def restore(cls, names: Sequence[str], arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of the names and `arrays`."""
        mean, std, gain, precision = (torch.from_numpy(arrays[k]) for k in ("mean", "std", "gain", "precision"))
        side = len(gain)
        if mean.shape != (2 * side,) or std.shape != mean.shape or not gain.shape == precision.shape == (side, side):
            raise BadModel(f"what is known of two views has shapes {tuple(mean.shape)} and {tuple(gain.shape)}.")
        return cls(str(names[0]), str(names[1]), mean, std, gain, precision)


@dataclass
class Sums:
    """Counts, sums and products of cells of pairs."""

    count: float
    first: Tensor
    second: Tensor

    def add(self, seen: Tensor) -> None:
        """Take in features `(2C, h, w)`."""
        rows = seen.double().flatten(1)
        self.count += rows.shape[1]
        self.first += rows.sum(1)
        self.second += rows @ rows.T

    def without(self, other: "Sums") -> "Sums":
        """The same less another."""
        return Sums(self.count - other.count, self.first - other.first, self.second - other.second)

    def views(self, reference: str, tested: str) -> Views:
        """The conditional Gaussian."""
        mean = self.first / self.count
        covariance = self.second / self.count - torch.outer(mean, mean)
        std = covariance.diagonal().clamp(min=0).sqrt()
        std = torch.where(std > 1e-6, std, 1.0)
        related = covariance / torch.outer(std, std)
        side = len(mean) // 2
        eye = torch.eye(side, dtype=torch.float64)
        inside, across, own = related[:side, :side], related[:side, side:], related[side:, side:]
        gain = torch.linalg.solve(inside + RIDGE * eye, across)
        left = own - gain.T @ across - across.T @ gain + gain.T @ inside @ gain
        level = left.diagonal().mean().clamp(min=LEAST)
        return Views(reference, tested, mean, std, gain, torch.linalg.inv(left + RIDGE * level * eye))


def fit_views(
    modality: Multimodal, records: Records, names: tuple[str, str], fold: np.ndarray, kept: np.ndarray
) -> tuple[Views, np.ndarray] | None:
    """The views of normal records, and what each says when its fold is left out `(n,)`; None of too few pairs."""
    reference, tested = names
    side = int(modality.size) // STRIDE
    values = np.full(len(records), np.nan, np.float32)
    with Stack({"both": (2 * _channels(), side, side)}) as stack:
        at = []
        for i, seen in pairs_of(modality, records, reference, tested):
            stack.add({"both": seen})
            at.append(i)
        if len(at) < FEW:
            return None
        sums = {
            int(k): _sums(stack, [j for j, i in enumerate(at) if fold[i] == k and kept[i]]) for k in np.unique(fold)
        }
        whole = _sums(stack, [])
        for each in sums.values():
            whole.count, whole.first, whole.second = (
                whole.count + each.count,
                whole.first + each.first,
                whole.second + each.second,
            )
        for k, each in sums.items():
            others = whole if whole.count <= each.count else whole.without(each)
            model = others.views(reference, tested)
            for j, i in enumerate(at):
                if fold[i] == k:
                    values[i] = model.said(stack.plane("both", [j])[0])
    return whole.views(reference, tested), values


def pairs_of(modality: Multimodal, records: Records, reference: str, tested: str) -> Iterator[tuple[int, Tensor]]:
    """Places of records that have both, and what is seen of the two `(2C, h, w)`, the reference moved and lit alike."""
    eyes, side = _eyes(), int(modality.size) // STRIDE
    albums = [records.columns[name].album() for name in (reference, tested)]
    there = records.columns[reference].present & records.columns[tested].present
    of = modality.parts_[tested]
    assert isinstance(of, PicturePart)
    for i in np.flatnonzero(there):
        read = [next(iter(album.pictures(of.image_.square, int(i), int(i) + 1))) for album in albums]
        if any(isinstance(each, Unread) for each in read):
            continue
        a, b = (of.image_.encode([each]).x for each in read)
        moved, _ = moved_onto(b, a)
        yield int(i), torch.cat([on_one_grid(eyes(x), (side, side), 3)[0] for x in (moved, b)])


def views_in(modality: Multimodal, records: Records) -> tuple[str, str] | None:
    """Reference and tested among the parts: two columns of pictures of one size in every record, if pairs are asked."""
    pictures = [name for name, column in records.columns.items() if column.kind == "image"]
    if modality.pairs is False or len(pictures) != 2:
        return None
    first, second = (records.columns[name] for name in pictures)
    both = np.flatnonzero(first.present & second.present)
    some = both[np.linspace(0, len(both) - 1, min(len(both), LOOKED)).astype(int)] if len(both) else both
    alike = all(first.picture(int(i)).shape[:2] == second.picture(int(i)).shape[:2] for i in some)
    return (pictures[0], pictures[1]) if len(both) and (alike or modality.pairs is True) else None


def _eyes() -> Backbone:
    return backbone(EMBEDDED, LAYERS)


def _channels() -> int:
    return sum(channels for channels, _, _ in _eyes().shapes(64, 64))


def _sums(stack: Stack, places: Sequence[int]) -> Sums:
    width = stack.shapes["both"][0]
    found = Sums(0.0, torch.zeros(width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64))
    for _, batch in stack.batches("both", places):
        for seen in batch:
            found.add(seen)
    return found
