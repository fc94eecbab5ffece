"""Masks, and what is learnt from hidden cells alone: a base that is exact, and a network around it."""

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from anodiff.diffusion.denoise import Denoiser, Posterior, Preconditioned
from anodiff.diffusion.exact import Gaussian
from anodiff.diffusion.fill import RIDGE, conditional_mean
from anodiff.diffusion.guide import ClassifierFree
from anodiff.diffusion.infilling import Cellwise, Given, Infilling, Told
from anodiff.diffusion.masked import (
    MASKS,
    forecast_mask,
    forgetting,
    grating_mask,
    infilling,
    masked_denoising,
    masked_loss,
    mixed,
)
from anodiff.diffusion.noise import SCHEDULES, VE, VP
from anodiff.diffusion.spectral import drawn, over
from anodiff.nets import NETS
from anodiff.nets.mlp import seeded
from anodiff.training import batches, train

BETWEEN = (0.05, 10.0)
SHAPES = [(200, 1, 1), (200, 1, 7), (200, 3, 1), (200, 3, 20)]


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=draw(seed))


def waves(n: int, seed: int = 0) -> torch.Tensor:
    """Square waves of any phase on two channels, of which the second is the first's absolute slope."""
    phase = 6.28 * torch.rand(n, 1, generator=draw(seed))
    first = torch.tanh(3 * torch.sin(torch.arange(12) * 0.52 + phase))
    return torch.stack([first, 1 - first**2], 1) + 0.05 * torch.randn(n, 2, 12, generator=draw(seed + 1))


@pytest.fixture
def gaussian() -> Gaussian:
    x = (normal(400, 10) @ normal(10, 10, seed=1) / 3 + normal(10, seed=2)).reshape(400, 2, 5)
    return Gaussian.fit(x, VE(), shrinkage=0.01)


def dense(gaussian: Gaussian) -> torch.Tensor:
    spread = gaussian.vectors * (gaussian.values - gaussian.rest) @ gaussian.vectors.T
    return spread + gaussian.rest * torch.eye(len(spread)).to(spread)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", MASKS)
def test_masks_replay_and_hide_something(name, shape):
    known = MASKS[name](torch.Size(shape), draw())
    assert known.shape == shape
    assert known.dtype == torch.bool
    assert torch.equal(known, MASKS[name](torch.Size(shape), draw()))
    if name != "free" and shape[2] > 1:
        assert 0.2 < known.float().mean() < 0.8 or name == "block"
        assert len(known.flatten(1).unique(dim=0)) > 1
    if name not in ("random", "grating"):
        assert (~known).flatten(1).any(1).all()


def test_a_forecast_knows_a_beginning_and_a_grating_has_stripes():
    known = forecast_mask(torch.Size((300, 2, 9)), draw()).int()
    assert (known.diff(dim=2) <= 0).all()
    assert set(known.sum(2).flatten().tolist()) == set(range(9))
    runs = grating_mask(torch.Size((300, 2, 40)), draw())[:, 0].int().diff(dim=1).ne(0).sum(1)
    assert runs.min() >= 3


def test_a_block_is_one_stretch_in_some_channels():
    known = MASKS["block"](torch.Size((300, 4, 12)), draw())
    hidden = (~known).int()
    assert (hidden.diff(dim=2).eq(1).sum(2) + hidden[..., 0] <= 1).all()
    assert hidden.sum(2).amax() == 6
    assert 1 < (~known).any(2).sum(1).float().mean() < 3


def test_mixed_uses_all_kinds():
    known = mixed(list(MASKS.values()), torch.Size((500, 1, 30)), draw())
    share = known.float().mean((1, 2))
    assert 50 < (share == 0).sum() < 200
    assert (share > 0.5).sum() > 100


@pytest.mark.parametrize("name", SCHEDULES)
def test_given_is_the_gaussian_posterior(name, gaussian):
    schedule = SCHEDULES[name]()
    given = Given(Gaussian.spectral(schedule=schedule, **gaussian.state_dict()))
    x, t = normal(12, 2, 5), torch.linspace(0.2, 0.9, 12, dtype=torch.float64)
    known = mixed(list(MASKS.values()), x.shape, draw())
    x_t = schedule.perturb(x, t, normal(12, 2, 5, seed=3).masked_fill(known, 0))
    answer, covariance = given(x_t, t, known=known), dense(gaussian)
    for i, s in enumerate(schedule.level(t)):
        noise = torch.where(known[i].flatten(), torch.as_tensor(RIDGE).double(), s**2)
        gain = torch.linalg.solve(covariance + torch.diag(noise), covariance)
        mean = gaussian.mean + (x_t[i].flatten() / schedule.alpha(t[i]) - gaussian.mean) @ gain
        expected = torch.where(known[i], x[i], mean.reshape(2, 5))
        torch.testing.assert_close(answer.mean[i], expected)
        variance = (covariance - covariance @ gain).diagonal().reshape(2, 5).masked_fill(known[i], 0)
        torch.testing.assert_close(answer.variance[i], variance)
    free = given(x_t, t, known=torch.zeros_like(known))
    torch.testing.assert_close(free.mean, given.gaussian(x_t, t).mean)
    torch.testing.assert_close(given(x_t, t).variance, given.gaussian(x_t, t).variance)
    single = given(x_t.float(), t.float(), known=known)
    assert single.mean.dtype == single.variance.dtype == torch.float32
    torch.testing.assert_close(single.mean.double(), answer.mean, rtol=1e-4, atol=1e-4)


def test_far_up_the_noise_given_is_the_conditional_mean(gaussian):
    given = Given(Gaussian.spectral(schedule=VE(sigma_max=1e5), **gaussian.state_dict()))
    x, known = normal(30, 2, 5), mixed(list(MASKS.values()), torch.Size((30, 2, 5)), draw())
    answer = Told(given, x.masked_fill(~known, torch.nan), known)(normal(30, 2, 5), torch.ones(()).double()).mean
    torch.testing.assert_close(answer, conditional_mean(gaussian, x, known), rtol=1e-5, atol=1e-5)


def test_rows_do_not_mix(gaussian):
    x, t = normal(40, 2, 5), torch.linspace(0.2, 0.9, 40, dtype=torch.float64)
    known = mixed(list(MASKS.values()), x.shape, draw())
    for base in (Given(gaussian), Cellwise(*Given(gaussian).alone, VE())):
        net = seeded(NETS["mlp"], 0, channels=2, length=5, width=16, masked=True, silent=False)
        denoiser = Infilling(net, base)
        whole = denoiser(x, t, known=known).mean
        assert torch.equal(whole[known], x[known]) or torch.allclose(whole[known], x[known])
        part = denoiser(x[3:9], t[3:9], known=known[3:9]).mean
        torch.testing.assert_close(part, whole[3:9], rtol=1e-6, atol=1e-6)
        assert denoiser(x[:0], t[:0], known=known[:0]).mean.shape == (0, 2, 5)


def test_a_silent_network_leaves_the_base(gaussian):
    x, t = normal(20, 2, 5), torch.linspace(0.2, 0.9, 20, dtype=torch.float64)
    known = mixed(list(MASKS.values()), x.shape, draw())
    for base in (Given(gaussian), Cellwise(*Given(gaussian).alone, VE())):
        denoiser = Infilling(seeded(NETS["mlp"], 0, channels=2, length=5, width=16, masked=True), base)
        torch.testing.assert_close(denoiser(x, t, known=known).mean, base(x, t, known=known).mean)
        torch.testing.assert_close(denoiser(x, t).mean, base(x, t).mean)


def test_cellwise_with_nothing_known_is_edm():
    net = seeded(NETS["mlp"], 0, channels=2, length=5, width=16, masked=True, silent=False)
    variance = torch.linspace(0.5, 2, 10)
    edm = Preconditioned(net, VP(), variance.reshape(2, 5))
    x, t = normal(20, 2, 5).float(), torch.linspace(0.1, 0.9, 20)
    denoiser = Infilling(net, Cellwise(torch.zeros(10), variance, VP()))
    torch.testing.assert_close(denoiser(x, t).mean, edm(x, t).mean, rtol=1e-4, atol=1e-5)


class Asked(Denoiser):
    """Answers with a tensor of which the slope is watched, and remembers what it was asked."""

    def __init__(self, shape: torch.Size) -> None:
        super().__init__()
        self.schedule = VE()
        self.answer = nn.Parameter(torch.zeros(shape))

    def forward(self, x_t, t, **condition):
        self.x_t, self.condition = x_t, condition
        return Posterior(self.answer)


def test_known_cells_enter_clean_and_teach_nothing():
    x, generator = normal(64, 3, 9).float(), draw()
    denoiser = Asked(x.shape)
    masked_denoising(denoiser, BETWEEN)(x, generator, label=torch.ones(64)).mean().backward()
    known = denoiser.condition["known"]
    assert denoiser.condition["label"].all()
    assert torch.equal(denoiser.x_t[known], x[known])
    assert (denoiser.x_t[~known] != x[~known]).all()
    assert not denoiser.answer.grad[known].any()
    assert denoiser.answer.grad[~known].all()


def test_what_is_missing_is_neither_shown_nor_asked_for():
    x, present = normal(64, 3, 9).float(), torch.rand(64, 3, 9, generator=draw(5)) < 0.7
    denoiser = Asked(x.shape)
    loss = masked_denoising(denoiser, BETWEEN)(x.masked_fill(~present, torch.nan), draw(), known=present)
    loss.mean().backward()
    assert torch.isfinite(loss).all()
    assert not (denoiser.condition["known"] & ~present).any()
    assert not denoiser.answer.grad[~present].any()


def test_everything_known_costs_nothing(gaussian):
    x, known = normal(8, 2, 5), torch.ones(8, 2, 5, dtype=torch.bool)
    t, noise = drawn(x, VE(), BETWEEN, draw())
    assert not masked_loss(Given(gaussian), x, t.double(), noise, known, ~known).any()
    denoiser = Infilling(seeded(NETS["mlp"], 0, channels=2, length=5, width=16, masked=True), Given(gaussian))
    assert not denoiser.loss(x, t.double(), noise, known, ~known).any()


def test_the_loss_of_the_base_is_one_where_it_is_right(gaussian):
    root = torch.linalg.cholesky(dense(gaussian))
    x = (gaussian.mean + normal(4000, 10) @ root.T).reshape(-1, 2, 5)
    denoiser = Infilling(seeded(NETS["mlp"], 0, channels=2, length=5, width=16), Given(gaussian))
    found = infilling(denoiser, (0.5, 10.0), [MASKS["free"], MASKS["forecast"]])(x, draw())
    assert abs(found.mean() - 1) < 0.05


@pytest.mark.parametrize("base", ["given", "cellwise"])
def test_one_network_beats_its_base_at_each_task(base):
    x, fresh = waves(2000), waves(300, seed=7)
    gaussian = Gaussian.fit(x, VE())
    start = Given(gaussian) if base == "given" else Cellwise(*Given(gaussian).alone, VE())
    denoiser = Infilling(seeded(NETS["mlp"], 0, channels=2, length=12, width=64, masked=True), start)
    generator, steps = draw(), 300
    loss = infilling(denoiser, BETWEEN)
    list(train(denoiser, loss, batches(x, 128, steps, generator), steps, generator, 3e-3))
    t = VE().time(torch.tensor(2.0))
    noise = 2 * torch.randn(fresh.shape, generator=draw(3))
    for name in MASKS:
        known = MASKS[name](fresh.shape, draw(4))
        with torch.no_grad():
            ours, theirs = (
                (Told(d, fresh, known)(fresh + noise, t).mean - fresh)[~known].square().mean()
                for d in (denoiser, start)
            )
        assert ours < 0.97 * theirs, name


def test_same_seed_same_weights_and_a_saved_one_answers_the_same():
    x = waves(200)

    def learnt() -> Infilling:
        net = seeded(NETS["mlp"], 0, channels=2, length=12, width=16, masked=True)
        denoiser, generator = Infilling(net, Given(Gaussian.fit(x, VE()))), draw()
        list(train(denoiser, infilling(denoiser, BETWEEN), batches(x, 32, 10, generator), 10, generator))
        return denoiser

    first, again = learnt(), learnt()
    arrays = load(save({k: v.contiguous() for k, v in first.state_dict().items()}))
    known, t = forecast_mask(x.shape, draw()), torch.tensor(0.4)
    assert torch.equal(first(x, t, known=known).mean, again(x, t, known=known).mean)
    kept = {k.removeprefix("base.gaussian."): v for k, v in arrays.items() if k.startswith("base.gaussian.")}
    with torch.device("meta"):
        net = NETS["mlp"](2, 12, width=16, masked=True)
    restored = Infilling(net, Given(Gaussian.spectral(schedule=VE(), **kept)))
    restored.load_state_dict(arrays, strict=True, assign=True)
    assert torch.equal(restored(x, t, known=known).mean, first(x, t, known=known).mean)


def test_conditions_are_forgotten_each_for_itself():
    seen = []

    def loss(x, generator, **condition):
        seen.append(condition)
        return x.sum(1)

    null = {"past": torch.full((1, 2, 3), torch.nan), "entity": torch.zeros(1, dtype=torch.long)}
    x, past, entity = torch.zeros(1000, 4), torch.ones(1000, 2, 3), torch.ones(1000, dtype=torch.long)
    found = over(forgetting(loss, null, 0.3), x, past=past, entity=entity, other=entity)
    found(torch.arange(1000), draw())
    gone = torch.isnan(seen[0]["past"]).all(2).all(1)
    unknown = seen[0]["entity"] == 0
    assert seen[0]["entity"].dtype == torch.long
    assert seen[0]["other"].all()
    for share in (gone.float().mean(), unknown.float().mean()):
        assert abs(share - 0.3) < 0.05
    assert abs((gone & unknown).float().mean() - 0.09) < 0.03
    assert torch.equal(past, torch.ones(1000, 2, 3))


def test_a_network_of_windows_can_be_guided():
    net = seeded(NETS["unet"], 0, channels=2, length=12, width=8, past=4, entities=2, silent=False)
    null = {"past": torch.full((1, 2, 4), torch.nan), "entity": torch.zeros(1, dtype=torch.long)}
    x, t, past = waves(6), torch.full((6,), 0.5), torch.randn(6, 2, 4, generator=draw())
    denoiser = Preconditioned(net, VE())
    told = {"past": past, "entity": torch.ones(6, dtype=torch.long)}
    free = denoiser(x, t).mean
    torch.testing.assert_close(ClassifierFree(denoiser, null, -1.0)(x, t, **told).mean, free, rtol=1e-5, atol=1e-5)
