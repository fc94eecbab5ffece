"""A model is a folder: weights.safetensors, config.json, card.md. Never pickle, never half-written.

What is read is guarded at the border: names of files are fixed, checksums must match, tensors are never larger than
their file, and a network is built without memory before its weights are laid into it.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors
from torch import nn

from anodiff.alarms import Surprise
from anodiff.calibration import Calibration
from anodiff.card import card
from anodiff.detect import Detector
from anodiff.detect_tables import TableDetector
from anodiff.modalities import MODALITIES
from anodiff.model import Model
from anodiff.recipes.build import Group, revive, revive_gaussian, schedule
from anodiff.recipes.schema import recipe
from anodiff.scores.combine import Hybrid
from anodiff.settings import Settings, check_settings
from anodiff.types import JSON, BadModel, Refusal
from anodiff.version import __version__

FORMAT = 3
WEIGHTS, CONFIG, CARD = "weights.safetensors", "config.json", "card.md"
LARGEST_CONFIG = 256 * 2**20
Saved: TypeAlias = tuple[type[BaseModel], Callable[[Any, Group], Any]]


class Facts(BaseModel):
    """What is known of the fit; columns are described anew by the encoding that is read.

    `asked` is the recipe before it was cut or weighed: a detector that is loaded and fitted again starts from it.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    asked: dict[str, Any]
    rows_seen: NonNegativeInt
    rows_fitted: NonNegativeInt
    seconds: NonNegativeFloat
    losses: list[float]
    columns: list[Any]
    sketches: dict[str, dict[str, Any]]
    contamination: dict[Literal["value", "low", "high"], Annotated[float, Field(ge=0, le=1)]]
    examples: NonNegativeInt
    dropped: list[str] = []


class Config(BaseModel):
    """What config.json may say; anything else is refused."""

    model_config = ConfigDict(extra="forbid")

    format: int
    anodiff: str
    weights: Literal["weights.safetensors"]
    weights_sha256: str
    settings: dict[str, Any]
    recipe: dict[str, Any]
    modality: Literal["tabular"]
    encoding: dict[str, Any]
    scales: dict[str, dict[str, Any]]
    facts: Facts
    sha256: str


def save(detector: TableDetector, path: Path, *, overwrite: bool = False) -> Path:
    """Write the folder beside its final place, then move it there in one step.

    Raises:
        FileExistsError: something is at `path`, and `overwrite` is False or it is no model.
    """
    said = card(detector.model_, detector.statement())
    return write_folder(path, overwrite, _tensors(detector), lambda weights: _config(detector, weights), said)


def write_folder(
    path: Path,
    overwrite: bool,
    arrays: dict[str, np.ndarray],
    config: Callable[[bytes], JSON],
    said: str,
) -> Path:
    """Write arrays, the config that their bytes make, and a card.

    Raises:
        FileExistsError: something is at `path`, and `overwrite` is False or it is no model.
    """
    if path.exists() and not (overwrite and (path / CONFIG).is_file()):
        hint = "it is no anodiff model, so it is left alone" if overwrite else "give overwrite=True, or another path"
        raise FileExistsError(f"{path} exists; {hint}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        fresh = Path(folder) / "model"
        fresh.mkdir()
        weights = save_tensors(arrays)
        (fresh / WEIGHTS).write_bytes(weights)
        (fresh / CONFIG).write_text(json.dumps(config(weights), indent=1), encoding="utf-8")
        (fresh / CARD).write_text(said, encoding="utf-8")
        _exchange(fresh, path, Path(folder) / "old")
    return path


def load(path: str | Path) -> Any:
    """The `Detector` or `Generator` that was saved in the folder `path`; its scores, or what it makes, are the same.

    Raises:
        BadModel: the folder is no model, is damaged or tampered with, or is of another version.
    """
    folder = Path(path)
    config = _read_config(folder)
    arrays = _read_weights(folder, config.weights_sha256)

    def group(name: str) -> dict[str, np.ndarray]:
        return {key.partition("/")[2]: value for key, value in arrays.items() if key.partition("/")[0] == name}

    try:
        found: Any = KINDS[config.modality]()[1](config, group)
    except (Refusal, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()
        raise BadModel(f"the model in {folder} does not fit together ({said[0]}); fit and save it anew.") from error
    return Detector(**found.get_params(deep=False)).hold(config.modality, found) if is_detector(found) else found


def load_detector(path: str | Path) -> Detector:
    """The same of a detector.

    Raises:
        BadModel: there is none, or it is a generator.
    """
    found = load(path)
    if isinstance(found, Detector):
        return found
    raise BadModel(f"{path} is a generator, which judges nothing; give it to `anodiff generate`, or a detector here.")


def is_detector(found: Any) -> bool:
    """Whether what was restored is one kind of detector, which a `Detector` is to hold."""
    return isinstance(found, Settings)


def _exchange(fresh: Path, path: Path, old: Path) -> None:
    """Move `fresh` to `path`; whatever interrupts it, one whole model stands there: the old or the new."""
    moved = path.exists()
    try:
        if moved:
            os.replace(path, old)
        os.replace(fresh, path)
    except BaseException:
        if moved and not path.exists() and old.exists():
            os.replace(old, path)
        raise


def _tensors(detector: TableDetector) -> dict[str, np.ndarray]:
    model = detector.whole_
    groups: dict[str, Mapping[str, np.ndarray]] = {
        "filler": state(model.filler),
        "encoding": model.modality.arrays(),
        "left_out": detector.calibration_.left_out,
        "held_out": detector.calibration_.held_out,
        "known": detector.calibration_.known,
    }
    for name, denoiser in model.panel.denoisers.items():
        groups[f"denoiser.{name}"] = state(denoiser)
    for name, score in model.score.members.items():
        if isinstance(score, nn.Module):
            groups[f"score.{name}"] = state(score)
        groups[f"scale.{name}"] = model.score.scales_[name].arrays()  # type: ignore[attr-defined]
    return {
        f"{group}/{key}": np.array(value, order="C")
        for group, members in groups.items()
        for key, value in members.items()
    }


def _config(detector: TableDetector, weights: bytes) -> JSON:
    model = detector.whole_
    content = {
        "recipe": model.recipe.model_dump(mode="json"),
        "modality": next(name for name, kind in MODALITIES.items() if type(model.modality) is kind),
        "encoding": model.modality.config(),
        "scales": {name: scale.config() for name, scale in model.score.scales_.items()},  # type: ignore[attr-defined]
        "facts": model.facts,
    }
    return sealed(detector, weights, content)


def sealed(detector: Settings, weights: bytes, content: JSON) -> JSON:
    """A config: what every kind of model says of itself, its own content, and the checksums."""
    settings = {
        "contamination": _plain(detector.contamination),
        "false_alarm_rate": _plain(detector.false_alarm_rate),
        "alarm": detector.alarm,
        "budget": None if detector.budget is None else int(detector.budget),
        "max_seconds": None if detector.max_seconds is None else float(detector.max_seconds),
        "max_rows": int(detector.max_rows),
        "seed": int(detector.seed),
    }
    return stamped(settings, weights, content)


def stamped(settings: JSON, weights: bytes, content: JSON) -> JSON:
    """The same of these settings."""
    said = {
        "format": FORMAT,
        "anodiff": __version__,
        "weights": WEIGHTS,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "settings": settings,
        **content,
    }
    said = json.loads(json.dumps(said))
    return {**said, "sha256": digest(said)}


def _read_config(folder: Path) -> Any:
    path = folder / CONFIG
    if not folder.is_dir() or not path.is_file():
        raise BadModel(f"{folder} is no anodiff model: it holds no {CONFIG}; give a folder that save() wrote.")
    _check_inside(folder, path)
    if path.stat().st_size > LARGEST_CONFIG:
        raise BadModel(f"{path} has {path.stat().st_size} bytes, more than any model of ours; it is not read.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadModel(f"{path} is not readable as JSON ({error}); fit and save the model anew.") from None
    if not isinstance(content, dict):
        raise BadModel(f"{path} is no mapping; fit and save the model anew.")
    version = content.get("format")
    if isinstance(version, int) and version < FORMAT:
        raise BadModel(
            f"{folder} was written by anodiff {content.get('anodiff')} (format {version}), older than this anodiff "
            f"{__version__} (format {FORMAT}); fit and save the model anew."
        )
    if isinstance(version, int) and version > FORMAT:
        raise BadModel(
            f"{folder} was written by anodiff {content.get('anodiff')} (format {version}), newer than this anodiff "
            f"{__version__} (format {FORMAT}); upgrade anodiff to read it."
        )
    kind = str(content.get("modality"))
    if kind not in KINDS:
        raise BadModel(f"{path}: modality: one of {', '.join(KINDS)}, got {kind[:60]}; fit and save the model anew.")
    try:
        config: Any = KINDS[kind]()[0].model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place, given = ".".join(map(str, first["loc"])), str(first.get("input"))[:60]
        raise BadModel(f"{path}: {place}: {first['msg']}, got {given}; fit and save the model anew.") from None
    if config.sha256 != digest({k: v for k, v in content.items() if k != "sha256"}):
        raise BadModel(f"{path} was changed after it was saved: its checksum differs; fit and save the model anew.")
    return config


def _read_weights(folder: Path, sha256: str) -> dict[str, np.ndarray]:
    path = folder / WEIGHTS
    if not path.is_file():
        raise BadModel(f"{folder} holds no {WEIGHTS}; fit and save the model anew.")
    _check_inside(folder, path)
    data = path.read_bytes()
    try:
        tensors = load_tensors(data)
    except (SafetensorError, ValueError, MemoryError, KeyError) as error:
        raise BadModel(f"{path} is truncated or no safetensors file ({error}); fit and save the model anew.") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BadModel(f"{path} was changed after it was saved: its checksum differs; fit and save the model anew.")
    wild = [name for name, array in tensors.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    if wild:
        raise BadModel(f"{path} holds NaN or infinity in {wild[0]}; fit and save the model anew.")
    return tensors


def _check_inside(folder: Path, path: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadModel(f"{path} leads outside its folder, to {path.resolve()}; it is not read.")


def restored(config: Config, group: Group) -> TableDetector:
    """The detector of a config and its arrays, by group."""
    chosen = recipe(config.recipe)
    modality = MODALITIES[config.modality].restore(config.encoding, group("encoding"))
    width = len(getattr(modality, "owners", group("filler")["mean"]))
    filler = revive_gaussian(group("filler"), schedule(chosen), width)
    panel, members = revive(chosen, group, width)
    score = Hybrid(members, {name: asked.weight for name, asked in chosen.scores.items()})
    score.scales_ = {name: Surprise.restore(config.scales[name], group(f"scale.{name}")) for name in members}
    facts = {**config.facts.model_dump(exclude_unset=True), "columns": modality.describe()}
    detector = TableDetector(modality, recipe(facts["asked"]).model_dump(mode="json"), **config.settings)
    check_settings(detector)
    calibration = Calibration(group("left_out"), group("held_out"), group("known"), facts["contamination"]["value"])
    _check_calibration(calibration, list(members))
    model = Model(chosen, modality, filler, panel, score, facts)
    nothing = torch.zeros(1, width, dtype=torch.float64)
    with torch.inference_mode():
        model.totals(model.fill(nothing, nothing > 0))
    detector._finish(model, calibration)
    return detector


def _of_tables() -> Saved:
    return Config, restored


def _of_series() -> Saved:
    from anodiff.saving_series import SeriesConfig, restored

    return SeriesConfig, restored


def _of_images() -> Saved:
    from anodiff.saving_images import ImagesConfig, restored

    return ImagesConfig, restored


def _of_video() -> Saved:
    from anodiff.saving_video import VideoConfig, restored

    return VideoConfig, restored


def _of_poses() -> Saved:
    from anodiff.saving_poses import PosesConfig, restored

    return PosesConfig, restored


def _of_several() -> Saved:
    from anodiff.saving_multimodal import MultimodalConfig, restored

    return MultimodalConfig, restored


def _of_generators() -> Saved:
    from anodiff.saving_generators import GeneratorConfig, restored

    return GeneratorConfig, restored


KINDS: dict[str, Callable[[], Saved]] = {
    "tabular": _of_tables,
    "series": _of_series,
    "image": _of_images,
    "video": _of_video,
    "poses": _of_poses,
    "multimodal": _of_several,
    "tabular-generator": _of_generators,
    "series-generator": _of_generators,
    "image-generator": _of_generators,
    "video-generator": _of_generators,
    "multimodal-generator": _of_generators,
}
"""What config.json may say of each kind of model, and how it is restored."""


def _check_calibration(calibration: Calibration, members: list[str]) -> None:
    """Each group of totals has one array per score, all of one length; held-out and known ones may be absent."""
    for group in (calibration.left_out, calibration.held_out, calibration.known):
        names, lengths = sorted(group), {array.shape for array in group.values()}
        flat = len(lengths) == 1 and all(len(shape) == 1 for shape in lengths)
        if (group or group is calibration.left_out) and (names != sorted(members) or not flat):
            raise BadModel(
                f"its calibration is of {', '.join(names) or 'nothing'}, its scores are {', '.join(members)}"
            )


def _plain(value: Any) -> float | str:
    return value if isinstance(value, str) else float(value)


def state(module: nn.Module) -> dict[str, np.ndarray]:
    """A module's state as arrays."""
    return {key: value.detach().cpu().numpy() for key, value in module.state_dict().items()}


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def digest(content: JSON) -> str:
    """The checksum of a config."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
