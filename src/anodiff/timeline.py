r"""A fitted detector of series, as plain parts: strips in, one score per instant out. No fitting, no decisions.

.. math:: a_t = \sum_m w_m \, \frac{\bar a_{m,t} - \mu_m}{\sigma_m},

:math:`\bar a_m` a member's score of instants, smoothed; :math:`\mu_m, \sigma_m` of normals at hold, offline and
causally each by its own. A member that cannot judge an instant says nothing: 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from anodiff.alarms.standout import Standout
from anodiff.diffusion.denoise import Denoiser
from anodiff.modalities.laid import Laid
from anodiff.modalities.series import Series, Strip, stretched
from anodiff.modalities.windows import View, over, overlaid, smoothed, spread
from anodiff.recipes.build import Silent, schedule
from anodiff.recipes.instants import Ledger, batch, judge
from anodiff.recipes.knowing import Knowing
from anodiff.recipes.schema import Recipe
from anodiff.scores.base import AnomalyScore
from anodiff.types import JSON, Misfit, Scores

Raw = Mapping[str, np.ndarray]
Scales = Mapping[str, Standout]


@dataclass(frozen=True)
class Timeline:
    """What scoring needs.

    Attributes:
        recipe: How it was built.
        modality: Raw data to strips and back.
        views: How strips are cut, by name.
        panel: Denoisers by name.
        members: Scores by name; the recipe says which denoiser each asks, and its weight.
        smooth: Instants to smooth over.
        scales: Offline and causal, by score.
        facts: What is known of the fit, JSON.
    """

    recipe: Recipe
    modality: Series
    views: Mapping[str, View]
    panel: Mapping[str, Denoiser]
    members: Mapping[str, AnomalyScore]
    smooth: int
    scales: Mapping[bool, Scales] = field(default_factory=dict)
    facts: JSON = field(default_factory=dict)

    @property
    def nfe(self) -> int:
        """Evaluations of a denoiser per instant."""
        return sum(member.nfe for member in self.members.values())

    @property
    def reach(self) -> int:
        """How many instants, its own among them, a causal score depends on."""
        return self.longest + over(self.smooth, True) - 1

    def within(self, budget: int | None) -> "Timeline":
        """The members, in their order, that so many evaluations per instant pay for.

        Raises:
            Misfit: the budget buys none.
        """
        if budget is None:
            return self
        kept, left = dict[str, AnomalyScore](), budget
        for name, member in self.members.items():
            if member.nfe <= left:
                kept[name], left = member, left - member.nfe
        if not kept:
            least = min(member.nfe for member in self.members.values())
            raise Misfit(f"budget is {budget}; the cheapest score of this recipe takes {least} per instant.")
        return replace(self, members=kept)

    def view(self, name: str) -> View:
        """The view of a score: of the denoiser that it asks, or of its own network."""
        asked = self.recipe.scores[name]
        spec = asked.net or self.recipe.denoisers[str(asked.of)]
        return self.views[str(spec.view)]

    def asked(self, name: str) -> Denoiser:
        """The denoiser that a score asks; one that says nothing where it has its own network."""
        of = self.recipe.scores[name].of
        return Silent(schedule(self.recipe)) if of is None else self.panel[of]

    @property
    def knowing(self) -> Knowing:
        """What networks may know besides a window."""
        return Knowing(len(self.modality.entities_), self.modality.cycles_)

    def raw(self, strip: Strip, causal: bool = False) -> dict[str, np.ndarray]:
        """What every member says of every instant `(G,)`, not smoothed; NaN where it cannot judge."""
        laid = Laid.of(stretched(strip, self.longest) if not causal else strip)
        found = {}
        for name, member in self.members.items():
            ledger = self.ledger(name, member, laid, causal)
            found[name] = (ledger.ends if causal else ledger.covered())[: len(strip)]
        return found

    def latest(self, laid: Laid, instants: int) -> dict[str, np.ndarray]:
        """`raw`, causally, of the last so many instants `(instants,)` alone."""
        start = len(laid) - instants
        ledgers = {name: self.ledger(name, member, laid, True, start) for name, member in self.members.items()}
        return {name: ledger.ends[start:] for name, ledger in ledgers.items()}

    def ledger(self, name: str, member: AnomalyScore, laid: Laid, causal: bool, start: int = 0) -> Ledger:
        """One member's judgement of a strip, by the windows that end at `start` or later."""
        asked = self.recipe.scores[name]
        view = self.view(name)
        laid = laid.seen_by(view)
        ledger = Ledger(len(laid), view, asked.read, asked.root)
        judged = laid.judged(view, causal)
        judged[: max(0, start - view.length + 1)] = False
        more = self.knowing.of(laid, view)
        step = 1 if causal else view.stride(len(laid))
        judge(ledger, member, self.asked(name), laid, judged, causal, condition=more, stride=step)
        return ledger

    @property
    def longest(self) -> int:
        """Instants of the longest window, and before it those of its trend."""
        return max(view.reach for view in self.views.values())

    def smoothed(self, raw: Raw, causal: bool = False) -> dict[str, np.ndarray]:
        """Scores of instants, smoothed over the instants around each; causally over a few before it, not to be late."""
        return {name: smoothed(said, over(self.smooth, causal), causal) for name, said in raw.items()}

    def combined(self, raw: Raw, causal: bool = False) -> Scores:
        """The score of each instant `(G,)` from what `raw` gave; never NaN."""
        total = np.zeros(len(next(iter(raw.values()))))
        for name, said in self.smoothed({n: raw[n] for n in self.members}, causal).items():
            total += self.recipe.scores[name].weight * np.nan_to_num(self.scales[causal][name](said), nan=0.0)
        return total

    def heard(self, raw: Raw, causal: bool = False) -> np.ndarray:
        """Where any member could judge `(G,)` bool, from what `raw` gave."""
        said = self.smoothed({name: raw[name] for name in self.members}, causal).values()
        return np.asarray(np.isfinite(np.stack(list(said))).any(0))

    def totals(self, strip: Strip, causal: bool = False) -> Scores:
        """The score of each instant of the track `(T,)`."""
        return np.asarray(self.combined(self.raw(strip, causal), causal)[strip.at]) if len(strip) else np.zeros(0)

    def maps(self, strip: Strip) -> np.ndarray:
        """Evidence by instant and channel `(T, channels)`; each instant adds up to its score.

        A member's part of the score is shared out by its evidence, laid over the instants that it is about.
        """
        total = np.zeros((len(strip), len(self.modality.columns)))
        if not len(strip):
            return total
        laid = Laid.of(stretched(strip, self.longest))
        for name, member in self.members.items():
            ledger = self.ledger(name, member, laid, False)
            said = smoothed(ledger.covered(), self.smooth)[: len(strip)]
            part = self.recipe.scores[name].weight * np.nan_to_num(self.scales[False][name](said), nan=0.0)
            where = self.modality.channels_.locate(self.evidence(name, member, laid)[: len(strip)])
            where = np.stack([smoothed(each, self.smooth) for each in where.T], 1)
            summed = where.sum(1, keepdims=True)
            even = np.full_like(where, 1 / where.shape[1])
            total += part[:, None] * np.divide(where, summed, out=even, where=summed > 0)
        return np.asarray(total[strip.at])

    def evidence(self, name: str, member: AnomalyScore, laid: Laid) -> np.ndarray:
        """A member's maps, laid over each other `(G, width)`."""
        view, denoiser = self.view(name), self.asked(name)
        laid = laid.seen_by(view)
        judged, step = laid.judged(view), view.stride(len(laid))
        more = self.knowing.of(laid, view)
        sums = torch.zeros(len(laid), laid.x.shape[1], dtype=torch.float64)
        size = batch(laid.x.shape[1] * view.length) * step
        for start in range(0, len(judged), size):
            stop = min(start + size, len(judged))
            given = {key: value[start:stop:step] for key, value in more.items()}
            with torch.no_grad():
                windows = laid.windows(view, start, stop, stride=step).double()
                evidence = member(denoiser, windows, **given)
            kept = torch.from_numpy(judged[start:stop:step])[:, None, None]
            where = overlaid(spread(evidence.map.abs().double() * kept, view.edges()), step)
            sums[start : start + len(where)] += where
        return sums.numpy()
