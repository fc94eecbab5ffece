r"""Space-time cubes: what is known of a cell over the last few frames, in coordinates in which normal is plain,

.. math:: x = \Lambda^{-1/2} V^\top \big( [f_t, f_{t-1}, \dots] - \mu_p - B^\top c \big) ,

f the channels of a frame and :math:`\mu_p` what is usual at the place, if that is taken away. c is given: frames
before, the motion, the time of day. :math:`\mu + B^\top c` is the mean, given c, of the joint Gaussian, and x what c
does not explain; a denoiser of x that is told c is a denoiser of the frame given it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from anodiff.modalities.grids import boxed
from anodiff.types import JSON

if TYPE_CHECKING:
    from anodiff.recipes.specs import CubeSpec

RIDGE = 1e-2
"""Variance that is added to what is given, which has variance 1."""
BELIEF = 20.0
"""Frames that all places together count for, beside a place's own."""
LEAST = 1e-4
"""Least variance of a direction, where all together have variance 1 each."""


@dataclass(frozen=True)
class Cells:
    """The cells of a frame, as denoisers judge them.

    Attributes:
        x: `(d, h, w)`.
        seen: Which cells are looked at `(h, w)` bool; of the others nothing is said.
        given: What is known besides `(k, h, w)`; None for nothing.
    """

    x: Tensor
    seen: Tensor
    given: Tensor | None = None


@dataclass(frozen=True)
class Before:
    """What cubes are made of: the last frames, the latest last, and what is known of the moment.

    Attributes:
        planes: Standardised channels `(c, h, w)` of each frame, not yet fewer than a cube needs.
        motion: Standardised motion of the last frame `(m, h, w)`; None where motion is not seen.
        speed: Of the last frame `(h, w)`; None likewise.
        calendar: Coordinates `(k,)` of the time of day; empty where it is not known.
        camera: Number of the camera, 0 for one that is not known.
    """

    planes: Sequence[Tensor]
    motion: Tensor | None
    speed: Tensor | None
    calendar: Tensor
    camera: int


class Cube:
    """One kind of cube, fitted.

    Args:
        spec: What it is made of.
        usual: What is usual at each place, by camera, all together first: `(1 + cameras, n, h, w)`; n channels.
        slopes: Of what is given `(k, n)`; `mean` `(k,)` and `std` `(k,)` make it plain.
        mean: See there.
        std: See there.
        basis: `(n, d)`.
    """

    def __init__(
        self, spec: "CubeSpec", usual: Tensor, slopes: Tensor, mean: Tensor, std: Tensor, basis: Tensor
    ) -> None:
        self.spec = spec
        self.usual = usual
        self.slopes = slopes
        self.mean = mean
        self.std = std
        self.basis = basis

    @property
    def width(self) -> int:
        """Coordinates of a cell."""
        return self.basis.shape[1]

    @property
    def told(self) -> int:
        """Numbers that are given."""
        return self.slopes.shape[0]

    @classmethod
    def fit(cls, spec: "CubeSpec", frames: Iterable[Before], cameras: int) -> Self:
        """Of some frames of normal video, at least one."""
        kept = list(frames)
        raw = torch.stack([_stacked(spec, each) for each in kept])
        seen = torch.stack([_seen(spec, each) for each in kept])
        usual = _usual(raw, seen, [each.camera for each in kept], cameras, spec.centred)
        away = raw - usual[[each.camera for each in kept]]
        rows = away.movedim(1, -1)[seen] if bool(seen.any()) else away.movedim(1, -1).flatten(0, 2)
        told = [_told(spec, each) for each in kept]
        mean = std = torch.zeros(0)
        slopes = torch.zeros(0, rows.shape[1])
        if told[0] is not None:
            known = torch.stack([each for each in told if each is not None])
            c = known.movedim(1, -1)[seen] if bool(seen.any()) else known.movedim(1, -1).flatten(0, 2)
            mean, std = c.mean(0), c.std(0, correction=0).clamp(min=1e-6)
            c = ((c - mean) / std).double()
            within = c.T @ c / len(c) + RIDGE * torch.eye(c.shape[1], dtype=torch.float64)
            slopes = torch.linalg.solve(within, c.T @ rows.double() / len(c)).float()
            rows = rows - c.float() @ slopes
        return cls(spec, usual, slopes, mean, std, _basis(rows, spec.directions))

    def __call__(self, before: Before) -> Cells:
        """The cells of the last frame."""
        away = _stacked(self.spec, before) - self.usual[before.camera]
        told = _told(self.spec, before)
        if told is not None:
            told = (told - self.mean[:, None, None]) / self.std[:, None, None]
            away = away - torch.einsum("khw,kn->nhw", told, self.slopes)
        return Cells(torch.einsum("nhw,nd->dhw", away, self.basis), _seen(self.spec, before), told)

    def config(self) -> JSON:
        """The number of places and cameras, for what is read back to be held against."""
        return {"shape": list(self.usual.shape)}

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt."""
        names = ("usual", "slopes", "mean", "std", "basis")
        return {name: getattr(self, name).contiguous().numpy() for name in names}

    @classmethod
    def restore(cls, spec: "CubeSpec", config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config` and `arrays`.

        Raises:
            ValueError: they do not fit together.
        """
        names = ("usual", "slopes", "mean", "std", "basis")
        found = cls(spec, *(torch.from_numpy(np.float32(arrays[name])) for name in names))
        n = found.basis.shape[0]
        k = found.slopes.shape[0]
        fits = found.slopes.shape == (k, n) and found.mean.shape == found.std.shape == (k,)
        if list(found.usual.shape) != list(config["shape"]) or found.usual.shape[1] != n or not fits:
            raise ValueError("the parts of a cube do not fit together")
        return found


def span(spec: "CubeSpec") -> int:
    """Frames that a cube needs, the last one counted.

    >>> from anodiff.recipes.specs import CubeSpec
    >>> span(CubeSpec(frames=3, every=2)), span(CubeSpec(given=("past",), past=2))
    (5, 3)
    """
    own = (spec.frames - 1) * spec.every
    return 1 + own + (spec.past * spec.every if "past" in spec.given else 0)


def windowed(plane: Tensor, windows: Sequence[int]) -> Tensor:
    """Channels `(c, h, w)` averaged over windows of so many cells, one behind the other."""
    return torch.cat([plane if size == 1 else boxed(plane[None], size | 1)[0] for size in windows])


def _frame(planes: Sequence[Tensor], back: int) -> Tensor:
    """The frame so many before the last, or the first that is known."""
    return planes[max(0, len(planes) - 1 - back)]


def _stacked(spec: "CubeSpec", before: Before) -> Tensor:
    taken = [_frame(before.planes, k * spec.every) for k in range(spec.frames)]
    return torch.stack(taken).mean(0) if spec.mean else torch.cat(taken)


def _seen(spec: "CubeSpec", before: Before) -> Tensor:
    if before.speed is None or not spec.moving:
        return torch.ones(before.planes[-1].shape[1:], dtype=torch.bool)
    return before.speed >= spec.moving


def _told(spec: "CubeSpec", before: Before) -> Tensor | None:
    """What is given `(k, h, w)`: frames before, and around each cell what they are on the mean; motion; the time."""
    known = list[Tensor]()
    if "past" in spec.given:
        own = (spec.frames - 1) * spec.every
        earlier = [_frame(before.planes, own + k * spec.every) for k in range(1, spec.past + 1)]
        known += [*earlier, boxed(earlier[0][None], 3)[0]]
    if "motion" in spec.given and before.motion is not None:
        known.append(before.motion)
    if "calendar" in spec.given and len(before.calendar):
        known.append(before.calendar[:, None, None].expand(-1, *before.planes[-1].shape[1:]))
    return torch.cat(known) if known else None


def _usual(raw: Tensor, seen: Tensor, camera: Sequence[int], cameras: int, centred: bool) -> Tensor:
    """Means `(1 + cameras, n, h, w)` of stacks `(F, n, h, w)`: of all places, or of each and camera where centred."""
    weight = seen if bool(seen.any()) else torch.ones_like(seen)
    mean = (raw * weight[:, None]).sum((0, 2, 3)) / weight.sum()
    usual = mean[None, :, None, None].expand(1 + cameras, -1, *raw.shape[2:]).clone()
    if centred:
        of = torch.tensor(camera)
        for k in range(1 + cameras):
            own = torch.ones_like(of, dtype=torch.bool) if k == 0 else of == k
            count = (weight & own[:, None, None]).sum(0)
            total = (raw * (weight & own[:, None, None])[:, None]).sum(0)
            prior = mean[:, None, None] if k == 0 else usual[0]
            usual[k] = (total + BELIEF * prior) / (count + BELIEF)
    return usual


def _basis(rows: Tensor, directions: int | None) -> Tensor:
    """From channels to coordinates `(n, d)`: each over its deviation, or the leading directions, of variance 1."""
    scale = rows.std(0, correction=0) if len(rows) > 1 else torch.ones(rows.shape[1])
    scale = torch.where(scale > 1e-6, scale, 1.0)
    if directions is None:
        return torch.diag(1 / scale)
    plain = ((rows - rows.mean(0)) / scale).double()
    values, vectors = torch.linalg.eigh(plain.T @ plain / len(plain))
    kept = min(directions, rows.shape[1])
    values, vectors = values[-kept:].flip(0).clamp(min=LEAST), vectors[:, -kept:].flip(1)
    signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    found: Tensor = (vectors * signs / values.sqrt()).float() / scale[:, None]
    return found
