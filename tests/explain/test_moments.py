"""Planted events: found where they are, blamed on the right channel, told in its units and times."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from anodiff.detect_series import SeriesDetector
from anodiff.diffusion.exact import Gaussian
from anodiff.diffusion.fill import conditional_mean
from anodiff.diffusion.noise import SCHEDULES
from anodiff.explain.band import Stage
from anodiff.explain.blame import Deed
from anodiff.explain.course import oddity
from anodiff.explain.imagined import imagined, walks
from anodiff.explain.located import Core, strongest
from anodiff.explain.moment_words import clock, did, lasting, ranged, rounded
from anodiff.explain.moments import moments
from anodiff.explain.normals import Normals, chosen, normals
from anodiff.modalities.series import Series
from anodiff.modalities.windows import View
from anodiff.types import Misfit

NEAR = {"use": "residual", "settings": {"levels": [50.0], "power": 0.0, "spread": True}}
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
        "near": {**NEAR, "of": "near"},
        "gauss": {"use": "residual", "of": "gauss", "settings": {"levels": [0.1]}},
    },
}
ZONE = "Europe/Berlin"
pytestmark = pytest.mark.filterwarnings("ignore:.*held-out normal instants.*:UserWarning")


def machine(n: int, seed: int) -> pd.DataFrame:
    """Pressure follows flow two instants later; both have a period of 24."""
    draw, t = np.random.default_rng(seed), np.arange(n)
    flow = 50 + 10 * np.sin(2 * np.pi * np.arange(-2, n) / 24) + draw.normal(size=n + 2)
    pressure, flow = 5 + 0.05 * (flow[:-2] - 50) + 0.05 * draw.normal(size=n), flow[2:]
    mode = np.where(t % 24 < 12, "day", "night")
    when = pd.date_range("2024-03-01", periods=n, freq="5min", tz=ZONE)
    return pd.DataFrame({"time": when, "flow": flow, "pressure": pressure, "mode": mode})


@pytest.fixture(scope="module")
def detector() -> SeriesDetector:
    return SeriesDetector(recipe=SMALL, false_alarm_rate=1e-3).fit(machine(1500, 0))


@pytest.fixture(scope="module")
def odd() -> pd.DataFrame:
    """A leak: pressure is too high from 500 on, flow too low from 503 on; later flow stands still for a while."""
    table = machine(1200, 1)
    table.loc[500:511, "pressure"] += 2.0
    table.loc[503:514, "flow"] -= 15
    table.loc[800:830, "flow"] = 52.0
    return table


def test_a_leak_is_told_in_units_and_times(detector: SeriesDetector, odd: pd.DataFrame) -> None:
    worst, *_ = moments(detector, odd, units={"pressure": "bar", "flow": "l/s"})
    assert (worst.start, worst.end) == (500, 514)
    assert worst.sentence.startswith("2024-03-02 17:40 to 18:50 (1 h 10 min): ")
    assert "pressure rose to " in worst.sentence
    assert " bar where " in worst.sentence
    assert "15 min later flow fell to " in worst.sentence
    assert {each.channel: each.since for each in worst.blamed if each.channel != "mode"} == {
        "pressure": 500,
        "flow": 503,
    }
    assert sum(worst.shares.values()) == pytest.approx(1)
    assert worst.shares["mode"] < 0.1
    assert worst.happening.event.start < 500 < 514 < worst.happening.event.end


def test_the_band_is_what_was_there_before_it_broke(detector: SeriesDetector, odd: pd.DataFrame) -> None:
    worst, true = moments(detector, odd)[0], machine(1200, 1)
    band = worst.scene.bands["pressure"]
    inside = worst.scene.hidden
    q, was = band.quantiles()[:, inside], true["pressure"].to_numpy()[worst.instants[inside]]
    assert ((q[0] <= was) & (was <= q[4])).mean() > 0.7
    assert (band.observed[worst.instants == 505] > q[4].max()).all()
    outside = np.ptp(band.draws[:, ~inside], axis=0)
    assert outside.max() < 1e-3


def test_a_channel_that_stands_still_is_told_so(detector: SeriesDetector, odd: pd.DataFrame) -> None:
    still = next(each for each in moments(detector, odd) if abs(each.start - 800) < 12)
    assert "flow stood still at 52" in still.sentence
    assert 780 <= still.start <= 806
    assert 824 <= still.end <= 840


def test_two_causes_in_one_alarm_are_two_moments(detector: SeriesDetector, odd: pd.DataFrame) -> None:
    near = odd.copy()
    near.loc[630:636, "pressure"] -= 3
    found = [each for each in moments(detector, near) if each.start < 700]
    assert {500, 630} <= {each.start for each in found}
    second = next(each for each in found if each.start == 630)
    assert second.notes[0].startswith("it shares an alarm with a worse event: 2024-03-02 13:35 to ")
    assert "pressure fell to" in second.sentence


def test_band_covers_what_is_normal(detector: SeriesDetector) -> None:
    timeline, table, inside = detector.model_, machine(1500, 7), []
    log = timeline.modality.read(table)
    strip = timeline.modality.strip(log.tracks[0])
    stage = Stage(normals(timeline), timeline.modality.channels_, strip, log.tracks[0])
    for start in range(60, 1400, 60):
        scene = stage.scene(Core(start, start + 9, np.ones(3) / 3), ["flow", "mode"])
        q, hidden = scene.bands["flow"].quantiles(), scene.hidden
        seen = scene.bands["flow"].observed
        inside.append(((q[0] <= seen) & (seen <= q[4]))[hidden].mean())
        likeliest = [name for name, _ in scene.bands["mode"].likeliest()]
        assert likeliest == list(scene.bands["mode"].observed)
    assert 0.82 < np.mean(inside) < 0.99


def test_a_category_out_of_place(detector: SeriesDetector) -> None:
    table = machine(600, 3)
    table.loc[312:323, "mode"] = "night"
    worst = moments(detector, table, top=1)[0]
    assert worst.blamed[0].channel == "mode"
    assert "mode was 'night' where 'day' was expected" in worst.sentence
    told = worst.to_dict()["expected"]["channels"]["mode"]
    assert set(told["likeliest"]) == {"day", "night"}


def test_missing_readings_do_not_stop_it(detector: SeriesDetector, odd: pd.DataFrame) -> None:
    holes = odd.copy()
    holes.loc[np.random.default_rng(0).random(len(holes)) < 0.2, "flow"] = np.nan
    holes.loc[495:520, "flow"] = np.nan
    worst = moments(detector, holes)[0]
    words = {each.channel: each.words for each in worst.blamed}
    assert worst.blamed[0].channel == "pressure"
    assert words["flow"] == "flow had no readings"
    assert json.dumps(worst.to_dict(), allow_nan=False)


def test_an_event_longer_than_windows_is_told_of_its_beginning(detector: SeriesDetector) -> None:
    table = machine(900, 4)
    table.loc[400:520, "pressure"] += 3
    worst = moments(detector, table)[0]
    assert 396 <= worst.start <= 401
    assert 515 <= worst.end <= 521
    assert "first 36 instants only" in worst.notes[0]


def test_json_is_whole_and_in_the_zone_given(detector: SeriesDetector, odd: pd.DataFrame) -> None:
    told = moments(detector, odd, most=1)[0].to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["start"] == "2024-03-02T17:40:00+01:00"
    assert told["alarm"]["start"].endswith("Z")
    first = told["channels"][0]
    assert first["kind"] == "above"
    assert first["since_instant"] == 500
    bands = told["expected"]["channels"]["pressure"]
    assert np.shape(bands["expected"]) == (5, len(told["expected"]["instants"]))


def test_without_a_clock_instants_are_counted() -> None:
    values = machine(1500, 0)[["flow", "pressure"]].to_numpy()
    fitted = SeriesDetector(recipe=SMALL, false_alarm_rate=1e-3).fit(values)
    broken = values[:600].copy()
    broken[300:304, 1] -= 2
    worst = moments(fitted, broken)[0]
    assert worst.sentence.startswith("instants 300 to 303 (4 instants): x1 fell to ")
    assert worst.to_dict()["start"] is None


def test_entities_and_several_tracks() -> None:
    parts = [machine(700, seed).assign(machine=name) for seed, name in enumerate(("north", "south"))]
    parts[1][["flow", "pressure"]] *= 3
    fitted = SeriesDetector(Series(entity="machine"), recipe=SMALL, false_alarm_rate=1e-3).fit(pd.concat(parts))
    broken = pd.concat(parts).reset_index(drop=True)
    broken.loc[700 + 300 : 700 + 309, "pressure"] += 9
    worst = moments(fitted, broken, top=1)[0]
    assert worst.sentence.startswith("south, 2024-03-02 01:00 to 01:45 (45 min): pressure rose to ")
    deed = worst.blamed[0].deed
    assert 10 < deed.low < deed.high < 20
    unnamed = SeriesDetector(recipe=SMALL, false_alarm_rate=1e-3).fit([p[["flow", "pressure"]] for p in parts])
    again = moments(unnamed, [parts[0][["flow", "pressure"]], broken.loc[700:, ["flow", "pressure"]]], top=1)
    assert again[0].sentence.startswith("series 2, ")


def test_what_fit_saw_is_not_taken_for_what_was_expected() -> None:
    """An event that training held too: its own windows are left out, so that what others did is expected."""
    table = machine(1500, 0)
    table.loc[700:709, "pressure"] += 2
    fitted = SeriesDetector(recipe=SMALL).fit(table)
    timeline = fitted.model_
    log = timeline.modality.read(table)
    strip = timeline.modality.strip(log.tracks[0])
    stage = Stage(normals(timeline), timeline.modality.channels_, strip, log.tracks[0])
    scene = stage.scene(Core(700, 709, np.ones(3) / 3), ["pressure"])
    q = scene.bands["pressure"].quantiles()[:, scene.hidden]
    assert q[4].max() < 6.3
    assert scene.bands["pressure"].observed[scene.hidden].max() > 7


def test_a_causal_alarm_is_traced_back(detector: SeriesDetector, odd: pd.DataFrame) -> None:
    found = moments(detector, odd, causal=True)
    assert found[0].start == 500
    assert found[0].happening.event.start >= 500


def test_settings_are_checked(detector: SeriesDetector, odd: pd.DataFrame) -> None:
    with pytest.raises(Misfit, match="units name 'oil', which is no channel"):
        moments(detector, odd, units={"oil": "°C"})
    with pytest.raises(Misfit, match="top is 0"):
        moments(detector, odd, top=0)
    assert moments(detector, machine(300, 9), false_alarm_rate=1e-5) == []


def gaussian_windows(rows: torch.Tensor) -> Normals:
    gaussian = Gaussian.fit(rows, SCHEDULES["ve"](sigma_min=0.01, sigma_max=50), 1e-3)
    return Normals(View(12, 12), 1, gaussian, None, gaussian)


@pytest.mark.parametrize("walking", [False, True])
def test_draws_of_a_gaussian_are_its_conditional(walking: bool) -> None:
    """Matheron's rule is exact for Gaussians, and a walk of its denoiser ends up there too."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(4000, 1, 12, generator=generator).cumsum(2)
    normal = gaussian_windows(rows)
    x, known = rows[5], torch.ones(1, 12, dtype=torch.bool)
    known[:, 4:8] = False
    nothing = torch.zeros(0, 1, 12)
    draws = walks(normal, x, known, generator, 0) if walking else imagined(normal, x, known, nothing)
    expected = conditional_mean(normal.gaussian, x[None], known[None])[0]  # type: ignore[arg-type]
    assert (draws[:, known] - x[known]).abs().max() < 1e-4
    away = (draws.mean(0) - expected)[0, 4:8].abs()
    assert away.max() < (0.8 if walking else 0.5)


def test_the_view_that_is_asked() -> None:
    denoiser = Gaussian(torch.zeros(2), torch.eye(2), SCHEDULES["ve"]())
    short, long, shape = (Normals(view, 1, denoiser) for view in (View(20, 20), View(80, 80), View(200, 100, "unit")))
    assert chosen([short, long, shape], 5) is long
    assert chosen([short, long, shape], 60) is shape
    assert chosen([short, Normals(View(5000, 5000), 1, denoiser)], 5) is short


def test_core_is_the_run_that_stands_out() -> None:
    evidence = np.abs(np.random.default_rng(0).normal(size=300)) * 0.1
    evidence[100:120] += 1
    evidence[140] += 3
    inside = np.zeros(300, bool)
    inside[60:200] = True
    assert strongest(evidence, inside, bridge=5) == (100, 120)
    assert strongest(evidence, inside, bridge=30) == (100, 141)


@pytest.mark.parametrize(
    ("course", "feature"),
    [(lambda x: x + 1.2, "mean"), (lambda x: 0.3 * x, "span"), (lambda x: x + 0.3 * (-1) ** np.arange(40), "steps")],
)
def test_courses_without_an_odd_instant(course: object, feature: str) -> None:
    draw, wave = np.random.default_rng(0), np.sin(np.arange(40) / 4)
    draws = wave + 0.3 * draw.normal(size=(60, 1)) + 0.1 * draw.normal(size=(60, 40))
    odd = oddity(course(wave + 0.1 * draw.normal(size=40)), draws, 1e-3)  # type: ignore[operator]
    assert odd is not None
    assert odd.feature == feature
    assert oddity(wave + 0.1 * draw.normal(size=40), draws, 1e-3) is None


def test_a_course_that_is_late() -> None:
    draw, t = np.random.default_rng(0), np.arange(60)
    draws = np.sin(t / 4) + 0.1 * draw.normal(size=(60, 60))
    odd = oddity(np.sin((t - 4) / 4), draws, 1e-3)
    assert odd is not None
    assert (odd.feature, odd.value) == ("shift", 4.0)
    assert did("flow", Deed("shift", value=-4.0), step=60_000_000) == "flow ran 4 min early"


def test_words_of_times_and_numbers() -> None:
    assert clock(86_400_000_000 * 19_783, None, 86_400_000_000) == "2024-03-01"
    assert clock(1_709_301_900_250_000) == "2024-03-01 14:05:00.250"
    assert lasting(0) == "0 s"
    assert lasting(2 * 86_400_000_000) == "2 days"
    assert ranged(1e-9, 3e-9) == "1e-09 to 3e-09"
    assert ranged(-0.01, 0.9) == "0.0 to 0.9"
    assert rounded(1234.56, 100) == "1,235"
