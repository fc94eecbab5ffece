"""What a run was asked for: all that its numbers depend on, and nothing else."""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

from anodiff.bench.protocols import BASES, Level, Protocol, protocol
from anodiff.types import JSON, Misfit, Unreadable


@dataclass(frozen=True)
class Settings:
    """Of a run; two runs of the same settings on the same data give the same numbers, but for the seconds.

    Attributes:
        protocol: its name.
        levels: of what the protocol varies.
        seeds: how many, counted from 0.
        rivals: their names.
        data: the path of a table or a folder, None for the public sets.
        label: the column of labels.
        anomaly: the value of that column that is abnormal.
        drop: columns that nobody sees.
        sets: names of sets, None for all.
        split: "shuffled" or "published", where the protocol shuffles.
        recipe: of anodiff.
        changes: to the recipe.
        budget: network evaluations per row, None for the default.
        rival_seconds: after which a rival is stopped.
    """

    protocol: str
    levels: tuple[Level, ...] = (None,)
    seeds: int = 5
    rivals: tuple[str, ...] = ()
    data: str | None = None
    label: str | None = None
    anomaly: str | None = None
    drop: tuple[str, ...] = ()
    sets: tuple[str, ...] | None = None
    split: str = "shuffled"
    recipe: str = "auto"
    changes: JSON = field(default_factory=dict)
    budget: int | None = None
    rival_seconds: float = 300.0

    def plan(self) -> Protocol:
        """The protocol, with the split that was asked for."""
        found = protocol(self.protocol)
        if self.split == "shuffled":
            return found
        if self.split not in BASES or found.split != "shuffled":
            raise Misfit(f"--split {self.split} does not go with {self.protocol}; choose of {', '.join(BASES)}.")
        return replace(found, split=BASES[self.split])

    def to_dict(self) -> JSON:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Any) -> Self:
        """From what `to_dict` gave, through json.

        Raises:
            Unreadable: these are no settings.
        """
        try:
            known = {each.name: found[each.name] for each in fields(cls)}
            lists = {name: tuple(known[name]) for name in ("levels", "rivals", "drop")}
            return cls(**{**known, **lists, "sets": None if known["sets"] is None else tuple(known["sets"])})
        except (KeyError, TypeError) as error:
            raise Unreadable(f"the settings in it are damaged or of another version ({error}).") from None

    def differs(self, other: "Settings") -> list[str]:
        """Names of the settings that are not the same."""
        ours, theirs = self.to_dict(), other.to_dict()
        return [name for name in ours if ours[name] != theirs[name]]
