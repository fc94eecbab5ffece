r"""A fitted detector of poses, as plain parts: walks in, one score per frame and person out. No fitting, no decisions.

.. math:: a_t = \sum_m w_m \, \frac{\bar a_{m,t} - \mu_m}{\sigma_m},

as in `timeline`: :math:`\bar a_m` a member's score of frames, smoothed; :math:`\mu_m, \sigma_m` of persons whom it had
not seen, offline and causally each by its own. A member that cannot judge a frame says nothing: 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from anodiff.alarms.standout import Standout
from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.empirical import Empirical
from anodiff.modalities.poses import Poses, Walk
from anodiff.modalities.windows import over, smoothed
from anodiff.recipes.posed_windows import Question, Sight, follows, sights
from anodiff.recipes.schema import Recipe
from anodiff.scores.base import AnomalyScore
from anodiff.scores.levels import time_of
from anodiff.types import JSON, Misfit, Scores

Raw = Mapping[str, np.ndarray]
FAR = 50.0
"""The level at which a denoiser is asked what would be normal instead."""


@dataclass(frozen=True)
class Gait:
    """What scoring needs.

    Attributes:
        recipe: How it was built.
        modality: Tracks to walks and back.
        panel: Denoisers by name.
        members: Scores by name; the recipe says which denoiser each asks, and its weight.
        smooth: Frames to smooth over.
        scales: Offline and causal, by score.
        slack: By score, how much more it says of what was filled.
        facts: What is known of the fit, JSON.
    """

    recipe: Recipe
    modality: Poses
    panel: Mapping[str, Denoiser]
    members: Mapping[str, AnomalyScore]
    smooth: int
    scales: Mapping[bool, Mapping[str, Standout]] = field(default_factory=dict)
    slack: Mapping[str, float] = field(default_factory=dict)
    facts: JSON = field(default_factory=dict)

    @property
    def nfe(self) -> int:
        """Evaluations of a denoiser per frame."""
        return sum(member.nfe for member in self.members.values())

    @property
    def views(self) -> dict[str, Sight]:
        """How walks are cut, by name."""
        return sights(self.recipe, self.modality)

    @property
    def ever(self) -> np.ndarray:
        """Coordinates that are ever seen `(width,)`."""
        d = self.modality.shape_[1]
        return np.append(np.repeat(self.modality.ever_, d), np.ones(d, bool))

    @property
    def longest(self) -> int:
        """Frames of the longest window."""
        return max(view.length for view in self.views.values())

    def within(self, budget: int | None) -> "Gait":
        """The members, in their order, that so many evaluations per frame pay for.

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
            raise Misfit(f"budget is {budget}; the cheapest score of this recipe takes {least} per frame.")
        return replace(self, members=kept)

    def question(self, name: str) -> Question:
        """A member with the denoiser that it asks."""
        of = str(self.recipe.scores[name].of)
        view = self.views[str(self.recipe.denoisers[of].view)]
        return Question(self.members[name], self.panel[of], view, follows(self.recipe, of), self.slack.get(name, 0.0))

    def raw(self, walk: Walk) -> dict[bool, dict[str, np.ndarray]]:
        """What every member says of frames `(T,)`, not smoothed, offline and causally; NaN where it cannot judge."""
        found: dict[bool, dict[str, np.ndarray]] = {False: {}, True: {}}
        for name in self.members:
            for causal, said in self.question(name).frames(walk).items():
                found[causal][name] = said
        return found

    def parts(self, raw: Raw, causal: bool = False) -> dict[str, np.ndarray]:
        """What each member adds to the score of each frame `(T,)`; never NaN."""
        found = {}
        for name in self.members:
            said = smoothed(raw[name], over(self.smooth, causal), causal)
            found[name] = self.recipe.scores[name].weight * np.nan_to_num(self.scales[causal][name](said), nan=0.0)
        return found

    def combined(self, raw: Raw, causal: bool = False) -> Scores:
        """The score of each frame `(T,)` from what `raw` gave; never NaN."""
        return np.asarray(sum(self.parts(raw, causal).values()))

    def heard(self, raw: Raw, causal: bool = False) -> np.ndarray:
        """Where any member could judge `(T,)` bool, from what `raw` gave."""
        width = over(self.smooth, causal)
        said = [np.isfinite(smoothed(raw[name], width, causal)) for name in self.members]
        return np.asarray(np.stack(said).any(0))

    def totals(self, walk: Walk, causal: bool = False) -> Scores:
        """The score of each frame `(T,)`."""
        return self.combined(self.raw(walk)[causal], causal) if len(walk) else np.zeros(0)

    def evidence(self, walk: Walk) -> np.ndarray:
        """Evidence by frame and coordinate `(T, width)`: what is odd about joints, then about motion; sums to scores.

        A member's part of the score is shared out by its evidence, laid over the frames that it is about.
        """
        total = np.zeros(walk.x.shape)
        if not len(walk):
            return total
        said = self.parts(self.raw(walk)[False])
        for name in self.members:
            q = self.question(name)
            where = np.stack([smoothed(each, self.smooth) for each in q.maps(walk).T], 1)
            summed = where.sum(1, keepdims=True)
            even = np.zeros_like(where)
            even[:, q.sight.columns] = self.ever[q.sight.columns] / self.ever[q.sight.columns].sum()
            total += said[name][:, None] * np.divide(where, summed, out=even, where=summed > 0)
        return total

    def maps(self, walk: Walk) -> np.ndarray:
        """Evidence by frame and joint `(T, J)`, that of the motion shared by all; each frame adds up to its score."""
        return self.modality.locate(self.evidence(walk))

    def expected(self, walk: Walk) -> tuple[np.ndarray, np.ndarray]:
        """What would be normal instead, by frame: joints `(T, J, D)` in the track's units, and motion `(T, D)`.

        It is what the nearest normal windows hold, else what the Gaussian or the network expects. NaN where none says.
        """
        found = np.full(walk.x.shape, np.nan)
        names = sorted(self.panel, key=lambda name: not isinstance(self.panel[name], Empirical))
        for name in names:
            self._fill(found, name, walk)
        joints = self.modality.decode(found, walk.centre, walk.size)
        return joints, self.modality.motion(found)

    def _fill(self, found: np.ndarray, name: str, walk: Walk) -> None:
        """Lay into `found` `(T, width)`, where it is NaN, what a denoiser expects at the end of each window."""
        view = self.views[str(self.recipe.denoisers[name].view)]
        judged = view.judged(walk)
        own = np.isnan(found[:, view.columns]).any()
        if not own or not judged.any() or follows(self.recipe, name):
            return
        x, _ = view.windows(walk)
        denoiser, rows = self.panel[name], x[torch.from_numpy(judged)].double()
        t = time_of(denoiser, FAR, rows)
        with torch.no_grad():
            alpha = denoiser.schedule.alpha(t)
            mean = denoiser(alpha * rows, t.expand(len(rows))).mean[:, :, -1].numpy()
        ends = np.flatnonzero(judged) + view.length - 1
        part = found[np.ix_(ends, view.columns)]
        found[np.ix_(ends, view.columns)] = np.where(np.isnan(part), mean, part)
