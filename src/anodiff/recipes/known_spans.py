r"""A handful of known anomalies in series: which scores see them, and which channels they disturb,

.. math:: w_m \propto \exp\Big(\beta \frac{k}{k + \kappa} A_m\Big), \quad
          A_m = \operatorname{mean}_i \operatorname{mean}_{t \in R_i}
                P\big(a_m(s) < a_m(t) \mid s \text{ normal}\big), \quad
          p_i \propto \sum_w |w \cap R_i| \, z(w),

:math:`R_i` the instants of the i-th of k known anomalies, z(w) how far each channel of a window departs from normal.
One event says less than five, so the weights wait for :math:`\kappa` of them. Of series of several channels two scores
are called in beside those of the recipe: all channels alike, and the best match with a profile :math:`p_i`; and all are
summed as logarithms. The constants were looked for on development series of several channels; what half of them would
have chosen, and what that gives on the other half, stands in benchmarks/results/generation_series.json.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from anodiff.alarms.standout import TRUSTED
from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.empirical import Empirical
from anodiff.modalities.windows import View
from anodiff.recipes.instants import Ledger
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import EmpiricalSpec, ScoreSpec
from anodiff.scores.profiles import Profiles

SHARPNESS = 20.0
PATIENCE = 4.0
"""The beta and the kappa."""
CHANNELS, ALIKE = "channels", "alike"
LOGARITHMS = 0
LEAST_SPREAD = 0.05
"""The least spread of a channel's distance, as a share of the median channel's."""
HELD = 128


def strangers(recipe: Recipe, asked: Recipe) -> Recipe:
    """The recipe as it was before it met known anomalies; `asked` is what was asked for then."""
    own = recipe.only(name for name, score in recipe.scores.items() if score.use != "profiles")
    return weighing(own.model_copy(update={"power": asked.power}), {k: _first(k, asked) for k in own.scores})


def _first(name: str, asked: Recipe) -> float:
    """The weight that a score, or the one that it repeats with another window, was asked for with."""
    own = name if name in asked.scores else name.rpartition("_")[0]
    return asked.scores[own].weight if own in asked.scores else 1.0


def weighing(recipe: Recipe, weights: Mapping[str, float]) -> Recipe:
    """The recipe with other weights."""
    scores = {k: s.model_copy(update={"weight": weights.get(k, s.weight)}) for k, s in recipe.scores.items()}
    return recipe.model_copy(update={"scores": scores})


def shares(normal: np.ndarray, known: Sequence[np.ndarray]) -> np.ndarray:
    """Per known anomaly the mean share of `normal` `(n,)` that lies below its instants, ties and silence counted half.

    >>> shares(np.array([0.0, 1.0, 2.0, 3.0]), [np.array([2.5, 9.0]), np.array([np.nan])]).tolist()
    [0.875, 0.5]
    """
    order = np.sort(normal[np.isfinite(normal)])
    if not len(order):
        return np.full(len(known), 0.5)
    found = []
    for each in known:
        below, upto = (np.searchsorted(order, each, side=side) for side in ("left", "right"))
        found.append(np.where(np.isfinite(each), (below + upto) / (2 * len(order)), 0.5).mean())
    return np.array(found)


def weights(seen: Mapping[str, float], known: float, sharpness: float = SHARPNESS) -> dict[str, float]:
    """Weights of scores that add up to 1, by what they see of so many known anomalies.

    >>> weights({"near": 0.9, "far": 0.9}, 5)
    {'near': 0.5, 'far': 0.5}
    """
    sharp = sharpness * known / (known + PATIENCE)
    raw = {name: np.exp(sharp * (share - max(seen.values()))) for name, share in seen.items()}
    return {name: float(value / sum(raw.values())) for name, value in raw.items()}


def base(recipe: Recipe, views: Mapping[str, View], width: int) -> str | None:
    """The score whose denoiser tells how far each channel is from normal; none where there is one channel.

    It is the first that asks kept windows, as they are, how near they come.
    """
    for name, score in recipe.scores.items() if width > 1 else ():
        spec = recipe.denoisers.get(str(score.of))
        keeps = score.use == "residual" and isinstance(spec, EmpiricalSpec)
        if keeps and spec is not None and views[str(spec.view)].normalise == "none":
            return name
    return None


def alone(denoiser: Empirical, view: View, instants: int) -> Empirical:
    """The same kept windows of so many instants, each of which is judged without those that overlap with it."""
    rows = len(denoiser.rows)
    overlapping = int(np.ceil((view.length - 1) * rows / max(instants, 1))) + 1
    away = max(0, min(overlapping, (rows - 1 - (denoiser.neighbours or 1)) // 2))
    return Empirical(
        denoiser.rows, denoiser.schedule, neighbours=denoiser.neighbours, exclude=away, apart=denoiser.apart
    )


def distances(denoiser: Empirical, width: int) -> Tensor:
    """Of every kept window, how far each channel is from the windows that it is judged by `(n, width)`."""
    rows, places = denoiser.rows.double().reshape(len(denoiser.rows), width, -1), torch.arange(len(denoiser.rows))
    parts = [
        Profiles().residual(denoiser, rows[i : i + HELD], itself=places[i : i + HELD]).sum(2).sqrt()
        for i in range(0, len(rows), HELD)
    ]
    return torch.cat(parts)


def departures(distance: Tensor, like: ScoreSpec) -> Profiles:
    """The scale on which distances `(n, width)` of normal windows depart from normal, hearing all channels alike."""
    centre = distance.median(0).values
    lowest = distance.sort(0).values[: max(2, int(TRUSTED * len(distance)))]
    spread = lowest.std(0, correction=0) + 0.02 * distance.std(0, correction=0)
    spread = spread.clamp(min=LEAST_SPREAD * float(spread.median()) + 1e-6)
    width = distance.shape[1]
    return Profiles(
        [[1 / width] * width], centre.tolist(), spread.tolist(), like.settings.get("levels", Profiles().levels)
    )


def profile(window: Tensor, covered: np.ndarray, channels: np.ndarray) -> Tensor:
    """What a known anomaly disturbs `(width,)`, of length 1.

    Args:
        window: Departures of the windows of the piece that it lies in `(n, width)`.
        covered: So many of its instants are in each `(n,)`.
        channels: Which coordinates it may disturb, `(width,)` bool.
    """
    heard: Tensor = torch.from_numpy(covered.astype(np.float64)) @ window.double() * torch.from_numpy(channels)
    if not bool(heard.any()):
        heard = torch.from_numpy(channels.astype(np.float64))
    scaled: Tensor = heard / torch.linalg.vector_norm(heard)
    return scaled


def asking(profiles: Profiles, rows: Sequence[Tensor], of: str) -> ScoreSpec:
    """The same scale with these profiles, as a part of a recipe."""
    settings = {
        "profiles": [row.tolist() for row in rows],
        "centre": list(profiles.centre),
        "spread": list(profiles.spread),
        "levels": list(profiles.levels),
    }
    return ScoreSpec(use="profiles", of=of, settings=settings)


def richer(recipe: Recipe, added: Mapping[str, ScoreSpec]) -> Recipe:
    """The recipe with more scores, all summed as logarithms."""
    return recipe.model_copy(update={"scores": {**recipe.scores, **added}, "power": LOGARITHMS})


def left_out(
    kept: np.ndarray, view: View, offline: Sequence[np.ndarray], causal: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Per strip what a score says of the instants of fit, offline and causally `(G,)`, from that of kept windows.

    Every window says what the kept window next to it says, `kept` `(n,)`; kept are an equal share of all.

    Args:
        kept: Of the kept windows, each as if its neighbourhood were left out.
        view: How windows are cut.
        offline: What another score of that view says of every instant, NaN where it cannot judge, per strip.
        causal: The same, causally.
    """
    pairs = zip(offline, causal, strict=True)
    ended = [(np.isfinite(said) & np.isfinite(late))[view.length - 1 :] for said, late in pairs]
    count, before = sum(int(judged.sum()) for judged in ended), 0
    for judged, said in zip(ended, offline, strict=True):
        rank = before + np.maximum(np.cumsum(judged) - 1, 0)
        totals = kept[np.minimum(rank * len(kept) // max(count, 1), len(kept) - 1)]
        before += int(judged.sum())
        ledger = Ledger(len(said), view, "window")
        if len(judged):
            ledger.add(0, totals, None, judged)
        yield ledger.covered().astype(np.float32), ledger.ends.astype(np.float32)


def empirical(denoiser: Denoiser) -> Empirical:
    """A denoiser that keeps windows, as such."""
    assert isinstance(denoiser, Empirical)
    return denoiser
