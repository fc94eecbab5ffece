"""Features: one grid, standardised, each picture for itself, found again without the weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import Tensor, nn

from anodiff.data.pictures import Picture, album
from anodiff.modalities.features import Features
from anodiff.modalities.grids import Moments, on_one_grid, places
from anodiff.modalities.image import Image
from anodiff.types import BadModel, Misfit, Unreadable


class Halves(nn.Module):
    """Pixels at half and at a quarter of their sides."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [nn.functional.avg_pool2d(x, side) for side in (2, 4)]


def pictures(n: int = 6, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    waves = np.sin(np.arange(70)[:, None] / 5 + rng.uniform(0, 6, (n, 1, 1))) * np.cos(np.arange(64) / 7)
    return (0.5 + 0.3 * waves + 0.05 * rng.standard_normal((n, 70, 64))).clip(0, 1)


@pytest.fixture(name="seen", scope="module")
def fitted() -> Features:
    return Features(Image(size=64)).fit(pictures())


def test_standardised_over_all_places_of_fit(seen: Features) -> None:
    x = seen.encode(pictures()).x
    assert x.shape == (6, 40 + 112, 8, 8)
    assert x.dtype == torch.float32
    assert x.mean((0, 2, 3)).abs().max() < 1e-4
    assert torch.allclose(x.std((0, 2, 3), correction=0), torch.ones(152), atol=1e-3)


def test_fit_and_encode_in_one_look(seen: Features) -> None:
    again = clone(seen)
    x = again.fit_encode(pictures()).x
    assert torch.equal(x, seen.encode(pictures()).x)
    assert torch.equal(again.encode(pictures(2, 1)).x, seen.encode(pictures(2, 1)).x)


def test_a_picture_does_not_depend_on_the_others(seen: Features) -> None:
    others = pictures(4, 1)
    whole = seen.encode(others)
    assert torch.equal(seen.encode(others[2:3]).x, whole.x[2:3])
    assert torch.equal(seen.encode(others[::-1]).x, whole.x.flip(0))
    read = [each for each in album(others).pictures(seen.square) if isinstance(each, Picture)]
    assert torch.equal(seen.encode(read).x, whole.x)
    assert whole.known.all()
    assert whole.known.shape == whole.x.shape


def test_what_is_odd_in_a_picture_is_odd_where_it_lies() -> None:
    seen = Features(Image(size=64), layers=("s4",)).fit(pictures())
    spoilt = pictures(1, 2)
    spoilt[0, 40:52, 10:20] = np.indices((12, 10)).sum(0) // 2 % 2
    apart = (seen.encode(spoilt).x - seen.encode(pictures(1, 2)).x).square()
    found = seen.locate(apart)
    assert found.shape == (1, 16, 16)
    assert np.isclose(found.sum(), apart.sum().item(), rtol=1e-5)
    row, column = np.unravel_index(found[0].argmax(), (16, 16))
    assert 40 <= (row + 0.5) * 70 / 16 < 52
    assert 10 <= (column + 0.5) * 4 < 20
    on_picture = seen.laid(found[0], (70, 64))
    assert on_picture.shape == (70, 64)
    assert on_picture[40:52, 10:20].mean() > 5 * on_picture.mean()


@pytest.mark.parametrize("grid", [None, 4, 11])
def test_grid_and_position(grid: int | None) -> None:
    features = Features(Image(size=32), layers=("s4", "s8"), grid=grid, position=True)
    x = features.fit_encode(pictures()).x
    side = grid or 8
    assert x.shape == (6, 24 + 40 + 2, side, side)
    assert torch.equal(x[3, -2:], places(side, side))
    assert torch.allclose(x[0, -2:].std((1, 2), correction=0), torch.ones(2), atol=1e-5)
    assert (x[0, -2].diff(dim=0) > 0).all()


def test_a_margin_spares_the_border() -> None:
    flat = [np.full((64, 64), 0.3), *pictures()]
    bare, margined = (Features(Image(size=64), margin=margin).fit(flat) for margin in (0, 32))
    assert margined.shape_ == bare.shape_
    uneven = [each.encode(flat[:1]).x.std((2, 3)).mean() for each in (bare, margined)]
    assert uneven[1] < 0.5 * uneven[0]
    shifted = Features(Image(size=64), Halves(), margin=4).fit(flat)
    plain = Features(Image(size=64), Halves()).fit(flat)
    inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    assert torch.allclose(shifted.encode(flat).x[inner], plain.encode(flat).x[inner], atol=0.05)
    assert Features.restore(margined.config(), margined.arrays()).config() == margined.config()


def test_one_grid_of_maps() -> None:
    fine, coarse = torch.arange(16.0).reshape(1, 1, 4, 4), torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    both = on_one_grid([fine, coarse], (4, 4))
    assert torch.equal(both[:, :1], fine)
    assert both[0, 1, 0].tolist() == [0, 0.25, 0.75, 1]
    assert on_one_grid([fine], (2, 2))[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    patches = on_one_grid([fine], (4, 4), patch=3)
    assert patches[0, 0, 1, 1] == fine[0, 0, :3, :3].mean()
    assert patches[0, 0, 0, 0] == fine[0, 0, :2, :2].mean()


def test_moments_are_those_of_everything_together() -> None:
    maps = torch.randn(5, 3, 4, 6) * 1e-2 + 100
    moments = Moments(3)
    for each in maps:
        moments.add(each)
    assert torch.allclose(moments.mean, maps.double().mean((0, 2, 3)).float())
    assert torch.allclose(moments.std, maps.double().std((0, 2, 3), correction=0).float(), rtol=1e-4)
    still = Moments(1)
    still.add(torch.full((1, 3, 3), 7.0))
    assert still.std.item() == 1


def test_pictures_that_never_differ_are_zero() -> None:
    same = np.full((3, 20, 20), 0.4)
    assert Features(Image(size=16), Halves()).fit_encode(same).x.abs().max() < 1e-3


def test_found_again_without_the_weights(seen: Features) -> None:
    config, arrays = seen.config(), seen.arrays()
    assert sum(array.nbytes for array in arrays.values()) < 2_000
    assert len(config["backbone"]["fingerprint"]) == 64
    again = Features.restore(config, arrays)
    assert torch.equal(again.encode(pictures(2, 1)).x, seen.encode(pictures(2, 1)).x)
    assert again.config() == config
    assert again.describe() == seen.describe()
    with pytest.raises(BadModel, match="other weights than at fit"):
        Features.restore({**config, "backbone": {**config["backbone"], "fingerprint": "0"}}, arrays)
    with pytest.raises(BadModel, match="the features are damaged"):
        Features.restore({**config, "shape": [3, 8, 8]}, arrays)
    with pytest.raises(BadModel, match="the features are damaged"):
        Features.restore(config, {"mean": arrays["mean"]})


def test_a_backbone_of_ones_own_must_be_given_again() -> None:
    features = Features(Image(size=16, grey=False), Halves(), patch=1).fit(pictures())
    assert features.shape_ == (6, 8, 8)
    with pytest.raises(Misfit, match="Halves; give it again as backbone="):
        Features.restore(features.config(), features.arrays())
    again = Features.restore(features.config(), features.arrays(), Halves())
    assert torch.equal(again.encode(pictures(2, 1)).x, features.encode(pictures(2, 1)).x)


def test_one_bad_file_does_not_stop_fit_and_is_refused_by_encode(tmp_path: Path) -> None:
    from PIL import Image as Pillow

    for i, picture in enumerate(pictures(3)):
        Pillow.fromarray((picture * 255).astype(np.uint8)).save(tmp_path / f"{i}.png")
    whole = Features(Image(size=32)).fit(tmp_path)
    (tmp_path / "9.png").write_text("no picture")
    features = Features(Image(size=32)).fit(tmp_path)
    assert torch.equal(features.mean_, whole.mean_)
    with pytest.raises(Unreadable, match=r"9\.png"):
        features.encode(tmp_path)
    with pytest.raises(Unreadable, match=r"9\.png"):
        features.fit_encode(tmp_path)


def test_refusals(seen: Features) -> None:
    with pytest.raises(Misfit, match="cannot be turned back"):
        seen.decode(torch.zeros(1, 152, 8, 8))
    with pytest.raises(Misfit, match="call fit first"):
        Features().encode(pictures())
    with pytest.raises(Misfit, match="patch is 2"):
        Features(patch=2).fit(pictures())
    with pytest.raises(Misfit, match="a multiple of the layers' strides, of which one is 16"):
        Features(Image(size=64), margin=8).fit(pictures())
    with pytest.raises(Misfit, match="give a smaller one"):
        Features(Image(size=64), margin=64).fit(pictures())
    with pytest.raises(Misfit, match="margin is -8"):
        Features(margin=-8).fit(pictures())
    with pytest.raises(Misfit, match="grid is 0"):
        Features(grid=0).fit(pictures())
