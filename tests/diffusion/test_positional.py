"""Gaussians of places, against the joint Gaussian of features and context, written out."""

import copy
import pickle

import pytest
import torch
from torch import Tensor

from anodiff.diffusion.noise import VE
from anodiff.diffusion.positional import BELIEF, FARTHEST, PRIOR, RIDGE, Context, Positional, Sums, cholesky
from anodiff.types import Misfit

PROCESS = VE(sigma_max=1000.0)


def maps(n: int, channels: int, side: int = 2, seed: int = 0) -> Tensor:
    """Correlated features, shifted as a whole from picture to picture, of variance 1."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(channels, channels, generator=generator) * torch.arange(1, channels + 1) ** -0.7
    x = torch.einsum("cd,ndhw->nchw", mixing, torch.randn(n, channels, side, side, generator=generator))
    x = x + 0.5 * x.std() * torch.randn(n, channels, 1, 1, generator=generator)
    x = x + torch.randn(channels, side, side, generator=generator)
    return (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True)


def fitted(x: Tensor, context: int = 0, **settings: float) -> Positional:
    chosen = {"pooled": 0.05, "shrinkage": 0.1, **settings}
    return Positional.fit(Sums(tuple(x.shape[1:]), bool(context)).add(x), PROCESS, context=context, **chosen)  # type: ignore[arg-type]


def expected(model: Positional, x: Tensor, level: float, pooled: float = 0.05, shrinkage: float = 0.1) -> Tensor:
    """The posterior mean in double precision, by ridge regression on the context place by place."""
    n, channels = len(x), x.shape[1]
    cells = x.double().flatten(2).permute(2, 0, 1)
    mean = cells.mean(1, keepdim=True)
    left, centre = cells - mean, mean.expand_as(cells)
    if model.context is not None:
        c = model.context(x).double()
        away = c - c.mean(0)
        ridge = PRIOR / n * torch.eye(c.shape[1], dtype=torch.float64)
        slopes = torch.linalg.solve(away.T @ away / n + ridge, away.T @ left / n)
        left, centre = left - away @ slopes, centre + away @ slopes
    own = left.transpose(1, 2) @ left / n
    common = own.mean(0)
    share = max(pooled, BELIEF * channels / (BELIEF * channels + n))
    spread = (1 - share) * own + share * common
    diagonal = torch.diag_embed(spread.diagonal(dim1=1, dim2=2))
    spread = (1 - shrinkage) * spread + shrinkage * diagonal + RIDGE * torch.diag(common.diagonal())
    noisy = spread + level**2 * torch.eye(channels, dtype=torch.float64)
    answer = centre + torch.linalg.solve(noisy, left.transpose(1, 2)).transpose(1, 2) @ spread
    return answer.permute(1, 2, 0).reshape(x.shape)


@pytest.mark.parametrize(
    ("n", "channels", "context"),
    [(12, 3, 0), (40, 4, 2), (40, 4, 4), (60, 200, 0), (300, 400, 40)],
    ids=["few", "given two", "given all", "fewer pictures than features", "as large as real ones"],
)
@pytest.mark.parametrize("level", [0.03, 0.5])
def test_is_the_posterior_of_a_gaussian_given_its_context(n: int, channels: int, context: int, level: float) -> None:
    x = maps(n, channels)
    model = fitted(x, context)
    time = PROCESS.time(torch.tensor(level))
    found = model(x, time).mean
    torch.testing.assert_close(found.double(), expected(model, x, float(PROCESS.level(time))), rtol=1e-3, atol=2e-4)


def test_at_the_far_level_it_is_the_mean_given_the_context() -> None:
    x = maps(40, 4)
    model = fitted(x, 2)
    far = model(x, torch.ones(())).mean
    torch.testing.assert_close(far.double(), expected(model, x, 1e8), rtol=1e-4, atol=1e-4)
    other = fitted(x)
    torch.testing.assert_close(other(x, torch.ones(())).mean, other.mean.movedim(-1, 0).expand_as(x))


def test_a_context_has_mean_nothing_and_variance_one() -> None:
    x = maps(50, 6)
    context = fitted(x, 3).context
    assert context is not None
    c = context(x)
    torch.testing.assert_close(c.T @ c / len(x), torch.eye(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(c.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    assert context(1e6 * x).abs().max() == FARTHEST


def test_a_context_has_no_more_directions_than_vary() -> None:
    x = maps(50, 6)
    x[:, 1:] = x[:, :1]
    assert Context.fit(Sums((6, 2, 2), True).add(x), 5).directions.shape == (6, 1)
    still = Context.fit(Sums((6, 2, 2), True).add(torch.ones(9, 6, 2, 2)), 5)
    assert still(torch.full((2, 6, 2, 2), 3.0)).isfinite().all()


def test_sums_without_some_are_sums_of_the_rest() -> None:
    x = maps(60, 8)
    rest = Sums((8, 2, 2), True).add(x).without(Sums((8, 2, 2), True).add(x[40:]))
    alone = Sums((8, 2, 2), True).add(x[:25]).add(x[25:40])
    assert rest.count == alone.count == 40
    for name in ("first", "second", "means", "within", "across"):
        torch.testing.assert_close(getattr(rest, name), getattr(alone, name), rtol=1e-4, atol=1e-4)
    one, other = (Positional.fit(each, PROCESS, context=3) for each in (rest, alone))
    torch.testing.assert_close(one.packed, other.packed, rtol=1e-3, atol=1e-4)


def test_places_within_reach_count_as_one() -> None:
    x = maps(30, 2, side=3)
    wide = Positional.fit(Sums((2, 3, 3)).add(x), PROCESS, reach=2, shrinkage=0)
    cells = x.flatten(2).permute(0, 2, 1).reshape(-1, 2).double()
    spread = cells.T @ cells / len(cells) - cells.mean(0)[:, None] * cells.mean(0)
    torch.testing.assert_close(wide.mean.double(), cells.mean(0).expand(3, 3, 2), rtol=1e-4, atol=1e-5)
    spread.diagonal().mul_(1 + RIDGE)
    found = wide.packed.double()
    torch.testing.assert_close(found, spread[*torch.tril_indices(2, 2)].expand(9, 3), rtol=1e-3, atol=1e-4)


def test_a_part_is_pooled_as_the_whole_is() -> None:
    x = maps(60, 30)
    few, many, none = (
        Positional.fit(Sums((30, 2, 2)).add(x[:10]), PROCESS, pooled=pooled, shrinkage=0, of=of).packed
        for pooled, of in ((0.01, None), (0.01, 10_000), (0.0, None))
    )

    def apart(packed: Tensor) -> float:
        return float((packed - packed.mean(0)).abs().mean())

    assert apart(few) < 0.7 * apart(many)
    assert apart(many) == pytest.approx(0.99 * apart(none), rel=1e-3)


def test_shrunk_to_the_end_only_variances_remain() -> None:
    model = fitted(maps(30, 3), shrinkage=1.0)
    rows, columns = torch.tril_indices(3, 3)
    assert (model.packed[:, rows != columns] == 0).all()
    pooled = fitted(maps(30, 3), pooled=1.0)
    torch.testing.assert_close(pooled.packed, pooled.packed[:1].expand_as(pooled.packed))


def test_each_picture_for_itself_and_again_the_same() -> None:
    x = maps(80, 64, side=4)
    model, time = fitted(x, 8), PROCESS.time(torch.tensor(0.03))
    whole = model(x, time).mean
    assert torch.equal(model(x, time).mean, whole)
    for size in (1, 3, 16):
        parts = torch.cat([model(part, time).mean for part in x.split(size)])  # type: ignore[no-untyped-call]
        torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)


def test_fitted_again_the_same() -> None:
    one, other = (fitted(maps(30, 16), 4).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_never_varies_is_no_trouble() -> None:
    x = maps(20, 5)
    x[:, 2] = 7.0
    found = fitted(x, 3)(x + 1e4, PROCESS.time(torch.tensor(0.03))).mean
    assert found.isfinite().all()


def test_an_indefinite_covariance_is_lifted() -> None:
    lower = torch.tensor([[[1.0, 0.0], [1.1, 1.0]], [[1.0, 0.0], [0.5, 1.0]]])
    factor = cholesky(lower)
    assert factor.isfinite().all()
    torch.testing.assert_close(factor[1] @ factor[1].T, torch.tensor([[1.0, 0.5], [0.5, 1.0]]))


def test_inverses_are_no_part_of_a_copy() -> None:
    x = maps(20, 5)
    model, time = fitted(x, 2), PROCESS.time(torch.tensor(0.03))
    answer = model(x, time).mean
    assert model._kept
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert not twin._kept
        torch.testing.assert_close(twin(x, time).mean, answer)


def test_refusals() -> None:
    with pytest.raises(Misfit, match="needs at least two maps; it was given 1"):
        Positional.fit(Sums((2, 1, 1)).add(torch.zeros(1, 2, 1, 1)), PROCESS)
    with pytest.raises(Misfit, match=r"1,024 places of 3,000 features take 36.9 GB; choose fewer layers"):
        Sums((3000, 32, 32))
    model = fitted(maps(9, 2))
    with pytest.raises(Misfit, match="at one time for all items"):
        model(maps(2, 2), torch.tensor([0.1, 0.2]))
