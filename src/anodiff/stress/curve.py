"""What a detector finds and misses: a curve for each kind of anomaly, in numbers and in sentences."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from anodiff.metrics.ranking import Interval
from anodiff.types import JSON

HALF = 0.5
"""The share of anomalies below which they are called missed."""


@dataclass(frozen=True)
class Cell:
    """How well anomalies of one kind, place, size and strength are told from normals.

    Attributes:
        kind: By name.
        where: The kind of place, as ordered.
        size: Least and most share of an item, as ordered; None for the place's own.
        strength: As ordered.
        n: How many.
        auroc: Against held-out normals.
        recall: The share found at the rate of false alarms.
    """

    kind: str
    where: str
    size: tuple[float, float] | None
    strength: float
    n: int
    auroc: Interval
    recall: Interval


@dataclass(frozen=True)
class Spot:
    """How well anomalies at one spot are found, all strengths together of those kinds that lie elsewhere too.

    Attributes:
        name: A ninth of the picture, a channel, a column.
        n: How many.
        auroc: Against held-out normals.
        recall: The share found at the rate of false alarms. Intervals hold for all spots together.
        elsewhere: The share found of those of the same kinds that do not touch it.
    """

    name: str
    n: int
    auroc: Interval
    recall: Interval
    elsewhere: float


@dataclass(frozen=True)
class StressCurve:
    """What a detector finds of anomalies made to order.

    Attributes:
        of: The kind of data: "tabular", "series", "image".
        false_alarm_rate: The share of normals that may raise an alarm.
        normals: How many held-out normals, or stretches of series, items are held against, at least.
        cells: For each kind, place, size and strength.
        spots: By place in the item.
        left_out: Kinds that could not be made of these items, and why.
    """

    of: str
    false_alarm_rate: float
    normals: int
    cells: list[Cell]
    spots: list[Spot] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def strengths(self) -> list[float]:
        """Those of the cells, ascending."""
        return sorted({cell.strength for cell in self.cells})

    def lines(self) -> dict[str, list[Cell]]:
        """The cells of one curve, by strength; it is named by its kind, and by place and size where these vary."""
        several = [len({getattr(cell, name) for cell in self.cells}) > 1 for name in ("where", "size")]
        found: dict[str, list[Cell]] = {}
        for cell in sorted(self.cells, key=lambda cell: cell.strength):
            words = [cell.kind, *([cell.where] if several[0] else []), *([_size(cell.size)] if several[1] else [])]
            found.setdefault(", ".join(words), []).append(cell)
        return found

    def table(self) -> str:
        """Markdown: a row per curve, a column per strength, each with AUROC and share found."""
        head = ["", *(f"{strength:g}" for strength in self.strengths)]
        rows = [head, ["---", *["---:"] * len(self.strengths)]]
        for name, cells in self.lines().items():
            said = {cell.strength: f"{cell.auroc.value:.2f} · {100 * cell.recall.value:.0f} %" for cell in cells}
            rows.append([name, *(said.get(strength, "") for strength in self.strengths)])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def blind(self) -> list[str]:
        """What it misses, in sentences: kinds and strengths of which it finds less than half, places where it is worse.

        Something is said where its interval says so too.
        """
        at = f"At {100 * self.false_alarm_rate:g} % false alarms"
        missed = {name: said for name, cells in self.lines().items() if (said := _missed(cells))}
        found = [f"{name}: {at.lower()} less than half is found {said}." for name, said in missed.items()]
        worse = [spot for spot in self.spots if spot.recall.high < spot.elsewhere]
        found += [
            f"{spot.name}: {at.lower()} {_share(spot.recall)} are found there, elsewhere {100 * spot.elsewhere:.0f} %."
            for spot in sorted(worse, key=lambda spot: spot.recall.value)
        ]
        found = found or [f"{at} no kind is surely found less than half the time, by {self.n} items or more each."]
        return found + [f"{name}: left out; {why}" for name, why in self.left_out.items()]

    @property
    def n(self) -> int:
        """The fewest items behind a point."""
        return min(cell.n for cell in self.cells)

    def to_dict(self) -> JSON:
        """The same as JSON, with the sentences."""
        return {**asdict(self), "blind": self.blind()}


def _missed(cells: Sequence[Cell]) -> str:
    """At which strengths less than half is surely found, in words; nothing where at none."""
    missed = [cell for cell in cells if cell.recall.high < HALF]
    if not missed:
        return ""
    if len(missed) == len(cells):
        return f"at any strength ({_share(missed[-1].recall)} at {missed[-1].strength:g})"
    if missed == list(cells[: len(missed)]):
        return f"up to strength {missed[-1].strength:g} ({_share(missed[-1].recall)} there)"
    strengths = ", ".join(f"{cell.strength:g}" for cell in missed)
    return f"at strengths {strengths} ({_share(missed[-1].recall)} at {missed[-1].strength:g})"


def _share(recall: Interval) -> str:
    return f"{100 * recall.value:.0f} %, {100 * recall.low:.0f} to {100 * recall.high:.0f} %"


def _size(size: tuple[float, float] | None) -> str:
    if size is None:
        return "own size"
    low, high = (f"{100 * share:g}" for share in size)
    return f"{low} % of it" if low == high else f"{low} to {high} % of it"
