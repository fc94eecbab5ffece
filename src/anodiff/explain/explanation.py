"""What an explanation holds: facts for whoever shows them, and a sentence for whoever is in a hurry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anodiff.explain.values import plain
from anodiff.types import JSON


@dataclass(frozen=True)
class Cell:
    """A cell, and why it stands out.

    Attributes:
        column: Its name.
        value: What it holds, None where missing.
        expected: What the nearest normal row holds there; the value itself where that row keeps it.
        part: Its part of the score.
        share: The same as a share of the score.
        far: How far the value is from what is expected in the light of `given`, in standard deviations; 6 where it is
            missing or was never seen, 0 where the nearest normal row keeps it.
        given: The columns in the light of which it is most out of place, with their values.
        words: The same in words; empty where the nearest normal row keeps the value.
    """

    column: str
    value: Any
    expected: Any
    part: float
    share: float
    far: float
    given: Mapping[str, Any]
    words: str

    def to_dict(self) -> JSON:
        """As JSON."""
        given = {name: plain(value) for name, value in self.given.items()}
        return {name: plain(value) for name, value in vars(self).items() if name != "given"} | {"given": given}


@dataclass(frozen=True)
class Explanation:
    """Why a row scores as it does.

    Attributes:
        row: Its place in the data given, from 0.
        score: What `decision_function` gives.
        p_value: What `p_value` gives.
        alarm: Whether the score is above the detector's threshold.
        cells: Those of the largest parts and the changed ones, `top` of each at most, largest part first.
        nearest: The nearest normal row, column by column.
        nearest_score: What that row scores; above the threshold where no normal row was found.
        changed: The columns in which it differs.
        members: Each member's part of the score.
        sentence: The reason in plain words.
    """

    row: int
    score: float
    p_value: float
    alarm: bool
    cells: Sequence[Cell]
    nearest: Mapping[str, Any]
    nearest_score: float
    changed: Sequence[str]
    members: Mapping[str, float]
    sentence: str

    def to_dict(self) -> JSON:
        """As JSON: times as ISO text, what is missing as null."""
        return {
            **{name: plain(getattr(self, name)) for name in ("row", "score", "p_value", "alarm", "nearest_score")},
            "cells": [cell.to_dict() for cell in self.cells],
            "nearest": {name: plain(value) for name, value in self.nearest.items()},
            "changed": list(self.changed),
            "members": {name: plain(part) for name, part in self.members.items()},
            "sentence": self.sentence,
        }
