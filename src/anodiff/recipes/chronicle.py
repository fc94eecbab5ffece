r"""From strips to a timeline: left-out scores of every instant, then all parts, then scales.

1. Every score judges every instant as if its neighbourhood had been left out.
2. All parts are fitted on everything; networks are not shown the most suspicious windows.
3. Scales are those of the instants that are taken for normal.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anodiff.alarms.standout import Standout
from anodiff.diffusion.denoise import Denoiser
from anodiff.modalities.laid import Laid
from anodiff.modalities.series import Series, Strip, stretched
from anodiff.modalities.windows import View, over, smoothed
from anodiff.recipes.grow import Progress, networks
from anodiff.recipes.knowing import Knowing
from anodiff.recipes.learn import Tally
from anodiff.recipes.pace import paced
from anodiff.recipes.schema import Recipe
from anodiff.recipes.windowed import FOLDS, Places, grow_windowed, left_out_windowed, resolved, smoothing
from anodiff.scores.base import AnomalyScore
from anodiff.types import Misfit, Unreadable

Raw = dict[str, np.ndarray]
FEWEST_WINDOWS = 8


@dataclass(frozen=True)
class Told:
    """What was learnt of a log.

    Attributes:
        recipe: As it was carried out, its windows resolved.
        views: By name.
        panel: Denoisers by name.
        members: Scores by name.
        smooth: Instants to smooth over.
        scales: Offline and causal, by score.
        left_out: Offline and causal, per strip, by score: raw scores of instants `(G,)` as if left out.
        losses: Of the last training.
    """

    recipe: Recipe
    views: dict[str, View]
    panel: dict[str, Denoiser]
    members: dict[str, AnomalyScore]
    smooth: int
    scales: dict[bool, dict[str, Standout]]
    left_out: dict[bool, list[Raw]]
    losses: list[float]


def tell(
    recipe: Recipe,
    modality: Series,
    strips: Sequence[Strip],
    seed: int,
    set_aside: float = 0.0,
    max_seconds: float | None = None,
) -> Generator[Progress, None, Told]:
    """Carry out a recipe of series: yields progress, returns what was learnt.

    Raises:
        Misfit: the recipe has no views.
        Unreadable: the series are too short.
    """
    if not recipe.views:
        raise Misfit(f"recipe {recipe.name!r} has no views, so it is for tables; choose one for series.")
    recipe = by_hand(recipe, modality.windows())
    longest = max(map(len, strips))
    views = {name: resolved(spec, modality.period_, longest) for name, spec in recipe.views.items()}
    smooth = smoothing(recipe.smooth, modality.period_)
    laid = [Laid.of(stretched(strip, max(view.reach for view in views.values()))) for strip in strips]
    places = {name: Places.of(view, laid) for name, view in views.items()}
    for name, place in places.items():
        if place.count() < FEWEST_WINDOWS:
            raise Unreadable(
                f"{sum(map(len, strips)):,} instants hold {place.count()} windows of {views[name].length} that were "
                f"observed; give a longer series, or a shorter window."
            )
    knowing = Knowing(len(modality.entities_), modality.cycles_)
    if max_seconds is not None:
        recipe = paced(recipe, places, knowing, max_seconds, seed)
    tally = Tally(sum(spec.steps for spec in networks(recipe)) * (FOLDS + 1))
    left_out, doubts = yield from tally.told(left_out_windowed(recipe, places, knowing, seed, set_aside), "calibrating")
    panel, members = yield from tally.told(grow_windowed(recipe, places, knowing, seed, doubts), "learning")
    left_out = {causal: shortened(raw, list(map(len, strips))) for causal, raw in left_out.items()}
    scales = {
        causal: scaled(raw, over(smooth, causal), causal, set_aside, recipe.power) for causal, raw in left_out.items()
    }
    return Told(recipe, views, panel, members, smooth, scales, left_out, tally.losses)


def shortened(raw: Sequence[Raw], lengths: Sequence[int]) -> list[Raw]:
    """Scores of so many instants per strip: those that a short one was stretched by are left away."""
    return [{name: said[:n] for name, said in each.items()} for each, n in zip(raw, lengths, strict=True)]


def by_hand(recipe: Recipe, lengths: Sequence[int]) -> Recipe:
    """The recipe with windows of these lengths in place of its own, in their order.

    Fewer lengths than it has views: the last serves the others too. More: its last view's parts are repeated.
    """
    if not lengths:
        return recipe
    own = list(dict.fromkeys(str(spec.length) for spec in recipe.views.values()))
    given = {length: lengths[min(i, len(lengths) - 1)] for i, length in enumerate(own)}
    content = recipe.model_dump(mode="json")
    for view in content["views"].values():
        view["length"] = given[str(view["length"])]
    for extra in lengths[len(own) :]:
        _repeat(content, given[own[-1]], extra)
    return Recipe.model_validate(content)


def _repeat(content: dict, like: int, length: int) -> None:
    """Add to a recipe, as JSON, what looks through windows of `like` instants, looking through windows of `length`."""
    views = [name for name, view in content["views"].items() if view["length"] == like]
    content["views"] |= {f"{name}_{length}": {**content["views"][name], "length": length} for name in views}
    asked = [name for name, spec in content["denoisers"].items() if spec["view"] in views]
    for name in asked:
        spec = content["denoisers"][name]
        content["denoisers"][f"{name}_{length}"] = {**spec, "view": f"{spec['view']}_{length}"}
    for name, score in list(content["scores"].items()):
        if score["of"] in asked:
            content["scores"][f"{name}_{length}"] = {**score, "of": f"{score['of']}_{length}"}
        elif score["net"] and score["net"]["view"] in views:
            net = {**score["net"], "view": f"{score['net']['view']}_{length}"}
            content["scores"][f"{name}_{length}"] = {**score, "net": net}


def scaled(
    raw: Sequence[Mapping[str, np.ndarray]], smooth: int, causal: bool, set_aside: float, power: int
) -> dict[str, Standout]:
    """One scale per score, of smoothed left-out scores less the share `set_aside` of the highest."""
    found = {}
    for name in raw[0]:
        said = np.concatenate([smoothed(each[name], smooth, causal) for each in raw])
        said = np.sort(said[np.isfinite(said)])
        kept = said[: max(2, round((1 - set_aside) * len(said)))]
        found[name] = Standout(power).fit(kept if len(kept) > 1 else np.zeros(2))
    return found
