"""Known anomalies of tables: their rows, in which cells they are abnormal, and what kind each is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anodiff.anomalies.cells import given
from anodiff.data.table import Table
from anodiff.made import NORMAL
from anodiff.modalities.ranked import Ranked
from anodiff.types import Misfit, Scores, Unreadable

KNOWN = "known"
"""What kind examples are where nobody says."""
USUAL = 1.3
"""The z down to which an example is brought when its abnormal cells are looked for; one normal row in ten is beyond."""
AMPLE = 0.5
"""Cells are abnormal, at most this share of a row."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Known anomalies.

    Attributes:
        table: Their rows, k of them.
        u: In normal scores `(k, columns)`, NaN where missing.
        region: Where they are abnormal `(k, columns)`.
        kinds: What each is.
        z: How abnormal each is `(k,)`.
    """

    table: Table
    u: np.ndarray
    region: np.ndarray
    kinds: list[str]
    z: Scores

    @property
    def names(self) -> list[str]:
        """Their kinds, once each."""
        return list(dict.fromkeys(self.kinds))

    def drawn(self, kind: str, like: int | None, n: int, rng: np.random.Generator) -> np.ndarray:
        """For n rows an example of a kind each, in turns from a random one, or always the one asked for."""
        if like is not None:
            return np.full(n, like)
        of = np.flatnonzero(np.array(self.kinds) == kind)
        return np.resize(rng.permutation(of), n)


def examples_of(
    table: Table,
    ranked: Ranked,
    z: Callable[[Table], Scores],
    filled: Callable[[Table, np.ndarray], Table],
    regions: Any,
    kinds: Any,
    taken: Sequence[str],
) -> Examples:
    """Known anomalies from their rows.

    Args:
        table: Their rows, with the columns of fit.
        ranked: Columns as normal scores.
        z: How abnormal rows are.
        filled: Rows with some cells drawn anew, as normal given the others.
        regions: Where they are abnormal; None to find out.
        kinds: Names `(k,)`, or None.
        taken: Names that kinds of their own cannot have.

    Raises:
        Misfit: regions or kinds do not match the rows, or a region holds no cell that varies.
    """
    names = named(kinds, len(table), taken)
    u, scores = ranked.encode(table), z(table)
    may = ~np.isnan(u)
    if regions is None:
        region = np.stack([found(table.take(np.array([i])), may[i], z, filled) for i in range(len(table))])
    else:
        region = given(regions, len(table), table.names, "regions") & may
        if not region.any(1).all():
            row = int((~region.any(1)).argmax()) + 1
            raise Misfit(f"regions marks only columns in row {row} that are missing or constant; mark others.")
    return Examples(table, u, region, names, scores)


def found(
    row: Table, may: np.ndarray, z: Callable[[Table], Scores], filled: Callable[[Table, np.ndarray], Table]
) -> np.ndarray:
    """In which cells one row is abnormal `(columns,)`: those that, filled as normal, make it normal again.

    One after the other the cell is taken that brings the row nearest to normal, until it is, or nothing helps.
    """
    region = np.zeros(len(may), bool)
    best = float(z(row)[0])
    most = max(1, int(AMPLE * may.sum()))
    while best > USUAL and region.sum() < most:
        free = np.flatnonzero(may & ~region)
        if not len(free):
            break
        tried = np.repeat(region[None], len(free), 0)
        tried[np.arange(len(free)), free] = True
        said = z(filled(row.take(np.zeros(len(free), int)), tried))
        least = int(said.argmin())
        if said[least] >= best - 1e-3 and region.any():
            break
        region, best = tried[least], min(best, float(said[least]))
    return region if region.any() else may.copy()


def named(kinds: Any, k: int, taken: Sequence[str]) -> list[str]:
    """A name for each of k examples.

    Raises:
        Misfit: there are not k, one is no name, or one means something else already.
    """
    if kinds is None:
        return [KNOWN] * k
    names = [kinds] * k if isinstance(kinds, str) else list(kinds)
    if len(names) != k:
        raise Misfit(f"kinds has {len(names)} names for {k} examples; give one for each.")
    bad = next((name for name in names if not isinstance(name, str) or not name), None)
    if bad is not None:
        raise Misfit(f"kinds holds {bad!r}; give names, such as 'leak'.")
    own = next((name for name in names if name in (*taken, NORMAL, "auto")), None)
    if own is not None:
        raise Misfit(f"kinds holds {own!r}, which is a kind that tables have already; give it another name.")
    return [str(name) for name in names]


def check_new(x: np.ndarray, normals: np.ndarray) -> None:
    """Refuse examples `(k, d)` that are all among the normals `(n, d)`.

    Raises:
        Unreadable: they are.
    """
    there = {row.tobytes() for row in np.ascontiguousarray(normals)}
    if all(row.tobytes() in there for row in np.ascontiguousarray(x)):
        raise Unreadable(
            f"all {len(x)} examples are also among the normal rows; take them out of X, or give others as examples."
        )
