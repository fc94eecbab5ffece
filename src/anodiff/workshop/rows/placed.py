"""Which cells of which rows are to change, drawn anew at every turn, and what refuses to."""

from dataclasses import dataclass, field

import numpy as np

from anodiff.anomalies.cells import PLACES, cells_of
from anodiff.anomalies.table_kinds import KINDS, TableKind
from anodiff.types import Misfit

MORE = 2
"""How many more cells than usual each further turn may take, of kinds that take several."""


@dataclass(frozen=True, eq=False)
class Places:
    """Regions of n rows.

    Attributes:
        may: Cells that may change `(n, columns)`.
        dependence: Of the columns `(columns, columns)`.
        seeds: Of the draws.
        asked: Whether `may` is what is to change, all of it.
        own: Where the example of each row is abnormal `(n, columns)`, where that is the place; else None.
        name: Of the place.
        size: The share of cells that was asked for.
        usual: How many there are else, least and most.
        cluster: Which rows share a region, `(n,)`; None where none do.
        tried: Single cells that were drawn already.
    """

    may: np.ndarray
    dependence: np.ndarray
    seeds: list[int]
    asked: bool = False
    own: np.ndarray | None = None
    name: str = "cell"
    size: tuple[float, float] | None = None
    usual: tuple[int, int] = (1, 1)
    cluster: np.ndarray | None = None
    tried: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tried", np.zeros_like(self.may))

    def __call__(self, at: np.ndarray, turn: int) -> np.ndarray:
        """Regions `(m, columns)` of some rows, by their numbers."""
        may = self.may[at]
        if self.asked:
            return np.asarray(may)
        if self.own is not None:
            return _or(self.own[at] & may, may)
        if self.cluster is not None:
            free = np.stack([self.may[self.cluster == group].any(0) for group in np.unique(self.cluster)])
            return _or(self._drawn(free, self.seeds, 0)[self.cluster[at]] & may, may)
        region = self._drawn(_or(may & ~self.tried[at], may), [*self.seeds, turn], turn)
        self.tried[at] |= region & (region.sum(1, keepdims=True) == 1)
        return region

    def _drawn(self, may: np.ndarray, seeds: list[int], turn: int) -> np.ndarray:
        most = self.usual[1] + MORE * turn * (self.usual[1] > 1)
        cells = cells_of(self.size, (self.usual[0], most), may.shape[1])
        return PLACES[self.name](may, self.dependence, cells, np.random.default_rng(seeds))


def check_may(may: np.ndarray, name: str, usable: np.ndarray, asked: np.ndarray | None, place: str) -> None:
    """Refuse rows in which a kind has no cell to change, or none to leave.

    Args:
        may: Cells that may change `(n, columns)`.
        name: Of the kind.
        usable: Columns that vary `(columns,)`.
        asked: Regions as given, or None.
        place: Where they are drawn else.

    Raises:
        Misfit: there is such a row.
    """
    if not may.any(1).all():
        row = int((~may.any(1)).argmax()) + 1
        needs = "numbers of more than two values" if name == "range" else "columns that vary"
        raise Misfit(f"kind {name!r} needs {needs}, and there are none to change in row {row}; choose other cells.")
    kind: TableKind | None = KINDS.get(name)
    covering = place == "row" if asked is None else bool((asked | ~usable).all(1).any())
    if covering and kind is not None and kind.alone:
        others = ", ".join(other for other, shape in KINDS.items() if not shape.alone)
        raise Misfit(f"kind {name!r} goes by the cells around it, and a region covers all of a row; choose {others}.")


def _or(region: np.ndarray, else_: np.ndarray) -> np.ndarray:
    """The region of each row, or where that is empty the other."""
    return np.asarray(np.where(region.any(1, keepdims=True), region, else_))
