"""Hugging Face vision models as backbones: their hidden states as maps `(B, C, h, w)`.

Tokens of a transformer become a grid again; those in front of it (class, registers) are dropped. Convolutional models
give the maps that they have. Hidden state 0 is what enters the first block, k what leaves block or stage k.
"""

import importlib
import inspect
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from anodiff.types import Misfit

EXTRA = "a backbone of the Hugging Face hub needs transformers; pip install anodiff[hub]."
PREFIX = "hf:"
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Hub(nn.Module):
    """Hidden maps of a Hugging Face vision model, `(B, channels, H, W) -> [(B, C, h, w), ...]`.

    Args:
        model: A model whose input is `pixel_values`, or one of images and words, of which the part for images is taken.
        layers: Hidden states, negative from the last; None for those at half and at three quarters of the depth.

    Raises:
        Misfit: the model does not read images, or has no such layer.
    """

    def __init__(self, model: nn.Module, layers: Sequence[int] | None = None) -> None:
        super().__init__()
        self.model = getattr(model, "vision_model", model)
        if not reads_images(self.model):
            raise Misfit(f"{type(model).__name__} does not read images; give a vision model.")
        self.config: Any = self.model.config
        depth = depth_of(self.config)
        self.layers = (-(-depth // 2), -(-3 * depth // 4)) if layers is None else tuple(layers)
        if not self.layers or not all(isinstance(i, int) and -depth - 1 <= i <= depth for i in self.layers):
            raise Misfit(f"{type(model).__name__} has layers 0 to {depth}; given: {list(self.layers)}.")
        self.norm = getattr(self.model, "layernorm", None) or getattr(self.model, "norm", None)
        resizes = "interpolate_pos_encoding" in inspect.signature(self.model.forward).parameters
        self.asked = {"output_hidden_states": True} | ({"interpolate_pos_encoding": True} if resizes else {})

    def forward(self, x: Tensor) -> list[Tensor]:
        patch = self.config.patch_size if hasattr(self.config, "patch_size") else 1
        steps = (patch, patch) if isinstance(patch, int) else tuple(patch)
        grid = [max(1, round(side / step)) for side, step in zip(x.shape[2:], steps, strict=True)]
        sides = [count * step for count, step in zip(grid, steps, strict=True)]
        if sides != list(x.shape[2:]):
            x = interpolate(x, sides, mode="bilinear", antialias=True)
        found = self.model(x, **self.asked)
        hidden = getattr(found, "reshaped_hidden_states", None) or found.hidden_states
        return [self._map(hidden[layer], grid) for layer in self.layers]

    def _map(self, hidden: Tensor, grid: Sequence[int]) -> Tensor:
        """Tokens `(B, N, C)` as `(B, C, h, w)`, through the model's last norm, which makes their lengths comparable."""
        if hidden.ndim == 4:
            return hidden
        before = hidden.shape[1] - grid[0] * grid[1]
        if before < 0:
            name = type(self.model).__name__
            raise Misfit(f"{name} gives {hidden.shape[1]} tokens, which are no grid of {grid[0]} x {grid[1]}.")
        tokens = hidden if self.norm is None else self.norm(hidden)
        return torch.as_tensor(tokens[:, before:].transpose(1, 2).unflatten(2, tuple(grid)))


def hub(name: str) -> tuple[nn.Module, tuple[float, ...], tuple[float, ...]]:
    """A model of the hub by name or folder, with the mean and standard deviation of its pixels, 0..1.

    What the hub's cache or the folder holds is taken first; only safetensors are read, never code or pickle.

    Raises:
        Misfit: transformers is not installed, or there is no such model.
    """
    transformers = library()
    with quiet(transformers):
        model = _first(name, partial(transformers.AutoModel.from_pretrained, name, use_safetensors=True)).float()
        path = _preprocessor(transformers, name)
    told = {} if path is None else json.loads(Path(path).read_text())
    channels = getattr(model.config, "num_channels", 3)
    mean, std = IMAGENET if channels == 3 else ((0.5,) * channels, (0.5,) * channels)
    if told.get("do_normalize") is False:
        mean, std, told = (0.0,) * channels, (1.0,) * channels, {}
    return model, tuple(told.get("image_mean") or mean), tuple(told.get("image_std") or std)


def library() -> Any:
    """The package transformers.

    Raises:
        Misfit: it is not installed.
    """
    try:
        return importlib.import_module("transformers")
    except ImportError:
        raise Misfit(EXTRA) from None


def reads_images(model: nn.Module) -> bool:
    """Whether this is a Hugging Face model whose input is an image."""
    return hasattr(model, "config") and getattr(model, "main_input_name", "") == "pixel_values"


def depth_of(config: Any) -> int:
    """Blocks of a transformer, stages of a convolutional network."""
    stages = getattr(config, "depths", None)
    return len(stages) if stages else int(config.num_hidden_layers)


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """No bars and no chatter while a model loads; both are as before afterwards."""
    logging = transformers.utils.logging
    level, barred = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if barred:
            logging.enable_progress_bar()


def _first(name: str, load: Any) -> Any:
    """What lies on this machine, else what the hub has."""
    try:
        return load(local_files_only=True)
    except (OSError, ValueError) as missing:
        refusal = missing
    try:
        if not Path(name).is_dir():
            return load()
    except (OSError, ValueError) as error:
        refusal = error
    detail = next(iter(str(refusal).strip().splitlines()), type(refusal).__name__)[:160].rstrip(".")
    raise Misfit(f"backbone {name!r} cannot be loaded ({detail}); check the name, or give the path of its folder.")


def _preprocessor(transformers: Any, name: str) -> str | None:
    """Where the file lies that tells how pixels are prepared, if there is one."""
    try:
        found = transformers.utils.cached_file(
            name, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False
        )
    except OSError:
        return None
    return None if found is None else str(found)
