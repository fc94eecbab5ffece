r"""The "given" of a sentence: the one or two other columns in the light of which a value is most out of place,

.. math:: z(g) = \frac{|y - \mathbb{E}[y \mid x_g]|}{\sqrt{\operatorname{Var}[y \mid x_g]}}, \qquad
          y = u^\top x_c, \quad u \propto x_c - \hat x_c ,

under the Gaussian of normals, where :math:`\hat x_c` is what the nearest normal row holds in column c. A column is
named if it makes z larger by `GAIN`; where none does, the value is as far out whatever the others hold.
"""

from collections.abc import Sequence

import numpy as np

from anodiff.diffusion.fill import RIDGE
from anodiff.diffusion.gaussian import Gaussian

GAIN = 1.2
MOST = 2
LOOKED_AT = 12
"""Columns that are tried, those most correlated with the one in question."""


class Given:
    """Finds the columns to name.

    Args:
        gaussian: Of encoded normals.
        owner: The column of each coordinate `(D,)`, -1 for none.
    """

    def __init__(self, gaussian: Gaussian, owner: np.ndarray) -> None:
        self.mean = gaussian.mean.double().numpy()
        vectors, values, rest = (v.double().numpy() for v in (gaussian.vectors, gaussian.values, gaussian.rest))
        self.covariance = (vectors * (values - rest)) @ vectors.T + (rest + RIDGE) * np.eye(len(self.mean))
        self.places = [np.flatnonzero(owner == column) for column in range(owner.max() + 1)]

    def __call__(self, x: np.ndarray, nearest: np.ndarray, column: int, kept: Sequence[int]) -> tuple[list[int], float]:
        """The columns among `kept` to name for `column`, and how far its value is from what they lead one to expect.

        Args:
            x: The row `(D,)`.
            nearest: Its nearest normal row `(D,)`.
            column: The column in question.
            kept: Columns that may be named.

        Returns:
            At most two columns, and z in standard deviations.
        """
        own = self.places[column]
        u = x[own] - nearest[own]
        u = u / max(float(np.linalg.norm(u)), 1e-12)
        named: list[int] = []
        far = self._far(x, own, u, named)
        candidates = self._related(own, u, kept)
        while len(named) < MOST and candidates:
            tried = [self._far(x, own, u, [*named, other]) for other in candidates]
            best = int(np.argmax(tried))
            if tried[best] < GAIN * far:
                break
            far = tried[best]
            named.append(candidates.pop(best))
        return named, far

    def _far(self, x: np.ndarray, own: np.ndarray, u: np.ndarray, given: Sequence[int]) -> float:
        away = u @ (x - self.mean)[own]
        variance = u @ self.covariance[np.ix_(own, own)] @ u
        if given:
            g = np.concatenate([self.places[column] for column in given])
            across = u @ self.covariance[np.ix_(own, g)]
            weights = np.linalg.solve(self.covariance[np.ix_(g, g)], across)
            away, variance = away - weights @ (x - self.mean)[g], variance - weights @ across
        return float(abs(away) / np.sqrt(max(variance, RIDGE)))

    def _related(self, own: np.ndarray, u: np.ndarray, kept: Sequence[int]) -> list[int]:
        across = (u @ self.covariance[own]) ** 2 / np.diag(self.covariance)
        strength = [across[self.places[column]].max() for column in kept]
        order = np.argsort(-np.asarray(strength), kind="stable")[:LOOKED_AT]
        return [kept[place] for place in order]
