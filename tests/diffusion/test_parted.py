"""Denoisers of parts: the closed forms agree with the joint ones, and a missing part is marginalised."""

import torch

from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import VE
from anodiff.diffusion.parted import GaussianParts, RowParts

VP = VE()
WIDTHS = (2, 3)


def drawn(count: int = 500) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    return torch.randn(count, 5, generator=generator, dtype=torch.float64) @ mixing


def gaussian(x: torch.Tensor) -> GaussianParts:
    return GaussianParts.fit(x, torch.ones(len(x), 2, dtype=torch.bool), WIDTHS, VP, apart=0.0)


def test_the_chain_rule_holds_without_noise() -> None:
    x, t = drawn(), torch.tensor(0.0, dtype=torch.float64)
    model = gaussian(x)
    few = x[:20]
    whole = model.together([0, 1]).log_density(few, t.expand(20))
    one = model.together([0]).log_density(few[:, :2], t.expand(20))
    rest = model.given(1, few, [0]).log_density(few[:, 2:], t.expand(20))
    assert torch.allclose(one + rest, whole, rtol=1e-2, atol=1e-2)


def test_a_missing_part_is_marginalised() -> None:
    x = drawn()
    model = gaussian(x)
    alone = Gaussian(x[:, :2].mean(0), torch.cov(x[:, :2].T, correction=0), VP)
    t = VP.time(torch.tensor(0.3, dtype=torch.float64)).expand(10)
    assert torch.allclose(
        model.together([0]).log_density(x[:10, :2], t), alone.log_density(x[:10, :2], t), rtol=1e-2, atol=1e-2
    )


def test_nothing_told_is_no_condition() -> None:
    x = drawn(50)
    model = RowParts(x, torch.ones(50, 2, dtype=torch.bool), WIDTHS, VP)
    t = VP.time(torch.tensor(0.3, dtype=torch.float64)).expand(10)
    told = model.given(0, x[:10], []).log_density(x[:10, :2], t)
    assert torch.allclose(told, model.together([0]).log_density(x[:10, :2], t))


def test_the_own_part_fits_better_than_most_others() -> None:
    x = drawn(200)
    x[:, :2] = x[:, 2:4] + 0.05 * x[:, :2]
    for model in (gaussian(x), RowParts(x, torch.ones(200, 2, dtype=torch.bool), WIDTHS, VP)):
        own = model.fits(0, x[:30], [1], x[:30, :2], 0.1, each=True)
        others = model.fits(0, x[:30], [1], x[30:, :2], 0.1)
        assert own.shape == (30, 1)
        assert ((others > own).double().mean(1) < 0.2).double().mean() > 0.9


def test_each_is_the_diagonal() -> None:
    x = drawn(40)
    for model in (gaussian(x), RowParts(x, torch.ones(40, 2, dtype=torch.bool), WIDTHS, VP)):
        own = model.fits(0, x[:6], [1], x[:6, :2], 0.2, each=True)[:, 0]
        assert torch.allclose(own, model.fits(0, x[:6], [1], x[:6, :2], 0.2).diagonal())


def test_a_part_that_no_row_has_stays_finite() -> None:
    x, present = drawn(12), torch.tensor([[True, False]]).repeat(12, 1)
    x[:, 2:] = 0
    model = RowParts(x, present, WIDTHS, VP)
    t = VP.time(torch.tensor(0.3, dtype=torch.float64)).expand(12)
    assert model.together([1]).log_density(x[:, model.cells([1])], t).isfinite().all()
    assert model.fits(1, x, [0], x[:3, model.cells([1])], 0.1).isfinite().all()
