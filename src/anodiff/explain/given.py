r"""The "given" of a sentence: the one or two other columns that say most why another value was expected,

.. math:: u(g) = \frac{\log z(g)}{\log \text{GAIN}} - \frac{|\mathbb{E}[y \mid x_g] - \hat y|}{\text{MOVE} \, \sigma_y},
          \qquad z(g) = \frac{|y - \mathbb{E}[y \mid x_g]|}{\sqrt{\operatorname{Var}[y \mid x_g]}},
          \qquad y = n^\top x_c, \quad n \propto x_c - \hat x_c ,

under the Gaussian of normals, where :math:`\hat x_c` is what the nearest normal row holds in column c: in the light of
g the value is far out, and what is expected is close to what was said. A column is named if it raises u by 1; where
none does, the value is as far out whatever the others hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anodiff.diffusion.fill import RIDGE
from anodiff.diffusion.gaussian import Gaussian

GAIN = 1.2
"""A column that makes z larger by this factor is worth naming, ..."""
MOVE = 0.6
"""... or one that moves what is expected by so many standard deviations to where the nearest normal row has it."""
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
        normal = x[own] - nearest[own]
        claim = Claim(x, nearest, own, normal / max(float(np.linalg.norm(normal)), 1e-12))
        named: list[int] = []
        far, worth = self._judged(claim, named)
        candidates = self._related(claim, kept)
        while len(named) < MOST and candidates:
            tried = [self._judged(claim, [*named, other]) for other in candidates]
            best = max(range(len(tried)), key=lambda place: tried[place][1])
            if tried[best][1] < worth + 1:
                break
            far, worth = tried[best]
            named.append(candidates.pop(best))
        return named, far

    def _judged(self, claim: "Claim", given: Sequence[int]) -> tuple[float, float]:
        """z and u."""
        x, own, n = claim.x - self.mean, claim.own, claim.normal
        mean, variance = 0.0, n @ self.covariance[np.ix_(own, own)] @ n
        spread = np.sqrt(max(variance, RIDGE))
        if given:
            g = np.concatenate([self.places[column] for column in given])
            across = n @ self.covariance[np.ix_(own, g)]
            weights = np.linalg.solve(self.covariance[np.ix_(g, g)], across)
            mean, variance = weights @ x[g], variance - weights @ across
        far = abs(n @ x[own] - mean) / np.sqrt(max(variance, RIDGE))
        off = abs(n @ (claim.nearest - self.mean)[own] - mean) / spread
        return float(far), float(np.log(max(far, 1e-12)) / np.log(GAIN) - off / MOVE)

    def _related(self, claim: "Claim", kept: Sequence[int]) -> list[int]:
        across = (claim.normal @ self.covariance[claim.own]) ** 2 / np.diag(self.covariance)
        strength = [across[self.places[column]].max() for column in kept]
        order = np.argsort(-np.asarray(strength), kind="stable")[:LOOKED_AT]
        return [kept[place] for place in order]


@dataclass(frozen=True)
class Claim:
    """That `x` `(D,)` should be as `nearest` `(D,)` in the coordinates `own` `(k,)`; `normal` `(k,)` points across."""

    x: np.ndarray
    nearest: np.ndarray
    own: np.ndarray
    normal: np.ndarray
