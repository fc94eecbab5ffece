"""Does a picture agree with its own reference? Every board is another one; only its own reference knows it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

import anodiff
from anodiff.data.jitter import Jitter, Move, jittered
from anodiff.detect_images import ImageDetector
from anodiff.modalities.against import departures, moved_onto
from anodiff.modalities.features import Features
from anodiff.modalities.image import Image
from anodiff.modalities.planes import Planes
from anodiff.recipes.schema import recipe
from anodiff.recipes.specs import PlaneSpec
from anodiff.types import Unreadable

SIDE = 96
PATCH = slice(40, 50), slice(60, 70)


def board(seed: int) -> np.ndarray:
    """Tracks and pads that no other board has, uint8."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(SIDE, SIDE)), 4)
    return np.where(noise > 0, 200, 60).astype(np.uint8)


def spoilt(picture: np.ndarray) -> np.ndarray:
    """With a patch that is the other way about."""
    found = picture.copy()
    found[PATCH] = np.uint8(260 - found[PATCH].astype(int))
    return found


def again(picture: np.ndarray, seed: int) -> np.ndarray:
    return np.rint(Jitter()(picture[..., None] / 255.0, seed)[0][..., 0] * 255).astype(np.uint8)


def tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.float32(picture))[None, None] / 127.5 - 1


@pytest.fixture(scope="module")
def detector() -> ImageDetector:
    return ImageDetector(Image(SIDE), false_alarm_rate=0.1).fit(jittered([board(seed) for seed in range(24)]))


def test_what_disagrees_with_its_reference_stands_out_where_it_does(detector: ImageDetector) -> None:
    boards = [board(100 + k) for k in range(6)]
    good = [(each, again(each, k)) for k, each in enumerate(boards)]
    bad = [(each, again(spoilt(each), k)) for k, each in enumerate(boards)]
    assert detector.model_.recipe.name == "image-pair"
    assert detector.decision_function(good).max() < detector.decision_function(bad).min()
    for map in detector.anomaly_map(bad):
        row, column = np.unravel_index(map.argmax(), map.shape)
        assert 34 <= row <= 56
        assert 54 <= column <= 76


def test_the_picture_alone_does_not_show_it(detector: ImageDetector) -> None:
    """A board is as normal as the next; with another's reference it does not agree."""
    own, other = board(200), board(201)
    agree, disagree = detector.decision_function([(own, again(own, 0)), (other, again(own, 0))])
    assert disagree > detector.decision_scores_.max() > agree


def test_pairs_are_recognised_and_kept(detector: ImageDetector, tmp_path: Path) -> None:
    pair = [(board(300), again(spoilt(board(300)), 1))]
    loaded = anodiff.load(detector.save(tmp_path / "model"))
    assert np.allclose(loaded.decision_function(pair), detector.decision_function(pair), atol=1e-4)


def test_the_reference_is_how_it_should_look(detector: ImageDetector) -> None:
    (sight,) = detector.explain([(board(300), again(spoilt(board(300)), 1))])
    assert sight.normal is not None
    assert sight.normal.shape == (SIDE, SIDE)
    assert np.abs(sight.normal.astype(int) - board(300)).max() <= 2


def test_sizes_may_differ(detector: ImageDetector) -> None:
    large = np.kron(board(300), np.ones((2, 2), np.uint8))
    tested, bad = again(board(300), 1), again(spoilt(board(300)), 1)
    same, larger, worse = detector.decision_function([(board(300), tested), (large, tested), (large, bad)])
    assert same < larger < worse / 2


def test_a_model_of_pairs_refuses_a_picture_alone(detector: ImageDetector) -> None:
    alone = r"picture 0 comes alone, and this model judges pairs; give \(reference, tested\)"
    with pytest.raises(Unreadable, match=alone):
        detector.decision_function([board(0)])
    with pytest.raises(Unreadable, match=alone):
        ImageDetector(Image(SIDE), recipe="image-pair").fit([board(seed) for seed in range(6)])


def test_a_model_of_pictures_refuses_references() -> None:
    with pytest.raises(Unreadable, match="picture 0 comes with a reference, and this model judges pictures alone"):
        ImageDetector(Image(SIDE), recipe="image").fit(jittered([board(seed) for seed in range(6)]))


def test_pairs_that_never_differ_teach_nothing() -> None:
    with pytest.raises(Unreadable, match="all 6 pictures differ alike from their references, or not at all"):
        ImageDetector(Image(SIDE)).fit([(board(seed), board(seed)) for seed in range(6)])


def test_a_plane_of_pixels_differs_where_the_pictures_do() -> None:
    planes = Planes(Image(SIDE), {"plain": PlaneSpec(space="pixels", against="reference")})
    pair = [(board(1), spoilt(board(1)))]
    from anodiff.data.pictures import album

    (plane,) = planes.fit(album(pair)).encode(list(album(pair).pictures(SIDE)))["plain"]  # type: ignore[arg-type]
    apart = np.zeros((SIDE, SIDE), bool)
    apart[PATCH] = True
    assert plane.shape == (1, SIDE, SIDE)
    assert (plane[0].abs().numpy() > 0.5)[apart].all()
    assert np.abs(plane[0].numpy()[~apart]).max() < 0.5


def test_a_reference_is_moved_onto_the_picture_and_lit_like_it() -> None:
    for seed in range(4):
        move = Move(2.0, (3 / SIDE, -3 / SIDE))
        reference = board(seed)
        picture = tensor(0.8 * move(reference.astype(np.float32)) + 10)
        moved, shown = moved_onto(picture, tensor(reference))
        apart = (picture - moved).abs()[shown]
        assert float(apart.mean()) < 0.02
        assert 0.85 < float(shown.float().mean()) < 1


def test_a_reference_that_is_there_stays() -> None:
    for picture in (tensor(board(0)), torch.zeros(1, 3, SIDE, SIDE)):
        moved, shown = moved_onto(picture, picture)
        assert torch.allclose(moved, picture, atol=1e-4)
        assert shown.all()


def test_slack_forgives_so_many_cells() -> None:
    own = torch.randn(1, 5, 12, 12, generator=torch.Generator().manual_seed(0))
    shifted = own.roll((2, -1), (2, 3))
    inner = slice(None), slice(None), slice(3, 9), slice(3, 9)
    assert departures(own, shifted, 2)[inner].abs().max() == 0
    assert departures(own, shifted, 1)[inner].abs().max() > 1
    assert torch.equal(departures(own, shifted), own - shifted)


def test_a_plane_of_the_picture_itself_may_stand_beside() -> None:
    changes = {"planes.own": {"space": "pixels", "size": 32}, "denoisers.own": {"use": "gaussian", "view": "own"}}
    changes |= {"scores.own": {"use": "departure", "of": "own"}}
    both = recipe("image-pair", changes)
    planes = Planes(Features(Image(SIDE)), both.planes)
    from anodiff.data.pictures import album

    pair = album([(board(1), spoilt(board(1)))])
    found = planes.fit(pair).encode(list(pair.pictures(SIDE)))  # type: ignore[arg-type]
    assert set(found) == {"differing", "plain", "own"}
    assert found["own"].shape == (1, 1, 32, 32)
