"""A model of video is a folder like any other, `saving` says of what kind; here is what is in it."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import nn

from anodiff.alarms import PixelAlarm
from anodiff.card import video_card
from anodiff.data.albums import Unread
from anodiff.detect_video import VideoDetector
from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.exact import GaussianMixture
from anodiff.diffusion.positional import Positional
from anodiff.filming import MODES, Canvas, Told, Wrapped
from anodiff.footage import Footage, Scale
from anodiff.modalities.cubes import Cube
from anodiff.modalities.video import Video
from anodiff.recipes.build import Group, laid_in, question, revive_gaussian, schedule
from anodiff.recipes.filmed import network
from anodiff.recipes.pictured import own_score
from anodiff.recipes.schema import Recipe, recipe
from anodiff.recipes.specs import (
    DenoiserSpec,
    EmpiricalSpec,
    GaussianSpec,
    MixtureSpec,
    PositionalSpec,
    ScoreSpec,
)
from anodiff.saving import sealed, state, write_folder
from anodiff.scores.base import AnomalyScore
from anodiff.settings import check_settings
from anodiff.types import JSON, BadModel

Mode = Literal["offline", "causal"]
NAMES: dict[bool, Mode] = {False: "offline", True: "causal"}


class VideoFacts(BaseModel):
    """What is known of the fit."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    asked: dict[str, Any]
    rows_seen: NonNegativeInt
    rows_fitted: NonNegativeInt
    clips: PositiveInt
    unread: list[tuple[str, str]]
    seconds: NonNegativeFloat
    losses: list[float]
    columns: list[Any]
    contamination: dict[Literal["value", "low", "high"], float]


class ScaleConfig(BaseModel):
    """A median and a spread."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    middle: float
    spread: float = Field(gt=0)


class CanvasConfig(BaseModel):
    """What normal maps told of single cells."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    extent: float
    pixels: dict[str, Any]


class VideoConfig(BaseModel):
    """What config.json of a model of video may say; anything else is refused."""

    model_config = ConfigDict(extra="forbid")

    format: int
    anodiff: str
    weights: Literal["weights.safetensors"]
    weights_sha256: str
    settings: dict[str, Any]
    recipe: dict[str, Any]
    modality: Literal["video"]
    encoding: dict[str, Any]
    scales: dict[Mode, dict[str, ScaleConfig]]
    canvases: dict[Mode, CanvasConfig]
    layout: Literal["one", "list", "dict"]
    names: list[str]
    lengths: list[NonNegativeInt]
    clips: list[NonNegativeInt]
    calibrated: bool
    recipe_was_auto: bool
    facts: VideoFacts
    sha256: str


def save(detector: VideoDetector, path: Path, *, overwrite: bool = False) -> Path:
    """Write the folder; raises FileExistsError where something is at `path` and `overwrite` is False."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        said = video_card(detector.whole_, detector.statement())
    return write_folder(path, overwrite, arrays_of(detector), lambda weights: _config(detector, weights), said)


def arrays_of(detector: VideoDetector) -> dict[str, np.ndarray]:
    """Everything that is large, by group and name."""
    held, model = detector.held_, detector.whole_
    groups: dict[str, Mapping[str, np.ndarray]] = {
        "encoding": model.modality.arrays(),
        "shown": {"frames": model.shown, "cameras": np.array(model.cameras, np.int64)},
        "indices": _joined(held.indices),
    }
    for name, denoiser in model.panel.items():
        groups[f"denoiser.{name}"] = state(denoiser)
    for name, member in model.members.items():
        if isinstance(member, nn.Module):
            groups[f"score.{name}"] = state(member)
    for mode in MODES:
        groups[f"left_out.{NAMES[mode]}"] = _end_to_end(held.left_out[mode])
        groups[f"canvas.{NAMES[mode]}"] = held.canvases[mode].pixels.arrays()
        if detector.counted_ is not held.left_out:
            groups[f"held.{NAMES[mode]}"] = _end_to_end(detector.counted_[mode])
    return {
        f"{group}/{key}": np.array(value, order="C")
        for group, members in groups.items()
        for key, value in members.items()
    }


def restored(config: VideoConfig, group: Group) -> VideoDetector:
    """The detector of a config and its arrays, by group."""
    chosen = recipe(config.recipe)
    modality = Video.restore(config.encoding, group("encoding"), chosen.cubes)
    panel = {
        name: _revived(spec, modality.cubes_[str(spec.view)], group(f"denoiser.{name}"), chosen)
        for name, spec in chosen.denoisers.items()
    }
    members = {name: _member(asked, modality, group(f"score.{name}"), chosen) for name, asked in chosen.scores.items()}
    scales = {
        mode: {
            name: Scale(config.scales[NAMES[mode]][name].middle, config.scales[NAMES[mode]][name].spread)
            for name in members
        }
        for mode in MODES
    }
    shown = group("shown")
    if shown["frames"].dtype != np.uint8 or shown["frames"].shape[:1] != shown["cameras"].shape:
        raise BadModel("the normal frames that it shows are damaged")
    facts = {**config.facts.model_dump(), "columns": modality.describe()}
    facts["unread"] = [list(each) for each in facts["unread"]]
    whole = Footage(chosen, modality, panel, members, scales, shown["frames"], shown["cameras"].tolist(), facts)
    left_out = {mode: _cut(group(f"left_out.{NAMES[mode]}"), list(members)) for mode in MODES}
    canvases = {mode: _canvas(config.canvases[NAMES[mode]], group(f"canvas.{NAMES[mode]}")) for mode in MODES}
    indices = _parted(group("indices"))
    _check(left_out, indices, config)
    held = Wrapped(whole, left_out, canvases, config.clips, indices, config.lengths)
    asked = "auto" if config.recipe_was_auto else recipe(facts["asked"]).model_dump(mode="json")
    detector = VideoDetector(modality, asked, **config.settings)
    check_settings(detector)
    detector.layout_, detector.names_ = config.layout, list(config.names)
    detector.unread_ = [Unread(name, why) for name, why in config.facts.unread]
    kept = (
        {mode: _cut(group(f"held.{NAMES[mode]}"), list(members)) for mode in MODES} if config.calibrated else left_out
    )
    detector._finish(held, kept)
    blank = np.zeros((*modality.canvas, 3) if modality.colour_ else modality.canvas, np.uint8)
    with torch.inference_mode():
        whole.raw(modality.blank(blank))
    return detector


def _config(detector: VideoDetector, weights: bytes) -> JSON:
    held, model = detector.held_, detector.whole_
    content = {
        "recipe": model.recipe.model_dump(mode="json"),
        "modality": "video",
        "encoding": model.modality.config(),
        "scales": {
            NAMES[mode]: {name: {"middle": s.middle, "spread": s.spread} for name, s in model.scales[mode].items()}
            for mode in MODES
        },
        "canvases": {
            NAMES[mode]: {"extent": held.canvases[mode].extent, "pixels": held.canvases[mode].pixels.config()}
            for mode in MODES
        },
        "layout": detector.layout_,
        "names": list(detector.names_),
        "lengths": [int(length) for length in held.lengths],
        "clips": list(held.clips),
        "calibrated": detector.counted_ is not held.left_out,
        "recipe_was_auto": isinstance(detector.recipe, str) and detector.recipe == "auto" and not detector.changes,
        "facts": model.facts,
    }
    return sealed(detector, weights, content)


def _revived(spec: DenoiserSpec, cube: Cube, arrays: dict[str, np.ndarray], chosen: Recipe) -> Denoiser:
    process, width = schedule(chosen), cube.width
    rows, columns = cube.usual.shape[2:]
    if isinstance(spec, PositionalSpec):
        mean, packed = (torch.from_numpy(arrays[name]).float() for name in ("mean", "packed"))
        if mean.shape != (rows, columns, width) or packed.shape != (rows * columns, width * (width + 1) // 2):
            raise BadModel(f"Gaussians of {rows} x {columns} places have parts of shape {tuple(packed.shape)}.")
        return Positional(mean, packed, process)
    if isinstance(spec, GaussianSpec):
        return revive_gaussian(arrays, process, width)
    if isinstance(spec, EmpiricalSpec):
        kept = torch.from_numpy(arrays["rows"])
        if kept.ndim != 2 or kept.shape[1] != width or len(kept) < 2:
            raise BadModel(f"the kept cells have shape {tuple(kept.shape)}, where {width} coordinates were expected.")
        return Empirical(kept, process, neighbours=min(spec.neighbours or len(kept), len(kept) - 1))
    if isinstance(spec, MixtureSpec):
        weights, eye = torch.from_numpy(arrays["weights"]), torch.eye(width, dtype=torch.float64)
        count = len(weights)
        blank = GaussianMixture(weights, torch.zeros(count, width), eye.expand(count, -1, -1), process)
        return laid_in(blank, arrays)
    with torch.device("meta"):
        made = network(spec, width, cube.told, process, 0)
    return laid_in(made, arrays)


def _member(asked: ScoreSpec, video: Video, arrays: dict[str, np.ndarray], chosen: Recipe) -> AnomalyScore:
    if asked.net is None:
        return question(asked)
    with torch.device("meta"):
        made = own_score(asked, video.cubes_[str(asked.net.view)].width, schedule(chosen), 0)
    return cast(AnomalyScore, laid_in(cast(Any, made), arrays))


def _canvas(config: CanvasConfig, arrays: dict[str, np.ndarray]) -> Canvas:
    return Canvas(PixelAlarm.restore(config.pixels, arrays), config.extent)


def _end_to_end(told: list[Told]) -> dict[str, np.ndarray]:
    """What members said of all stretches, as one array each, and the sizes of the stretches."""
    sizes = np.array([len(next(iter(each.values()))) for each in told], np.int64)
    return {"sizes": sizes, **{f"said.{name}": np.concatenate([each[name] for each in told]) for name in told[0]}}


def _cut(arrays: dict[str, np.ndarray], names: list[str]) -> list[Told]:
    ends = np.cumsum(arrays["sizes"])
    whole = {name: arrays[f"said.{name}"] for name in names}
    if any(said.shape != (int(ends[-1]),) or said.dtype.kind != "f" for said in whole.values()):
        raise BadModel("its left-out scores do not fit to their stretches")
    cut = {name: np.split(said, ends[:-1]) for name, said in whole.items()}
    return [{name: cut[name][k] for name in names} for k in range(len(ends))]


def _joined(parts: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {"at": np.concatenate(parts).astype(np.int64), "sizes": np.array([len(part) for part in parts], np.int64)}


def _parted(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    return np.split(arrays["at"], np.cumsum(arrays["sizes"])[:-1])


def _check(left_out: Mapping[bool, list[Told]], indices: list[np.ndarray], config: VideoConfig) -> None:
    """What was said of normal frames is of the clips and frames that the config tells of."""
    sizes = [len(each) for each in indices]
    for told in left_out.values():
        if [len(next(iter(each.values()))) for each in told] != sizes:
            raise BadModel("its left-out scores do not fit to their frames")
    if len(config.clips) != len(sizes) or max(config.clips, default=0) >= len(config.lengths):
        raise BadModel("its stretches are of clips that it does not have")
    if len(config.names) != len(config.lengths) or any(len(at) == 0 or np.any(np.diff(at) <= 0) for at in indices):
        raise BadModel("its clips and frames do not fit together")
