"""One pass over data in bounded memory: every piece with its scores, and the worst rows so far."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from anodiff.data.drop import without
from anodiff.data.readers import chunks
from anodiff.data.table import Table
from anodiff.detect import Detector
from anodiff.detect_tables import ROWS
from anodiff.types import Scores


@dataclass(frozen=True)
class Piece:
    """Some rows: `whole` as they came, `seen` as the detector sees them, their scores `(n,)`."""

    whole: Table
    seen: Table
    scores: Scores

    @property
    def rows(self) -> np.ndarray:
        """Numbers of the rows in the source, from 0."""
        return np.arange(self.whole.start, self.whole.start + len(self.whole))


def pieces(detector: Detector, source: Any, rows: int = ROWS) -> Iterator[Piece]:
    """Pass through `source`, leaving out the columns that were left out of the fit."""
    model = detector.model_
    for table in chunks(source, rows, like=getattr(model.modality, "arrow_schema", None)):
        seen = without(table, model.facts.get("dropped", []))
        yield Piece(table, seen, detector.decision_function(seen))


class Worst:
    """The `most` highest scoring rows of what was added; of equals the earlier ones."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.numbers = np.empty(0, dtype=np.int64)
        self.scores = np.empty(0)
        self.table: Table | None = None

    def add(self, piece: Piece) -> None:
        """Keep what is worse than the mildest row kept."""
        top = np.argsort(-piece.scores, kind="stable")[: self.most]
        table = piece.seen.take(top)
        numbers, scores = np.append(self.numbers, piece.rows[top]), np.append(self.scores, piece.scores[top])
        joined = table if self.table is None else joined_tables(self.table, table)
        keep = np.lexsort((numbers, -scores))[: self.most]
        self.numbers, self.scores, self.table = numbers[keep], scores[keep], joined.take(keep)


def joined_tables(first: Table, second: Table) -> Table:
    """One below the other."""
    arrow = pa.concat_tables([first.arrow, second.arrow], promote_options="permissive").unify_dictionaries()
    return Table(arrow.combine_chunks(), first.kind, first.dtype)
