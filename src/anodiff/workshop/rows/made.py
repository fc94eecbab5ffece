r"""A model of rows that knows any cells given any others: a network around a Gaussian of normal scores,

.. math:: D(\tilde u, s, K) = m_K + \sqrt{\mathrm{Var}_K} \; F(\tilde u, s, K) ,

trained with random cells known. In normal scores the Gaussian is a Gaussian copula, exact for each column by itself;
what the network learns is how columns depend otherwise.
"""

from collections.abc import Generator, Mapping

import torch
from torch import Tensor

from anodiff.diffusion.fill import doubt, fit_incomplete
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.infilling import Given, Infilling
from anodiff.diffusion.masked import infilling
from anodiff.diffusion.noise import VE
from anodiff.diffusion.spectral import over
from anodiff.nets.mlp import Informed, seeded
from anodiff.training import Step, batches, one_thread, train
from anodiff.types import Mask

BETWEEN = (0.02, 10.0)
"""Levels of training, in standard deviations of a column."""
FEW = 3
"""Cells at most that a mask of few hides."""
BATCH = 256
PROCESS = VE(0.01, 50.0)


def none_known(shape: torch.Size, generator: torch.Generator) -> Mask:  # noqa: ARG001
    """Nothing is known, `(B, d)`: rows from nothing."""
    return torch.zeros(shape, dtype=torch.bool)


def some_known(shape: torch.Size, generator: torch.Generator) -> Mask:
    """Each cell is known with a chance that is uniform over rows, `(B, d)`."""
    known: Tensor = torch.rand(shape, generator=generator) < torch.rand(shape[0], 1, generator=generator)
    return known


def most_known(shape: torch.Size, generator: torch.Generator) -> Mask:
    """All is known but from one to three cells, `(B, d)`."""
    order = torch.rand(shape, generator=generator).argsort(1).argsort(1)
    hidden = torch.randint(1, min(FEW, shape[1]) + 1, (shape[0], 1), generator=generator)
    known: Tensor = order >= hidden
    return known


MASKS = (none_known, some_known, most_known)


def rows_learnt(
    u: Tensor, known: Mask, steps: int, seed: int = 0, width: int = 128, depth: int = 3
) -> Generator[Step, None, Infilling]:
    """Fit a model of rows `u` `(n, d)` float32: yields steps, returns the model.

    What is not `known` is drawn once from the Gaussian given the rest: masks would else differ from row to row, each
    with a factorisation of its own.
    """
    generator = torch.Generator().manual_seed(seed)
    gaussian, filled = fit_incomplete(u, known, PROCESS)
    model = Infilling(seeded(Informed, seed, cells=u.shape[1], width=width, depth=depth), Given(gaussian))
    if not bool(known.all()):
        filled = filled + doubt(gaussian, known, generator).to(u)
    loss = over(infilling(model, BETWEEN, MASKS), filled)
    places = batches(torch.arange(len(u)), BATCH, steps, generator)
    with one_thread():
        yield from train(model, loss, places, steps, generator)
    return model


def rows_revived(state: Mapping[str, Tensor], width: int = 128, depth: int = 3) -> Infilling:
    """The model of which this is the state."""
    base = {name.rsplit(".", 1)[1]: value for name, value in state.items() if name.startswith("base.")}
    gaussian = Gaussian.spectral(**base, schedule=PROCESS)
    model = Infilling(seeded(Informed, 0, cells=len(gaussian.mean), width=width, depth=depth), Given(gaussian))
    model.load_state_dict(dict(state))
    return model.eval()
