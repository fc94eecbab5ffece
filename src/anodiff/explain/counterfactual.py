r"""The nearest normal row: keep as many cells as possible, replace the others by what is expected given those,

.. math:: \min_F |F| \quad \text{such that} \quad a(x_{\setminus F}, \mathbb{E}[x_F \mid x_{\setminus F}]) \le \theta .

Greedy: of the columns with the largest parts of the score, free the one that lowers it most, part it out again, go on.
Where that does not do, free twice as many, until all; last, give back what was freed in vain. A row below the
threshold costs nothing; any other at most `STEPS (2 WIDTH + 1) + 2 log2(columns) + 2 STEPS` evaluations of the score.
"""

from dataclasses import dataclass

import numpy as np
import torch

from anodiff.explain.attribution import column_parts
from anodiff.explain.expected import Expected
from anodiff.modalities.base import Encoded
from anodiff.model import Model

STEPS = 4
WIDTH = 4
CHUNK = 512
PROGRESS = 1e-4
"""Least relative fall of the score that counts as one; ties do not hang on rounding."""


@dataclass(frozen=True)
class Nearest:
    """Normal rows near the given ones.

    Attributes:
        rows: Prepared coordinates `(n, D)`.
        freed: Which columns were replaced, `(n, columns)`.
        scores: What the rows score, `(n,)`.
    """

    rows: Encoded
    freed: np.ndarray
    scores: np.ndarray


def nearest_normal(model: Model, rows: Encoded, scores: np.ndarray, threshold: float) -> Nearest:
    """The nearest rows below `threshold` to prepared `rows` `(n, D)`, or the lowest found where there is none."""
    found = Nearest(rows, np.zeros((len(rows), len(Expected(model).table.columns)), bool), scores.copy())
    odd = np.flatnonzero(scores > threshold)
    for start in range(0, len(odd), CHUNK):
        some = odd[start : start + CHUNK]
        search = Search(model, take(rows, some), scores[some], threshold)
        found = put(found, some, search.run())
    return found


class Search:
    """The search for a few rows at once; each goes its own way.

    Args:
        model: A fitted model of a table.
        rows: Prepared rows `(n, D)`, all above the threshold.
        scores: Theirs, `(n,)`.
        threshold: What is normal scores at most that.
    """

    def __init__(self, model: Model, rows: Encoded, scores: np.ndarray, threshold: float) -> None:
        self.model = model
        self.rows = rows
        self.threshold = threshold
        self.expected = Expected(model)
        self.best = Nearest(rows, np.zeros((len(rows), len(self.expected.table.columns)), bool), scores.copy())

    def run(self) -> Nearest:
        """Free, widen, give back."""
        self._free_one_by_one()
        self._free_many()
        self._give_back()
        return self.best

    def _free_one_by_one(self) -> None:
        going = np.ones(len(self.rows), bool)
        for _ in range(min(STEPS, self.best.freed.shape[1])):
            odd = np.flatnonzero(going & (self.best.scores > self.threshold))
            if not len(odd):
                return
            going[odd] = self._free_one(odd)

    def _free_one(self, odd: np.ndarray) -> np.ndarray:
        """Free one more column in the rows `odd`; whether it helped."""
        freed = self.best.freed[odd]
        blamed = by_part(column_parts(self.model, take(self.best.rows, odd)), freed)[:, :WIDTH]
        width = blamed.shape[1]
        candidates = np.repeat(freed, width, axis=0)
        candidates[np.arange(len(candidates)), blamed.ravel()] = True
        tried = self._tried(np.repeat(odd, width), candidates)
        choice = steady(tried.scores).reshape(-1, width).argmin(1) + np.arange(len(odd)) * width
        return self._keep(odd, pick(tried, choice), self.best.scores[odd] * (1 - PROGRESS))

    def _free_many(self) -> None:
        columns = self.best.freed.shape[1]
        count = 2 * STEPS
        while (odd := np.flatnonzero(self.best.scores > self.threshold)).size:
            freed = self.best.freed[odd]
            blamed = by_part(column_parts(self.model, take(self.rows, odd)), freed)[:, :count]
            np.put_along_axis(freed, blamed, True, axis=1)
            self._keep(odd, self._tried(odd, freed), self.best.scores[odd] * (1 - PROGRESS))
            if count >= columns:
                return
            count *= 2

    def _give_back(self) -> None:
        """Try to keep the freed columns of the least parts after all."""
        parts = np.where(self.best.freed, column_parts(self.model, self.rows), np.inf)
        order = np.argsort(steady(parts), axis=1, kind="stable")[:, :STEPS]
        for blamed in order.T:
            several = self.best.freed[np.arange(len(blamed)), blamed] & (self.best.freed.sum(1) > 1)
            some = np.flatnonzero(several & (self.best.scores <= self.threshold))
            if len(some):
                freed = self.best.freed[some]
                freed[np.arange(len(some)), blamed[some]] = False
                self._keep(some, self._tried(some, freed), np.full(len(some), self.threshold))

    def _tried(self, where: np.ndarray, freed: np.ndarray) -> Nearest:
        """The rows `where` with the columns `freed` replaced, by the guess that scores lower."""
        guesses = [
            Nearest(guess, freed, self.model.totals(guess.x)) for guess in self.expected(take(self.rows, where), freed)
        ]
        first, second = guesses
        lower = np.flatnonzero(steady(second.scores) < steady(first.scores))
        return put(first, lower, pick(second, lower))

    def _keep(self, where: np.ndarray, tried: Nearest, limit: np.ndarray) -> np.ndarray:
        """Take over what scores at most `limit` `(len(where),)`; which did."""
        good = tried.scores <= limit
        self.best = put(self.best, where[good], pick(tried, np.flatnonzero(good)))
        return good


def by_part(parts: np.ndarray, freed: np.ndarray) -> np.ndarray:
    """Columns `(n, columns)` from the largest part to the least; those already freed last."""
    return np.argsort(-np.where(freed, -np.inf, steady(parts)), axis=1, kind="stable")


def steady(values: np.ndarray) -> np.ndarray:
    """Values in single precision: the order does not hang on the last digits, which depend on the batch."""
    return values.astype(np.float32)


def take(rows: Encoded, where: np.ndarray) -> Encoded:
    """Some of the rows."""
    place = torch.from_numpy(where)
    return Encoded(rows.x[place], rows.known[place])


def pick(found: Nearest, where: np.ndarray) -> Nearest:
    """Some of what was found."""
    return Nearest(take(found.rows, where), found.freed[where], found.scores[where])


def put(found: Nearest, where: np.ndarray, instead: Nearest) -> Nearest:
    """A copy with the rows `where` replaced by `instead`."""
    place = torch.from_numpy(where)
    x, known = found.rows.x.clone(), found.rows.known.clone()
    freed, scores = found.freed.copy(), found.scores.copy()
    x[place], known[place] = instead.rows.x, instead.rows.known
    freed[where], scores[where] = instead.freed, instead.scores
    return Nearest(Encoded(x, known), freed, scores)
