"""Records of several parts, explained: which part raised the score, and what the others led to expect of it.

What was expected is that part of the record of fit whose other parts are most like these. It is a real one, and need
not be the only one that would fit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anodiff.blend import ALL, Blend, codes_of
from anodiff.data.records import Column, Records
from anodiff.recipes.blended import GIVEN, VIEWS
from anodiff.types import JSON, Misfit, Scores

SHORT = 60
"""Characters of a text that a sentence quotes."""
NUMBERS = 4
"""Numbers of a row that a sentence tells."""
ODD = 3.0
"""Nats from which evidence is told of: one normal record in twenty says as much."""


@dataclass(frozen=True, eq=False)
class Told:
    """One piece of evidence.

    Attributes:
        name: As `evidences_` names it: a part, a part given the rest, a picture against its reference, all together.
        part: The part that it is of; None of all together.
        given: Whether it is of a part given others.
        adds: What it adds to the score.
        nats: How surprising it is by itself, in nats of tail probability.
        held: What the record holds of the part: a text, a category, numbers `(k,)`, a series `(T, c)`, the name or path
            of a picture.
        expected: What the others led to expect, of a part given others: likewise, of a picture its small copy
            `(64, 64, 3)` uint8. None where nothing was there to expect it from.
        expected_of: The record of fit that this is from.
    """

    name: str
    part: str | None
    given: bool
    adds: float
    nats: float
    held: Any = None
    expected: Any = field(default=None, repr=False)
    expected_of: str | None = None

    def to_dict(self) -> JSON:
        """As JSON; pictures and series by their record's name alone."""
        return {
            "name": self.name,
            "part": self.part,
            "given": self.given,
            "adds": self.adds,
            "nats": self.nats,
            "held": plain(self.held),
            "expected": plain(self.expected),
            "expected_of": self.expected_of,
        }


@dataclass(frozen=True, eq=False)
class Reason:
    """What is to be said of a record.

    Attributes:
        name: What it is called.
        score: What `decision_function` gives.
        p_value: How probably a normal record with the same parts scores as high.
        alarm: Whether it raises one.
        sentence: All of it in a sentence.
        parts: The evidence that adds most, `top` at most, the strongest first.
        missing: Parts that the record lacks.
    """

    name: str
    score: float
    p_value: float
    alarm: bool
    sentence: str
    parts: list[Told]
    missing: list[str]

    def to_dict(self) -> JSON:
        """As JSON."""
        return {
            "name": self.name,
            "score": self.score,
            "p_value": self.p_value,
            "alarm": self.alarm,
            "sentence": self.sentence,
            "parts": [each.to_dict() for each in self.parts],
            "missing": self.missing,
        }


def reasons(
    blend: Blend,
    x: Tensor,
    records: Records,
    p_of: Callable[[Scores], Scores],
    threshold: float,
    *,
    top: int = 3,
) -> list[Reason]:
    """What is to be said of records.

    Args:
        blend: Fitted.
        x: Their features `(n, F)`, as `Blend.look` gives them.
        records: As they were read.
        p_of: p-values of scores.
        threshold: Records that score higher raise an alarm.
        top: So many pieces of evidence are told, per record.

    Raises:
        Misfit: `top` is below 1.
    """
    if top < 1:
        raise Misfit(f"top is {top}; give a number from 1.")
    present = records.present
    adds, nats = blend.evidence(x, present), blend.surprises(x, present)
    scores, codes = blend.scores(x, present), codes_of(blend.model, x, present)
    p_values = p_of(scores)
    found = []
    for i, name in enumerate(records.names):
        order = [k for k in np.argsort(-adds[i], kind="stable") if np.isfinite(nats[i, k])][:top]
        told = [_told(blend, int(k), records, i, codes[i], present[i], adds[i, k], nats[i, k]) for k in order]
        alarm = bool(scores[i] > threshold)
        missing = [part for part, there in zip(blend.parts, present[i], strict=True) if not there]
        sentence = in_words(name, float(p_values[i]), alarm, told, missing, bool(present[i].any()))
        found.append(Reason(name, float(scores[i]), float(p_values[i]), alarm, sentence, told, missing))
    return found


def in_words(
    name: str, p_value: float, alarm: bool, told: list[Told], missing: list[str], any_part: bool = True
) -> str:
    """A sentence or two on a record.

    >>> step = Told("step given the rest", "step", True, 3.0, 5.0, "fill it", "shake it", "line 7")
    >>> in_words("line 9", 0.001, True, [step], [])
    'line 9 raises an alarm (p = 0.001): step does not fit the rest: "fill it", where "shake it" (line 7) was expected.'
    """
    if not any_part:
        return f"{name} has no part that can be read, so there is nothing to judge it by."
    lacking = f" It lacks {' and '.join(missing)}." if missing else ""
    if not alarm:
        return f"{name} raises no alarm (p = {p_value:.2g}).{lacking}"
    odd = [each for each in told if each.nats >= ODD] or told[:1]
    return f"{name} raises an alarm (p = {p_value:.2g}): {'; '.join(map(_clause, odd))}.{lacking}"


def quoted(value: Any) -> str:
    """What a part holds, short: a text in quotes, a few numbers, nothing of a picture but its name.

    >>> quoted("pour"), quoted(np.array([1.5, 2.0])), quoted(np.zeros((64, 64, 3), np.uint8))
    ('"pour"', '1.5, 2', 'the picture')
    """
    if isinstance(value, str):
        return f'"{value if len(value) <= SHORT else value[: SHORT - 3] + "..."}"'
    if isinstance(value, np.ndarray):
        if value.dtype == np.uint8:
            return "the picture"
        if value.ndim == 2:
            return f"a series about {np.nanmean(value) if value.size else 0:.3g}"
        more = ", ..." if len(value) > NUMBERS else ""
        return ", ".join(f"{number:.4g}" for number in value[:NUMBERS]) + more
    return str(value)


def plain(value: Any) -> Any:
    """What a part holds as JSON; None of pictures and series."""
    if isinstance(value, np.ndarray):
        return [None if np.isnan(v) else float(v) for v in value] if value.ndim == 1 else None
    return value


def _clause(each: Told) -> str:
    if each.name == ALL:
        return "its parts do not go together"
    if not each.given:
        return f"{each.part} is odd by itself: {quoted(each.held)}"
    expected = ""
    if each.expected is not None and quoted(each.expected) != quoted(each.held):
        expected = f", where {quoted(each.expected)} ({each.expected_of}) was expected"
    what = f"{each.name.replace(' against ', ' differs from ')}" if " against " in each.name else ""
    return f"{what or f'{each.part} does not fit the rest'}: {quoted(each.held)}{expected}"


def _told(
    blend: Blend,
    evidence: int,
    records: Records,
    i: int,
    codes: Tensor,
    present: np.ndarray,
    adds: float,
    nats: float,
) -> Told:
    name = blend.evidences[evidence]
    asked = next(each for each in blend.asked if blend.label(each) == name)
    if asked.part < 0:
        return Told(name, None, False, float(adds), float(nats))
    part, given = blend.parts[asked.part], asked.read in (*GIVEN, VIEWS)
    held = held_of(records.columns[part], i)
    if not given:
        return Told(name, part, False, float(adds), float(nats), held)
    widths = blend.model.latents.widths
    place = blend.kept.nearest(codes, torch.from_numpy(present), asked.part, widths)
    expected = None if place is None else blend.kept.of_part(part, place)
    of = None if place is None else blend.kept.names[place]
    return Told(name, part, True, float(adds), float(nats), held, expected, of)


def held_of(column: Column, i: int) -> Any:
    """What record i holds in a column; of a picture its path, or the record's name."""
    value = column.values[i]
    if column.kind != "image":
        return value
    return str(value) if isinstance(value, Path) else f"the picture of {column.names[i]}"
