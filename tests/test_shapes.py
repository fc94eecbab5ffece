"""What says a shape is held to it while tests run."""

import pytest
import torch
from jaxtyping import TypeCheckError

from anodiff.diffusion.exact import Gaussian
from anodiff.diffusion.noise import VE
from anodiff.scores.reconstruction import Residual


def test_a_time_that_is_no_float_is_refused():
    with pytest.raises(TypeCheckError):
        VE().sigma(torch.arange(3))


def test_noise_of_another_shape_is_refused():
    with pytest.raises(TypeCheckError):
        VE().perturb(torch.zeros(4, 2), torch.ones(4), torch.zeros(4, 3))


def test_a_score_refuses_whole_numbers():
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    with pytest.raises(TypeCheckError):
        Residual()(Gaussian.fit(x, VE()), x.long())
