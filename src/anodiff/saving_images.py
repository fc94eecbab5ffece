"""A model of images is a folder like any other, `saving` says of what kind; here is what is in it."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import nn

from anodiff.card import image_card
from anodiff.curate import Held
from anodiff.data.albums import Unread
from anodiff.detect_images import ImageDetector
from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.exact import GaussianMixture
from anodiff.diffusion.positional import Context, Positional
from anodiff.gallery import POOL, Gallery, Scale
from anodiff.modalities.features import Features
from anodiff.modalities.image import Image
from anodiff.modalities.planes import Planes
from anodiff.recipes.build import Group, laid_in, question, revive_gaussian, schedule
from anodiff.recipes.pictured import network, own_score
from anodiff.recipes.schema import Recipe, recipe
from anodiff.recipes.specs import DenoiserSpec, EmpiricalSpec, GaussianSpec, MixtureSpec, NetworkSpec, PositionalSpec
from anodiff.recipes.taught import Taught
from anodiff.saving import sealed, state, write_folder
from anodiff.scores.base import AnomalyScore
from anodiff.settings import check_settings
from anodiff.types import JSON, BadModel


class ImageFacts(BaseModel):
    """What is known of the fit."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    asked: dict[str, Any]
    rows_seen: NonNegativeInt
    rows_fitted: NonNegativeInt
    unread: list[tuple[str, str]]
    seconds: NonNegativeFloat
    losses: list[float]
    columns: list[Any]
    contamination: dict[Literal["value", "low", "high"], float]
    examples: NonNegativeInt
    folds: PositiveInt
    twins: NonNegativeInt


class ScaleConfig(BaseModel):
    """A mean and a deviation."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    mean: float
    std: float = Field(gt=0)


class ImagesConfig(BaseModel):
    """What config.json of a model of images may say; anything else is refused."""

    model_config = ConfigDict(extra="forbid")

    format: int
    anodiff: str
    weights: Literal["weights.safetensors"]
    weights_sha256: str
    settings: dict[str, Any]
    recipe: dict[str, Any]
    modality: Literal["image"]
    encoding: dict[str, Any]
    scales: dict[str, ScaleConfig]
    head: dict[str, Any] | None = None
    names: list[str]
    classes: list[str]
    recipe_was_auto: bool
    facts: ImageFacts
    sha256: str


def save(detector: ImageDetector, path: Path, *, overwrite: bool = False) -> Path:
    """Write the folder; raises FileExistsError where something is at `path` and `overwrite` is False."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        said = image_card(detector.whole_, detector.statement())
    return write_folder(path, overwrite, arrays_of(detector.held_), lambda weights: _config(detector, weights), said)


def arrays_of(held: Held) -> dict[str, np.ndarray]:
    """Everything that is large, by group and name."""
    model = held.whole
    groups: dict[str, Mapping[str, np.ndarray]] = {
        "encoding": model.modality.arrays(),
        "left_out": held.left_out,
        "held_out": held.held_out,
        "known": {"scores": held.known},
        "shown": {"pictures": model.shown},
    }
    if model.head is not None:
        groups["head"] = model.head.arrays()
    for name, denoiser in model.panel.items():
        groups[f"denoiser.{name}"] = state(denoiser)
    for name, member in model.members.items():
        if isinstance(member, nn.Module):
            groups[f"score.{name}"] = state(member)
    return {
        f"{group}/{key}": np.array(value, order="C")
        for group, members in groups.items()
        for key, value in members.items()
    }


def restored(config: ImagesConfig, group: Group) -> ImageDetector:
    """The detector of a config and its arrays, by group."""
    chosen = recipe(config.recipe)
    planes = Planes.restore(config.encoding, group("encoding"), chosen.planes)
    panel = {
        name: _revived(spec, planes.shapes_[str(spec.view)], group(f"denoiser.{name}"), chosen, len(config.classes))
        for name, spec in chosen.denoisers.items()
    }
    members = {name: _member(name, planes, group, chosen) for name in chosen.scores}
    facts = {**config.facts.model_dump(mode="json"), "columns": planes.describe()}
    scales = {name: Scale(each.mean, each.std) for name, each in config.scales.items()}
    if not members.keys() <= scales.keys() <= {*members, POOL}:
        raise BadModel(f"its scales are of {', '.join(scales)}, its scores are {', '.join(members)}")
    shown = group("shown")["pictures"]
    if shown.dtype != np.uint8 or shown.ndim not in (3, 4) or shown.shape[3:] not in ((), (3,)):
        raise BadModel(f"the pictures that it shows have shape {shown.shape} and type {shown.dtype}")
    head = None if config.head is None else Taught.restore(config.head, group("head"), planes.shapes_)
    whole = Gallery(chosen, planes, panel, members, scales, config.classes, shown, facts, head)
    unread = [Unread(name, why) for name, why in config.facts.unread]
    held = Held(whole, group("left_out"), config.names, group("held_out"), unread, group("known")["scores"])
    asked = "auto" if config.recipe_was_auto else recipe(facts["asked"]).model_dump(mode="json")
    detector = ImageDetector(planes.image if isinstance(planes.image, Features) else _image(planes), asked)
    detector.set_params(**config.settings)
    check_settings(detector)
    with torch.inference_mode():
        said = whole.said({name: torch.zeros(1, *shape) for name, shape in planes.shapes_.items()})
        if not np.isfinite(whole.totals(said)).all():
            raise BadModel("its scores are not numbers")
    _check(held, {name: tuple(each.shape[1:]) for name, each in said.items()})
    detector._finish(held)
    return detector


def _image(planes: Planes) -> Image:
    fitted = cast(Image, planes.image_)
    return Image(fitted.size, fitted.grey, fitted.frame)


def _config(detector: ImageDetector, weights: bytes) -> JSON:
    held = detector.held_
    content = {
        "recipe": held.whole.recipe.model_dump(mode="json"),
        "modality": "image",
        "encoding": held.whole.modality.config(),
        "scales": {name: {"mean": scale.mean, "std": scale.std} for name, scale in held.whole.scales.items()},
        "head": None if held.whole.head is None else held.whole.head.config(),
        "names": list(held.names),
        "classes": list(held.whole.classes),
        "recipe_was_auto": isinstance(detector.recipe, str) and detector.recipe == "auto" and not detector.changes,
        "facts": held.whole.facts,
    }
    return sealed(detector, weights, content)


def _revived(
    spec: DenoiserSpec, shape: tuple[int, int, int], arrays: dict[str, np.ndarray], chosen: Recipe, classes: int
) -> Denoiser:
    process, (channels, rows, columns) = schedule(chosen), shape
    if isinstance(spec, PositionalSpec):
        mean, packed = (torch.from_numpy(arrays[name]).float() for name in ("mean", "packed"))
        if mean.shape != (rows, columns, channels) or packed.shape != (rows * columns, channels * (channels + 1) // 2):
            raise BadModel(f"Gaussians of {rows} x {columns} places have parts of shape {tuple(packed.shape)}.")
        if "slopes" not in arrays:
            return Positional(mean, packed, process)
        names = ("context.mean", "context.directions", "slopes")
        centre, directions, slopes = (torch.from_numpy(arrays[name]).float() for name in names)
        fits = centre.shape == (channels,) and directions.ndim == 2 and len(directions) == channels
        if not fits or slopes.shape != (rows * columns, directions.shape[1], channels):
            raise BadModel(f"the slopes of {rows} x {columns} places have shape {tuple(slopes.shape)}.")
        return Positional(mean, packed, process, Context(centre, directions), slopes)
    if isinstance(spec, GaussianSpec):
        return revive_gaussian(arrays, process, channels)
    if isinstance(spec, EmpiricalSpec):
        kept = torch.from_numpy(arrays["rows"])
        if kept.ndim != 2 or kept.shape[1] != channels or len(kept) < 2:
            raise BadModel(f"the kept patches have shape {tuple(kept.shape)}, where {channels} features were expected.")
        return Empirical(kept, process, neighbours=min(spec.neighbours or len(kept), len(kept) - 1))
    if isinstance(spec, MixtureSpec):
        count, eye = len(arrays["weights"]), torch.eye(channels, dtype=torch.float64)
        blank = GaussianMixture(
            torch.from_numpy(arrays["weights"]), torch.zeros(count, channels), eye.expand(count, -1, -1), process
        )
        return laid_in(blank, arrays)
    assert isinstance(spec, NetworkSpec)
    with torch.device("meta"):
        made = network(spec, channels, process, 0, classes)
    return laid_in(made, arrays)


def _member(name: str, planes: Planes, group: Group, chosen: Recipe) -> AnomalyScore:
    asked = chosen.scores[name]
    if asked.net is None:
        return question(asked)
    process = schedule(chosen)
    with torch.device("meta"):
        made = own_score(asked, planes.shapes_[str(asked.net.view)][0], process, 0)
    return cast(AnomalyScore, laid_in(cast(Any, made), group(f"score.{name}")))


def _check(held: Held, grids: Mapping[str, tuple[int, ...]]) -> None:
    """What was said of pictures is of all members and the head, of as many pictures each, on their grids."""
    for told, count in ((held.left_out, len(held.names)), (held.held_out, None)):
        if not told and told is held.held_out:
            continue
        sizes = {len(said) for said in told.values() if said.ndim}
        if (
            sorted(told) != sorted(grids)
            or len(sizes) != 1
            or min(sizes) < 2
            or (count is not None and sizes != {count})
        ):
            raise BadModel(f"its calibration is of {', '.join(told) or 'nothing'}, its scores are {', '.join(grids)}")
        for name, said in told.items():
            if said.shape[1:] != grids[name] or said.dtype.kind != "f":
                raise BadModel(f"what {name} said of normals has shape {said.shape}, not maps of {grids[name]}")
    if held.known.ndim != 1 or held.known.dtype.kind != "f":
        raise BadModel(f"the scores of known defects have shape {held.known.shape}")
