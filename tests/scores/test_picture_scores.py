"""Scores that reconstruct pictures: the laws, special cases that are known, and a defect that each of them finds."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from anodiff.checks import check_each_row_for_itself, check_score
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import EDM, VP
from anodiff.diffusion.sample import DDPM
from anodiff.diffusion.sources import Octaves
from anodiff.metrics.ranking import auroc
from anodiff.scores.base import AnomalyScore
from anodiff.scores.distances import ssim
from anodiff.scores.dynamic import Dynamic
from anodiff.scores.guided import Guided
from anodiff.scores.implicit import Implicit
from anodiff.scores.imputation import Imputation, Iterated, Sampled
from anodiff.scores.levels import ask_noisy
from anodiff.scores.patterns import Boxes, covering
from anodiff.scores.reconstruction import Reconstruction, absolute, squared
from anodiff.scores.stitched import Stitched
from anodiff.types import Misfit

SIDE = 8
SPOT = (slice(3, 6), slice(2, 5))


def covariance(side: int, reach: float = 2.0) -> Tensor:
    """Waves longer than a few pixels, and a little grain."""
    rows, columns = np.mgrid[:side, :side].reshape(2, -1)
    square = (rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2
    return torch.from_numpy(0.3 * np.exp(-square / (2 * reach**2)) + 0.003 * np.eye(side**2))


GAUSSIANS = {schedule: Gaussian(torch.zeros(64).double(), covariance(SIDE), schedule()) for schedule in (EDM, VP)}


def drawn(n: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    whitened = torch.randn(n, SIDE**2, dtype=torch.float64, generator=generator)
    return (whitened @ torch.linalg.cholesky(covariance(SIDE)).T).reshape(n, 1, SIDE, SIDE)


def with_spots(x: Tensor) -> Tensor:
    x = x.clone()
    x[:, :, *SPOT] += torch.tensor([[1, -1, 1], [-1, 1, -1], [1, -1, 1]])
    return x


def scores(denoiser: Gaussian | Empirical) -> dict[str, AnomalyScore]:
    held_out = drawn(60, 7)
    return {
        "partial, octaves": Reconstruction((0.3, 1.0), steps=3, draws=1, source=Octaves(3), sampler=DDPM),
        "guided": Guided(steps=4),
        "dynamic": Dynamic(steps=3).fit(denoiser, held_out),
        "dynamic, guided": Dynamic((0.3, 1.0), weight=0.5, steps=3).fit(denoiser, held_out),
        "stitched": Stitched(steps=3),
        "stitched, threshold": Stitched(steps=3, times_each=2, share=0.2).fit(denoiser, held_out),
        "implicit": Implicit(steps=3),
        "implicit, scale": Implicit(steps=3, draws=2).fit(denoiser, held_out),
        "boxes": Imputation(Boxes(2), Sampled(steps=3)),
        "boxes, iterated": Imputation(Boxes(2), Iterated()),
    }


FITTED = {schedule: scores(gaussian) for schedule, gaussian in GAUSSIANS.items()}
NAMES = list(FITTED[EDM])


@pytest.mark.parametrize("schedule", GAUSSIANS)
@pytest.mark.parametrize("name", NAMES)
def test_laws(name, schedule):
    check_score(FITTED[schedule][name], GAUSSIANS[schedule], drawn(12, 1))


def test_structure_may_be_the_distance():
    """It is relative to contrast, so that farther is not worse; all else holds."""
    score, normal, abnormal = Reconstruction((0.5,), steps=2, distance=ssim), drawn(40, 3), with_spots(drawn(40, 4))
    check_each_row_for_itself(score, GAUSSIANS[EDM], normal[:6])
    totals = torch.cat([score(GAUSSIANS[EDM], x).total for x in (normal, abnormal)])
    assert auroc(np.repeat([0, 1], 40), totals.numpy()) > 0.8


@pytest.mark.parametrize("name", NAMES)
def test_colours_and_single_precision(name):
    channels = Gaussian(torch.zeros(192), torch.block_diag(*[covariance(SIDE)] * 3).float(), EDM())
    x = drawn(12, 2).reshape(4, 3, SIDE, SIDE).float()
    evidence = FITTED[EDM][name](channels, x)
    assert evidence.map.shape == x.shape
    assert evidence.total.dtype == torch.float32
    assert torch.isfinite(evidence.map).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_defect_is_found_and_located(name):
    score, normal, abnormal = FITTED[EDM][name], drawn(40, 3), with_spots(drawn(40, 4))
    good, bad = (score(GAUSSIANS[EDM], x) for x in (normal, abnormal))
    labels = np.repeat([0, 1], 40)
    assert auroc(labels, torch.cat([good.total, bad.total]).numpy()) > 0.9
    inside = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    inside[SPOT] = True
    peak = bad.map.flatten(1).argmax(1)
    assert inside.flatten()[peak].double().mean() > 0.85


def test_unguided_is_a_reconstruction_and_the_pull_is_towards_x():
    x = with_spots(drawn(6, 5))
    free = Reconstruction((1.0,), steps=8, draws=1, sampler=DDPM)(GAUSSIANS[EDM], x)
    assert torch.equal(Guided(0.0)(GAUSSIANS[EDM], x).map, free.map)
    totals = [Guided(w)(GAUSSIANS[EDM], x).total for w in (0.0, 0.5, 1.0)]
    assert (totals[0] > totals[1]).all()
    assert (totals[1] > totals[2]).all()


def test_each_item_starts_from_the_level_that_its_estimate_asks_for():
    normal = drawn(400, 6)
    score = Dynamic((0.3, 0.7, 1.5), steps=2).fit(GAUSSIANS[EDM], normal)
    counts = torch.bincount(score.chosen(GAUSSIANS[EDM], normal))
    assert (counts - 400 / 3).abs().max() <= 1
    assert (score.chosen(GAUSSIANS[EDM], with_spots(normal)) == 2).double().mean() > 0.95
    x = drawn(12, 8)
    where, chosen = score(GAUSSIANS[EDM], x).map, score.chosen(GAUSSIANS[EDM], x)
    for k, level in enumerate(score.levels):
        fixed = Reconstruction((level,), steps=2, draws=1, noisy=False)(GAUSSIANS[EDM], x).map
        torch.testing.assert_close(where[chosen == k], fixed[chosen == k])


def test_marks_are_fitted_on_held_out_normals_and_missed_when_absent():
    with pytest.raises(Misfit, match="no marks yet"):
        Dynamic()(GAUSSIANS[EDM], drawn(2, 0))
    with pytest.raises(Misfit, match="4 levels take 3 marks; got 1"):
        Dynamic(marks=[1.0])(GAUSSIANS[EDM], drawn(2, 0))
    raw = Dynamic()
    assert raw.fit(GAUSSIANS[EDM], drawn(9, 0)).marks is not None
    assert raw.marks is None


def test_conditions_go_with_their_items():
    rows = drawn(30, 9)
    score, itself = Dynamic((0.3, 1.0), steps=2).fit(Empirical(rows, EDM()), drawn(30, 10)), torch.arange(30)
    whole = score(Empirical(rows, EDM()), rows, itself=itself).total
    alone = torch.cat([score(Empirical(rows, EDM()), rows[i : i + 1], itself=itself[i : i + 1]).total for i in itself])
    torch.testing.assert_close(whole, alone)
    assert len(score.chosen(Empirical(rows, EDM()), rows, itself=itself).unique()) == 2


def test_what_the_first_map_clears_is_kept():
    x, score = with_spots(drawn(6, 11)), Stitched(share=0.1, reach=0)
    guess, first = score.first(GAUSSIANS[EDM], x)
    marked = score.marked(first)
    assert (marked.flatten(1).sum(1) == 6).all()
    again = score.again(GAUSSIANS[EDM], x, guess, marked)
    assert torch.equal(again[~marked], x[~marked])
    assert ((score(GAUSSIANS[EDM], x).map != 0) == marked).all()
    known = score(GAUSSIANS[EDM], x)
    score.threshold = 1e9
    assert not score(GAUSSIANS[EDM], x).total.any()
    assert known.total.min() > 0


def test_marked_pixels_come_back_nearer_to_what_they_were():
    clean = drawn(40, 12)
    x, score = with_spots(clean), Stitched(share=0.2)
    guess, first = score.first(GAUSSIANS[EDM], x)
    again = score.again(GAUSSIANS[EDM], x, guess, score.marked(first))
    errors = [((v - clean)[:, :, *SPOT] ** 2).mean() for v in (x, again)]
    assert errors[1] < 0.35 * errors[0]
    assert ((again - clean) ** 2).mean() < ((guess - clean) ** 2).mean()


def test_x_returns_wherever_it_seems_normal():
    x, gaussian = with_spots(drawn(6, 13)), GAUSSIANS[EDM]
    noise = torch.randn(1, 1, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).expand_as(x)
    kept = Implicit(scale=1e12).walked(gaussian, x, noise)
    torch.testing.assert_close(kept, ask_noisy(gaussian, x, 0.02, noise).mean)
    made = Implicit(scale=1e-12, steps=1).walked(gaussian, x, noise)
    expected = ask_noisy(gaussian, ask_noisy(gaussian, x, 0.5, noise).mean, 0.02, noise).mean
    torch.testing.assert_close(made, expected)


def test_implicit_guidance_keeps_details_that_a_free_walk_loses():
    x, far = with_spots(drawn(40, 14)), torch.ones(SIDE, SIDE, dtype=torch.bool)
    far[2:7, 1:6] = False
    guided, free = (
        score(GAUSSIANS[EDM], x).map[:, 0] for score in (Implicit(), Reconstruction((0.5,), steps=4, draws=1))
    )
    assert guided[:, far].mean() < 0.2 * free[:, far].mean()
    assert guided[:, *SPOT].mean() > free[:, *SPOT].mean()


@pytest.mark.parametrize(
    ("shape", "size", "apart"), list(product([(1, 8, 8), (3, 9, 14), (1, 1, 5)], [1, 3, 16], [2, 3]))
)
def test_boxes_cover_every_pixel_once_and_never_the_whole(shape, size, apart):
    hidden = Boxes(size, apart)(torch.Size(shape))
    assert hidden.shape == (apart**2, *shape)
    assert (hidden.sum(0) == 1).all()
    assert not hidden.flatten(1).all(1).any()
    assert (hidden == hidden[:, :1]).all()


def test_boxes_are_of_pictures():
    assert covering(Boxes(4), torch.zeros(2, 1, 16, 16)).flatten(1).sum(1).tolist() == [64] * 4
    with pytest.raises(Misfit, match="need a height and a width"):
        Boxes()(torch.Size([4]))


def test_flat_items_are_no_pictures():
    with pytest.raises(Misfit, match=r"pictures are \(n, channels, height, width\)"):
        Stitched()(GAUSSIANS[EDM], drawn(3, 0).flatten(1))


def test_distances_are_the_callers():
    x = with_spots(drawn(4, 15))
    guided = {distance: Guided(distance=distance)(GAUSSIANS[EDM], x).map for distance in (squared, absolute)}
    torch.testing.assert_close(guided[squared], guided[absolute] ** 2)
