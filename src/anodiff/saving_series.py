"""A model of series is a folder like any other, `saving` says of what kind; here is what is in it."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import nn

from anodiff.alarms.standout import Standout
from anodiff.card import series_card
from anodiff.data.log import Layout
from anodiff.detect_series import SeriesDetector
from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.exact import GaussianMixture
from anodiff.modalities.series import Series, Strip
from anodiff.modalities.windows import View
from anodiff.recipes.build import Group, laid_in, question, revive_gaussian, schedule
from anodiff.recipes.knowing import Knowing
from anodiff.recipes.schema import Recipe, recipe
from anodiff.recipes.specs import DenoiserSpec, EmpiricalSpec, GaussianSpec, MixtureSpec, NetworkSpec, ScoreSpec
from anodiff.recipes.windownets import network, own_score
from anodiff.saving import sealed, state, write_folder
from anodiff.scores.base import AnomalyScore
from anodiff.settings import check_settings
from anodiff.timeline import Timeline
from anodiff.types import JSON, BadModel

Told = list[dict[str, np.ndarray]]
MODES = {"offline": False, "causal": True}


class SeriesFacts(BaseModel):
    """What is known of the fit."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    asked: dict[str, Any]
    rows_seen: NonNegativeInt
    rows_fitted: NonNegativeInt
    tracks: PositiveInt
    seconds: NonNegativeFloat
    losses: list[float]
    columns: list[Any]
    contamination: dict[Literal["value", "low", "high"], float]
    views: dict[str, tuple[PositiveInt, PositiveInt, Literal["none", "centre", "unit", "soft"], NonNegativeInt]]
    smooth: PositiveInt
    examples: NonNegativeInt = 0


class SeriesConfig(BaseModel):
    """What config.json of a model of series may say; anything else is refused."""

    model_config = ConfigDict(extra="forbid")

    format: int
    anodiff: str
    weights: Literal["weights.safetensors"]
    weights_sha256: str
    settings: dict[str, Any]
    recipe: dict[str, Any]
    modality: Literal["series"]
    encoding: dict[str, Any]
    scales: dict[Literal["offline", "causal"], dict[str, dict[str, Any]]]
    layout: Literal["one", "list", "dict"]
    keys: list[str]
    recipe_was_auto: bool
    facts: SeriesFacts
    sha256: str


def save(detector: SeriesDetector, path: Path, *, overwrite: bool = False) -> Path:
    """Write the folder; raises FileExistsError where something is at `path` and `overwrite` is False."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        said = series_card(detector.whole_, detector.statement())
    return write_folder(path, overwrite, arrays_of(detector), lambda weights: _config(detector, weights), said)


def arrays_of(detector: SeriesDetector) -> dict[str, np.ndarray]:
    """Everything that is large, by group and name."""
    model = detector.whole_
    groups: dict[str, dict[str, np.ndarray]] = {"encoding": model.modality.arrays()}
    for name, denoiser in model.panel.items():
        groups[f"denoiser.{name}"] = state(denoiser)
        if isinstance(denoiser, Empirical):
            groups[f"denoiser.{name}"]["apart"] = np.array(denoiser.apart)
    for name, member in model.members.items():
        if isinstance(member, nn.Module):
            groups[f"score.{name}"] = state(member)
    for mode, causal in MODES.items():
        groups[f"left_out.{mode}"] = _end_to_end(detector.left_out_[causal])
        groups[f"held.{mode}"] = _end_to_end(detector.held_[causal])
    sizes = np.array([len(at) for at in detector.places_])
    groups["places"] = {"at": np.concatenate(detector.places_), "sizes": sizes}
    groups["held_places"] = _joined(detector.held_places_)
    groups["layout"] = _joined(detector.layout_.instants)
    return {
        f"{group}/{key}": np.array(value, order="C")
        for group, members in groups.items()
        for key, value in members.items()
    }


def restored(config: SeriesConfig, group: Group) -> SeriesDetector:
    """The detector of a config and its arrays, by group."""
    chosen = recipe(config.recipe)
    modality = Series.restore(config.encoding, group("encoding"))
    views = {name: View(*given) for name, given in config.facts.views.items()}
    panel = {
        name: _revived(spec, views[str(spec.view)], modality, group(f"denoiser.{name}"), chosen)
        for name, spec in chosen.denoisers.items()
    }
    members = {name: _member(asked, views, modality, group, name, chosen) for name, asked in chosen.scores.items()}
    scales = {
        causal: {name: Standout.restore(config.scales[mode][name]) for name in members}  # type: ignore[index]
        for mode, causal in MODES.items()
    }
    facts = {**config.facts.model_dump(), "columns": modality.describe()}
    facts["views"] = {name: list(view) for name, view in facts["views"].items()}
    model = Timeline(chosen, modality, views, panel, members, config.facts.smooth, scales, facts)
    asked = "auto" if config.recipe_was_auto else recipe(facts["asked"]).model_dump(mode="json")
    detector = SeriesDetector(modality, asked, **config.settings)
    check_settings(detector)
    left_out = {causal: _cut(group(f"left_out.{mode}"), list(members)) for mode, causal in MODES.items()}
    held = {causal: _cut(group(f"held.{mode}"), list(members)) for mode, causal in MODES.items()}
    placed = group("places")
    places = np.split(placed["at"], np.cumsum(placed["sizes"])[:-1])
    _check(left_out, places)
    instants = _parted(group("layout"))
    if sum(map(len, places)) <= max((int(rows.max()) for rows in instants if len(rows)), default=-1):
        raise BadModel("its layout names instants that it does not have")
    detector._finish(model, left_out, places, held, _parted(group("held_places")))
    detector.layout_ = Layout(instants, config.layout, config.keys)
    size = 2 * model.longest
    blank = Strip(
        torch.zeros(size, modality.width), torch.ones(size, modality.width, dtype=torch.bool), np.arange(size)
    )
    with torch.inference_mode():
        model.totals(blank)
        detector.alarm_()
    return detector


def _config(detector: SeriesDetector, weights: bytes) -> JSON:
    model = detector.whole_
    content = {
        "recipe": model.recipe.model_dump(mode="json"),
        "modality": "series",
        "encoding": model.modality.config(),
        "scales": {
            mode: {name: scale.config() for name, scale in model.scales[causal].items()}
            for mode, causal in MODES.items()
        },
        "layout": detector.layout_.shape,
        "keys": detector.layout_.keys,
        "recipe_was_auto": isinstance(detector.recipe, str) and detector.recipe == "auto" and not detector.changes,
        "facts": model.facts,
    }
    return sealed(detector, weights, content)


def _revived(
    spec: DenoiserSpec, view: View, modality: Series, arrays: dict[str, np.ndarray], chosen: Recipe
) -> Denoiser:
    process, width = schedule(chosen), modality.width * view.points
    if isinstance(spec, GaussianSpec):
        return revive_gaussian(arrays, process, width)
    if isinstance(spec, EmpiricalSpec):
        rows = torch.from_numpy(arrays["rows"])
        if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
            raise BadModel(f"the kept windows have shape {tuple(rows.shape)}, where {width} coordinates were expected.")
        run = int(arrays["apart"]) if spec.distinct else 0
        return Empirical(rows, process, neighbours=min(spec.neighbours or len(rows), max(1, len(rows) - 1)), apart=run)
    if isinstance(spec, MixtureSpec):
        count, eye = len(arrays["weights"]), torch.eye(width, dtype=torch.float64)
        weights = torch.from_numpy(arrays["weights"])
        return laid_in(
            GaussianMixture(weights, torch.zeros(count, width), eye.expand(count, width, width), process), arrays
        )
    assert isinstance(spec, NetworkSpec)
    parts = {key.removeprefix("base."): value for key, value in arrays.items()}
    own = {key.removeprefix("gaussian."): value for key, value in parts.items() if key.startswith("gaussian.")}
    gaussian = revive_gaussian(own, process, width) if own else None
    knowing = Knowing(len(modality.entities_), modality.cycles_)
    with torch.device("meta"):
        made = network(spec, view, modality.width, knowing, 0, process, gaussian)
    return laid_in(made, arrays)


def _member(
    asked: ScoreSpec, views: dict[str, View], modality: Series, group: Group, name: str, chosen: Recipe
) -> AnomalyScore:
    if asked.net is None:
        return question(asked)
    process, view = schedule(chosen), views[str(asked.net.view)]
    with torch.device("meta"):
        made = own_score(asked, asked.net, view, modality.width, process, 0)
    return cast(AnomalyScore, laid_in(made, group(f"score.{name}")))


def _end_to_end(per_strip: Told) -> dict[str, np.ndarray]:
    """Scores of all strips as one array each; what was not judged is 0, and said so."""
    if not per_strip:
        return {}
    found = {"sizes": np.array([len(next(iter(each.values()))) for each in per_strip])}
    for name in per_strip[0]:
        joined = np.concatenate([each[name] for each in per_strip])
        found |= {f"{name}.said": np.nan_to_num(joined), f"{name}.judged": np.isfinite(joined)}
    return found


def _joined(parts: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    whole = np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)
    return {"at": whole, "sizes": np.array([len(part) for part in parts], np.int64)}


def _parted(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    ends = np.cumsum(arrays["sizes"])
    return np.split(arrays["at"], ends[:-1]) if len(ends) else []


def _cut(arrays: dict[str, np.ndarray], names: list[str]) -> Told:
    if not arrays:
        return []
    ends = np.cumsum(arrays["sizes"])[:-1]
    whole = {name: np.where(arrays[f"{name}.judged"], arrays[f"{name}.said"], np.nan) for name in names}
    cut = {name: np.split(values, ends) for name, values in whole.items()}
    return [{name: cut[name][i] for name in names} for i in range(len(arrays["sizes"]))]


def _check(left_out: dict[bool, Told], places: list[np.ndarray]) -> None:
    for told in left_out.values():
        sizes = [{len(values) for values in each.values()} for each in told]
        fits = len(told) == len(places) and all(
            len(size) == 1 and (not len(at) or (at.min() >= 0 and at.max() < min(size)))
            for size, at in zip(sizes, places, strict=True)
        )
        if not fits:
            raise BadModel("its left-out scores do not fit to their instants")
