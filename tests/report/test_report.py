import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import anodiff
from anodiff.cli import run
from anodiff.report.calibration import curve, rates_for
from anodiff.report.findings import findings
from anodiff.report.passes import Worst, pieces
from anodiff.report.render import render
from anodiff.report.survey import Sample, counted, histogram_edges, survey

EVIL = "<script>alert('x')</script>"


def table(rows: int, seed: int, shift: float = 0.0, **more: object) -> pa.Table:
    draw = np.random.default_rng(seed)
    hour = draw.integers(0, 24, rows)
    amount = 100 + 5 * hour + 8 * draw.normal(size=rows) + shift
    country = draw.choice(["NL", "DE"], rows)
    return pa.table({"amount": amount, "hour": hour, "country": country, **more})


@pytest.fixture(scope="module")
def detector() -> anodiff.Detector:
    return anodiff.Detector(recipe="mahalanobis", false_alarm_rate=0.05).fit(table(300, 0))


class Tags(HTMLParser):
    """Names of tags, and what they would load or run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs


def test_hostile_cells_and_names_are_inert() -> None:
    normal = table(200, 0).append_column(EVIL, pa.array([EVIL, "b"] * 100))
    fitted = anodiff.Detector(recipe="mahalanobis").fit(normal)
    new = table(20, 1, shift=900).append_column(EVIL, pa.array([f"{EVIL}{i}" for i in range(20)]))
    page = render(findings(fitted, new, model=EVIL, name=EVIL))
    tags = Tags(page)
    assert "script" not in tags.names
    assert not [name for name, _ in tags.attributes if name.startswith("on")]
    assert page.count("&lt;script&gt;") > 20


def test_the_page_needs_nothing_from_outside(detector: anodiff.Detector) -> None:
    page = render(findings(detector, table(50, 1)))
    loaded = [value for name, value in Tags(page).attributes if name in ("src", "href", "action", "data", "poster")]
    assert all(value and value.startswith(("data:", "#")) for value in loaded)
    assert "url(" not in page
    assert "@import" not in page


def test_the_first_screen_answers(detector: anodiff.Detector) -> None:
    found = findings(detector, pa.concat_tables([table(60, 1), table(3, 2, shift=900)]), name="new.csv")
    assert found.data is not None
    assert found.headline.startswith(f"{found.data['alarms']} alarms in 63 rows")
    assert [row["row"] for row in found.worst[:3]] == sorted([60, 61, 62], key=lambda r: -score_of(found.worst, r))
    page = re.sub(r"\s+", " ", render(found))
    assert page.index("Can I trust it?") < page.index("Scores and calibration")
    assert "amount" in found.worst[0]["sentence"]


def score_of(worst: list[dict], number: int) -> float:
    return next(row["score"] for row in worst if row["row"] == number)


def test_findings_are_json_and_bounded() -> None:
    wide = pa.table({f"c{i}": np.random.default_rng(i).normal(size=60) for i in range(400)})
    fitted = anodiff.Detector(recipe="mahalanobis", false_alarm_rate=0.05).fit(wide)
    found = findings(fitted, pa.table({name: wide[name].to_numpy() + 50 for name in wide.column_names}))
    assert json.loads(json.dumps(found.to_dict()))["data"]["rows"] == 60
    assert len(found.worst) == 20
    assert max(len(row["cells"]) for row in found.worst) <= 6
    assert len(render(found)) < 400_000


def test_a_report_of_the_fit_alone(detector: anodiff.Detector) -> None:
    page = render(findings(detector))
    assert "300 normal rows" in page
    assert "No rows were judged" in page


def test_a_report_where_no_rate_is_supported() -> None:
    few = anodiff.Detector(recipe="mahalanobis", alarm="conformal", false_alarm_rate=0.001).fit(table(12, 0))
    found = findings(few, table(5, 1))
    assert not found.trust[0]["good"]
    assert "With care" in render(found)


def test_drift_is_told_apart_from_alarms(detector: anodiff.Detector) -> None:
    draw = np.random.default_rng(5)
    hour = draw.integers(0, 6, 600)
    moved = pa.table(
        {"amount": 100 + 5 * hour + 8 * draw.normal(size=600), "hour": hour, "country": ["NL", "DE"] * 300}
    )
    same = pa.concat_tables([table(400, 6), table(200, 7, shift=900)])
    quiet, loud = findings(detector, moved), findings(detector, same)
    assert {each["column"] for each in quiet.drift if each["without_alarms"]} == {"amount", "hour"}
    assert [each["column"] for each in loud.drift] == ["amount"]
    assert not loud.drift[0]["without_alarms"]


def test_one_pass_finds_what_the_whole_finds(detector: anodiff.Detector) -> None:
    new = table(500, 3)
    scores = detector.decision_function(new)
    edges = histogram_edges(detector.decision_scores_, detector.threshold_)
    for rows in (7, 500):
        found = survey(pieces(detector, new, rows), detector.threshold_, np.array([0.0, 2.0]), edges, 10, seed=0)
        expected = np.argsort(-scores, kind="stable")[:10]
        np.testing.assert_array_equal(found.worst.numbers, expected)
        np.testing.assert_allclose(found.worst.scores, scores[expected])
        assert found.worst.table is not None
        np.testing.assert_array_equal(found.worst.table.arrow["amount"], new.take(expected)["amount"])
        assert (found.rows, found.alarms) == (500, int((scores > detector.threshold_).sum()))
        assert found.above.tolist() == [500, int((scores > 2).sum())]
        assert int(found.histogram.sum()) == 500
        red = found.histogram[edges[:-1] >= detector.threshold_].sum()
        assert int(red) == found.alarms


def test_worst_and_sample_are_bounded_and_the_sample_uniform(detector: anodiff.Detector) -> None:
    worst, sample = Worst(4), Sample(50, seed=0)
    new = table(1000, 3).append_column("id", pa.array(np.arange(1000)))
    for piece in pieces(detector, new.drop_columns(["id"]), 64):
        worst.add(piece)
        sample.add(piece.seen, np.zeros(len(piece.scores), bool))
        assert worst.table is not None
        assert sample.table is not None
        assert len(worst.table) <= 4
        assert len(sample.table) <= 50
    assert len(sample.table) == 50


def test_the_curve_follows_the_diagonal_for_exchangeable_scores() -> None:
    scores = np.random.default_rng(0).normal(size=5000)
    points = curve(scores, rates_for(scores, 0.03), seed=0)
    assert 0.03 in [point["wanted"] for point in points]
    for point in points:
        assert point["low"] <= point["measured"] <= point["high"], point


def test_the_histogram_takes_what_lies_beyond() -> None:
    edges = histogram_edges(np.array([1.0, 1.0]), np.inf)
    assert (np.diff(edges) > 0).all()
    assert counted(np.array([-1e9, 1.0, 1e300]), edges).sum() == 3


def test_dropped_columns_may_be_there_or_not(tmp_path: Path) -> None:
    path, model = tmp_path / "normal.parquet", tmp_path / "m"
    pq.write_table(table(60, 0).append_column("id", pa.array(np.arange(60))), path)
    asked = ["--drop", "id", "--recipe", "mahalanobis", "--rate", "0.05", "-q"]
    assert run(["fit", str(path), "-o", str(model), *asked]) == 0
    fitted = anodiff.load(model)
    without = findings(fitted, table(60, 0))
    assert without.scores == findings(fitted, path).scores
    assert without.model["dropped"] == ["id"]
