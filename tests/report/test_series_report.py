"""The page of series: it answers first, draws everything, counts honestly, and needs nothing from outside."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import anodiff
from anodiff.cli import run
from anodiff.detect_series import SeriesDetector
from anodiff.modalities.series import Series
from anodiff.report.series_calibration import measured
from anodiff.report.series_findings import SeriesFindings, series_findings
from anodiff.report.series_overview import envelope
from anodiff.report.series_render import render_series
from anodiff.report.series_words import how_often

EVIL = "<script>alert('x')</script>"
SMALL = {
    "name": "small",
    "about": "Small.",
    "smooth": 12,
    "views": {"w": {"length": 48}},
    "denoisers": {
        "near": {"use": "empirical", "view": "w", "neighbours": 3, "references": 1000},
        "gauss": {"use": "gaussian", "view": "w"},
    },
    "scores": {
        "near": {"use": "residual", "of": "near", "settings": {"levels": [50.0], "power": 0.0, "spread": True}},
        "gauss": {"use": "residual", "of": "gauss", "settings": {"levels": [0.1]}},
    },
}
UNITS = {"flow": "l/s", "oil": "°C"}
pytestmark = pytest.mark.filterwarnings("ignore:.*held-out normal instants.*:UserWarning")


def machine(n: int, seed: int) -> pd.DataFrame:
    draw, t = np.random.default_rng(seed), np.arange(n)
    flow = 50 + 10 * np.sin(2 * np.pi * t / 24) + draw.normal(size=n)
    oil = 60 + 2 * np.cos(2 * np.pi * t / 24) + 0.3 * draw.normal(size=n)
    when = pd.date_range("2024-03-01", periods=n, freq="5min", tz="Europe/Berlin")
    return pd.DataFrame({"time": when, "flow": flow, "oil": oil})


def broken(n: int = 1200) -> pd.DataFrame:
    table = machine(n, 1)
    table.loc[500:509, "oil"] += 12
    table.loc[900:901, "flow"] -= 40
    return table


@pytest.fixture(scope="module")
def detector() -> SeriesDetector:
    return SeriesDetector(recipe=SMALL, false_alarm_rate=1e-3).fit(machine(1500, 0))


@pytest.fixture(scope="module")
def found(detector: SeriesDetector) -> SeriesFindings:
    return series_findings(detector, broken(), model="pump", name="March", units=UNITS)


def words_of(page: str) -> str:
    text = re.sub(r"<[^>]+>", " ", page.split("</style>")[1])
    return re.sub(r"\s+", " ", text)


def test_the_first_screen_answers(found: SeriesFindings) -> None:
    text = words_of(render_series(found, UNITS))
    start = text[:1200]
    assert found.headline in start
    assert re.match(r"2 alarms in 4 days; about 1 would be expected if all were normal\.", found.headline)
    assert "oil rose to 7" in start
    assert "about one in 3 days" in start
    assert text.index("What happened, worst first") < text.index("Can I trust it?") < text.index("All of it")
    assert [event["start_instant"] for event in found.worst] == [500, 900]


def test_the_page_needs_nothing_from_outside(found: SeriesFindings) -> None:
    page = render_series(found, UNITS)
    loaded = re.findall(r'(?:src|href|action)="([^"]*)"', page)
    assert loaded
    assert all(value.startswith(("data:image/svg+xml;base64,", "#")) for value in loaded)
    assert "<script" not in page
    assert "@import" not in page
    assert "url(" not in page


def test_hostile_names_are_inert(detector: SeriesDetector) -> None:
    evil = {"oil": EVIL, "flow": "flow"}
    fitted = SeriesDetector(recipe=SMALL, false_alarm_rate=1e-3).fit(machine(1000, 0).rename(columns=evil))
    page = render_series(series_findings(fitted, broken(700).rename(columns=evil), model=EVIL, name=EVIL))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 4


def test_findings_are_json(found: SeriesFindings) -> None:
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()
    assert found.data is not None
    assert found.data["zone"] == "Europe/Berlin"
    assert found.listed[0]["from"].startswith("2024-03-02 1")


def test_from_afar_no_spike_is_lost(detector: SeriesDetector) -> None:
    long = np.zeros(100_000)
    long[54_321] = 7
    far = envelope(np.arange(100_000.0), long, (0, 99_999))
    assert len(far["high"]) == 800
    assert max(far["high"]) == 7
    assert sum(value == 7 for value in far["high"]) == 1
    track = series_findings(detector, broken()).overview[0]
    oil = next(channel for channel in track["channels"] if channel["name"] == "oil")
    assert max(oil["high"]) == pytest.approx(broken()["oil"].max())


def test_a_report_of_the_fit_alone(detector: SeriesDetector) -> None:
    alone = series_findings(detector)
    page = words_of(render_series(alone))
    assert alone.headline.startswith("A detector of 2 channels that learnt 1,500 instants")
    assert "No data were judged" in page
    assert alone.alarms["curve"]


def test_quiet_data_say_so(detector: SeriesDetector) -> None:
    quiet = series_findings(detector, machine(400, 5))
    if quiet.data is not None and not quiet.data["alarms"]:
        assert quiet.headline.startswith("No alarm in ")
        assert "Nothing happened" in render_series(quiet)


def test_without_a_clock_and_with_one_channel() -> None:
    values = machine(1500, 0)["flow"].to_numpy()
    fitted = SeriesDetector(recipe=SMALL, false_alarm_rate=1e-3).fit(values)
    wrong = values[:800].copy()
    wrong[400:404] -= 60
    told = series_findings(fitted, wrong)
    assert re.match(r"\d+ alarms? in 800 instants; about ", told.headline)
    assert "instants 400 to 403" in told.worst[0]["sentence"]
    assert "about one in 1,000 instants" in words_of(render_series(told))


def test_several_entities_and_gaps() -> None:
    parts = [machine(700, seed).assign(machine=name) for seed, name in enumerate(("north", "south"))]
    fitted = SeriesDetector(Series(entity="machine"), recipe=SMALL, false_alarm_rate=1e-3).fit(pd.concat(parts))
    parts[1].loc[300:306, "oil"] += 15
    judged = pd.concat([parts[0].drop(index=range(100, 160)), parts[1]])
    told = series_findings(fitted, judged)
    page = render_series(told)
    assert told.worst[0]["entity"] == "south"
    assert told.overview[0]["entity"] == "south"
    assert page.count("<figcaption><b>") == 2


def test_levels_that_moved_are_told(detector: SeriesDetector) -> None:
    moved = machine(1500, 6)
    moved["oil"] += np.linspace(0, 4, 1500)
    told = series_findings(detector, moved)
    assert told.drift is not None
    channels = {each["name"]: each["moved"] for each in told.drift["channels"]}
    assert channels["oil"] > 0.2 > channels["flow"]
    assert any("The level of oil is beyond that of fit" in check["text"] for check in told.trust)
    assert "oil" in told.drift["moved"]


def test_calibration_counts_what_it_promises() -> None:
    """Scores that remember each other: counted by events the rate holds; taken as independent it does not."""
    draw = np.random.default_rng(0)
    scores = np.convolve(draw.normal(size=60_000), np.ones(30) / 30, mode="valid") ** 2
    curve = measured([scores], 15, 10.0)
    point = next(p for p in curve if p["wanted"] == 10.0)
    assert point["low"] <= point["found"] <= point["high"]
    assert point["naive"] < point["found"] / 2
    assert [p["wanted"] for p in curve] == sorted(p["wanted"] for p in curve)
    assert measured([np.zeros(30)], 5, 1.0) == []


def test_how_often() -> None:
    assert how_often(1e-3, 300_000_000) == "about one in 3 days"
    assert how_often(1e-3, 1_000_000) == "about 86.4 per day"


def test_the_command_writes_it(tmp_path: Path) -> None:
    normal, new, model, page = (tmp_path / name for name in ("normal.csv", "new.csv", "model", "page.html"))
    machine(900, 0).to_csv(normal, index=False)
    broken(700).to_csv(new, index=False)
    anodiff.Detector(modality=Series(), recipe=SMALL, false_alarm_rate=1e-3).fit(str(normal)).save(model)
    assert run(["report", str(model), str(new), "-o", str(page), "--quiet"]) == 0
    assert "What happened, worst first" in page.read_text(encoding="utf-8")
