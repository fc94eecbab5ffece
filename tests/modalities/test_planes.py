"""Pictures as planes: their shapes, their standards, each picture for itself, and back from a saved config."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anodiff.data.pictures import Picture, album
from anodiff.modalities.features import Features
from anodiff.modalities.image import Image
from anodiff.modalities.planes import Planes, stride_of
from anodiff.recipes.specs import PlaneSpec
from anodiff.types import BadModel, Misfit, Unreadable

DEFAULT = {
    "coarse": PlaneSpec(layers=("s8", "s16"), stride=16),
    "fine": PlaneSpec(layers=("s4",), stride=4, spread=(16,)),
    "px": PlaneSpec(space="pixels", size=20),
    "all": PlaneSpec(space="pixels"),
}


class Blocks(nn.Module):
    """A backbone of the user's own: means and greatest values over blocks of 4, and of 8."""

    def forward(self, x: Tensor) -> list[Tensor]:
        small = nn.functional.avg_pool2d(x, 4)
        return [torch.cat([small, nn.functional.max_pool2d(x, 4)], 1), nn.functional.avg_pool2d(x, 8)]


def textures(count: int, seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *(shape or (48, 48)))).astype(np.uint8)


def read(planes: Planes, X: Any) -> list[Picture]:
    return [each for each in album(X).pictures(planes.square) if isinstance(each, Picture)]


@pytest.fixture(scope="module")
def planes() -> Planes:
    return Planes(Image(48), DEFAULT).fit(album(textures(6, 0)))


def test_shapes_are_those_of_what_is_seen(planes: Planes) -> None:
    found = planes.encode(read(planes, textures(2, 1)))
    assert {name: tuple(plane.shape) for name, plane in found.items()} == {
        name: (2, *shape) for name, shape in planes.shapes_.items()
    }
    assert planes.shapes_["coarse"][1:] == (3, 3)
    assert planes.shapes_["fine"][1:] == (12, 12)
    assert planes.shapes_["fine"][0] == 2 * planes.backbone_.shapes(48, 48)[0][0]
    assert planes.shapes_["px"] == (1, 20, 20)
    assert planes.shapes_["all"] == (1, 48, 48)
    assert planes.canvas == 48
    assert all(plane.dtype == torch.float32 and bool(plane.isfinite().all()) for plane in found.values())


def test_layers_are_asked_for_once(planes: Planes) -> None:
    assert list(planes.backbone_.layers) == ["s4", "s8", "s16"]
    assert planes.layers_ == {"coarse": [1, 2], "fine": [0], "px": [], "all": []}


def test_each_picture_for_itself(planes: Planes) -> None:
    pictures = read(planes, textures(5, 2))
    whole = planes.encode(pictures)
    for k, picture in enumerate(pictures):
        alone = planes.encode([picture])
        assert all(torch.equal(alone[name][0], whole[name][k]) for name in whole)


def test_standards_are_taken_off_and_directions_taken(planes: Planes) -> None:
    pictures = read(planes, textures(2, 3))
    plain = torch.stack([planes.see(each)["coarse"] for each in pictures])
    own = Planes(Image(48), DEFAULT).fit(album(textures(6, 0)))
    channels = own.shapes_["coarse"][0]
    own.means_["coarse"], own.stds_["coarse"] = torch.randn(channels), torch.rand(channels) + 0.5
    scaled = (plain - own.means_["coarse"][:, None, None]) / own.stds_["coarse"][:, None, None]
    torch.testing.assert_close(own.encode(pictures)["coarse"], scaled)
    basis = torch.randn(channels, 5)
    own.turn("coarse", basis)
    assert own.shapes_["coarse"] == (5, 3, 3)
    expected = torch.einsum("nchw,cd->ndhw", scaled, basis)
    torch.testing.assert_close(own.encode(pictures)["coarse"], expected, rtol=1e-4, atol=1e-3)
    with pytest.raises(ValueError, match="directions of another shape"):
        own.turn("coarse", basis[1:])


def test_pixels_are_means_over_the_picture(planes: Planes) -> None:
    (picture,) = read(planes, textures(1, 4))
    found = planes.encode([picture])
    expected = 2 * torch.from_numpy(picture.pixels[None, ..., 0]) - 1
    torch.testing.assert_close(found["all"][0], expected)
    torch.testing.assert_close(found["px"].mean(), found["all"].mean(), atol=0.02, rtol=0)


@pytest.mark.parametrize("size", [8, 16, 33, 96])
def test_any_side(size: int) -> None:
    specs = {"deep": PlaneSpec(layers=("s32",), stride=32), "usual": PlaneSpec()}
    planes = Planes(Image(size), specs).fit(album(textures(3, 0)))
    found = planes.encode(read(planes, textures(1, 1)))
    assert found["deep"].shape[2:] == (max(1, size // 32),) * 2
    assert found["usual"].shape[2:] == (max(1, size // 8),) * 2


def test_colour_is_three_channels() -> None:
    planes = Planes(Image(24), {"px": PlaneSpec(space="pixels")}).fit(album(textures(3, 0, 24, 24, 3)))
    assert planes.shapes_["px"] == (3, 24, 24)
    assert planes.encode(read(planes, textures(1, 1, 24, 24)))["px"].shape == (1, 3, 24, 24)


def test_a_backbone_of_ones_own_is_asked_for_the_nearest_strides() -> None:
    specs = {"fine": PlaneSpec(layers=("s4",), stride=4), "coarse": PlaneSpec(layers=("s32",), stride=8)}
    planes = Planes(Features(Image(32), backbone=Blocks()), {**specs, "both": PlaneSpec(stride=8)})
    planes.fit(album(textures(3, 0, 32, 32)))
    assert planes.layers_ == {"fine": [0], "coarse": [1], "both": [0, 1]}
    assert planes.shapes_ == {"fine": (6, 8, 8), "coarse": (3, 4, 4), "both": (9, 4, 4)}


def test_strides_are_read_from_names() -> None:
    assert [stride_of(name, 5) for name in ("s4", "s32a", "stem", 2)] == [4, 32, 5, 2]


def test_restored_it_sees_the_same(planes: Planes) -> None:
    pictures = read(planes, textures(2, 5))
    twin = Planes.restore(planes.config(), planes.arrays(), DEFAULT)
    expected = planes.encode(pictures)
    assert all(torch.equal(plane, expected[name]) for name, plane in twin.encode(pictures).items())
    assert twin.describe() == planes.describe()


@pytest.mark.parametrize(
    "damaged",
    [
        {"shapes": {}},
        {"shapes": {"coarse": [1, 2, 3]}},
        {"image": {"size": 48}},
        {"image": None},
        {"backbone": {"name": "nowhere/at-all"}},
        {"backbone": None},
    ],
    ids=str,
)
def test_a_damaged_config_is_refused(planes: Planes, damaged: dict[str, Any]) -> None:
    with pytest.raises(BadModel) as refusal:
        Planes.restore({**planes.config(), **damaged}, planes.arrays(), DEFAULT)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("missing", ["coarse.mean", "fine.std"])
def test_missing_standards_are_refused(planes: Planes, missing: str) -> None:
    arrays = {name: array for name, array in planes.arrays().items() if name != missing}
    with pytest.raises(BadModel, match="damaged"):
        Planes.restore(planes.config(), arrays, DEFAULT)


def test_pairs_and_single_pictures_are_told_apart(planes: Planes) -> None:
    X = textures(2, 6)
    (pair,) = read(planes, [(X[0], X[1])])
    with pytest.raises(Unreadable, match="comes with a reference, and this model judges pictures alone"):
        planes.see(pair)
    paired = Planes(Image(48), {"px": PlaneSpec(space="pixels", against="reference")}).fit(album([(X[0], X[1])]))
    assert paired.paired
    with pytest.raises(Unreadable, match="comes alone, and this model judges pairs"):
        paired.see(read(paired, X[:1])[0])
    assert paired.see(pair)["px"].shape == (1, 48, 48)


def test_unknown_layers_are_refused() -> None:
    with pytest.raises(Misfit, match=r"asks for layers \['s5'\]; there are "):
        Planes(Image(32), {"p": PlaneSpec(layers=("s5",))}).fit(album(textures(2, 0)))
