r"""Normal series as a Gaussian of windows, which fills any stretch of a series anew, however long,

.. math:: x_H \mid x_K \sim \mathcal{N}, \qquad H = \text{the region in one window, then in the next half, } \dots

Channels are told in what they do by themselves from one instant to the next,
:math:`\tau^2 = \mathrm{E} (x_t - \tfrac12 (x_{t-1} + x_{t+1}))^2 / 1.5`: a level of noise then means the same for quiet
channels and for loud ones, and what the leading directions leave is about 1 in all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from torch import Tensor

from anodiff.anomalies.fill import Drafted
from anodiff.diffusion.conditional import Conditional, Loadings
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.guide import Pinned
from anodiff.diffusion.noise import VE
from anodiff.modalities.laid import Laid
from anodiff.modalities.series import Series, Strip, stretched
from anodiff.modalities.windows import View
from anodiff.recipes.windowed import Places
from anodiff.types import JSON, Batch, Mask
from anodiff.workshop.spans.beheld import Beheld
from anodiff.workshop.spans.filling import STEPS, Filling, tiles

SHORTEST, LONGEST, DEFAULT = 48, 128, 64
CELLS = 2500
RANK = 128
WINDOWS, NUMBERS = 8000, 2_500_000
BLOCKS = 16
HELD, LEAST_HELD, KEPT_WINDOWS = 1000, 40, 1500
FOLLOW, ANEW = 4, 1.0
LEAST_TAU, LEAST_SPREAD = 0.02, 0.3
FEW_VALUES = 32


@dataclass
class Spanned:
    """What is normal in a series.

    Attributes:
        modality: How series are read.
        length: Instants of a window.
        tau: What a channel does from one instant to the next `(width,)`, in its standard deviations.
        spread: Standard deviation of each `(width,)`.
        gaussian: Of windows `(width, length)` in units of tau.
        judge: Of windows, in standard deviations.
        held: Normal windows that the judge was not fitted on `(n, width, length)`, in standard deviations.
        bank: Normal windows, likewise.
        observed: Of channels that hold few values, those, by the coordinate's number.
        related: Which coordinates depend on another one `(width,)`.
        extent: Least and greatest of each coordinate `(2, width)`.
        apart: Every so many of the held windows do not overlap.
    """

    modality: Series
    length: int
    tau: Tensor
    spread: np.ndarray
    gaussian: Gaussian
    judge: Beheld
    held: Tensor
    bank: Tensor
    observed: dict[int, np.ndarray]
    related: np.ndarray
    extent: np.ndarray
    apart: int
    loadings: Loadings = field(init=False)

    def __post_init__(self) -> None:
        self.loadings = Loadings(self.gaussian)

    @classmethod
    def fit(
        cls, modality: Series, strips: Sequence[Strip], values: Sequence[np.ndarray], rarely: float, seed: int
    ) -> Self:
        """Of the strips of normal series.

        Args:
            modality: Fitted.
            strips: Of its tracks.
            values: What their numeric channels hold `(T, numeric)`.
            rarely: How rarely normals are as odd as an anomaly of strength 1.
            seed: Of all chance.
        """
        draw = np.random.default_rng(seed)
        width = strips[0].x.shape[1]
        length = window_length(modality.period_, width, max(map(len, strips)))
        laid = [Laid.of(stretched(strip, length)) for strip in strips]
        tau, spread = quiet(laid)
        places = Places.of(View(length, length), laid)
        x = _taken(places, WINDOWS, length, seed)
        gaussian = Gaussian.fit((x / tau[:, None]).double(), VE(), rank=RANK)
        near, held, apart = _halves(places, length, seed)
        short = max(2, length // 2)
        judge = Beheld.fit(near.unfold(2, short, max(1, short // 4)).permute(0, 2, 1, 3).flatten(0, 1), draw)
        judge.calibrated(held, rarely)
        whole = torch.cat([each.x for each in laid]).numpy()
        bank = x[torch.from_numpy(np.sort(draw.permutation(len(x))[:KEPT_WINDOWS]))]
        return cls(
            modality,
            length,
            tau,
            spread,
            gaussian,
            judge,
            held,
            bank,
            few_valued(values),
            related(laid, modality.channels_.owner),
            np.stack([whole.min(0), whole.max(0)]),
            apart,
        )

    @property
    def period(self) -> int:
        """The dominant period, or half a window where there is none."""
        return self.modality.period_ or max(2, self.length // 2)

    @property
    def moves(self) -> np.ndarray:
        """Which channels ever changed `(channels,)`."""
        owner, moved = self.modality.channels_.owner, self.extent[1] > self.extent[0]
        return np.array([moved[owner == c].any() for c in range(len(self.modality.columns))])

    @property
    def free(self) -> np.ndarray:
        """Which channels are numbers of more than a few values `(channels,)`."""
        channels = self.modality.channels_
        few = {int(channels.owner[c]) for c, values in self.observed.items() if len(values) <= FEW_VALUES}
        numeric = {channels.names.index(name) for name in channels.numeric}
        return np.array([c in numeric - few for c in range(len(channels.names))])

    @property
    def dependent(self) -> np.ndarray:
        """Which channels depend on another one `(channels,)`."""
        owner = self.modality.channels_.owner
        return np.array([self.related[owner == c].any() for c in range(len(self.modality.columns))])

    def held_scenes(self) -> tuple[Tensor, Mask]:
        """The normal windows that the judge was not fitted on, all of each to be judged."""
        return self.held, torch.ones(self.held.shape, dtype=torch.bool)

    def filling(self, x: Batch, region: Mask, sketch: Batch, level: float, seed: int) -> Filling:
        """Ready to fill the regions of scenes `(B, width, S)`, all in standard deviations."""
        return Filling(self.loadings, self.tau, x, region, sketch, level, seed)

    def anew(self, scenes: Batch, seed: int) -> Batch:
        """New normal series, as long as scenes `(B, width, S)`, of which nothing is read but the shape.

        Window by window: a normal one that goes on from the half that is there, noised and walked back. So the rhythm
        is that of real data, which a Gaussian alone would lose, and the course is new.
        """
        generator, bank = torch.Generator().manual_seed(seed), self.bank / self.tau[:, None]
        found, done = torch.zeros_like(scenes), 0
        every = torch.ones(scenes.shape, dtype=torch.bool)
        for piece, hidden in tiles(every, self.length):
            now, both = found[:, :, piece], max(0, done - piece.start)
            far = torch.cdist(now[:, :, :both].flatten(1), bank[:, :, :both].flatten(1))
            near = far.topk(min(FOLLOW if done else len(bank), len(bank)), 1, largest=False).indices
            which = torch.randint(near.shape[1], (len(now), 1), generator=generator)
            sketch = bank[near.gather(1, which)[:, 0]]
            structure = Conditional(self.loadings, hidden[:1]).given(now)
            fill = Drafted(structure, lambda *_, s=sketch: s, ANEW, STEPS, Pinned)
            found[:, :, piece] = fill(now, hidden, torch.ones(len(now)), seed=seed + piece.start)
            done = piece.stop
        low, high = (torch.from_numpy(v).to(found)[:, None] for v in self.extent)
        return (found * self.tau[:, None]).clamp(low, high)

    def oddness(self, x: Tensor) -> np.ndarray:
        """How far each cell of `x` `(width, S)` is from what all others of its window lead to expect, `(width, S)`.

        In conditional standard deviations, squared; windows that overlap by half are averaged.
        """
        size, step = x.shape[1], max(1, self.length // 4)
        starts = sorted({*range(0, size - self.length, step), size - self.length})
        windows = torch.stack([x[:, s : s + self.length] for s in starts]) / self.tau[:, None]
        known = self.gaussian
        values, vectors, rest = (
            known.values.double(),
            known.vectors.double(),
            max(float(known.rest), self.loadings.rest),
        )
        weight = 1 / values.clamp(min=rest) - 1 / rest
        away = windows.flatten(1).double() - known.mean.double()
        pull = away / rest + (away @ vectors * weight) @ vectors.T
        odd = (pull.square() / (1 / rest + vectors.square() @ weight)).reshape(windows.shape).numpy()
        total, count = np.zeros(x.shape), np.zeros(size)
        for s, each in zip(starts, odd, strict=True):
            total[:, s : s + self.length] += each
            count[s : s + self.length] += 1
        return np.asarray(total / count)

    def coordinates(self, windows: Batch, most: int = 8) -> np.ndarray:
        """Windows `(B, width, length)` along the leading directions `(B, most)`, in standard deviations."""
        away = (windows / self.tau[:, None]).flatten(1).double() - self.gaussian.mean.double()
        values, vectors = self.gaussian.values.double()[-most:], self.gaussian.vectors.double()[:, -most:]
        return np.asarray((away @ vectors / values.sqrt()).numpy())

    def allowed(self, x: Batch, region: Mask, entity: Sequence[int]) -> Batch:
        """x `(B, width, S)`, channels that hold few values at the nearest of them in their regions."""
        channels = self.modality.channels_
        for c in self.observed:
            mean, scale = (v[list(entity), c][:, None] for v in (channels.mean, channels.scale))
            near = self.nearest(c, x[:, c].double().numpy() * scale + mean)
            x[:, c] = torch.where(region[:, c], torch.from_numpy((near - mean) / scale).to(x), x[:, c])
        return x

    def nearest(self, c: int, values: np.ndarray) -> np.ndarray:
        """The nearest values that coordinate c may hold: observed ones, or whole numbers where those are many."""
        known = self.observed[c]
        if len(known) > FEW_VALUES:
            return np.round(values)
        right = np.searchsorted(known, values).clip(min(1, len(known) - 1), len(known) - 1)
        left = np.maximum(right - 1, 0)
        return np.asarray(np.where(values - known[left] <= known[right] - values, known[left], known[right]))

    def config(self) -> JSON:
        """What is small."""
        return {"length": self.length, "apart": self.apart, "modality": self.modality.config()}

    def arrays(self) -> dict[str, np.ndarray]:
        """What may be large."""
        found = {
            "tau": self.tau.numpy(),
            "spread": self.spread,
            "held": self.held.numpy(),
            "bank": self.bank.numpy(),
            "related": self.related,
            "extent": self.extent,
        }
        found |= {f"gaussian.{k}": v.numpy() for k, v in self.gaussian.state_dict().items()}
        found |= {f"judge.{k}": v for k, v in self.judge.arrays().items()}
        found |= {f"modality.{k}": v for k, v in self.modality.arrays().items()}
        return found | {f"observed.{c}": v for c, v in self.observed.items()}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config` and `arrays`."""

        def group(name: str) -> dict[str, np.ndarray]:
            return {k.removeprefix(name + "."): np.array(v) for k, v in arrays.items() if k.startswith(name + ".")}

        gaussian = {k: torch.from_numpy(v) for k, v in group("gaussian").items()}
        return cls(
            Series.restore(config["modality"], group("modality")),
            int(config["length"]),
            torch.from_numpy(np.array(arrays["tau"])),
            np.array(arrays["spread"]),
            Gaussian.spectral(schedule=VE(), **gaussian),
            Beheld.restore(group("judge")),
            torch.from_numpy(np.array(arrays["held"])),
            torch.from_numpy(np.array(arrays["bank"])),
            {int(c): v for c, v in group("observed").items()},
            np.array(arrays["related"]),
            np.array(arrays["extent"]),
            int(config["apart"]),
        )


def window_length(period: int, width: int, longest: int) -> int:
    """Instants of a window: two periods, if that is moderate, and no more than the data has room for."""
    wanted = int(np.clip(2 * period, SHORTEST, LONGEST)) if period else DEFAULT
    return max(8, min(wanted, CELLS // width, longest // 4))


def quiet(laid: Sequence[Laid]) -> tuple[Tensor, np.ndarray]:
    """What each coordinate does from one instant to the next, and its standard deviation, `(width,)` each."""
    x = torch.cat([each.x for each in laid]).double()
    bends = torch.cat([e.x[1:-1] - (e.x[:-2] + e.x[2:]) / 2 for e in laid]).double()
    spread = x.std(0, correction=0)
    tau = (bends.square().mean(0) / 1.5).sqrt()
    least = LEAST_TAU * spread.clamp(min=LEAST_SPREAD)
    return torch.maximum(tau, least).float(), np.asarray(spread.clamp(min=LEAST_SPREAD).numpy())


def related(laid: Sequence[Laid], owner: np.ndarray, least: float = 0.3) -> np.ndarray:
    """Which coordinates are correlated with one of another channel by at least so much `(width,)`."""
    x = torch.cat([each.x for each in laid]).double().numpy()
    size = x.std(0)
    able = size > 0
    z = (x - x.mean(0)) / np.where(able, size, 1)
    correlation = np.abs(z.T @ z / len(z)) * np.outer(able, able)
    correlation[owner[:, None] == owner] = 0
    return np.asarray(correlation.max(0) >= least)


def few_valued(values: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
    """What channels hold that are whole numbers, or one of two values, by their coordinate."""
    found, whole = {}, np.concatenate(list(values))
    for c in range(whole.shape[1]):
        known = np.unique(whole[np.isfinite(whole[:, c]), c])
        if len(known) == 2 or (len(known) and (known == np.round(known)).all()):
            found[c] = known
    return found


def _taken(places: Places, most: int, length: int, seed: int) -> Tensor:
    count = max(64, min(most, NUMBERS // max(1, places.strips[0].x.shape[1] * length)))
    return places.windows(places.drawn(count, seed))


def _halves(places: Places, length: int, seed: int) -> tuple[Tensor, Tensor, int]:
    """Windows of every other block of time, and of the others; of short series, the same twice.

    And how many of the latter overlap with one of them, on either side.
    """
    folds = list(places.folds(2)) if places.count() > 8 * length else []
    near, held = folds[0] if len(folds) == 2 else (places, places)
    windows = _taken(held, HELD, length, seed)
    apart = max(1, min(length * len(windows) // max(1, held.count()), len(windows) // LEAST_HELD))
    return _taken(near, WINDOWS, length, seed), windows, apart
