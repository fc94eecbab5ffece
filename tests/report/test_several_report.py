"""The page of records: which part, how much, what was expected; it escapes what it shows and needs nothing else."""

import json
import re
from typing import Any

import numpy as np
import pytest

from anodiff.data.records import records as read
from anodiff.detect_multimodal import MultimodalDetector
from anodiff.report.several_findings import SeveralFindings, several_findings
from anodiff.report.several_render import line, render_several
from anodiff.report.several_shown import LONGEST, SIDE, cell, said, small
from record_toys import mixed_up, modality, records

EVIL = "<script>alert('x')</script>"
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def detector() -> MultimodalDetector:
    return MultimodalDetector(modality(), false_alarm_rate=0.1).fit(records(80, 0)[0])


@pytest.fixture(scope="module")
def new() -> dict[str, Any]:
    """Of the first five the step is of another colour, the last lacks its photo and says what is evil."""
    columns, colour = records(24, 1)
    steps = mixed_up(columns, colour)["step"][:5] + columns["step"][5:23] + [EVIL]
    return {**columns, "photo": [*columns["photo"][:23], None], "step": steps}


@pytest.fixture(scope="module")
def found(detector: MultimodalDetector, new: dict[str, Any]) -> SeveralFindings:
    return several_findings(detector, new, model="bench", name="today")


def test_what_it_says_is_what_the_detector_says(
    detector: MultimodalDetector, new: dict[str, Any], found: SeveralFindings
) -> None:
    scores, alarms = detector.decision_function(new), detector.predict(new)
    assert found.data is not None
    assert found.data["alarms"] == alarms.sum() > 0
    worst = np.argsort(-scores)[: len(found.worst)]
    assert [each["name"] for each in found.worst] == [str(i) for i in worst]
    assert np.allclose([each["score"] for each in found.worst], scores[worst])
    assert [each["alarm"] for each in found.worst] == alarms[worst].astype(bool).tolist()
    assert len(found.listed) == alarms.sum()
    sentences = [each.sentence for each in detector.explain(read(new).take(worst), top=2)]
    assert [f"{each['name']} {each['said']}" for each in found.worst] == sentences


def test_bars_are_shares_of_the_score(found: SeveralFindings) -> None:
    for each in found.worst:
        shares = [bar["share"] for bar in each["bars"]]
        assert shares == sorted(shares, reverse=True)
        assert 0.8 < sum(shares) <= 1 + 1e-9


def test_a_step_of_another_colour_is_shown_beside_what_was_expected(found: SeveralFindings) -> None:
    odd = [(each, view) for each, view in zip(found.worst, found.shown, strict=True) if each["name"] in "01234"]
    assert len(odd) >= 3
    expecting = [view["expected"] for _, view in odd if view["expected"] is not None]
    assert expecting
    assert all(each["name"] in ("photo", "step", "force") for each in expecting)
    assert all(each["record"] for each in expecting)


def test_a_page_escapes_what_it_shows_and_needs_nothing(found: SeveralFindings) -> None:
    page = render_several(found)
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    assert all(each.startswith(("data:", "#")) for each in sources)
    assert page.count("<article") == len(found.worst)
    assert '<span class="empty">missing</span>' in page
    assert json.loads(json.dumps(found.to_dict()))["headline"] == found.headline


def test_a_part_that_is_missing_altogether_is_said(detector: MultimodalDetector, new: dict[str, Any]) -> None:
    found = several_findings(detector, {"step": new["step"], "force": new["force"]})
    assert any("photo is missing in 100 % of the records." in check["text"] for check in found.trust)
    assert "Column photo was there at fit" in render_several(found)


def test_a_report_without_records_is_of_the_fit(detector: MultimodalDetector) -> None:
    found = several_findings(detector)
    page = render_several(found)
    assert found.data is None
    assert "A detector that learnt 80 records of 3 parts" in page
    assert "No records were judged" in page


def test_what_is_long_is_shown_short() -> None:
    assert len(said("text", "a" * 10_000)["text"]) == LONGEST
    assert said("numbers", np.arange(20.0))["text"].endswith("; and 12 more")
    assert len(said("series", np.zeros((5000, 2)))["line"]) < 200
    assert max(small(np.zeros((2000, 1000), np.uint8)).shape) == SIDE
    assert small(np.zeros((20, 10, 3), np.uint8)).shape == (20, 10, 3)


def test_a_picture_that_is_gone_says_so(tmp_path: Any) -> None:
    from PIL import Image

    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / name)
    found = read({"photo": ["a.png", "b.png"]}, {"photo": "image"}, tmp_path)
    (tmp_path / "b.png").unlink()
    shown = cell("photo", found.columns["photo"], 1)
    assert shown["pixels"] is None
    assert "b.png" in shown["text"] or "1" in shown["text"]


def test_series_are_drawn_as_lines() -> None:
    drawn = line([[0.0, 1.0], [1.0, 0.0]], "#000000")
    assert drawn is not None
    assert drawn.startswith("data:image/svg+xml")
    assert line(None, "#000000") is None
