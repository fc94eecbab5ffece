"""The generator of series: normal logs in, logs with an anomaly each out, and which cells it is in.

What it is made of: a Gaussian of windows that fills stretches (`recipes.spanned`), sketches of kinds
(`anomalies.series_kinds`), a quick judge that says how far to go (`recipes.beheld`).
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

from anodiff.anomalies.series_kinds import KINDS
from anodiff.anomalies.spans import EXAMPLES, PLACES
from anodiff.anomalies.strength import FARTHEST, farthest_of
from anodiff.data.items import items_of
from anodiff.data.log import Log
from anodiff.detect_series import fresh
from anodiff.made import Made, Order
from anodiff.modalities.channels import matrix
from anodiff.recipes.grow import Progress
from anodiff.recipes.schema import bibtex
from anodiff.settings import GeneratorSettings
from anodiff.training import one_thread
from anodiff.types import JSON, Misfit, Unreadable
from anodiff.workshop.spans.exemplars import Example, learnt
from anodiff.workshop.spans.keepsakes import Keepsakes
from anodiff.workshop.spans.scenes import Source
from anodiff.workshop.spans.spanned import Spanned
from anodiff.workshop.spans.spanning import Workshop

STAGES = ("reading", "learning", "examples")
CITED = ("lugmayr2022repaint", "tashiro2021csdi")


class SeriesGenerator(GeneratorSettings):
    """Makes anomalies in series. What `Generator` says of its settings holds here.

    Items are arrays or frames like those that were given, one entity each. Of a series of more than 1,000 instants it
    is a piece about the region; `facts["offsets"]` says where each begins.

    Attributes:
        model_: Of what is normal.
        examples_: Known anomalies.
        farthest_: The judge's score at strength 1.
    """

    def fitting(self, X: Any, *, examples: Any = None, regions: Any = None, kinds: Any = None) -> Iterator[Progress]:
        """Fit, yielding progress; the generator is fitted when the last record has been taken.

        Raises:
            Unreadable: X is no series, or the examples are all among the normals.
            Misfit: a setting is out of range, or examples, regions and kinds do not go together.
        """
        began = time.perf_counter()
        if self.settings:
            raise Misfit(f"settings are {self.settings!r}; a generator of series has none, leave them out.")
        if self.reach == "examples" and examples is None:
            raise Misfit("reach is 'examples' and there are none; give examples=, or a p-value such as 0.0001.")
        yield Progress(0, len(STAGES), STAGES[0])
        modality = fresh(self.modality)
        log = modality.fit_log(modality.read(X))
        strips = [modality.strip(track) for track in log.tracks]
        yield Progress(1, len(STAGES), STAGES[1])
        values = [matrix(track.table, modality.channels_.numeric) for track in log.tracks]
        with one_thread():
            model = Spanned.fit(modality, strips, values, self._rarely(), int(self.seed))
        yield Progress(2, len(STAGES), STAGES[2])
        found: list[Example] = []
        if examples is not None:
            given = examples if isinstance(examples, list | tuple | Mapping) else [examples]
            marked = regions if regions is None or isinstance(regions, list | tuple) else _listed(regions, given)
            found = learnt(model, sources_of(given, modality.read(given), model), marked, kinds, strips)
        self.model_, self.examples_ = model, found
        self.kept_ = Keepsakes.of(items_of(X, log)[0], strips, model, int(self.seed))
        self.normal_scores_ = model.judge.scores(*model.held_scenes())
        self.farthest_ = 1.0
        if found and self.reach in ("auto", "examples"):
            self.farthest_ = farthest_of(self.normal_scores_, known=np.array([each.score for each in found]))
        self.seconds_ = time.perf_counter() - began
        yield Progress(len(STAGES), len(STAGES), STAGES[2])

    def sample(self, order: Order) -> Made:
        """What was ordered.

        Raises:
            Misfit: a kind, a place or a region that cannot be made; the sentence names the choices.
            Unreadable: `on` is no series with the channels of fit.
        """
        return Workshop(
            self.model_, self.examples_, self.kept_, self.farthest_, self.normal_scores_, self.p_value, self.detector
        ).made(order, None if order.on is None else self._sources(order.on))

    @property
    def kinds_(self) -> list[str]:
        """Kinds of anomalies by name."""
        return [name for name in KINDS if name != "break" or self.model_.related.any()] + self.known_

    @property
    def known_(self) -> list[str]:
        """Those of them that are kinds of examples."""
        return list(dict.fromkeys(each.kind for each in self.examples_))

    @property
    def places_(self) -> list[str]:
        """Kinds of places by name."""
        several = len(self.model_.modality.columns) > 1
        names = [name for name in PLACES if several or name != "channels"]
        return names + [EXAMPLES] * bool(self.examples_)

    def references(self) -> str:
        """The works behind the generator, as BibTeX."""
        return bibtex(CITED)

    def config(self) -> JSON:
        """What is small, as JSON."""
        return {
            "settings": {
                "reach": self.reach,
                "p_value": self.p_value,
                "seed": int(self.seed),
                "max_seconds": self.max_seconds,
            },
            "model": self.model_.config(),
            "kept": self.kept_.config(),
            "examples": [each.kind for each in self.examples_],
            "scores": [each.score for each in self.examples_],
            "farthest": self.farthest_,
            "seconds": self.seconds_,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What may be large."""
        found = {f"model.{k}": v for k, v in self.model_.arrays().items()}
        found |= {f"kept.{k}": v for k, v in self.kept_.arrays().items()}
        for i, each in enumerate(self.examples_):
            found |= {f"example.{i}.{name}": getattr(each, name) for name in ("region", "part", "look")}
        return found | {"normal_scores": self.normal_scores_}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The fitted generator of which these are `config` and `arrays`."""

        def group(name: str) -> dict[str, np.ndarray]:
            return {k.removeprefix(name + "."): np.array(v) for k, v in arrays.items() if k.startswith(name + ".")}

        made = cls(**config["settings"])
        made.model_ = Spanned.restore(config["model"], group("model"))
        made.kept_ = Keepsakes.restore(config["kept"], group("kept"), made.model_)
        pairs = zip(config["examples"], config["scores"], strict=True)
        made.examples_ = [
            Example(kind, score=float(score), **group(f"example.{i}")) for i, (kind, score) in enumerate(pairs)
        ]
        made.normal_scores_ = np.array(arrays["normal_scores"])
        made.farthest_, made.seconds_ = float(config["farthest"]), float(config["seconds"])
        return made

    def _rarely(self) -> float:
        return FARTHEST if isinstance(self.reach, str) else float(self.reach)

    def _sources(self, on: Any) -> list[Source]:
        return sources_of(on, self.model_.modality.read(on), self.model_)


def sources_of(X: Any, log: Log, model: Spanned) -> list[Source]:
    """The series of a log, to make something on.

    Raises:
        Unreadable: one is empty.
    """
    if empty := [i for i, laid in enumerate(log.instants) if not len(laid)]:
        raise Unreadable(f"series {empty[0]} has no instants; give some, or leave it out.")
    each = zip(*items_of(X, log), log.tracks, strict=True)
    return [Source(item, model.modality.strip(track), i, 0, given) for i, (item, given, track) in enumerate(each)]


def _listed(regions: Any, given: Any) -> list[Any]:
    """Regions of several examples as a list; those of the only example may come as they are."""
    if isinstance(regions, Mapping):
        return list(regions.values())
    return list(regions) if len(given) > 1 else [regions]
