"""What was made: anomalies with their regions and what is said of each; and the order that they were made to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals as nw
import numpy as np

from anodiff.types import JSON, Misfit

NORMAL = "normal"
"""The kind of what is not abnormal."""


@dataclass(frozen=True)
class Judgement:
    """What is said of one made item. It is accepted when nothing is said against it.

    Attributes:
        plausible: How often normal items are as odd outside of what was ordered: a p-value.
        abnormal: How often normal items are as odd as its region: a p-value.
        inside: How far the region and the visible change agree: intersection over union.
        novel: Its distance to the nearest training example or other made item, in those of real items to each other.
        against: What speaks against it, in words; nothing where it is accepted.
    """

    plausible: float = 1.0
    abnormal: float = 0.0
    inside: float = 1.0
    novel: float = 1.0
    against: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.against

    def to_dict(self) -> JSON:
        """The same as JSON."""
        return {
            "accepted": self.accepted,
            "plausible": self.plausible,
            "abnormal": self.abnormal,
            "inside": self.inside,
            "novel": self.novel,
            "against": list(self.against),
        }


@dataclass(frozen=True, eq=False)
class Order:
    """What is to be made, checked. Kinds and places are words that the generator knows.

    Attributes:
        n: How many.
        on: Normal items to make them on, as given; None for the generator's own choice.
        where: A place by its name, or regions as given, laid out like the items.
        kind: By name; "auto" for one of several.
        strength: `(n,)`, above 0 up to 1.
        size: Least and most share of an item that a region covers; None for the place's own.
        like: An example that the anomaly is to resemble, by its number; None for any.
        judged: Whether items are judged.
        seed: Of every draw.
    """

    n: int
    on: Any = None
    where: Any = "auto"
    kind: str = "auto"
    strength: np.ndarray = field(default_factory=lambda: np.zeros(0))
    size: tuple[float, float] | None = None
    like: int | None = None
    judged: bool = True
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Made:
    """Made items, in the caller's own layout. Nothing is left out: what was rejected is among them, and says why.

    Attributes:
        data: The items: a table like the one of fit, a list of series `(T, channels)`, pictures `(n, H, W[, 3])`, a
            list of clips `(T, H, W[, 3])`, a list of records, dicts by part.
        region: What was changed, True where abnormal: `(n, columns)`, a list of `(T, channels)`, `(n, H, W)`, a list of
            `(T, H, W)`, `(n, parts)`.
        normal: The items as they were before, laid out like `data`; None where they were made from nothing.
        kind: Of each, by name.
        where: The kind of place of each.
        strength: Of each, as ordered, `(n,)`.
        amount: How far the model was pushed, `(n,)`, in units of the kind.
        score: By the judge, `(n,)`; NaN where none was asked.
        source: Which item of `on` each was made on `(n,)`; -1 from nothing.
        verdicts: One for each; empty where nothing was judged.
        facts: Of all together: two-sample test, seconds, evaluations; JSON.
    """

    data: Any
    region: Any
    normal: Any
    kind: list[str]
    where: list[str]
    strength: np.ndarray
    amount: np.ndarray
    score: np.ndarray
    source: np.ndarray
    verdicts: list[Judgement] = field(default_factory=list)
    facts: JSON = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def accepted(self) -> np.ndarray:
        """Which were accepted `(n,)` bool; all, where nothing was judged."""
        return np.array([v.accepted for v in self.verdicts], dtype=bool) if self.verdicts else np.ones(len(self), bool)

    @property
    def kept(self) -> "Made":
        """Those that were accepted."""
        return self.only(self.accepted)

    @property
    def rejected(self) -> "Made":
        """Those that were not."""
        return self.only(~self.accepted)

    @property
    def rejection_rate(self) -> float:
        """The share that was rejected; of nothing, 0."""
        return float(np.mean(~self.accepted)) if len(self) else 0.0

    def only(self, which: Any) -> "Made":
        """Some of them, by a mask `(n,)` or by their numbers.

        Raises:
            Misfit: the mask has another length, or there is no such item.
        """
        which = np.atleast_1d(np.asarray(which))
        if which.dtype == bool and which.shape != (len(self),):
            raise Misfit(f"which is a mask of shape {which.shape}, and {len(self)} were made; give one for each.")
        at = np.flatnonzero(which) if which.dtype == bool else which.astype(int)
        if at.size and not (-len(self) <= at.min() and at.max() < len(self)):
            raise Misfit(f"which holds {at.max()}, and {len(self)} were made; give numbers from 0.")
        return replace(
            self,
            data=taken(self.data, at),
            region=taken(self.region, at),
            normal=None if self.normal is None else taken(self.normal, at),
            kind=[self.kind[i] for i in at],
            where=[self.where[i] for i in at],
            strength=self.strength[at],
            amount=self.amount[at],
            score=self.score[at],
            source=self.source[at],
            verdicts=[self.verdicts[i] for i in at] if self.verdicts else [],
        )

    def reasons(self) -> dict[str, int]:
        """How many items each objection was raised against, the most frequent first."""
        return dict(Counter(word for verdict in self.verdicts for word in verdict.against).most_common())

    def summary(self) -> str:
        """In a sentence: how many were made, how many kept, and why not the others."""
        kept = int(self.accepted.sum())
        said = f"{len(self)} made, {kept} kept, {len(self) - kept} rejected"
        why = "; ".join(f"{count} {word}" for word, count in self.reasons().items())
        return f"{said} ({why})." if why else f"{said}."

    def rows(self) -> list[JSON]:
        """One record per item: kind, place, strength, amount, score, source and verdict."""
        verdicts: Sequence[Judgement | None] = self.verdicts or [None] * len(self)
        return [
            {
                "item": i,
                "kind": self.kind[i],
                "where": self.where[i],
                "strength": float(self.strength[i]),
                "amount": float(self.amount[i]),
                "score": None if np.isnan(self.score[i]) else float(self.score[i]),
                "source": int(self.source[i]),
                **({} if verdict is None else verdict.to_dict()),
            }
            for i, verdict in enumerate(verdicts)
        ]


def taken(items: Any, at: np.ndarray) -> Any:
    """Some of the items of an array, a list or a frame, by their numbers."""
    if isinstance(items, np.ndarray):
        return items[at]
    if isinstance(items, list):
        return [items[i] for i in at]
    return nw.from_native(items, eager_only=True)[at.tolist()].to_native()


def one_of_these(what: str, given: object, choices: Sequence[str], of: str) -> str:
    """`given`, if it is one of the choices.

    Raises:
        Misfit: it is not; the sentence names them.

    >>> one_of_these("kind", "scratch", ["point", "trend"], "series")
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: kind is 'scratch', which series do not have; choose one of point, trend.
    """
    if isinstance(given, str) and given in choices:
        return given
    raise Misfit(f"{what} is {given!r}, which {of} do not have; choose one of {', '.join(choices)}.")
