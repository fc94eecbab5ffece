"""What was asked of a run of series."""

from dataclasses import asdict, dataclass, field, fields

from anodiff.types import JSON, Misfit

FITS = ("usual", "whole", "prefix")


@dataclass(frozen=True)
class Settings:
    """Whatever changes a record is here; jobs and places of files are not.

    Attributes:
        protocol: One of `protocols.PROTOCOLS`.
        seeds: 0 to so many less one.
        sets: How many, or parts of names with commas between; None is all.
        rivals: Names, in their order.
        recipe: Of anodiff; "auto" is its default.
        changes: To the recipe.
        fit: What is learnt: as the protocol says, the whole series, or the part given for training.
    """

    protocol: str
    seeds: int = 3
    sets: str | None = None
    rivals: tuple[str, ...] = ()
    recipe: str = "auto"
    changes: JSON = field(default_factory=dict)
    fit: str = "usual"

    def check(self) -> None:
        """Refuse what is out of range."""
        if self.seeds < 1:
            raise Misfit(f"--seeds is {self.seeds}; give 1 or more.")
        if self.fit not in FITS:
            raise Misfit(f"--fit is {self.fit!r}; give one of {', '.join(FITS)}.")

    def to_dict(self) -> JSON:
        """As it is written."""
        return {**asdict(self), "rivals": list(self.rivals)}

    @classmethod
    def from_dict(cls, found: JSON) -> "Settings":
        """The inverse of `to_dict`."""
        return cls(**{**found, "rivals": tuple(found["rivals"])})

    def differs(self, other: "Settings") -> list[str]:
        """Names of what is not the same; more seeds, or fewer, only add records or leave some aside."""
        return [
            each.name
            for each in fields(self)
            if each.name not in ("seeds", "sets") and getattr(self, each.name) != getattr(other, each.name)
        ]
