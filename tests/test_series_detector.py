"""The detector of series: both uses, no look-ahead, layouts, alarms, saving, and bad input in one sentence."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import anodiff
from anodiff.detect_series import SeriesDetector
from anodiff.modalities.series import Series
from anodiff.types import Misfit, Refusal, Unreadable

T = np.arange(1500)
SMALL = {
    "denoisers.learnt.steps": 20,
    "denoisers.learnt.width": 16,
    "denoisers.learnt.batch": 32,
}


def wave(seed: int = 0, instants: int = 1500, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 1)
    clean = np.sin(2 * np.pi * (np.arange(instants)[:, None] / 40 + phase + 0.3 * np.arange(channels)))
    found = clean + 0.1 * rng.normal(size=(instants, channels))
    return found[:, 0] if channels == 1 else found


def broken(seed: int = 1, **settings: Any) -> np.ndarray:
    found = wave(seed, **settings)
    found[700:740] = found[700]
    return found


@pytest.fixture(scope="module")
def one() -> anodiff.Detector:
    return anodiff.Detector("series", changes=SMALL).fit(wave())


@pytest.fixture(scope="module")
def many() -> anodiff.Detector:
    return anodiff.Detector("series", changes=SMALL).fit(wave(channels=3))


@pytest.mark.filterwarnings("ignore::UserWarning")
class TestUse:
    def test_normal_part_then_new_data(self, one: anodiff.Detector, many: anodiff.Detector) -> None:
        for detector, new in ((one, broken()), (many, broken(channels=3))):
            for causal in (False, True):
                scores = detector.decision_function(new, causal=causal)
                assert scores.shape == (1500,)
                assert scores.dtype == np.float64
                assert 690 <= scores.argmax() <= 740 + 100 * causal
                (event, *_) = sorted(detector.events(new, causal=causal), key=lambda e: -e.event.score)
                assert event.event.start <= 740 + 100 * causal
                assert event.event.end >= 700

    def test_series_that_hold_anomalies(self) -> None:
        for channels in (1, 3):
            detector = anodiff.Detector("series", changes=SMALL, contamination="auto").fit(broken(channels=channels))
            scores = detector.decision_scores_
            assert 680 <= scores.argmax() <= 760
            assert detector.labels_.shape == (1500,)
            assert detector.labels_[690:750].any()

    def test_left_out_scores_are_like_those_of_new_data(self, one: anodiff.Detector) -> None:
        fresh = one.decision_function(wave(seed=5))
        ratio = np.median(one.decision_scores_) / np.median(fresh)
        assert 0.4 < ratio < 2.5

    def test_no_look_ahead(self, one: anodiff.Detector, many: anodiff.Detector) -> None:
        for detector, channels in ((one, 1), (many, 3)):
            past, future = wave(2, channels=channels), broken(3, channels=channels) * 5
            joined = np.concatenate([past[:600], future[:300]])
            before = detector.decision_function(past, causal=True)[:600]
            assert np.allclose(detector.decision_function(joined, causal=True)[:600], before, rtol=1e-9)
            assert not np.allclose(detector.decision_function(joined)[:600], detector.decision_function(past)[:600])

    def test_no_look_ahead_with_gaps(self, one: anodiff.Detector) -> None:
        past = wave(2)
        past[np.random.default_rng(0).uniform(size=1500) < 0.2] = np.nan
        later = past.copy()
        later[600:] = 9.0
        found = (one.decision_function(x, causal=True)[:600] for x in (past, later))
        assert np.allclose(*found, rtol=1e-9)

    def test_same_seed_same_scores(self, one: anodiff.Detector) -> None:
        again = anodiff.Detector("series", changes=SMALL).fit(wave())
        assert np.array_equal(one.decision_function(broken()), again.decision_function(broken()))
        assert np.array_equal(one.decision_scores_, again.decision_scores_)

    def test_a_track_does_not_depend_on_the_others(self, one: anodiff.Detector) -> None:
        a, b = broken(1), wave(2, 300)
        together = one.decision_function([a, b])
        assert np.allclose(together[0], one.decision_function(a), rtol=1e-9)
        assert np.allclose(together[1], one.decision_function(b), rtol=1e-9)

    def test_maps_add_up_and_point(self, many: anodiff.Detector) -> None:
        new = wave(4, channels=3)
        new[800:830, 1] = 3.0
        where = many.anomaly_map(new)
        assert where.shape == (1500, 3)
        assert np.allclose(where.sum(1), many.decision_function(new), rtol=1e-6, atol=1e-6)
        assert where[800:830].sum(0).argmax() == 1

    def test_frames_with_a_clock(self) -> None:
        frame = pd.DataFrame(
            {"when": pd.date_range("2024-03-01", periods=1500, freq="5min", tz="Europe/Paris"), "flow": wave()}
        )
        detector = anodiff.Detector(changes=SMALL).fit(frame)
        assert detector.period_ == 40
        event = detector.events(frame.assign(flow=broken()))[0].to_dict()
        assert event["start"].startswith("2024-03-03")
        assert detector.false_alarms_per_day_ == pytest.approx(1e-4 * 288)

    def test_tables_stay_tables(self) -> None:
        detector = anodiff.Detector(recipe="mahalanobis").fit(np.random.default_rng(0).normal(size=(100, 3)))
        assert detector.kind_ == "tabular"
        with pytest.raises(Misfit, match="modality='series'"):
            detector.stream()

    def test_refitting_changes_the_kind(self) -> None:
        detector = anodiff.Detector("series", changes=SMALL).fit(wave())
        detector.set_params(modality="tabular", recipe="mahalanobis", changes=None)
        detector.fit(np.random.default_rng(0).normal(size=(100, 3)))
        assert detector.kind_ == "tabular"

    def test_windows_by_hand(self) -> None:
        detector = anodiff.Detector(Series(window=[16, 32, 64, 200]), changes=SMALL).fit(wave())
        lengths = {view.length for view in detector.model_.views.values()}
        assert lengths == {16, 32, 64, 200}

    def test_calibrate_counts_other_normals(self, one: anodiff.Detector) -> None:
        detector = anodiff.Detector("series", changes=SMALL).fit(wave())
        before = detector.statement()
        detector.calibrate(wave(7, 3000))
        assert detector.statement() != before
        assert "3,000" in detector.statement()

    def test_budget(self) -> None:
        detector = anodiff.Detector("series", changes=SMALL, budget=2).fit(wave())
        assert detector.model_.nfe == 2
        assert 690 <= detector.decision_function(broken()).argmax() <= 740

    def test_less_time_is_fewer_steps(self) -> None:
        hurried = anodiff.Detector("series", max_seconds=0.05).fit(wave())
        assert hurried.model_.recipe.denoisers["learnt"].steps < 300
        again = anodiff.Detector("series", recipe=hurried.model_.recipe).fit(wave())
        assert np.array_equal(hurried.decision_scores_, again.decision_scores_)


@pytest.mark.filterwarnings("ignore::UserWarning")
class TestSaving:
    def test_scores_survive(self, one: anodiff.Detector, many: anodiff.Detector, tmp_path: Path) -> None:
        for k, detector in enumerate((one, many)):
            again = anodiff.load(detector.save(tmp_path / str(k)))
            new = broken(channels=1 + 2 * k)
            for causal in (False, True):
                found = (d.decision_function(new, causal=causal) for d in (detector, again))
                assert np.array_equal(*found)
            assert np.array_equal(again.decision_scores_, detector.decision_scores_)
            assert again.threshold_ == detector.threshold_
            assert "series" in (tmp_path / str(k) / "card.md").read_text()

    def test_damage_is_refused(self, one: anodiff.Detector, tmp_path: Path) -> None:
        path = one.save(tmp_path / "model")
        config = (path / "config.json").read_text()
        (path / "config.json").write_text(config.replace('"smooth": 40', '"smooth": 41'))
        with pytest.raises(Refusal, match="changed after it was saved"):
            anodiff.load(path)


@pytest.mark.filterwarnings("ignore::UserWarning")
class TestBadInput:
    @pytest.mark.parametrize(
        ("X", "words"),
        [
            (np.ones(500), "no channel varies"),
            (np.zeros(3), "too few"),
            (np.full(500, np.nan), "nothing was observed"),
            (np.r_[wave(), np.inf], "inf"),
            ([], "series"),
        ],
    )
    def test_fit_refuses(self, X: Any, words: str) -> None:
        with pytest.raises(Unreadable, match=words):
            anodiff.Detector("series", changes=SMALL).fit(X)

    def test_nothing_is_lost_when_fit_fails(self) -> None:
        detector = anodiff.Detector("series", changes=SMALL).fit(wave())
        before = detector.decision_function(broken())
        with pytest.raises(Unreadable):
            detector.fit(np.ones(500))
        assert np.array_equal(detector.decision_function(broken()), before)

    def test_another_number_of_channels(self, one: anodiff.Detector) -> None:
        with pytest.raises(Unreadable, match="2 channels, fit had 1"):
            one.decision_function(wave(channels=2))

    def test_short_series_are_scored(self, one: anodiff.Detector) -> None:
        for instants in (1, 2, 5, 30):
            for causal in (False, True):
                scores = one.decision_function(wave(3, instants), causal=causal)
                assert scores.shape == (instants,)
                assert np.isfinite(scores).all()

    def test_a_constant_series_is_scored(self, one: anodiff.Detector) -> None:
        scores = one.decision_function(np.full(500, 0.3))
        assert np.isfinite(scores).all()
        assert np.median(scores) > one.threshold_

    def test_a_channel_that_is_lost(self, many: anodiff.Detector) -> None:
        new = wave(2, channels=3)
        new[:, 1] = np.nan
        for causal in (False, True):
            assert np.isfinite(many.decision_function(new, causal=causal)).all()

    def test_nothing_observed(self, one: anodiff.Detector) -> None:
        scores = one.decision_function(np.full(300, np.nan))
        assert np.isfinite(scores).all()
        assert not (scores > one.threshold_).any()

    def test_recipes_of_the_other_kind(self) -> None:
        with pytest.raises(Misfit, match="for tables"):
            anodiff.Detector("series", recipe="table").fit(wave())
        with pytest.raises(Misfit, match="for series"):
            anodiff.Detector("tabular", recipe="series").fit(np.random.default_rng(0).normal(size=(50, 2)))

    def test_duplicate_and_unsorted_times_are_noted(self) -> None:
        frame = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=1500, freq="1min"), "flow": wave()})
        shuffled = pd.concat([frame, frame.iloc[[5, 9]]]).sample(frac=1, random_state=0)
        detector = SeriesDetector(Series(time="when"), changes=SMALL).fit(frame)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            scores = detector.decision_function(shuffled)
        assert len(scores) == 1502
        assert any("sorted" in str(w.message) for w in said)
        in_order = detector.decision_function(frame)
        back = pd.Series(scores, index=shuffled["when"]).groupby(level=0).first()
        assert np.allclose(back.loc[frame["when"]].to_numpy(), in_order)


@pytest.mark.filterwarnings("ignore::UserWarning")
class TestHonesty:
    """What a reader of the code found, kept from coming back."""

    def test_causal_alarms_keep_their_rate_with_missing_readings(self) -> None:
        def holed(seed: int) -> np.ndarray:
            found = wave(seed, 4000)
            found[np.random.default_rng(seed).uniform(size=4000) < 0.2] = np.nan
            return found

        detector = anodiff.Detector("series", changes=SMALL, false_alarm_rate=0.005).fit(holed(0))
        found = sum(len(detector.events(holed(seed), causal=True)) for seed in (1, 2, 3))
        assert found <= 3 * 1.5 * 0.005 * 4000

    def test_the_newest_instants_are_looked_at(self) -> None:
        new = wave(1, 24_003)
        new[-1] = 20.0
        detector = anodiff.Detector("series", changes=SMALL).fit(wave())
        scores = detector.decision_function(new)
        assert scores.argmax() > 23_900
        assert scores[-1] > detector.threshold_

    @pytest.mark.parametrize("value", [1e39, -1e39, 1.7e308])
    def test_huge_readings_raise_alarms(self, one: anodiff.Detector, value: float) -> None:
        new = wave(1)
        new[150] = value
        for causal in (False, True):
            scores = one.decision_function(new, causal=causal)
            assert np.isfinite(scores).all()
            assert scores[150] > one.threshold_
        anodiff.Detector("series", changes=SMALL).fit(new)

    def test_a_bad_calibration_changes_nothing(self, one: anodiff.Detector) -> None:
        before = one.decision_function(broken()), one.threshold_
        with pytest.raises(Refusal):
            one.calibrate(wave(1, 1))
        assert np.array_equal(one.decision_function(broken()), before[0])
        assert one.threshold_ == before[1]

    def test_gaps_are_not_counted_as_normals(self) -> None:
        frame = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=1500, freq="1min"), "flow": wave()})
        frame.loc[700:, "when"] += pd.Timedelta(days=3)
        detector = SeriesDetector(Series(time="when"), changes=SMALL).fit(frame)
        detector.calibrate(frame)
        assert detector.alarm_().instants_ <= 1500

    def test_short_pieces_are_judged_alike_at_fit_and_later(self) -> None:
        pieces = [wave(k, 15) for k in range(2, 32)]
        detector = SeriesDetector(changes=SMALL, false_alarm_rate=0.01).fit([wave(0, 600), *pieces])
        alarms = np.concatenate(detector.predict([wave(k, 15) for k in range(40, 60)]))
        assert alarms.mean() < 0.3

    def test_another_clock_is_said(self) -> None:
        frame = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=1500, freq="1min"), "flow": wave()})
        detector = SeriesDetector(Series(time="when"), changes=SMALL).fit(frame)
        slower = frame.assign(when=pd.date_range("2024-02-01", periods=1500, freq="5min"))
        with pytest.warns(UserWarning, match="a reading every 300 s, fit had one every 60 s"):
            detector.decision_function(slower)

    def test_lost_channels_and_strange_machines_are_said(self, many: anodiff.Detector) -> None:
        new = wave(2, channels=3)
        new[:, 1] = np.nan
        with pytest.warns(UserWarning, match="no reading of x1"):
            many.decision_function(new)
        both = pd.DataFrame({"machine": ["a"] * 700 + ["b"] * 700, "flow": wave(0, 1400)})
        detector = SeriesDetector(Series(entity="machine"), changes=SMALL).fit(both)
        with pytest.warns(UserWarning, match="c was not among the 2 of fit"):
            detector.decision_function(both.head(100).assign(machine="c"))

    def test_empty_series(self, one: anodiff.Detector) -> None:
        assert one.decision_function([wave(1), np.zeros(0)])[1].shape == (0,)
        with pytest.raises(Unreadable, match="series 2 of 2 is empty"):
            anodiff.Detector("series").fit([wave(), np.zeros(0)])

    def test_layout_survives_saving(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"machine": ["b", "a"] * 700, "flow": wave(0, 1400)})
        detector = anodiff.Detector(Series(entity="machine"), changes=SMALL).fit(frame)
        again = anodiff.load(detector.save(tmp_path / "model"))
        assert np.array_equal(again.decision_scores_, detector.decision_scores_)
        assert np.array_equal(again.labels_, detector.labels_)

    def test_rare_switches_weigh_the_same_with_entities(self) -> None:
        flips = np.zeros(1400)
        flips[100] = flips[900] = 1
        data = pd.DataFrame({"machine": ["a"] * 700 + ["b"] * 700, "flow": wave(0, 1400), "on": flips})
        scale = Series(entity="machine").fit(data).channels_.scale
        assert np.allclose(scale[:, 1], scale[0, 1])

    def test_what_is_for_tables_is_refused(self, one: anodiff.Detector) -> None:
        with pytest.raises(Misfit, match="fdr"):
            one.predict(wave(), fdr=0.1)
        with pytest.raises(Misfit, match="chunks"):
            next(one.score_chunks(wave()))
        with pytest.raises(Misfit, match="scikit-learn"):
            one.as_sklearn().fit(wave()[:, None])
        with pytest.raises(Misfit, match="nonsense"):
            SeriesDetector("nonsense").fit(wave())
