"""The page of pictures: it answers first, shows the worst, counts honestly, and needs nothing from outside."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import anodiff
from anodiff.cli import run
from anodiff.detect_images import ImageDetector
from anodiff.modalities.image import Image
from anodiff.report.image_findings import ImageFindings, image_findings
from anodiff.report.image_render import render_images
from anodiff.report.image_shown import closer
from anodiff.report.image_survey import Highest, image_survey
from anodiff.report.image_words import drift
from anodiff.types import Unreadable
from anodiff.verdict import Verdict
from picture_toys import PLAIN, parts, spoilt

EVIL = '<img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def detector() -> ImageDetector:
    return ImageDetector(Image(64), recipe=PLAIN, false_alarm_rate=0.05).fit(parts(40, 0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures, two of which are spoilt, and two files that are none."""
    found = tmp_path_factory.mktemp("new")
    (found / "line").mkdir()
    for k, pixels in enumerate(spoilt(1)):
        Pillow.fromarray(pixels).save(found / "line" / f"part_{k}.png")
    (found / "note.png").write_text("no picture")
    (found / "cut.png").write_bytes((found / "line" / "part_0.png").read_bytes()[:300])
    return found


@pytest.fixture(scope="module")
def found(detector: ImageDetector, folder: Path) -> ImageFindings:
    return image_findings(detector, folder, model="press")


def words_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split("</style>")[1]))


def test_the_first_screen_answers(found: ImageFindings) -> None:
    text = words_of(render_images(found))
    start = text[:1500]
    assert found.headline == (
        "2 alarms in 8 pictures, where about 0.4 would be expected if all were normal; 2 files could not be read."
    )
    assert found.headline in start
    assert "part_4.png raises an alarm" in start
    assert "at the lower left" in start
    assert text.index("The worst") < text.index("Can I trust it?") < text.index("how it should look")


def test_the_worst_are_shown_and_a_few_more(found: ImageFindings) -> None:
    assert [each["alarm"] for each in found.worst] == [True, True, False, False, False, False]
    assert [each["name"] for each in found.worst[:2]] == ["line/part_4.png", "line/part_1.png"]
    assert [each["name"] for each in found.listed] == ["line/part_4.png", "line/part_1.png"]
    page = render_images(found)
    assert page.count('class="alarm"') == 2
    assert page.count("<figcaption>how odd</figcaption>") == 6
    assert "All alarms, and the next 4" in words_of(page)


def test_few_are_kept_of_many(detector: ImageDetector) -> None:
    one = image_findings(detector, spoilt(1), worst=1)
    assert len(one.worst) == len(one.shots) == 1
    assert "The worst 1 alarms" in words_of(render_images(one))
    assert "1 more alarm: not shown, by name below." in words_of(render_images(one))


def test_heat_and_outlines_lie_on_the_defect(found: ImageFindings) -> None:
    shot = found.shots[1]
    assert shot is not None
    changed = (shot.photo != shot.heat).any(2)
    scale = 360 / 64
    assert changed[round(11 * scale) : round(17 * scale), round(41 * scale) : round(47 * scale)].mean() > 0.9
    line = (shot.photo == [86, 180, 233]).all(2)
    rows, columns = np.nonzero(line)
    assert not line[round(13 * scale) : round(15 * scale), round(43 * scale) : round(45 * scale)].any()
    assert 3 * scale < rows.min() < 13 * scale < 15 * scale < rows.max() < 25 * scale
    assert 33 * scale < columns.min() < 43 * scale < 45 * scale < columns.max() < 55 * scale


def test_the_page_needs_nothing_from_outside(found: ImageFindings) -> None:
    page = render_images(found)
    loaded = re.findall(r'(?:src|href|action)="([^"]*)"', page)
    assert all(value.startswith(("data:image/svg+xml;base64,", "data:image/jpeg;base64,", "#")) for value in loaded)
    jpeg = next(value for value in loaded if value.startswith("data:image/jpeg"))
    assert max(Pillow.open(io.BytesIO(base64.b64decode(jpeg.split(",")[1]))).size) == 360
    assert "<script" not in page
    assert "@import" not in page
    assert "url(" not in page
    assert len(page) < 1_500_000


def test_hostile_names_are_inert(detector: ImageDetector, tmp_path: Path) -> None:
    name = 'x"><svg onload=alert(1)>.png'
    Pillow.fromarray(spoilt(1)[4]).save(tmp_path / name)
    (tmp_path / "<script>alert(2)<.png").write_text("no picture")
    page = render_images(image_findings(detector, tmp_path, model=EVIL, name=EVIL))
    assert "<svg" not in page
    assert "<script" not in page
    assert "<img src=x" not in page
    assert page.count("&lt;svg onload") > 1
    assert "&lt;script&gt;alert(2)" in page


def test_unreadable_files_are_listed(found: ImageFindings) -> None:
    assert found.data is not None
    assert {each["name"] for each in found.data["unread"]} == {"note.png", "cut.png"}
    text = words_of(render_images(found))
    assert "Files that could not be read" in text
    assert "note.png" in text


def test_findings_are_json(found: ImageFindings) -> None:
    facts = found.to_dict()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert "shots" not in facts
    assert facts["model"]["pictures_fitted"] == 40
    assert sum(facts["scores"]["data"]) == 8
    assert facts["alarms"]["curve"][-1]["data"] <= 1


def test_a_report_of_the_fit_alone(detector: ImageDetector) -> None:
    alone = image_findings(detector)
    text = words_of(render_images(alone))
    assert alone.headline == (
        "A detector that learnt 40 normal pictures; at most 5 % of normal pictures raise an alarm."
    )
    assert "No pictures were judged" in text
    assert "Some of the pictures that count as normal" in text
    assert len(alone.normals) == 12


def test_nothing_but_bad_files_is_refused(detector: ImageDetector, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(Unreadable, match=r"none of 1 pictures can be read; a\.png"):
        image_findings(detector, tmp_path)


def test_a_picture_that_is_gone_is_told_of_all_the_same(
    detector: ImageDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anodiff.report.image_shown.looked_at", lambda *_: None)
    told = image_findings(detector, spoilt(1)[4:5])
    assert told.shots == [None]
    assert "This picture cannot be read any more." in render_images(told)
    assert "at the lower left" in told.worst[0]["sentence"]


def test_other_light_is_told(detector: ImageDetector) -> None:
    for more, moved, words in ((0, "", "as held-out normals do"), (3, "higher", "may have changed"), (9, None, "")):
        pictures = np.clip(parts(40, 5).astype(int) + more, 0, 255).astype(np.uint8)
        told = image_findings(detector, pictures, worst=1)
        assert (told.drift and told.drift["moved"]) == moved
        assert any(words in check["text"] for check in told.trust)
    assert any("More than half" in check["text"] for check in told.trust)


def test_drift_is_not_what_alarms_do() -> None:
    normals = np.random.default_rng(0).normal(size=200)
    with_defects = np.append(np.random.default_rng(1).normal(size=60), np.full(30, 9.0))
    threshold = float(np.quantile(normals, 0.99))
    same = drift(with_defects, normals, threshold)
    assert same is not None
    assert same["moved"] == ""
    lower = drift(with_defects - 1.5, normals, threshold)
    assert lower is not None
    assert lower["moved"] == "lower"
    assert drift(with_defects[:10], normals, threshold) is None


def test_the_highest_are_kept_in_order() -> None:
    scores = [3.0, 1.0, 3.0, 2.0, 5.0]
    kept = Highest(3)
    for place, score in enumerate(scores):
        kept.add(place, Verdict(str(place), score=score))
    assert [place for place, _ in kept.found()] == [4, 0, 2]
    none = Highest(0)
    none.add(0, Verdict("0", score=1.0))
    assert none.found() == []


def test_a_pass_over_many_keeps_few() -> None:
    verdicts = (
        Verdict(f"{k}.png", score=float(k % 1000), p_value=0.5, alarm=k % 10 == 0, map=np.zeros((2, 2), np.float32))
        if k % 7
        else Verdict(f"{k}.png", unread="it is cut off.")
        for k in range(5000)
    )
    told = image_survey(verdicts, 24)
    assert len(told.worst) == 24
    assert len(told.listed) == len(told.unread) == 200
    assert told.unreadable == 715
    assert len(told.scores) == 5000 - 715
    assert all(verdict.map is None for verdict in told.listed)
    assert all(verdict.score == 999 for _, verdict in told.worst[:4])


def test_a_closer_look_is_taken_where_the_region_is_small(detector: ImageDetector) -> None:
    large = np.kron(spoilt(1)[4], np.ones((20, 20), np.uint8))
    regions = detector.regions_of(next(detector.judge([large])))
    dot = next(each for each in regions if each.share < 0.03)
    part = closer(large[..., None], dot)
    assert part is not None
    assert part.shape[:2] == (360, 360) or max(part.shape) == 360
    bar = next(each for each in regions if each.share > 0.03)
    assert closer(large[..., None], bar) is None


def test_the_command_writes_it(folder: Path, tmp_path: Path) -> None:
    model, page = tmp_path / "model", tmp_path / "page.html"
    anodiff.Detector(Image(64), recipe=PLAIN, false_alarm_rate=0.05).fit(parts(40, 0)).save(model)
    assert run(["report", str(model), str(folder), "-o", str(page), "--quiet"]) == 0
    assert "part_4.png" in page.read_text(encoding="utf-8")
