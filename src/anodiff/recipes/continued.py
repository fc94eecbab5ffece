r"""What a picture that was left out would score if all others had been learnt from, not all but a fold.

A Gaussian of as many features as pictures takes what it has not seen for the odder the fewer pictures it has seen, and
alarms that count such scores would be too rare. By how much is measured where two folds are left out and :math:`n_2`
pictures remain, instead of one and :math:`n_1`, and continued to all n as for a Gaussian of p features, whose squared
distance is on average in proportion to :math:`1 / (1 - p / n)`: its inverse is linear in 1/n,

.. math:: a(n) = \gamma \, a(n_1), \qquad \gamma^{-2} = 1 + \Big( 1 - \Big( \frac{\sum a(n_1)}{\sum a(n_2)} \Big)^2
          \Big) \frac{1 / n_1 - 1 / n}{1 / n_2 - 1 / n_1}

for a distance a, without the squares for a squared one,
sums over the cells of the same pictures.
"""

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from anodiff.diffusion.positional import Sums
from anodiff.training import Step

if TYPE_CHECKING:
    from anodiff.recipes.pictured import Growth

PAIRS = 2
"""Pairs of folds that are left out together."""


def continued(growth: "Growth", name: str, asking: Sequence[str], whole: Sums) -> Generator[Step, None, None]:
    """Scale what scores said of the pictures left out, to what they would say after learning from all others.

    Args:
        growth: The fit under way; every fold of the denoiser has been judged.
        name: Of the denoiser, positional Gaussians.
        asking: The scores that ask it.
        whole: Of all pictures that are kept.
    """
    fold, kept, spec = growth.seen.fold, growth.seen.kept, growth.recipe.denoisers[name]
    turns = np.unique(fold[kept])
    once, twice = dict.fromkeys(asking, 0.0), dict.fromkeys(asking, 0.0)
    sizes = list[tuple[float, float]]()
    for pair in turns[: 2 * min(PAIRS, len(turns) // 2)].reshape(-1, 2):
        gone = kept & np.isin(fold, pair)
        out, rest = np.flatnonzero(gone), np.flatnonzero(kept & ~gone)
        if len(rest) < 2:
            continue
        sizes.append((kept.sum() - len(out) / 2, len(rest)))
        denoiser = yield from growth.denoiser(name, rest, growth.rest(spec, whole, out))
        for k in asking:
            said = growth.said(k, growth.question(k, denoiser, rest, 0), denoiser, out)
            once[k] += float(growth.left_out[k][out].sum(dtype=np.float64))
            twice[k] += float(said.sum(dtype=np.float64))
    for k in asking:
        if sizes and 0 < once[k] < twice[k]:
            one, two = np.mean(sizes, 0)
            steps = (1 / one - 1 / kept.sum()) / (1 / two - 1 / one)
            power = 2 if growth.recipe.scores[k].root else 1
            growth.left_out[k] *= (1 + (1 - (once[k] / twice[k]) ** power) * steps) ** (-1 / power)
