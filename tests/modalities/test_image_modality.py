"""Pictures as tensors and back: what fit decides, what encoding keeps, and maps that land where they belong."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from sklearn.base import clone

from anodiff.checks import check_modality
from anodiff.data.pictures import album
from anodiff.modalities.image import Image
from anodiff.types import BadModel, Misfit, Unreadable

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (5, 40, 30, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (5, 40, 30), dtype=np.uint8)
FRAMES = ("squash", "pad", "crop")


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("X", [COLOUR, GREY])
@pytest.mark.parametrize("grey", ["auto", True, False])
def test_it_obeys_the_laws_of_modalities(frame: str, X: np.ndarray, grey: bool | str) -> None:
    if not (grey is True and X is COLOUR):  # Colour weighed into grey has more than the 256 levels of decode.
        check_modality(Image(32, grey, frame), X)


def test_mixed_sources() -> None:
    for X, channels in ((GREY.astype(np.uint16) * 257, 1), ([*COLOUR, *GREY], 3), (GREY / 255, 1)):
        x = Image(32).fit(X).encode(X).x
        assert x.shape == (len(X), channels, 32, 32)
        assert -1 <= x.min() < x.max() <= 1


@pytest.mark.parametrize("size", [16, 64])
def test_each_picture_for_itself(size: int) -> None:
    image = Image(size).fit(COLOUR)
    whole = image.encode(COLOUR).x
    assert (whole.dtype, whole.shape) == (torch.float32, (5, 3, size, size))
    assert torch.equal(image.encode(COLOUR[::-1]).x.flip(0), whole)
    assert torch.equal(torch.cat([image.encode([picture]).x for picture in COLOUR]), whole)


def test_pictures_that_were_read_are_not_read_again(tmp_path: Path) -> None:
    for i, picture in enumerate(COLOUR):
        Pillow.fromarray(picture).save(tmp_path / f"{i}.png")
    source = album(tmp_path)
    image = Image(16).fit(source)
    x = image.encode(source).x
    assert torch.equal(image.encode(list(source.pictures(image.square))).x, x)
    assert torch.equal(image.encode(str(tmp_path)).x, x)
    assert torch.equal(image.encode(list(COLOUR)).x, x)
    assert (image.encode(list(source.pictures(None))).x - x).abs().max() < 0.01


def test_grey_or_not() -> None:
    equal = np.repeat(GREY[..., None], 3, 3)
    assert [Image(8).fit(X).channels_ for X in (GREY, equal, COLOUR, [*GREY, COLOUR[0]])] == [1, 1, 3, 3]
    assert [Image(8, grey=True).fit(COLOUR).channels_, Image(8, grey=False).fit(GREY).channels_] == [1, 3]
    one, three = Image(40, frame="crop").fit(GREY), Image(40, frame="crop").fit(COLOUR)
    assert torch.allclose(one.encode(equal).x, one.encode(GREY).x, atol=1e-6)
    assert torch.equal(three.encode(GREY).x, three.encode(equal).x)
    assert (three.encode(GREY).x.std(1) == 0).all()
    weighed = one.encode(np.full((1, 40, 40, 3), (255, 0, 0), np.uint8)).x
    assert torch.allclose(weighed, torch.full_like(weighed, 2 * 0.299 - 1), atol=1e-6)


def test_what_fit_remembers(tmp_path: Path) -> None:
    image = Image(8).fit([np.zeros((h, 30)) for h in (10, 20, 90)])
    assert (image.median_, image.looked_) == ((20, 30), 3)
    assert Image(8).fit(np.zeros((250, 5, 6))).looked_ == 200
    assert Image(8).fit(COLOUR[RNG.integers(0, 5, 50)]).looked_ == 20
    (said,) = image.describe()
    assert (said["channels"], said["median height"], said["median width"]) == (1, 20, 30)
    (tmp_path / "a.png").touch()
    Pillow.fromarray(GREY[0]).save(tmp_path / "b.png")
    assert Image(8).fit(tmp_path).looked_ == 1
    with pytest.raises(Unreadable, match=r"picture a\.png: it is empty"):
        Image(8).fit(tmp_path).encode(tmp_path)
    (tmp_path / "b.png").write_text("no picture")
    with pytest.raises(Unreadable, match=r"not one of the first 200 .* a\.png: it is empty"):
        Image(8).fit(tmp_path)


def test_decode_gives_pictures() -> None:
    image = Image(30, frame="crop").fit(COLOUR)
    back = image.decode(image.encode(COLOUR).x)
    assert (back.dtype, back.shape) == (np.uint8, (5, 30, 30, 3))
    assert np.array_equal(back, COLOUR[:, 5:35])
    assert image.decode(torch.full((1, 3, 30, 30), 9.0)).min() == 255
    grey = Image(30, frame="crop").fit(GREY)
    assert np.array_equal(grey.decode(grey.encode(GREY).x), GREY[:, 5:35])


@pytest.mark.parametrize("frame", FRAMES)
def test_a_spot_is_found_where_it_is(frame: str) -> None:
    """From the picture to x, its evidence, and back: the brightest place is the spot."""
    pictures = np.zeros((1, 120, 50), np.uint8)
    pictures[0, 70:80, 20:30] = 255
    image = Image(64, frame=frame).fit(pictures)
    found = image.locate(image.encode(pictures).x + 1)
    assert found.shape == (1, 64, 64)
    coarse = found[0].reshape(32, 2, 32, 2).mean((1, 3))
    for map in (found[0], coarse):
        laid = image.laid(map, (120, 50))
        assert (laid.shape, laid.dtype) == ((120, 50), np.float32)
        rows, columns = np.nonzero(laid > laid.max() / 2)
        assert abs(rows.mean() - 74.5) < 1.5
        assert abs(columns.mean() - 24.5) < 1.5


def test_locating_sums_channels() -> None:
    image = Image(8).fit(COLOUR)
    evidence = torch.rand(2, 3, 8, 8)
    assert np.allclose(image.locate(evidence), evidence.sum(1).numpy())
    assert image.columns == ["picture"]


@pytest.mark.parametrize("frame", FRAMES)
def test_config_is_all(frame: str) -> None:
    image = Image(24, frame=frame).fit(COLOUR)
    twin = Image.restore(json.loads(json.dumps(image.config())), image.arrays())
    assert torch.equal(twin.encode(GREY).x, image.encode(GREY).x)
    assert twin.config() == image.config()
    assert clone(image).get_params() == {"size": 24, "grey": "auto", "frame": frame}


@pytest.mark.parametrize(
    "damage",
    [{"size": 0}, {"size": 1e9}, {"channels": 2}, {"median": [4]}, {"median": [0, 4]}, {"grey": 3}, {"frame": 1}],
)
def test_damaged_configs_are_refused(damage: dict) -> None:
    config = Image(24).fit(COLOUR).config()
    with pytest.raises(BadModel, match="encoding of pictures is damaged"):
        Image.restore({**config, **damage}, {})
    with pytest.raises(BadModel):
        Image.restore({k: v for k, v in config.items() if k not in damage}, {})


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"size": 0}, "size of pictures is 0"), ({"grey": "yes"}, "grey is 'yes'"), ({"frame": "fill"}, "by 'fill'")],
)
def test_settings_out_of_range(settings: dict, said: str) -> None:
    with pytest.raises(Misfit, match=said):
        Image(**settings).fit(GREY)
    with pytest.raises(Misfit, match="call fit first"):
        Image().encode(GREY)
