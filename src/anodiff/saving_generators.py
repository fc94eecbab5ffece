"""A generator is a folder like a model, `saving` says of what kind; what is in it, its own kind of data knows."""

from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from pydantic import BaseModel, ConfigDict

from anodiff.generate import GENERATORS, Generator, check_settings
from anodiff.prepare import Kind
from anodiff.recipes.build import Group
from anodiff.saving import stamped, write_folder
from anodiff.types import JSON

TAIL = "-generator"
SETTINGS = ("reach", "p_value", "space", "settings", "max_seconds", "seed")
"""What is kept of the settings; who judges is the generator's own judge from then on."""


class GeneratorConfig(BaseModel):
    """What config.json of a generator may say; anything else is refused. `content` is checked when it is restored."""

    model_config = ConfigDict(extra="forbid")

    format: int
    anodiff: str
    weights: Literal["weights.safetensors"]
    weights_sha256: str
    settings: dict[str, Any]
    modality: Literal[
        "tabular-generator", "series-generator", "image-generator", "video-generator", "multimodal-generator"
    ]
    content: dict[str, Any]
    sha256: str


def save(generator: Generator, path: Path, *, overwrite: bool = False) -> Path:
    """Write the folder beside its final place, then move it there in one step.

    Raises:
        FileExistsError: something is at `path`, and `overwrite` is False or it is no model.
    """
    arrays = {f"generator/{name}": np.array(value, order="C") for name, value in generator.inner_.arrays().items()}

    def config(weights: bytes) -> JSON:
        settings = {name: getattr(generator, name) for name in SETTINGS}
        content = {"modality": generator.kind_ + TAIL, "content": generator.inner_.config()}
        return stamped(settings, weights, content)

    return write_folder(path, overwrite, arrays, config, card(generator))


def restored(config: GeneratorConfig, group: Group) -> Generator:
    """The generator of a config and its arrays."""
    kind = cast(Kind, config.modality.removesuffix(TAIL))
    asked = {name: config.settings[name] for name in SETTINGS}
    made = Generator(kind, **asked)
    check_settings(made)
    inner: Any = GENERATORS[kind]().restore(config.content, group("generator"))
    for name, value in {**asked, "modality": kind, "detector": None}.items():
        setattr(inner, name, value)
    return made.hold(kind, inner)


def card(generator: Generator) -> str:
    """What the folder is, for who finds it."""
    known = ", ".join(generator.known_) or "none"
    return "\n".join(
        [
            f"# A generator of anomalies ({generator.kind_})",
            "",
            "Made by anodiff. It puts anomalies into normal data, says where they are, and whether they are plausible.",
            "",
            "```python",
            "import anodiff",
            "",
            'generator = anodiff.load("this folder")',
            "made = generator.sample(16, on=normal_items, strength=0.7)",
            "```",
            "",
            f"Kinds: {', '.join(generator.kinds_)}. Kinds learnt from known anomalies: {known}.",
            f"Places: {', '.join(generator.places_)}.",
            "",
            "What it makes is not real: say so wherever it is shown, and measure on real anomalies whether it helps.",
            "",
        ]
    )
