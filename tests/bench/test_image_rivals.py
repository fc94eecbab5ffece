import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from toys_for_images import picture

from anodiff.bench.images.coreset import farthest, nearest, projected
from anodiff.bench.images.finish import Finish
from anodiff.bench.images.rivals import RIVALS, PaDiM, PatchCore
from anodiff.bench.images.seen import Seen
from anodiff.bench.images.settings import SIZE
from anodiff.bench.images.whiten import Whiten


def rows(n: int = 600, d: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def seen(kinds: list[str], seed: int) -> Seen:
    pixels = np.stack([picture(seed + i, kind)[0] for i, kind in enumerate(kinds)])
    return Seen(torch.from_numpy(pixels)[:, None].float() / 127.5 - 1, look)


def look(x: torch.Tensor) -> torch.Tensor:
    pooled = torch.nn.functional.avg_pool2d(x, 4)
    return torch.cat([pooled, pooled.square(), pooled.roll(1, 3)], 1)


LEARNT = seen(["good"] * 12, 0)
JUDGED = seen(["good"] * 3 + ["hole"] * 3, 100)


def test_the_coreset_is_the_greedy_one() -> None:
    x = rows().double()
    taken = [int(np.random.default_rng(5).integers(len(x)))]
    near = (x - x[taken[0]]).square().sum(1)
    while len(taken) < 200:
        taken.append(int(near.argmax()))
        near = torch.minimum(near, (x - x[taken[-1]]).square().sum(1))
    for pool in (16, 200, 5000):
        assert farthest(x.float(), 200, 5, pool).tolist() == taken


def test_all_rows_are_taken_once_even_copies() -> None:
    x = torch.cat([rows(50), rows(50)])
    assert sorted(farthest(x, 1000, 0, pool=16).tolist()) == list(range(100))


def test_nearest_is_the_distance_to_the_nearest() -> None:
    x, references = rows(1500), rows(2100, seed=1) + 50
    expected = torch.cdist(x.double(), references.double()).min(1).values
    assert torch.allclose(nearest(x, references).sqrt().double(), expected, atol=1e-4)


def test_a_projection_keeps_distances_about() -> None:
    x = rows(40, 400)
    assert projected(x, 0).shape == (40, 128)
    ratio = torch.pdist(projected(x, 0)) / torch.pdist(x)
    assert abs(float(ratio.mean()) - 1) < 0.05
    assert projected(x[:, :100], 0).shape == (40, 100)


@pytest.mark.parametrize("places", [True, False])
def test_white_is_white(places: bool) -> None:
    mixing = rows(6, 6)
    x = (rows(500 * 4, 6) @ mixing).view(500, 4, 6).permute(0, 2, 1).reshape(500, 6, 2, 2) + 3
    white = Whiten(places, shrink=0.0, ridge=1e-6).fit(x)(x)
    at = white[:, :, 0, 0] if places else white.permute(0, 2, 3, 1).reshape(-1, 6)
    assert torch.allclose(at.T @ at / len(at), torch.eye(6), atol=1e-3)
    assert white.shape == x.shape


def test_padim_is_the_mahalanobis_distance_of_each_place() -> None:
    x = rows(200 * 4, 3).view(200, 3, 2, 2)
    same = Seen(x, lambda row: row)
    found, own = PaDiM().fit(same).maps_and_scores(same)
    at = (x / x.std((0, 2, 3), correction=0)[:, None, None])[:, :, 1, 0].numpy()
    inverse = np.linalg.inv(np.cov(at.T, ddof=0) + 0.01 * np.eye(3))
    away = at - at.mean(0)
    assert found[:, 1, 0] == pytest.approx(np.sqrt(np.einsum("ni,ij,nj->n", away, inverse, away)), rel=1e-3)
    assert own == pytest.approx(found.max((1, 2)))


def test_what_is_in_the_coreset_is_at_no_distance() -> None:
    found, _ = PatchCore(10_000).fit(LEARNT).maps_and_scores(LEARNT)
    assert found.max() < 1e-2
    assert len(PatchCore(0.1).fit(LEARNT).coreset_) == 307


@pytest.mark.parametrize("name", list(RIVALS))
def test_holes_are_found(name: str) -> None:
    maps, own = RIVALS[name](0).fit(LEARNT).maps_and_scores(JUDGED)
    assert maps.shape[0] == len(own) == 6
    laid, scores = Finish(canvas=64, blur=4.0)(maps)
    assert laid.shape == (6, SIZE, SIZE)
    assert laid.dtype == np.float32
    for each in (own, scores):
        assert np.median(each[3:]) > np.median(each[:3])


def test_maps_are_finished_as_a_gallery_does() -> None:
    draw = np.random.default_rng(0)
    maps = draw.random((2, 64, 64)).astype(np.float32)
    laid, scores = Finish(canvas=64, blur=8.0, pool="top", share=0.01)(maps)
    smooth = np.stack([gaussian_filter(each, 8.0 * 64 / SIZE, mode="nearest", truncate=3) for each in maps])
    top = np.sort(smooth.reshape(2, -1), 1)[:, -41:].mean(1)
    assert scores == pytest.approx(top, rel=1e-3)
    assert abs(laid.mean() - smooth.mean()) < 1e-3
    relative = Finish(canvas=64, blur=8.0, relative=0.5)(maps)
    assert relative[1] == pytest.approx(scores)
    assert laid - relative[0] == pytest.approx(0.5 * np.median(smooth, (1, 2))[:, None, None] + 0 * laid, abs=1e-2)
    most, mean = (Finish(canvas=64, blur=0.0, pool=pool)(maps)[1] for pool in ("max", "mean"))
    assert most == pytest.approx(maps.max((1, 2)))
    assert mean == pytest.approx(maps.mean((1, 2)), rel=1e-5)
