"""A model of poses is a folder like any other, `saving` says of what kind; here is what is in it."""

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveInt

from anodiff.alarms.standout import Standout
from anodiff.data.people import People
from anodiff.detect_poses import PoseDetector
from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.exact import GaussianMixture
from anodiff.diffusion.following import Following
from anodiff.gait import Gait
from anodiff.modalities.poses import Poses
from anodiff.recipes.build import Group, laid_in, question, revive_gaussian, schedule
from anodiff.recipes.posed import check_recipe, network
from anodiff.recipes.posed_windows import Sight, follows, sights
from anodiff.recipes.schema import Recipe, bibtex, recipe
from anodiff.recipes.specs import EmpiricalSpec, GaussianSpec, MixtureSpec, NetworkSpec
from anodiff.saving import sealed, state, write_folder
from anodiff.settings import check_settings
from anodiff.types import JSON, BadModel
from anodiff.version import __version__

Told = list[dict[str, np.ndarray]]
MODES = {"offline": False, "causal": True}


class PoseFacts(BaseModel):
    """What is known of the fit."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    asked: dict[str, Any]
    frames: NonNegativeInt
    tracks: PositiveInt
    seconds: NonNegativeFloat
    losses: list[float]
    columns: list[Any]
    contamination: NonNegativeFloat


class PosesConfig(BaseModel):
    """What config.json of a model of poses may say; anything else is refused."""

    model_config = ConfigDict(extra="forbid")

    format: int
    anodiff: str
    weights: Literal["weights.safetensors"]
    weights_sha256: str
    settings: dict[str, Any]
    recipe: dict[str, Any]
    modality: Literal["poses"]
    encoding: dict[str, Any]
    scales: dict[Literal["offline", "causal"], dict[str, dict[str, Any]]]
    slack: dict[str, NonNegativeFloat]
    smooth: PositiveInt
    layout: Literal["one", "list", "dict"]
    names: list[str]
    recipe_was_auto: bool
    facts: PoseFacts
    sha256: str


def save(detector: PoseDetector, path: Path, *, overwrite: bool = False) -> Path:
    """Write the folder; raises FileExistsError where something is at `path` and `overwrite` is False."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        said = card(detector.whole_, detector.statement())
    return write_folder(path, overwrite, arrays_of(detector), lambda weights: _config(detector, weights), said)


def arrays_of(detector: PoseDetector) -> dict[str, np.ndarray]:
    """Everything that is large, by group and name."""
    model = detector.whole_
    groups: dict[str, dict[str, np.ndarray]] = {"encoding": model.modality.arrays()}
    for name, denoiser in model.panel.items():
        groups[f"denoiser.{name}"] = state(denoiser)
    for mode, causal in MODES.items():
        groups[f"left_out.{mode}"] = _end_to_end(detector.left_out_[causal])
        groups[f"held.{mode}"] = _end_to_end(detector.held_[causal])
    return {
        f"{group}/{key}": np.array(value, order="C")
        for group, members in groups.items()
        for key, value in members.items()
    }


def restored(config: PosesConfig, group: Group) -> PoseDetector:
    """The detector of a config and its arrays, by group."""
    chosen = recipe(config.recipe)
    check_recipe(chosen)
    modality = Poses.restore(config.encoding, group("encoding"))
    views = sights(chosen, modality)
    panel = {
        name: _revived(chosen, name, views[str(spec.view)], group(f"denoiser.{name}"))
        for name, spec in chosen.denoisers.items()
    }
    members = {name: question(asked) for name, asked in chosen.scores.items()}
    scales = {
        causal: {name: Standout.restore(config.scales[mode][name]) for name in members}  # type: ignore[index]
        for mode, causal in MODES.items()
    }
    facts = {**config.facts.model_dump(), "columns": modality.describe()}
    model = Gait(chosen, modality, panel, members, config.smooth, scales, config.slack, facts)
    asked = "auto" if config.recipe_was_auto else recipe(facts["asked"]).model_dump(mode="json")
    detector = PoseDetector(modality, asked, **config.settings)
    check_settings(detector)
    left_out = {causal: _cut(group(f"left_out.{mode}"), list(members)) for mode, causal in MODES.items()}
    held = {causal: _cut(group(f"held.{mode}"), list(members)) for mode, causal in MODES.items()}
    if any(len(each) != len(config.names) for each in left_out.values()):
        raise BadModel("its left-out scores do not fit to its persons")
    detector._finish(model, left_out, held)
    detector.layout_ = People([], config.names, config.layout)
    j, d = modality.shape_
    blank = np.random.default_rng(0).normal(size=(2 * model.longest, j, d))
    with torch.inference_mode():
        model.totals(modality.encode(blank))
    return detector


def card(model: Gait, statement: str) -> str:
    """Markdown: what was learnt, how alarms are calibrated, what it is not for, whom to cite."""
    facts, chosen, (joints, dimensions) = model.facts, model.recipe, model.modality.shape_
    parts = "\n".join(
        f"- {name}: {score.use} of {score.of}, weight {score.weight:.3g}"
        for name, score in chosen.scores.items()
        if name in model.members
    )
    return f"""# An anodiff detector of poses of {joints} joints in {dimensions} dimensions

{chosen.about}

- recipe: {chosen.name}, anodiff {__version__}
- learnt from {facts["frames"]:,} frames of {facts["tracks"]:,} persons in {facts["seconds"]:.1f} s
- windows of {model.longest} poses at most; smoothed over {model.smooth}
- higher scores are more anomalous; one score per frame and person
- evaluations per frame: {model.nfe}

{parts}

## Alarms

{statement}
They hold for people who move in the place, and before the camera, that the training tracks came from. When that
changes, fit again.

## Load

```python
import anodiff
detector = anodiff.load("this folder")
```

## References

```bibtex
{bibtex(chosen.cite)}
```
"""


def _config(detector: PoseDetector, weights: bytes) -> JSON:
    model = detector.whole_
    content = {
        "recipe": model.recipe.model_dump(mode="json"),
        "modality": "poses",
        "encoding": model.modality.config(),
        "scales": {
            mode: {name: scale.config() for name, scale in model.scales[causal].items()}
            for mode, causal in MODES.items()
        },
        "slack": dict(model.slack),
        "smooth": model.smooth,
        "layout": detector.layout_.layout,
        "names": detector.layout_.names,
        "recipe_was_auto": isinstance(detector.recipe, str) and detector.recipe == "auto" and not detector.changes,
        "facts": model.facts,
    }
    return sealed(detector, weights, content)


def _revived(chosen: Recipe, name: str, view: Sight, arrays: dict[str, np.ndarray]) -> Denoiser:
    spec, process, channels = chosen.denoisers[name], schedule(chosen), len(view.columns)
    past, cells = view.past if follows(chosen, name) else 0, len(view.columns) * view.length
    if isinstance(spec, GaussianSpec) and past:
        own = {key.removeprefix("rest."): value for key, value in arrays.items() if key.startswith("rest.")}
        rest = revive_gaussian(own, process, channels * view.future)
        blank = torch.zeros(channels, past, dtype=torch.float64)
        slope = torch.zeros(channels * view.future, channels * past, dtype=torch.float64)
        found: Denoiser = laid_in(Following(blank, slope, rest), arrays)
        return found
    if isinstance(spec, GaussianSpec):
        return revive_gaussian(arrays, process, cells)
    if isinstance(spec, EmpiricalSpec):
        rows = torch.from_numpy(arrays["rows"])
        if rows.ndim != 2 or rows.shape[1] != cells or not len(rows):
            raise BadModel(f"the kept windows have shape {tuple(rows.shape)}, where {cells} coordinates were expected.")
        return Empirical(rows, process, neighbours=min(spec.neighbours or len(rows), max(1, len(rows) - 1)))
    if isinstance(spec, MixtureSpec):
        count, eye = len(arrays["weights"]), torch.eye(cells, dtype=torch.float64)
        means = torch.zeros(count, cells, dtype=torch.float64)
        weights = torch.from_numpy(arrays["weights"])
        return laid_in(GaussianMixture(weights, means, eye.expand(count, cells, cells), process), arrays)
    if not isinstance(spec, NetworkSpec):
        raise BadModel(f"its denoiser {name} is {spec.use}, which is not of poses")
    with torch.device("meta"):
        made = network(spec, channels, view.length - past, past, process, 0)
    return laid_in(made, arrays)


def _end_to_end(per_walk: Told) -> dict[str, np.ndarray]:
    """Scores of all walks as one array each; what was not judged is 0, and said so."""
    if not per_walk:
        return {}
    found = {"sizes": np.array([len(next(iter(each.values()))) for each in per_walk])}
    for name in per_walk[0]:
        joined = np.concatenate([each[name] for each in per_walk])
        found |= {f"{name}.said": np.nan_to_num(joined), f"{name}.judged": np.isfinite(joined)}
    return found


def _cut(arrays: dict[str, np.ndarray], names: list[str]) -> Told:
    if not arrays:
        return []
    ends = np.cumsum(arrays["sizes"])[:-1]
    whole = {name: np.where(arrays[f"{name}.judged"], arrays[f"{name}.said"], np.nan) for name in names}
    if any(len(values) != arrays["sizes"].sum() for values in whole.values()):
        raise BadModel("its scores do not fit to the frames of its persons")
    cut = {name: np.split(values, ends) for name, values in whole.items()}
    return [{name: cut[name][i] for name in names} for i in range(len(arrays["sizes"]))]
