"""A Gaussian that is told once answers as one that is told every time."""

import pytest
import torch

from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.infilling import Given
from anodiff.diffusion.noise import VE
from anodiff.diffusion.settled import Settled
from anodiff.types import Misfit


@pytest.mark.parametrize("level", [0.05, 0.7, 6.0])
def test_settled_is_given(level: float) -> None:
    generator = torch.Generator().manual_seed(0)
    process = VE(0.01, 50.0)
    x = torch.randn(500, 6, generator=generator) @ torch.randn(6, 6, generator=generator)
    gaussian = Gaussian.fit(x, process)
    known = torch.rand(40, 6, generator=generator) < 0.6
    known[0], known[1] = False, True
    seen = x[:40] + torch.where(known, 0, level * torch.randn(40, 6, generator=generator))
    t = process.time(torch.tensor(level))
    expected, found = Given(gaussian)(seen, t, known=known), Settled(gaussian, known)(seen, t)
    assert torch.allclose(found.mean, expected.mean, atol=1e-4)
    assert torch.allclose(found.variance, expected.variance, atol=1e-4)


def test_masks_are_of_their_own_rows() -> None:
    gaussian = Gaussian.fit(torch.randn(50, 3, generator=torch.Generator().manual_seed(0)), VE(0.01, 50.0))
    with pytest.raises(Misfit, match="masks are of 4 rows; it was asked about 5"):
        Settled(gaussian, torch.ones(4, 3, dtype=torch.bool))(torch.zeros(5, 3), torch.tensor(0.5))
