"""A Gaussian that was told what is known is the one that `Given` factorises anew for each level."""

import pytest
import torch

from anodiff.diffusion import infilling
from anodiff.diffusion.conditional import Conditional, Loadings
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.infilling import Given
from anodiff.diffusion.noise import VE


@pytest.fixture
def gaussian() -> Gaussian:
    generator = torch.Generator().manual_seed(0)
    loads = torch.randn(12, 4, generator=generator, dtype=torch.float64)
    mean = torch.randn(12, generator=generator, dtype=torch.float64)
    return Gaussian(mean, loads @ loads.T + 0.3 * torch.eye(12, dtype=torch.float64), VE())


def asked(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.randn(5, 3, 4, generator=generator, dtype=torch.float64)
    return x, torch.rand(x.shape, generator=generator) < 0.4


@pytest.mark.parametrize("level", [0.05, 0.7, 20.0])
def test_it_is_the_exact_posterior(gaussian: Gaussian, level: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infilling, "RIDGE", 1e-13)
    x, hidden = asked(1)
    t = VE().time(torch.tensor(level, dtype=torch.float64))
    noised = torch.where(hidden, x + level * torch.randn(x.shape, generator=torch.Generator().manual_seed(2)), x)
    ours = Conditional(Loadings(gaussian), hidden).given(x)(noised, t).mean
    theirs = Given(gaussian)(noised, t.expand(5), known=~hidden).mean
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_known_cells_are_answered_as_they_are(gaussian: Gaussian) -> None:
    x, hidden = asked(3)
    told = Conditional(Loadings(gaussian), hidden).given(x)
    answer = told(x + 1, torch.tensor(0.5, dtype=torch.float64)).mean
    assert torch.equal(answer[~hidden], x[~hidden])


def test_what_it_holds_in_hidden_cells_is_not_read(gaussian: Gaussian) -> None:
    x, hidden = asked(4)
    told = Conditional(Loadings(gaussian), hidden)
    one = told.given(x).mean
    other = told.given(torch.where(hidden, 1e6, x)).mean
    assert one is not None
    assert other is not None
    assert torch.equal(one, other)


def test_some_of_the_items_are_the_same_items(gaussian: Gaussian) -> None:
    x, hidden = asked(5)
    t = torch.tensor(0.5, dtype=torch.float64)
    every, some = Conditional(Loadings(gaussian), hidden).given(x), torch.tensor([3, 1])
    assert torch.allclose(every.only(some)(x[some], t).mean, every(x, t).mean[some])


def test_it_must_be_told_what_is_known_first(gaussian: Gaussian) -> None:
    _, hidden = asked(6)
    with pytest.raises(RuntimeError, match="call given first"):
        Conditional(Loadings(gaussian), hidden)(torch.zeros(5, 3, 4), torch.tensor(0.5))
