"""What was asked of a run of pictures."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from anodiff.types import JSON, Misfit

SIZE = 256
"""Pixels of the square, squashed, in which maps are compared with masks."""


@dataclass(frozen=True)
class Settings:
    """Whatever changes a record is here; the place of the file is not.

    Attributes:
        protocol: One of `protocols.PROTOCOLS`.
        seeds: 0 to so many less one.
        rivals: Names, in their order.
        rotated: Whether a rotated and shifted copy of the test pictures is judged too.
        few: At most so many pictures to learn, and of each kind to judge; None is all.
        layers: Of the embedded backbone, that rivals see.
        grid: Places along a side, on which they see them.
        copies: Times that rivals learn each picture again, turned and shifted.
        counts: Known defects of each kind, where the protocol gives some.
        recipe: Of anodiff; "auto" is its default.
        changes: To the recipe.
        data: A folder laid out like MVTec AD's, where the protocol takes one.
    """

    protocol: str
    seeds: int = 3
    rivals: tuple[str, ...] = ()
    rotated: bool = False
    few: int | None = None
    layers: tuple[str, ...] = ("s8", "s16")
    grid: int = 32
    copies: int = 0
    counts: tuple[int, ...] = (1, 5, 10)
    recipe: str = "auto"
    changes: JSON = field(default_factory=dict)
    data: str | None = None

    def check(self) -> None:
        """Refuse what is out of range."""
        if self.seeds < 1:
            raise Misfit(f"--seeds is {self.seeds}; give 1 or more.")
        if self.few is not None and self.few < 10:
            raise Misfit(f"--few is {self.few}; give 10 pictures or more.")
        if self.grid < 2 or self.copies < 0:
            raise Misfit(f"--grid is {self.grid}, --copies {self.copies}; give 2 places or more, and 0 copies or more.")
        if not self.counts or min(self.counts) < 1:
            raise Misfit(f"--counts is {self.counts}; give numbers of known defects from 1.")

    def to_dict(self) -> JSON:
        """As it is written."""
        return {name: list(each) if isinstance(each, tuple) else each for name, each in asdict(self).items()}

    @classmethod
    def from_dict(cls, found: JSON) -> "Settings":
        """The inverse of `to_dict`."""
        return cls(**{name: _held(each) for name, each in found.items()})

    def differs(self, other: "Settings") -> list[str]:
        """Names of what is not the same; more seeds, or fewer, only add records or leave some aside."""
        names = (each.name for each in fields(self) if each.name != "seeds")
        return [name for name in names if getattr(self, name) != getattr(other, name)]


def _held(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
