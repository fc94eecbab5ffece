"""Pairs of pictures: who belongs to whom, and what is said where somebody is missing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anodiff.data.albums import Picture, Unread
from anodiff.data.jitter import Jitter, Move, again, jittered
from anodiff.data.pairs import pairs
from anodiff.data.pictured import looks_pictured
from anodiff.data.pictures import album
from anodiff.types import Unreadable

RNG = np.random.default_rng(0)


def grey(value: int, shape: tuple[int, int] = (12, 16)) -> np.ndarray:
    return np.full(shape, value, np.uint8)


def put(path: Path, value: int, shape: tuple[int, int] = (12, 16)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey(value, shape)).save(path)
    return path


def values(found: object) -> list[tuple[str, int, int]]:
    """Of every pair its name and the grey of its reference and of itself."""
    told = []
    for picture in found.pictures(8):  # type: ignore[attr-defined]
        assert isinstance(picture, Picture)
        assert picture.reference is not None
        both = (round(float(each.pixels.mean()) * 255) for each in (picture.reference, picture))
        told.append((picture.name, *both))
    return told


def test_a_list_of_tuples_is_one_of_pairs() -> None:
    found = album([(grey(10), grey(20)), (grey(30), grey(40, (9, 9)))])
    assert found.paired
    assert values(found) == [("0", 10, 20), ("1", 30, 40)]
    assert values(found.part([1])) == [("1", 30, 40)]
    assert not album([grey(1)]).paired


def test_a_picture_alone_among_pairs_is_refused() -> None:
    with pytest.raises(Unreadable, match=r"picture 1 of the list stands alone among pairs; give \(reference, tested\)"):
        album([(grey(10), grey(20)), grey(30)])
    for odd in ((grey(10), None), (grey(10),), ()):
        with pytest.raises(Unreadable, match="pair 1 of the list is not two pictures"):
            album([(grey(10), grey(20)), odd])


def test_a_reference_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(Unreadable, match="picture 0: its reference: "):
        next(album([(tmp_path / "bad.png", grey(20))]).pictures())


def test_folders_are_matched_by_name_without_suffix(tmp_path: Path) -> None:
    for i, suffix in enumerate(("png", "bmp")):
        put(tmp_path / "golden" / "a" / f"{i}.png", 10 * i)
        put(tmp_path / "line" / "a" / f"{i}.{suffix}", 100 + i)
    put(tmp_path / "golden" / "left.png", 1)
    found = pairs(tmp_path / "golden", tmp_path / "line")
    assert values(found) == [("a/0.png", 0, 100), ("a/1.bmp", 10, 101)]
    assert found.notes == ("1 reference is left out, without a tested picture: left.png.",)


def test_endings_tell_references_in_the_same_folder(tmp_path: Path) -> None:
    for name, value in {"7_temp": 10, "7_test": 20, "8_temp": 30, "8_test": 40, "other": 0}.items():
        put(tmp_path / f"{name}.png", value)
    found = pairs(tmp_path, tmp_path, endings=("_temp", "_test"))
    assert values(found) == [("7_test.png", 10, 20), ("8_test.png", 30, 40)]
    with pytest.raises(Unreadable, match="none of 5 pictures has a name that ends in _gold"):
        pairs(tmp_path, tmp_path, endings=("_gold", "_test"))


def test_a_tested_file_without_reference_is_unread_and_the_rest_goes_on(tmp_path: Path) -> None:
    put(tmp_path / "golden" / "0.png", 10)
    for i in range(2):
        put(tmp_path / "line" / f"{i}.png", 20)
    first, second = pairs(tmp_path / "golden", tmp_path / "line").pictures(8)
    assert isinstance(first, Picture)
    assert isinstance(second, Unread)
    assert str(second) == "1.png: its reference: there is none named 1."
    listed = pairs(tmp_path / "golden", [tmp_path / "line" / "1.png", tmp_path / "line" / "0.png"])
    with pytest.raises(Unreadable, match=r"line/1.png: its reference: there is none named 1\."):
        next(listed.pictures(8))


def test_folders_of_strangers_and_of_doubles_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "golden" / "a.png", 10)
    put(tmp_path / "line" / "b.png", 10)
    with pytest.raises(Unreadable, match=r"has the name of a reference, such as b\.png and a\.png; name them alike"):
        pairs(tmp_path / "golden", tmp_path / "line")
    put(tmp_path / "golden" / "a.bmp", 10)
    with pytest.raises(Unreadable, match=r"references a\.bmp and a\.png have one name"):
        pairs(tmp_path / "golden", tmp_path / "line")


def test_one_reference_serves_all(tmp_path: Path) -> None:
    for i in range(2):
        put(tmp_path / "line" / f"{i}.png", 20 + i)
    golden = put(tmp_path / "golden.png", 10)
    assert values(pairs(golden, tmp_path / "line")) == [("0.png", 10, 20), ("1.png", 10, 21)]


def test_lists_are_matched_by_place() -> None:
    assert values(pairs([grey(1), grey(2)], [grey(3), grey(4)])) == [("0", 1, 3), ("1", 2, 4)]
    with pytest.raises(Unreadable, match="there are 3 references and 2 tested pictures"):
        pairs([grey(1)] * 3, [grey(3), grey(4)])
    with pytest.raises(Unreadable, match="are pairs already"):
        pairs([(grey(1), grey(2))], [grey(3)])


def test_pairs_look_like_pictures() -> None:
    assert looks_pictured([("a.png", "b.png")])
    assert looks_pictured([(grey(1), grey(2))])
    assert looks_pictured(album([(grey(1), grey(2))]))
    assert not looks_pictured([("a.png", "b.csv")])
    assert not looks_pictured([(1.0, 2.0)])


def test_jitter_is_drawn_by_its_seed() -> None:
    pictures = [RNG.integers(0, 256, (32, 32), dtype=np.uint8)] * 2
    first, repeated, other = (
        [photo.pixels for photo in again(pictures, seed=seed).pictures() if isinstance(photo, Picture)]
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, repeated)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], other[0])


def test_of_a_jittered_pair_either_may_be_the_reference() -> None:
    pictures = [RNG.integers(0, 256, (16, 16), dtype=np.uint8) for _ in range(20)]
    references = 0
    for original, pair in zip(pictures, jittered(pictures).pictures(), strict=True):
        assert isinstance(pair, Picture)
        assert pair.reference is not None
        kept = [np.array_equal(np.rint(each.pixels[..., 0] * 255), original) for each in (pair, pair.reference)]
        assert sum(kept) == 1
        references += kept[1]
    assert 4 <= references <= 16


def test_jitter_moves_the_mask_with_the_picture() -> None:
    pixels = np.zeros((64, 64, 3), np.float32)
    pixels[20:30, 40:50] = 1
    moved, region = Jitter(shift=(0.1, 0.1), degrees=5.0, noise=0.0)(pixels, 3, pixels[..., 0] > 0.5)
    assert not np.array_equal(region, pixels[..., 0] > 0.5)
    overlap = (region & (moved[..., 0] > 0.5)).sum() / (region | (moved[..., 0] > 0.5)).sum()
    assert overlap > 0.9


def test_a_move_that_stays_inside_shows_no_edge() -> None:
    inner = np.zeros((60, 80))
    inner[1:-1, 1:-1] = 1
    for degrees, shift in ((3.0, (0.1, -0.05)), (-8.0, (0.0, 0.02)), (0.0, (-0.1, 0.1))):
        assert Move(degrees, shift)(inner)[1:-1, 1:-1].min() < 0.5
        assert Move(degrees, shift, inside=True)(inner)[1:-1, 1:-1].min() > 0.5


def test_no_jitter_is_no_change() -> None:
    pixels = RNG.random((16, 20, 1)).astype(np.float32)
    still = Jitter(shift=(0.0, 0.0), degrees=0.0, contrast=0.0, brightness=0.0, noise=0.0, quality=None)
    assert np.allclose(still(pixels, 0)[0], pixels, atol=1e-6)
    assert np.allclose(Move(90.0, (0.0, 0.0))(pixels[:16, :16, 0], 0), np.rot90(pixels[:16, :16, 0], -1), atol=1e-6)


def test_jitter_of_pairs_is_refused() -> None:
    with pytest.raises(Unreadable, match="pairs already; give the references alone"):
        jittered([(grey(1), grey(2))])
