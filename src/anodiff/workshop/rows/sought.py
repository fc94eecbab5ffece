r"""Rows are made abnormal and told how abnormal they are, until they are as abnormal as was asked for,

.. math:: z(x') = z(x) + \lambda \, (z_1 - z(x))_+ , \qquad z = \Phi^{-1}(1 - p) ,

p the share of normal rows with a score as high, continued by its tail. Where columns are discrete the way there jumps:
rows that land too far from what was asked for are drawn again, with other cells and noise, and the best draw stays.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from anodiff.alarms.conformal import Conformal
from anodiff.alarms.tail import Tail
from anodiff.anomalies.fill import Hotter
from anodiff.anomalies.strength import seek
from anodiff.anomalies.table_kinds import HIGH, Draw, Scene, TableKind
from anodiff.data.table import Table
from anodiff.diffusion.fill import conditional_mean
from anodiff.diffusion.infilling import Given, Infilling, Told
from anodiff.diffusion.settled import settled
from anodiff.modalities.ranked import Ranked
from anodiff.types import Misfit, Scores

TOLERANCE = 0.2
"""How far from the wanted z a row may land before it is drawn again."""
ROUNDS = 4
HALVINGS = 4
STEPS = 30
"""Of a walk from nothing."""

Judged = Callable[[Table], Scores]
Placed = Callable[[np.ndarray, int], np.ndarray]
"""From numbers of rows `(m,)` and the round to their regions `(m, columns)`."""


class Standing:
    """Scores as standard normal ones: 0 is the median of normals, 3.7 what one of ten thousand reaches.

    Args:
        normals: Scores of normal rows that were left out `(n,)`.
    """

    def __init__(self, normals: Scores) -> None:
        self.conformal = Conformal().fit(normals)
        try:
            self.tail: Tail | None = Tail().fit(normals)
        except Misfit:
            self.tail = None
        middle, upper = np.quantile(normals, (0.5, 0.9))
        self.middle, self.spread = float(middle), float((upper - middle) / ndtri(0.9)) or 1.0

    def __call__(self, scores: Scores) -> Scores:
        """z of scores `(n,)`; where normals show no tail, that of a Gaussian goes on from their upper tenth."""
        if self.tail is None:
            return np.asarray((scores - self.middle) / self.spread)
        p = self.tail.p_value(scores)
        return np.asarray(-ndtri(np.clip(p, 1e-300, 1 - 0.5 / len(self.conformal.scores_))))


@dataclass(frozen=True, eq=False)
class Found:
    """Rows that were made.

    Attributes:
        table: The rows.
        region: Cells that changed `(n, columns)`.
        amount: How far the model was pushed `(n,)`.
        score: Their z `(n,)`.
        target: What it was to be `(n,)`.
        evaluations: Of the network, per row in the mean.
    """

    table: Table
    region: np.ndarray
    amount: np.ndarray
    score: np.ndarray
    target: np.ndarray
    evaluations: float


@dataclass(frozen=True, eq=False)
class Workshop:
    """Where rows are made.

    Attributes:
        ranked: Columns as normal scores.
        model: Of normal rows in them.
        z: How abnormal rows of a table are.
        farthest: The z at strength 1.
    """

    ranked: Ranked
    model: Infilling
    z: Judged
    farthest: float

    def scene(self, z: Callable[[Tensor], Tensor], target: np.ndarray) -> Scene:
        """What kinds are made of, for rows that are to come to a target `(B,)` of z."""

        def nearest(rows: Tensor) -> Tensor:
            away = (z(rows.flatten(0, 1)).reshape(rows.shape[:2]) - torch.from_numpy(target)).abs()
            return rows[away.argmin(0), torch.arange(rows.shape[1])]

        use = self.ranked.usable
        low, high = (torch.tensor(end[use], dtype=torch.float32) for end in self.ranked.ends)
        return Scene(
            lambda known: settled(self.model, known),
            low,
            high,
            lambda n, rng: torch.tensor(self.ranked.common(n, rng)[:, use], dtype=torch.float32),
            nearest,
        )

    def tensor(self, u: np.ndarray) -> Tensor:
        """Coordinates of columns that vary `(n, d)`, 0 where missing."""
        return torch.tensor(np.nan_to_num(u[:, self.ranked.usable]), dtype=torch.float32)

    def laid(self, u: Tensor) -> np.ndarray:
        """Coordinates of all columns `(n, columns)`."""
        whole = np.zeros((len(u), len(self.ranked.columns)))
        whole[:, self.ranked.usable] = u.numpy()
        return whole

    def sought(
        self,
        kind: Callable[[np.ndarray], TableKind],
        rows: Table,
        placed: Placed,
        strength: np.ndarray,
        cluster: np.ndarray,
        seed: int,
    ) -> Found:
        """Rows of these strengths.

        Args:
            kind: Of some rows, by their numbers.
            rows: What they are made of, n rows.
            placed: Where.
            strength: `(n,)`.
            cluster: Which rows share what a kind draws for several, `(n,)`.
            seed: Of all draws.
        """
        begun = self.z(rows)
        target = begun + strength * np.maximum(self.farthest - begun, 0)
        whole = self.ranked.encode(rows, np.random.default_rng(seed))
        u, region = whole.copy(), np.zeros(whole.shape, bool)
        amount, score, loss = np.zeros(len(rows)), begun.copy(), np.full(len(rows), np.inf)
        spent, beyond = 0.0, None
        for turn in range(ROUNDS):
            at = np.flatnonzero(loss > TOLERANCE)
            if not len(at):
                break
            draw = Draw(np.random.default_rng([seed, turn]), cluster[at], seed, turn)
            where, one = placed(at, turn), kind(at)
            beyond = one.beyond
            made = self._once(one, rows.take(at), whole[at], where, target[at], draw, seed + turn)
            spent += made.evaluations * len(at) / len(rows)
            lost = np.abs(made.score - target[at])
            better = lost < loss[at]
            to = at[better]
            u[to], region[to] = made.u[better], where[better]
            amount[to], score[to], loss[to] = made.amount[better], made.score[better], lost[better]
        return Found(self.ranked.replaced(rows, u, region, beyond), region, amount, score, target, spent)

    def _once(
        self,
        kind: TableKind,
        rows: Table,
        whole: np.ndarray,
        region: np.ndarray,
        target: np.ndarray,
        draw: Draw,
        seed: int,
    ) -> "_Tried":

        def z(u: Tensor) -> Tensor:
            times = len(u) // len(rows)
            base = rows if times == 1 else rows.take(np.tile(np.arange(len(rows)), times))
            made = self.ranked.replaced(base, self.laid(u), np.tile(region, (times, 1)), kind.beyond)
            return torch.from_numpy(self.z(made))

        scene, x = self.scene(z, target), self.tensor(whole)
        inside = torch.from_numpy(region[:, self.ranked.usable])
        hidden = inside | torch.from_numpy(np.isnan(whole[:, self.ranked.usable]))
        begun = kind.begun(scene, x, inside, draw)
        fill = kind.fill(scene, begun, hidden, draw)
        walks = 0

        def make(amount: Tensor) -> Tensor:
            nonlocal walks
            walks += 1
            return kind.settled(scene, fill(begun, hidden, amount, seed), begun, inside)

        first = make(torch.zeros(len(x)))
        own = z(first)
        room = (self.farthest - own).clamp(min=1e-6)
        strength = ((torch.from_numpy(target) - own) / room).clamp(0, 1)
        found = seek(
            lambda a: make(a) if bool(a.any()) else first,
            z,
            strength,
            self.farthest,
            kind.most,
            kind.doublings,
            HALVINGS,
        )
        return _Tried(self.laid(found.items), found.amount.numpy(), found.score.numpy(), float(walks * fill.nfe))

    def normal(self, rows: Table, fresh: np.ndarray, seed: int) -> Table:
        """Rows of which the `fresh` cells `(n, columns)` are new, drawn as normal given the others."""
        hidden = torch.from_numpy(fresh[:, self.ranked.usable])
        x = self.tensor(self.ranked.encode(rows, np.random.default_rng(seed)))
        made = Hotter(settled(self.model, ~hidden), HIGH, STEPS, Told)(x, hidden, torch.zeros(len(x)), seed)
        return self.ranked.replaced(rows, self.laid(made), fresh)

    def expected(self, rows: Table, region: np.ndarray) -> Table:
        """Rows of which the cells of a region `(n, columns)` are what the Gaussian expects there given the others."""
        u = self.ranked.encode(rows)
        known = torch.from_numpy(~(region | np.isnan(u))[:, self.ranked.usable])
        gaussian = cast(Given, self.model.base).gaussian
        filled = conditional_mean(gaussian, self.tensor(u).double(), known)
        return self.ranked.replaced(rows, self.laid(filled), region)


@dataclass(frozen=True, eq=False)
class _Tried:
    u: np.ndarray
    amount: np.ndarray
    score: np.ndarray
    evaluations: float
