r"""Where anomalies of tables lie: in which cells of a row. Cells are drawn among those that `may` change,

.. math:: P(\text{columns } j_1, \dots, j_k) \propto 1 \text{ for cells,} \qquad
          \rho_{j_1 j_i} \text{ large for columns that depend on each other.}

Dependence is the correlation of normal scores, learnt from normals.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from anodiff.types import Misfit

Draw = Callable[[np.ndarray, np.ndarray, tuple[int, int], np.random.Generator], np.ndarray]
"""`(may (m, d), dependence (d, d), (least, most) cells, rng) -> (m, d)`: a region for each row."""

DEPENDENT = 0.15
"""The least correlation, as an absolute value, of columns that are taken to depend on each other."""


def cell(may: np.ndarray, dependence: np.ndarray, cells: tuple[int, int], rng: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """One cell of each row."""
    return several(may, dependence, (1, 1), rng)


def several(may: np.ndarray, dependence: np.ndarray, cells: tuple[int, int], rng: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Some cells of each row, any."""
    wanted = rng.integers(cells[0], cells[1] + 1, (len(may), 1))
    order = np.where(may, rng.uniform(size=may.shape), np.inf).argsort(1).argsort(1)
    return np.asarray((order < wanted) & may)


def columns(may: np.ndarray, dependence: np.ndarray, cells: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Cells that depend on each other: one, drawn the more often the more it depends on others, and those nearest it.

    Where nothing depends on it, any others.
    """
    strength = np.abs(dependence - np.diag(np.diag(dependence)))
    pull = np.where(strength >= DEPENDENT, strength, 0.0).sum(1) + 1e-3
    region = np.zeros_like(may)
    for row, free in enumerate(may):
        if not free.any():
            continue
        chance = np.where(free, pull, 0)
        first = rng.choice(len(free), p=chance / chance.sum())
        wanted = int(rng.integers(cells[0], cells[1] + 1))
        near = strength[first] * rng.uniform(0.5, 1.0, len(free)) + 1e-6 * rng.uniform(size=len(free))
        near[first] = np.inf
        chosen = np.argsort(-np.where(free, near, -1.0), kind="stable")[:wanted]
        region[row, chosen] = True
    return np.asarray(region & may)


def row(may: np.ndarray, dependence: np.ndarray, cells: tuple[int, int], rng: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """All cells."""
    return may.copy()


PLACES: dict[str, Draw] = {"cell": cell, "cells": several, "columns": columns, "row": row}
EXAMPLES = "examples"
"""The place where examples are abnormal."""


def dependence_of(u: np.ndarray) -> np.ndarray:
    """Correlations `(d, d)` of normal scores `(n, d)`, of NaN what is there; 0 where nothing varies."""
    there = ~np.isnan(u)
    away = np.where(there, u - np.nanmean(np.where(there.any(0), u, 0.0), 0), 0.0)
    spread = np.sqrt((away**2).sum(0) / np.maximum(there.sum(0), 1))
    away = away / np.where(spread > 0, spread, 1)
    both = there.astype(float).T @ there
    return np.asarray(away.T @ away / np.maximum(both, 1))


def cells_of(size: tuple[float, float] | None, usual: tuple[int, int], d: int) -> tuple[int, int]:
    """The least and the most cells of d for a share of them, at least one; the usual ones where none is said."""
    if size is None:
        return min(usual[0], d), min(usual[1], d)
    low, high = (int(np.clip(round(v * d), 1, d)) for v in size)
    return low, high


def given(where: Any, n: int, names: Sequence[str], what: str = "where") -> np.ndarray:
    """Regions as given: bool `(columns,)`, or `(n, columns)` in the items' own layout; `(n, columns)`.

    Raises:
        Misfit: they are none, of another shape, or one is empty.
    """
    try:
        cells = np.asarray(where)
    except ValueError:
        raise Misfit(f"{what} has rows of different lengths; give True or False for each cell.") from None
    if cells.dtype != bool:
        try:
            numbers = cells.astype(float)
        except (TypeError, ValueError):
            numbers = np.full(1, np.nan)
        if not np.isin(numbers, (0.0, 1.0)).all():
            raise Misfit(f"{what} holds {cells.dtype} that is not 0 or 1; give True or False for each cell.")
        cells = numbers.astype(bool)
    if cells.shape == (len(names),):
        cells = np.broadcast_to(cells, (n, len(names)))
    if cells.shape != (n, len(names)):
        raise Misfit(
            f"{what} has the shape {cells.shape}; give ({n}, {len(names)}), one for each cell, or ({len(names)},)."
        )
    empty = ~cells.any(1)
    if empty.any():
        raise Misfit(f"{what} is empty in row {int(empty.argmax()) + 1}; mark at least one cell as True.")
    return cells.copy()
