r"""Scores of scores: members that see differently, on one calibrated scale,

.. math:: a(x) = \sum_m w_m \, F_m\big(a_m(x)\big),

where :math:`F_m` is a monotone map fitted on the totals of held-out normals (their surprise, say). Ranks would
depend on the batch; raw totals have different units.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TypeAlias, Union, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import shared_out
from anodiff.types import Batch, Misfit, Scores, Times

Totals: TypeAlias = Mapping[str, Union[Scores, "Totals"]]


ROUNDING = 1e-10


@runtime_checkable
class Scale(Protocol):
    """A monotone map of raw totals, fitted on those of held-out normals."""

    def fit(self, raw: Scores) -> object:
        """Learn from held-out totals `(n,)`."""

    def __call__(self, raw: Scores) -> Scores:
        """Calibrated totals, in the order given."""


class Panel(Denoiser):
    """Several denoisers of the same data, by name; asked as one, the first answers.

    Args:
        denoisers: By name, in order.
    """

    def __init__(self, denoisers: Mapping[str, Denoiser]) -> None:
        super().__init__()
        self.denoisers = nn.ModuleDict(dict(denoisers))
        self.schedule = self[next(iter(denoisers))].schedule

    def __getitem__(self, name: str) -> Denoiser:
        if name not in self.denoisers:
            raise Misfit(f"the panel has no denoiser {name!r}; it has {', '.join(self.denoisers)}.")
        return cast(Denoiser, self.denoisers[name])

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        """What the first denoiser answers."""
        posterior: Posterior = self[next(iter(self.denoisers))](x_t, t, **condition)
        return posterior


class On(AnomalyScore):
    """A score that asks one denoiser of a panel."""

    def __init__(self, name: str, score: AnomalyScore) -> None:
        self.name = name
        self.score = score
        self.needs = score.needs  # type: ignore[misc]

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The evidence of the score on its own denoiser."""
        if not isinstance(denoiser, Panel):
            raise Misfit(f"On({self.name!r}) needs a Panel of denoisers; it was given {type(denoiser).__name__}.")
        return self.score(denoiser[self.name], x, **condition)

    @property
    def nfe(self) -> int:
        """That of the score inside."""
        return self.score.nfe


class Hybrid(AnomalyScore):
    r"""A weighted sum of members on calibrated scales. Its map adds up to its total: each member's map, by absolute
    value, shares out that member's calibrated part.

    Args:
        members: Scores by name; a hybrid may be a member of a hybrid.
        weights: By name; 1 where not given.
    """

    def __init__(self, members: Mapping[str, AnomalyScore], weights: Mapping[str, float] | None = None) -> None:
        self.members = members
        self.weights = weights
        self.needs = frozenset().union(*(member.needs for member in members.values()))  # type: ignore[misc]

    def fit(self, held_out_totals: Totals, scale: Callable[[], Scale]) -> "Hybrid":
        """Fit one fresh `scale()` per member on the raw totals of held-out normals, as `member_totals` gives them."""
        self.scales_: dict[str, Scale] = {}
        for name, member in self.members.items():
            totals = held_out_totals[name]
            if isinstance(member, Hybrid) and isinstance(totals, Mapping):
                totals = member.fit(totals, scale).combined(totals)
            self.scales_[name] = scale()
            self.scales_[name].fit(_without_rounding(totals))
        return self

    def only(self, weights: Mapping[str, float]) -> "Hybrid":
        """The hybrid of the members named in `weights`, on the scales that they have."""
        fewer = Hybrid({name: self.members[name] for name in weights}, weights)
        fewer.scales_ = {name: self._scale(name) for name in weights}
        return fewer

    def member_totals(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Totals:
        """Raw totals `(B,)` of each member; of a member that is a hybrid, those of its members."""
        return {
            name: member.member_totals(denoiser, x, **condition)
            if isinstance(member, Hybrid)
            else _array(member(denoiser, x, **condition).total)
            for name, member in self.members.items()
        }

    def combined(self, totals: Totals) -> Scores:
        """The hybrid's total `(B,)` from what `member_totals` gave."""
        total = np.asarray(0.0)
        for name, raw in totals.items():
            member = self.members[name]
            if isinstance(member, Hybrid) and isinstance(raw, Mapping):
                raw = member.combined(raw)
            total = total + self._part(name, np.asarray(raw, dtype=np.float64))
        return total

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """Calibrated evidence; the map adds up to the total."""
        total, where = x.new_zeros(x.shape[0]), torch.zeros_like(x)
        for name, member in self.members.items():
            evidence = member(denoiser, x, **condition)
            part = torch.as_tensor(self._part(name, _array(evidence.total))).to(x)
            total += part
            where += shared_out(part, evidence.map.abs())
        return Evidence(total, where)

    @property
    def nfe(self) -> int:
        """The sum over the members."""
        return sum(member.nfe for member in self.members.values())

    def _part(self, name: str, raw: Scores) -> Scores:
        return (self.weights or {}).get(name, 1.0) * self._scale(name)(_without_rounding(raw))

    def _scale(self, name: str) -> Scale:
        if not hasattr(self, "scales_"):
            raise Misfit("this Hybrid has no scales yet; call fit(held_out_totals, scale) first.")
        return self.scales_[name]


def _without_rounding(raw: object) -> Scores:
    """Totals of less than (1e-5)^2 are zero: exact copies differ by rounding, and a scale would stretch that."""
    totals = np.asarray(raw, dtype=np.float64)
    return np.where(np.abs(totals) < ROUNDING, 0.0, totals)


def parts(score: AnomalyScore) -> Iterator[AnomalyScore]:
    """A score and every score inside it: where to look for those that train a net of their own."""
    yield score
    inner = [*getattr(score, "members", {}).values(), getattr(score, "score", None)]
    for member in inner:
        if isinstance(member, AnomalyScore):
            yield from parts(member)


def _array(total: Tensor) -> Scores:
    return total.detach().to("cpu", torch.float64).numpy()
