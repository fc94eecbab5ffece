"""A model of several kinds of data is a folder like any other, `saving` says of what kind; here is what is in it."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt

from anodiff.alarms.surprise import Surprise
from anodiff.blend import Blend
from anodiff.data.records import Unread
from anodiff.detect_multimodal import Held, MultimodalDetector
from anodiff.modalities.multimodal import Multimodal
from anodiff.recipes.blended import Asked, Blended, Heard, Pattern, asked_of, revived
from anodiff.recipes.blended_fusion import USES, Fused, alone_of
from anodiff.recipes.blended_kept import Kept
from anodiff.recipes.blended_latents import Latents
from anodiff.recipes.blended_views import Views
from anodiff.recipes.build import Group
from anodiff.recipes.schema import bibtex, recipe
from anodiff.saving import sealed, state, write_folder
from anodiff.settings import check_settings
from anodiff.types import JSON, BadModel
from anodiff.version import __version__

UNTOLD = -1.0
"""How well a question tells, where that could not be measured."""


class MultimodalFacts(BaseModel):
    """What is known of the fit."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    asked: dict[str, Any]
    rows_seen: NonNegativeInt
    rows_fitted: NonNegativeInt
    unread: list[tuple[str, str]]
    seconds: NonNegativeFloat
    losses: list[float]
    columns: list[Any]
    missing: dict[str, float]
    contamination: dict[Literal["value", "low", "high"], float]
    examples: NonNegativeInt
    twins: NonNegativeInt


class FusedConfig(BaseModel):
    """How answers become scores, of the records with the parts of one pattern."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    pattern: list[NonNegativeInt] = Field(min_length=1)
    use: Literal[tuple(USES)]  # type: ignore[valid-type]
    scales: list[dict[str, Any] | None]
    total: dict[str, Any]


class MultimodalConfig(BaseModel):
    """What config.json of a model of several kinds of data may say; anything else is refused."""

    model_config = ConfigDict(extra="forbid")

    format: int
    anodiff: str
    weights: Literal["weights.safetensors"]
    weights_sha256: str
    settings: dict[str, Any]
    recipe: dict[str, Any]
    modality: Literal["multimodal"]
    encoding: dict[str, Any]
    fused: list[FusedConfig] = Field(min_length=1)
    kept: dict[str, Any]
    views: tuple[str, str] | None = None
    names: list[str]
    recipe_was_auto: bool
    facts: MultimodalFacts
    sha256: str


def save(detector: MultimodalDetector, path: Path, *, overwrite: bool = False) -> Path:
    """Write the folder; raises FileExistsError where something is at `path` and `overwrite` is False."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        said = card(detector.whole_, detector.statement())
    return write_folder(path, overwrite, arrays_of(detector.held_), lambda weights: _config(detector, weights), said)


def arrays_of(held: Held) -> dict[str, np.ndarray]:
    """Everything that is large, by group and name."""
    whole = held.whole
    groups: dict[str, Mapping[str, np.ndarray]] = {
        "encoding": whole.modality.arrays(),
        "latents": whole.model.latents.arrays(),
        "rivals": {"others": whole.model.others.numpy(), "having": whole.model.having.numpy()},
        "kept": whole.kept.arrays(),
        "left_out": {"present": held.present, "kept": held.kept, **_heard_arrays(held.left_out)},
        "held_out": {"present": held.held_present, **_heard_arrays(held.held_out)},
    }
    if whole.model.views is not None:
        groups["views"] = whole.model.views.arrays()
    for name, model in whole.model.panel.items():
        groups[f"denoiser.{name}"] = state(model)
    for pattern, fused in whole.fused.items():
        arrays = {"weights": fused.weights, **_named("total", fused.total.arrays())}
        for k, scale in enumerate(fused.scales):
            arrays |= {} if scale is None else _named(str(k), scale.arrays())
        groups[f"fused.{_key(pattern)}"] = arrays
    return {
        f"{group}/{key}": np.array(value, order="C")
        for group, members in groups.items()
        for key, value in members.items()
    }


def restored(config: MultimodalConfig, group: Group) -> MultimodalDetector:
    """The detector of a config and its arrays, by group."""
    chosen = recipe(config.recipe)
    modality = Multimodal.restore(config.encoding, group("encoding"))
    parts = len(modality.columns)
    view = None if config.views is None else (place(modality, config.views[0]), place(modality, config.views[1]))
    asked = asked_of(chosen, parts, view)
    latents = Latents.restore(group("latents"), modality.widths_)
    panel = {name: revived(chosen, name, group(f"denoiser.{name}"), latents.widths) for name in chosen.denoisers}
    fused = {}
    for each in config.fused:
        pattern = tuple(each.pattern)
        if len(set(pattern)) != len(pattern) or max(pattern) >= parts or len(each.scales) != len(asked):
            raise BadModel(f"a pattern of parts is {pattern}, of {parts} parts and {len(asked)} questions")
        fused[pattern] = _fused(each, pattern, group(f"fused.{_key(pattern)}"), asked)
    facts = {**config.facts.model_dump(mode="json"), "columns": modality.describe()}
    kept = Kept.restore(config.kept, group("kept"), modality.columns)
    if kept.codes.shape[1] != sum(latents.widths):
        raise BadModel(f"the records that it shows have {kept.codes.shape[1]} cells, the model {sum(latents.widths)}")
    others, having = (torch.from_numpy(group("rivals")[name]) for name in ("others", "having"))
    if others.shape[1:] != (sum(latents.widths),) or having.shape != (len(others), parts):
        raise BadModel(f"its rivals have shape {tuple(others.shape)}, where {sum(latents.widths)} cells belong")
    views = None if config.views is None else Views.restore(config.views, group("views"))
    model = Blended(chosen, latents, panel, others, having.bool(), views)
    blend = Blend(modality, model, asked, fused, kept, facts)
    left, other = group("left_out"), group("held_out")
    held = Held(
        blend,
        _heard(left, fused, asked, len(config.names)),
        left["present"],
        config.names,
        left["kept"],
        _heard(other, fused, asked, len(other["present"])),
        other["present"],
        [Unread(name, why) for name, why in config.facts.unread],
    )
    if held.present.shape != (len(config.names), parts) or held.kept.shape != (len(config.names),):
        raise BadModel(f"it has {len(config.names)} names and records of shape {held.present.shape}")
    asked_for = "auto" if config.recipe_was_auto else recipe(facts["asked"]).model_dump(mode="json")
    detector = MultimodalDetector(modality, asked_for)
    detector.set_params(**config.settings)
    check_settings(detector)
    blank = torch.zeros(1, sum(modality.widths_) + (views is not None))
    if not np.isfinite(blend.scores(blank, np.ones((1, parts), bool))).all():
        raise BadModel("its scores are not numbers")
    detector._finish(held)
    return detector


def place(modality: Multimodal, name: str) -> int:
    """Of a part among the others."""
    if name not in modality.columns:
        raise BadModel(f"it holds views of {name}, which is not among its parts, {', '.join(modality.columns)}")
    return modality.columns.index(name)


def card(blend: Blend, statement: str) -> str:
    """The card of a model of several kinds of data."""
    facts, chosen = blend.facts, blend.recipe
    parts = "\n".join(
        f"- {each['name']}: {each['kind']}, {each['features']} features, "
        f"missing in {100 * facts['missing'].get(each['name'], 0):.3g} % of the records of fit"
        for each in facts["columns"]
    )
    whole = max(blend.fused, key=len)
    heard = blend.fused[whole].weights
    weights = "\n".join(
        f"- {blend.label(each)}: {each.score}, weight {weight:.3g}"
        for each, weight in zip(blend.asked, heard, strict=True)
        if weight
    )
    return f"""# An anodiff detector of several kinds of data at once

{chosen.about}

- recipe: {chosen.name}, anodiff {__version__}
- learnt from {facts["rows_fitted"]:,} of {facts["rows_seen"]:,} records in {facts["seconds"]:.1f} s
- fusion: {blend.fused[whole].use}
- higher scores are more anomalous; a record is judged by the parts that it has
- anomalies feared among the records: {100 * facts["contamination"]["value"]:.3g} %

{parts}

## What is heard

{weights}

## Alarms

{statement}
They hold for records that come from where the training records came from. When that changes, fit again.

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


def _config(detector: MultimodalDetector, weights: bytes) -> JSON:
    held = detector.held_
    whole = held.whole
    content = {
        "recipe": whole.recipe.model_dump(mode="json"),
        "modality": "multimodal",
        "encoding": whole.modality.config(),
        "fused": [
            {
                "pattern": list(pattern),
                "use": fused.use,
                "scales": [None if scale is None else scale.config() for scale in fused.scales],
                "total": fused.total.config(),
            }
            for pattern, fused in whole.fused.items()
        ],
        "kept": whole.kept.config(),
        "views": None if whole.model.views is None else [whole.model.views.reference, whole.model.views.tested],
        "names": list(held.names),
        "recipe_was_auto": isinstance(detector.recipe, str) and detector.recipe == "auto" and not detector.changes,
        "facts": whole.facts,
    }
    return sealed(detector, weights, content)


def _fused(config: FusedConfig, pattern: Pattern, arrays: Mapping[str, np.ndarray], asked: Sequence[Asked]) -> Fused:
    scales = [
        None if told is None else Surprise.restore(told, _of(str(k), arrays)) for k, told in enumerate(config.scales)
    ]
    weights = np.asarray(arrays["weights"], np.float64)
    heard = [scale is not None for scale in scales]
    if weights.shape != (len(scales),) or not np.isfinite(weights).all() or ((weights > 0) != heard).any():
        raise BadModel(f"the weights of the pattern {pattern} do not match its scales")
    use, total = str(config.use), Surprise.restore(config.total, _of("total", arrays))
    return Fused(pattern, use, scales, weights, alone_of(asked), total)


def _heard(
    arrays: Mapping[str, np.ndarray], fused: Mapping[Pattern, Fused], asked: Sequence[Asked], count: int
) -> dict[Pattern, Heard]:
    found = {}
    for pattern in fused:
        own = _of(_key(pattern), arrays)
        if not own:
            continue
        said, told = own["said"], own["told"]
        if said.shape != (len(own["places"]), len(asked)) or told.shape != (len(asked),):
            raise BadModel(f"what was said of records with the parts {pattern} has shape {said.shape}")
        lacking = np.array([not each.fits(pattern) for each in asked])
        heard = Heard(own["places"], np.where(lacking, np.nan, said), np.where(told == UNTOLD, np.nan, told))
        if len(heard.places) and not 0 <= heard.places.min() <= heard.places.max() < count:
            raise BadModel(f"records with the parts {pattern} are placed beyond the {count} that there are")
        found[pattern] = heard
    return found


def _heard_arrays(heard: Mapping[Pattern, Heard]) -> dict[str, np.ndarray]:
    """NaN, which stands for nothing said, is written as a number; what fits a pattern tells them apart again."""
    found: dict[str, np.ndarray] = {}
    for pattern, each in heard.items():
        found |= _named(
            _key(pattern),
            {"places": each.places, "said": np.nan_to_num(each.said), "told": np.nan_to_num(each.told, nan=UNTOLD)},
        )
    return found


def _named(name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{name}.{key}": value for key, value in arrays.items()}


def _of(name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {key.removeprefix(f"{name}."): value for key, value in arrays.items() if key.startswith(f"{name}.")}


def _key(pattern: Pattern) -> str:
    return "-".join(map(str, pattern))
