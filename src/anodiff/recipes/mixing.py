r"""How far the parts of a record fit each other, and how usual each is by itself, as a fitted blend says it,

.. math:: G(x) = \frac{\sum_e w_e\, u_e(x)}{\sum_e w_e}, \qquad e \text{ over "part } p \text{ given the rest"},

in nats of tail probability among normal records. A part that another record lends is normal by itself, whatever it does
to G: that is what "normal photo, wrong step" means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from anodiff.alarms.surprise import Surprise
from anodiff.modalities.multimodal import Multimodal
from anodiff.recipes.blended import Asked, Blended, Heard, Pattern, asked_of, revived
from anodiff.recipes.blended_latents import Latents
from anodiff.recipes.schema import recipe
from anodiff.types import JSON

GIVEN = ("given", "rivals")
"""What is asked of a part beside the rest."""


@dataclass(frozen=True, eq=False)
class Heeded:
    """How the answers on records with the parts of one pattern are told.

    Attributes:
        scales: Of each question; None where it is not heard.
        weights: Of each question `(questions,)`.
    """

    scales: Sequence[Surprise | None]
    weights: np.ndarray

    def surprises(self, said: np.ndarray) -> np.ndarray:
        """Answers `(n, questions)` in nats; NaN where a question is not heard."""
        found = np.full(said.shape, np.nan)
        for k, scale in enumerate(self.scales):
            if scale is not None:
                found[:, k] = scale(said[:, k])
        return found


@dataclass(frozen=True, eq=False)
class Mixing:
    """A fitted blend, asked about its parts.

    Attributes:
        modality: Records to features.
        model: Features to answers.
        asked: The questions.
        fused: How answers become nats, by the parts that are there.
    """

    modality: Multimodal
    model: Blended
    asked: Sequence[Asked]
    fused: Mapping[Pattern, Heeded]

    @property
    def parts(self) -> list[str]:
        """Names of the parts."""
        return self.modality.columns

    def pattern_of(self, present: np.ndarray) -> Pattern:
        """The parts that a record with these `(P,)` is asked about: all, or the most of them that were calibrated."""
        there = tuple(np.flatnonzero(present).tolist())
        fitting = [pattern for pattern in self.fused if set(pattern) <= set(there)]
        return max(fitting, key=len) if there not in self.fused and fitting else there

    def tied(self, pattern: Pattern) -> list[int]:
        """The parts of a pattern that tell of the others, or they of them."""
        if pattern not in self.fused:
            return []
        weights = self.fused[pattern].weights
        return sorted(
            {each.part for each, weight in zip(self.asked, weights, strict=True) if each.read in GIVEN and weight > 0}
        )

    def heard(self, x: Tensor, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is said of features `(n, F)` of records with parts `(n, P)`.

        Returns:
            G `(n,)`, 0 where no part tells of another; and how surprising each part is by itself, in nats `(n, P)`, 0
            where it is missing.
        """
        gaps, alone = np.zeros(len(x)), np.zeros((len(x), len(self.parts)))
        for pattern, places in self._patterns(present):
            if pattern in self.fused:
                nats = self.fused[pattern].surprises(self.model.said(x[places], self.asked, pattern))
                gaps[places], alone[places] = self.gap_of(pattern, nats), self.alone_of(pattern, nats)
        return gaps, alone

    def gap_of(self, pattern: Pattern, nats: np.ndarray) -> np.ndarray:
        """G `(n,)` of answers in nats `(n, questions)`."""
        given = np.array([each.read in GIVEN for each in self.asked])
        weights = self.fused[pattern].weights * given
        if not weights.any():
            return np.zeros(len(nats))
        return np.asarray((np.nan_to_num(nats) * weights).sum(1) / weights.sum())

    def alone_of(self, pattern: Pattern, nats: np.ndarray) -> np.ndarray:
        """Of answers in nats `(n, questions)` those of single parts `(n, P)`."""
        found = np.zeros((len(nats), len(self.parts)))
        weights = self.fused[pattern].weights
        for k, each in enumerate(self.asked):
            if each.read == "part" and weights[k] > 0:
                found[:, each.part] = np.maximum(found[:, each.part], np.nan_to_num(nats[:, k]))
        return found

    def usual(self, left_out: Mapping[Pattern, Heard], present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """G `(n,)` and single parts `(n, P)` of normal records, each as if it had been left out."""
        gaps, alone, size = np.zeros(len(present)), np.zeros((len(present), len(self.parts))), np.zeros(len(present))
        for pattern, heard in sorted(left_out.items(), key=lambda each: len(each[0])):
            if pattern not in self.fused:
                continue
            nats = self.fused[pattern].surprises(heard.said[:, : len(self.asked)])
            gaps[heard.places], alone[heard.places] = self.gap_of(pattern, nats), self.alone_of(pattern, nats)
            size[heard.places] = len(pattern)
        several = size > 1
        return gaps[several], alone[several]

    def codes(self, x: Tensor, present: np.ndarray) -> np.ndarray:
        """Codes of all parts `(n, D)`; 0 where one is missing."""
        return np.asarray(self.model.latents(x, torch.from_numpy(present)).numpy(), dtype=np.float64)

    def cells(self, part: int) -> slice:
        """The features of a part."""
        starts = np.cumsum([0, *self.modality.widths_])
        return slice(int(starts[part]), int(starts[part + 1]))

    def config(self) -> JSON:
        """What is small, as JSON."""
        return {
            "encoding": self.modality.config(),
            "recipe": self.model.recipe.model_dump(mode="json"),
            "fused": [
                {
                    "pattern": list(pattern),
                    "scales": [None if scale is None else scale.config() for scale in fused.scales],
                }
                for pattern, fused in self.fused.items()
            ],
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What may be large."""
        found = {f"encoding/{k}": v for k, v in self.modality.arrays().items()}
        found |= {f"latents/{k}": v for k, v in self.model.latents.arrays().items()}
        found |= {f"model/{name}": value.numpy() for name, value in self._tensors().items()}
        for name, model in self.model.panel.items():
            found |= {f"panel.{name}/{k}": v.detach().numpy() for k, v in model.state_dict().items()}
        for i, fused in enumerate(self.fused.values()):
            found[f"fused.{i}/weights"] = fused.weights
            for k, scale in enumerate(fused.scales):
                if scale is not None:
                    found |= {f"fused.{i}.{k}/{key}": value for key, value in scale.arrays().items()}
        return found

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config` and `arrays`."""

        def group(name: str) -> dict[str, np.ndarray]:
            return {k.partition("/")[2]: np.array(v) for k, v in arrays.items() if k.partition("/")[0] == name}

        modality = Multimodal.restore(config["encoding"], group("encoding"))
        chosen = recipe(config["recipe"])
        latents = Latents.restore(group("latents"), modality.widths_)
        panel = {name: revived(chosen, name, group(f"panel.{name}"), latents.widths) for name in chosen.denoisers}
        fused = {
            tuple(each["pattern"]): Heeded(
                [_scale(told, group(f"fused.{i}.{k}")) for k, told in enumerate(each["scales"])],
                group(f"fused.{i}")["weights"].astype(np.float64),
            )
            for i, each in enumerate(config["fused"])
        }
        own: dict[str, Any] = {name: torch.from_numpy(value) for name, value in group("model").items()}
        return cls(modality, Blended(chosen, latents, panel, **own), asked_of(chosen, len(modality.columns)), fused)

    def _tensors(self) -> dict[str, Tensor]:
        """What a model holds besides its parts."""
        held = {field.name: getattr(self.model, field.name) for field in fields(self.model)}
        return {name: value for name, value in held.items() if isinstance(value, Tensor)}

    def _patterns(self, present: np.ndarray) -> list[tuple[Pattern, np.ndarray]]:
        found: dict[Pattern, list[int]] = {}
        for i, row in enumerate(present):
            found.setdefault(self.pattern_of(row), []).append(i)
        return [(pattern, np.array(places)) for pattern, places in found.items()]


def _scale(told: Any, arrays: Mapping[str, np.ndarray]) -> Surprise | None:
    return None if told is None else Surprise.restore(told, arrays)
