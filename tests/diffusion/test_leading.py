"""A network of the leading directions: silent, it is the Gaussian; with all directions, it is `Spectral`."""

import torch

from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.leading import Leading, leading_gaussian
from anodiff.diffusion.noise import VE, VP
from anodiff.diffusion.spectral import Spectral
from anodiff.nets.conditioned import WindowMLP

MIX = torch.randn(12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
X = torch.randn(500, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64) @ MIX + 3
T = torch.full((500,), 0.3, dtype=torch.float64)


def test_a_silent_network_leaves_the_gaussian() -> None:
    for process in (VE(), VP()):
        gaussian = Gaussian.fit(X, process)
        inner = Spectral(WindowMLP(1, 5, 16, 1, silent=True).double(), leading_gaussian(gaussian, 5))
        x = X.reshape(500, 3, 4)
        assert torch.allclose(Leading(inner, gaussian, 5)(x, T).mean, gaussian(x, T).mean, atol=1e-8)


def test_coordinates_are_the_ones_of_most_variance() -> None:
    gaussian = Gaussian.fit(X, VE())
    inner = Spectral(WindowMLP(1, 4, 16, 1), leading_gaussian(gaussian, 4))
    found = Leading(inner, gaussian, 4).coordinates(X)
    assert torch.allclose(found.var(0, correction=0), gaussian.values[-4:], rtol=0.05)


def test_a_network_moves_only_the_leading_directions() -> None:
    torch.manual_seed(0)
    gaussian = Gaussian.fit(X, VE())
    inner = Spectral(WindowMLP(1, 4, 16, 1, silent=False).double(), leading_gaussian(gaussian, 4))
    moved = Leading(inner, gaussian, 4)(X, T).mean - gaussian(X, T).mean
    assert moved.abs().max() > 1e-3
    assert torch.allclose(moved @ gaussian.vectors[:, :-4], torch.zeros(500, 8, dtype=torch.float64), atol=1e-8)
