"""Rows beside their nearest normal rows, in the user's own values: which cells differ, and why each matters."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa

from anodiff.explain.attribution import column_parts, shares
from anodiff.explain.counterfactual import Nearest
from anodiff.explain.explanation import Cell
from anodiff.explain.given import Given
from anodiff.explain.values import cells
from anodiff.explain.words import SLIGHT, cell_words, sentence, together
from anodiff.modalities.base import Encoded
from anodiff.modalities.columns import FAR
from anodiff.modalities.tabular import Tabular
from anodiff.model import Model


class Reasons:
    """Rows beside their nearest normal rows, in the user's values.

    Args:
        model: What the detector has learnt.
        arrow: The rows as given.
        rows: The same, prepared, `(n, D)`.
        nearest: Their nearest normal rows.
        threshold: What is normal scores at most that.
    """

    def __init__(self, model: Model, arrow: pa.Table, rows: Encoded, nearest: Nearest, threshold: float) -> None:
        modality = cast(Tabular, model.modality)
        self.columns = modality.columns
        self.facts = modality.describe()
        self.given = Given(model.filler, modality.owners)
        self.x, self.near = rows.x.numpy(), nearest.rows.x.numpy()
        self.values = _columns(_in_order(arrow, self.columns))
        self.seen = _columns(modality.decode(rows.x, rows.known, kind="pyarrow"))
        self.expected = _columns(modality.decode(nearest.rows.x, nearest.rows.known, kind="pyarrow"))
        self.freed, self.scores, self.threshold = nearest.freed, nearest.scores, threshold
        self.parts = column_parts(model, rows)
        self.shares = shares(self.parts)

    def changed(self, row: int) -> list[str]:
        """The columns in which the nearest normal row differs, largest part first."""
        return [self.columns[c] for c in self._order(row) if self._differs(row, c)]

    def nearest(self, row: int) -> Mapping[str, Any]:
        """The nearest normal row: the user's own values where it keeps them."""
        return {name: self._nearest(row, c) for c, name in enumerate(self.columns)}

    def cells(self, row: int, top: int) -> list[Cell]:
        """The `top` cells of the largest parts, and the `top` changed ones, largest part first."""
        order = self._order(row)
        changed = [c for c in order if self._differs(row, c)]
        shown = {*order[:top], *changed[:top]}
        return [self._cell(row, c) for c in order if c in shown]

    def told(self, row: int, top: int) -> str:
        """The sentence of a row that raised an alarm."""
        found = self.cells(row, top)
        changed = [cell for cell in found if cell.words]
        blamed = [cell for cell in changed if cell.far >= SLIGHT][:top]
        if blamed:
            return sentence([cell.words for cell in blamed], more=len(self.changed(row)) - len(blamed))
        odd = [*changed, *(cell for cell in found if not cell.words)][: max(top, 2)]
        instead = changed if self.scores[row] <= self.threshold else []
        return together({cell.column: cell.value for cell in odd}, {cell.column: cell.expected for cell in instead})

    def _order(self, row: int) -> list[int]:
        return [int(c) for c in np.argsort(-self.parts[row].astype(np.float32), kind="stable")]

    def _nearest(self, row: int, c: int) -> Any:
        return (self.expected if self.freed[row, c] else self.values)[c][row]

    def _differs(self, row: int, c: int) -> bool:
        return bool(self.freed[row, c]) and self.expected[c][row] != self.values[c][row]

    def _cell(self, row: int, c: int) -> Cell:
        value, expected = self.values[c][row], self._nearest(row, c)
        far, given = self._far(row, c) if self._differs(row, c) else (0.0, {})
        words = ""
        if self._differs(row, c):
            first = self.given.places[c][0]
            below = bool(self.x[row, first] < self.near[row, first])
            seen = self.seen[c][row] is not None
            words = cell_words(self.facts[c], value, expected, far, given, seen, below)
        part, share = float(self.parts[row, c]), float(self.shares[row, c])
        return Cell(self.columns[c], value, expected, part, share, far, given, words)

    def _far(self, row: int, c: int) -> tuple[float, dict[str, Any]]:
        """How far from what is expected, and given what; what cannot be compared is `FAR`, whatever is given."""
        if self.seen[c][row] is None:
            return FAR, {}
        kept = [k for k in range(len(self.columns)) if not self.freed[row, k] and self.seen[k][row] is not None]
        named, far = self.given(self.x[row], self.near[row], c, kept)
        return far, {self.columns[k]: self.values[k][row] for k in named}


def _in_order(arrow: pa.Table, columns: Sequence[str]) -> pa.Table:
    """The columns of fit, by name, or by position where the names differ."""
    return arrow.select(columns) if set(columns) <= set(arrow.column_names) else arrow.rename_columns(columns)


def _columns(arrow: pa.Table) -> list[list[Any]]:
    return [cells(column) for column in arrow.columns]
