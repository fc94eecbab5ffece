"""What is said of pictures: where they are odd, how large that is, what a normal one looks like."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from anodiff.alarms.regions import Region
from anodiff.data.pictures import album
from anodiff.detect_images import ImageDetector
from anodiff.explain.sight_words import told
from anodiff.explain.sights import looked_at, sight_of, sights
from anodiff.modalities.image import Image
from anodiff.types import Misfit
from anodiff.verdict import Verdict
from picture_toys import PLAIN, parts, spoilt


@pytest.fixture(scope="module")
def detector() -> ImageDetector:
    return ImageDetector(Image(64), recipe=PLAIN, false_alarm_rate=0.05).fit(parts(40, 0))


def region(box: tuple[int, int, int, int], size: tuple[int, int] = (100, 200), p: float = 0.002) -> Region:
    mask = np.zeros(size, bool)
    top, left, bottom, right = box
    mask[top:bottom, left:right] = True
    return Region(box, int(mask.sum()), ((top + bottom) / 2, (left + right) / 2), 9.0, p, mask)


def test_what_is_planted_is_told_where_it_is(detector: ImageDetector) -> None:
    found = sights(detector, spoilt(1))
    spot, bar = found[1], found[4]
    assert spot.sentence.startswith("picture 1 raises an alarm (p = 0.02): a spot of ")
    assert "at the upper right (" in spot.sentence
    assert "is odder than anything in 97 % of normal pictures" in spot.sentence
    assert "at the lower left" in bar.sentence
    assert "; next: 0.3 % of the picture at the upper right." in bar.sentence
    assert spot.regions[0].mask[11:17, 41:47].mean() > 0.8
    assert [each.alarm for each in found] == [k in (1, 4) for k in range(8)]
    assert all("looks normal" in found[k].sentence or "raises no alarm" in found[k].sentence for k in (0, 2, 3))


def test_it_agrees_with_the_detector(detector: ImageDetector) -> None:
    X = spoilt(1)
    found, again = sights(detector, X, top=1), detector.explain(X, top=1)
    assert [each.score for each in found] == pytest.approx(detector.decision_function(X).tolist())
    assert [each.p_value for each in found] == pytest.approx(detector.p_value(X).tolist())
    assert np.array_equal(np.stack([each.map for each in found]), detector.anomaly_map(X))
    assert [each.sentence for each in found] == [each.sentence for each in again]
    regions = detector.regions(X)
    assert [len(each.regions) + each.more for each in found] == [len(each) for each in regions]
    assert found[4].more == len(regions[4]) - 1 >= 1
    assert f"; next: {found[4].more} more." in found[4].sentence


def test_the_worst_come_first_and_are_the_same(detector: ImageDetector) -> None:
    X = spoilt(1)
    everything, two = sights(detector, X), sights(detector, X, worst=2)
    order = sorted(everything, key=lambda each: -each.score)[:2]
    assert [each.name for each in two] == [each.name for each in order]
    assert [each.sentence for each in two] == [each.sentence for each in order]
    with pytest.raises(Misfit, match="worst is 0"):
        sights(detector, X, worst=0)


def test_how_it_should_look_is_the_most_similar_normal_picture(detector: ImageDetector) -> None:
    kept = detector.whole_.shown
    one = kept[7]
    verdict = next(detector.judge([one]))
    sight = sight_of(detector, verdict, looked_at(album([one]), 0, verdict))
    assert sight.normal is not None
    assert sight.normal.shape == (96, 96)
    assert np.abs(sight.normal.astype(int) - one).mean() < 1
    assert sight_of(detector, verdict, None).normal is None


def test_it_is_shown_in_the_shape_of_the_picture(detector: ImageDetector) -> None:
    wide = np.asarray(Pillow.fromarray(spoilt(1)[1]).resize((300, 100)))
    sight = sights(detector, [wide])[0]
    assert sight.size == (100, 300)
    assert sight.map.shape == (100, 300)
    assert sight.normal is not None
    assert sight.normal.shape == (32, 96)


@pytest.mark.parametrize("frame", ["pad", "crop"])
def test_no_frame_is_shown_as_part_of_the_picture(frame: str) -> None:
    fitted = ImageDetector(Image(64, frame=frame), recipe=PLAIN, false_alarm_rate=0.05).fit(parts(20, 0)[:, 8:56])
    sight = sights(fitted, spoilt(1)[1:2, 8:56])[0]
    assert sight.normal is not None
    assert sight.normal.shape == (48, 64)
    assert "at the upper right" in sight.sentence or "at the top" in sight.sentence


def test_a_large_picture_is_told_of_in_its_own_pixels(detector: ImageDetector) -> None:
    large = np.kron(spoilt(1)[1], np.ones((20, 20), np.uint8))
    verdict = next(detector.judge([large]))
    whole = sight_of(detector, verdict, None)
    small = sight_of(detector, verdict, None, largest=320)
    assert small.map.shape == (320, 320)
    for one, other in zip(whole.to_dict()["regions"][0]["box"], small.to_dict()["regions"][0]["box"], strict=True):
        assert abs(one - other) <= 12
    assert small.size == (1280, 1280)


def test_facts_are_json(detector: ImageDetector) -> None:
    for each in sights(detector, spoilt(1)):
        facts = each.to_dict()
        assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    facts = sights(detector, spoilt(1))[4].to_dict()
    top, left, bottom, right = facts["regions"][0]["box"]
    assert top <= 44 < 50 <= bottom <= 64
    assert left <= 4 < 30 <= right
    assert facts["regions"][0]["words"].endswith("at the lower left")


def test_unreadable_files_are_left_out_and_named(detector: ImageDetector, tmp_path: Path) -> None:
    for k, pixels in enumerate(spoilt(1)[:3]):
        Pillow.fromarray(pixels).save(tmp_path / f"{k}.png")
    (tmp_path / "0b.png").write_text("no picture")
    with pytest.warns(UserWarning, match=r"1 picture could not be read and left out: 0b\.png"):
        found = sights(detector, tmp_path, worst=1)
    assert found[0].name == "1.png"
    with pytest.raises(Misfit, match="could not be read"):
        sight_of(detector, Verdict("x.png", unread="it is cut off."), None)


def test_nothing_is_warned_of_where_all_can_be_read(detector: ImageDetector) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(sights(detector, spoilt(1))) == 8


@pytest.mark.parametrize(
    ("p", "alarm", "regions", "more", "sentence"),
    [
        (0.43, False, [], 0, "a.png looks normal (p = 0.4)."),
        (0.06, False, [], 0, "a.png raises no alarm (p = 0.06); few normal pictures look as odd, most at the top."),
        (0.004, True, [], 0, "a.png raises an alarm (p = 0.004): it is odd as a whole, most at the top; no region by "
         "itself is."),
        (0.004, True, [region((10, 20, 20, 36))], 2, "a.png raises an alarm (p = 0.004): a spot of 0.8 % of the "
         "picture at the upper left (32 x 20 pixels) is odder than anything in 99.8 % of normal pictures; next: 2 "
         "more."),
        (0.03, False, [region((0, 0, 100, 100))], 0, "a.png raises no alarm (p = 0.03), but a region of 50 % of the "
         "picture from top to bottom at the left edge (200 x 200 pixels), most at the top, is odder than anything in "
         "99.8 % of normal pictures."),
        (0.004, True, [region((0, 0, 100, 200))], 0, "a.png raises an alarm (p = 0.004): the whole picture, most at "
         "the top, is odder than anything in 99.8 % of normal pictures."),
    ],
)  # fmt: skip
def test_sentences(p: float, alarm: bool, regions: list[Region], more: int, sentence: str) -> None:
    assert told("a.png", p, alarm, regions, more, (200, 400), "top") == sentence
