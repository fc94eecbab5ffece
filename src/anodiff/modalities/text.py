r"""Texts as vectors of unit length, and log lines as their templates,

.. math:: x = \big[ e(\text{template of the line}), \; w f \big],

e an encoder ("minilm" or any of Hugging Face's, or "hashed", which needs nothing), f how new the template is, how rare,
how far from the nearest, and how long the line is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from anodiff.data.record_columns import trimmed
from anodiff.data.templates import Match, Templates
from anodiff.modalities.hashed import Hashed
from anodiff.nets.sentences import EXTRA, MINILM, has_minilm, sentences
from anodiff.types import JSON, BadModel, Misfit, Unreadable

HASHED, AUTO = "hashed", "auto"
PROBE = "The quick brown fox jumps over the lazy dog."
"""A text by whose vector an encoder is known again."""
SAME = 1e-3
FEATURES = ("new", "rare", "far", "long")
"""What is told of a log line besides its template, each about 0..1."""


class Text(BaseEstimator):
    """Texts as vectors, each for itself: its vector never depends on the other texts.

    Args:
        encoder: "minilm", the embedded sentence encoder of the extra [text]; "hashed", counts of words and letters;
            "auto" for "minilm" where it is installed, else "hashed"; else the name of a model of the Hugging Face hub,
            or its folder.
        templates: whether texts are log lines: their templates are learnt and encoded, beside how new, rare, far from
            the nearest and long each line is.
        hub: whether a model may be fetched from the hub; else it must lie on this machine.

    >>> text = Text(encoder="hashed").fit(["the lid is on", "the cup is full"])
    >>> text.encode(["the lid is on"]).shape, text.width
    ((1, 512), 512)
    """

    kind = "text"

    def __init__(self, encoder: str = AUTO, templates: bool = False, hub: bool = False) -> None:
        self.encoder = encoder
        self.templates = templates
        self.hub = hub

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn from normal texts, n ≥ 1, what is usual: n-grams, templates.

        Raises:
            Misfit: the encoder is not there.
            Unreadable: there is no text.
        """
        given = _checked(texts)
        if not given:
            raise Unreadable("there is no text to learn from; give at least one.")
        self.notes_: list[str] = []
        self.name_ = self._named()
        self.templates_ = Templates().fit(given) if self.templates else None
        lines = self._lines(given)
        self.lengths_ = _lengths([len(lines[text].words) for text in given] if lines else [0])
        said = [self._said(lines[text]) for text in given] if lines else given
        self.encode_: Any = Hashed().fit(said) if self.name_ == HASHED else sentences(self.name_, self.hub)
        self.probe_ = self.encode_([PROBE])[0]
        return self

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts as `(n, width)` float32: unit vectors, and behind them the features of log lines.

        Every distinct text is encoded once. Of long texts head and tail count.
        """
        fitted, given = self._fitted, _checked(texts)
        distinct = {text: i for i, text in enumerate(dict.fromkeys(given))}
        if not distinct:
            return np.zeros((0, self.width), np.float32)
        lines = fitted._lines(distinct)
        said = [fitted._said(line) for line in lines.values()] if lines else list(distinct)
        once = {text: i for i, text in enumerate(dict.fromkeys(said))}
        vectors = self._encoder(list(once))[[once[text] for text in said]]
        if lines:
            vectors = np.hstack([vectors, np.array(list(map(self._features, lines.values())), np.float32)])
        return np.asarray(vectors[[distinct[text] for text in given]])

    def template_of(self, text: str) -> str | None:
        """The template of a log line, None where fit saw none like it.

        Raises:
            Misfit: no templates were learnt.
        """
        return self._learnt.template_of(text)

    def nearest_template(self, text: str) -> str | None:
        """The template that agrees best with a log line, whether it is one of it or not; None where all are longer
        or shorter.
        """
        place = self._learnt.match(text).place
        return None if place is None else self._learnt.texts[place]

    @property
    def width(self) -> int:
        """Of the vectors."""
        return len(self._fitted.probe_) + (len(FEATURES) if self.templates else 0)

    def config(self) -> JSON:
        """What was learnt, as JSON."""
        fitted = self._fitted
        return {
            "encoder": self.encoder,
            "templates": self.templates,
            "hub": self.hub,
            "name": fitted.name_,
            "lengths": list(fitted.lengths_),
            "learnt": None if fitted.templates_ is None else fitted.templates_.config(),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt and is too large for JSON, by name; the weights of an encoder are not among it."""
        fitted = self._fitted
        counted = fitted.encode_.arrays() if isinstance(fitted.encode_, Hashed) else {}
        return {"probe": fitted.probe_, **counted}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The fitted one of which these are `config` and `arrays`.

        Raises:
            BadModel: they are damaged.
        """
        try:
            text = cls(str(config["encoder"]), bool(config["templates"]), bool(config["hub"]))
            text.name_, text.notes_ = str(config["name"]), []
            text.templates_ = Templates.restore(config["learnt"]) if text.templates else None
            mean, spread = (float(value) for value in config["lengths"])
            text.lengths_ = mean, spread
            text.probe_ = np.asarray(arrays["probe"], np.float32)
            text.encode_ = Hashed.restore(arrays) if text.name_ == HASHED else None
            if text.encode_ is not None and not _alike(text.encode_([PROBE])[0], text.probe_):
                raise ValueError("texts are hashed otherwise than at fit")
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise BadModel(
                f"the text encoding is damaged ({type(error).__name__}: {error}); save the model again."
            ) from None
        return text

    @property
    def _fitted(self) -> Self:
        if not hasattr(self, "probe_"):
            raise Misfit("this Text has not seen data; call fit first.")
        return self

    @property
    def _learnt(self) -> Templates:
        if self._fitted.templates_ is None:
            raise Misfit("no templates were learnt; set templates=True.")
        return self._fitted.templates_

    @property
    def _encoder(self) -> Any:
        """The encoder; one that was left on disk is loaded, and known again by the vector of a probe.

        Raises:
            Misfit: it is not there.
            BadModel: it is another one than at fit.
        """
        fitted = self._fitted
        if fitted.encode_ is None:
            encode = sentences(fitted.name_, self.hub)
            probe = encode([PROBE])[0]
            if not _alike(probe, fitted.probe_):
                raise BadModel(f"text encoder {fitted.name_!r} is another one than at fit; give that, or fit again.")
            fitted.encode_ = encode
        return fitted.encode_

    def _named(self) -> str:
        if not isinstance(self.encoder, str) or not self.encoder:
            raise Misfit(
                f"encoder is {self.encoder!r}; choose 'auto', 'minilm', 'hashed', or a model of Hugging Face by name."
            )
        if self.encoder != AUTO:
            return self.encoder
        if has_minilm():
            return MINILM
        self.notes_.append(f"Texts are hashed, since no sentence encoder is installed; {EXTRA} brings one.")
        return HASHED

    def _lines(self, texts: Iterable[str]) -> dict[str, Match]:
        """Log lines by what they say, each with the template nearest to it; none where texts are no log lines."""
        learnt = self.templates_
        return {} if learnt is None else {text: learnt.match(text) for text in dict.fromkeys(texts)}

    def _said(self, line: Match) -> str:
        """What of a log line is encoded: its template, or all of it where it is new."""
        seen = self.templates_ if line.seen else None
        return " ".join(line.words if seen is None or line.place is None else seen.templates_[line.place])

    def _features(self, line: Match) -> list[float]:
        learnt = self._learnt
        total = sum(learnt.counts_)
        count = learnt.counts_[line.place] if line.seen and line.place is not None else 0
        rare = np.log((1 + total) / (1 + count)) / np.log(1 + total)
        mean, spread = self.lengths_
        length = abs(np.log1p(len(line.words)) - mean) / spread
        return [float(not line.seen), float(rare), 1 - line.agreement, float(min(length, 4.0) / 4)]


def _alike(probe: np.ndarray, saved: np.ndarray) -> bool:
    return probe.shape == saved.shape and bool(np.abs(probe - saved).max() <= SAME)


def _checked(texts: Sequence[str]) -> list[str]:
    """Texts that are short enough and that Unicode can write.

    Raises:
        Unreadable: one is no text.
    """
    if isinstance(texts, str):
        raise Unreadable("texts is one text; give a list of them.")
    odd = next((i for i, text in enumerate(texts) if not isinstance(text, str)), None)
    if odd is not None:
        raise Unreadable(f"text {odd} is a {type(texts[odd]).__name__}; give str.")
    return [trimmed(str(text)) for text in texts]


def _lengths(counts: Sequence[int]) -> tuple[float, float]:
    """Mean and spread of the logarithm of the number of words."""
    logs = np.log1p(counts)
    return float(logs.mean()), float(max(logs.std(), 0.1))
