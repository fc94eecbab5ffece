"""What chooses the scores of series: the bench teaches as the detector does, and cuts what is known."""

import numpy as np
import pytest

from anodiff.bench.generation import series as bench
from anodiff.bench.generation.series_run import closed, page, summary
from anodiff.bench.series.tasks import Task
from anodiff.detect_series import SeriesDetector
from anodiff.metrics.segments import segments
from anodiff.modalities.laid import Laid
from series_toys import SMALL, waves

EVENTS = np.array([[200, 220], [500, 530], [800, 810], [1100, 1120]])


@pytest.fixture(scope="module")
def task() -> Task:
    X, y = waves(1500, 9), np.zeros(1500, np.int64)
    for start, stop in EVENTS:
        X[start:stop, 1] += 0.6
        y[start:stop] = 1
    return Task("toy", "toys", X, y, waves(1500))


@pytest.fixture(scope="module")
def detector(task: Task) -> SeriesDetector:
    return SeriesDetector(recipe=SMALL).fit(task.train)


@pytest.fixture(scope="module")
def room(task: Task, detector: SeriesDetector) -> bench.Room:
    return bench.laid_out(task, detector, itself=False)


class TestRoom:
    def test_the_default_is_that_of_the_detector(self, room: bench.Room, detector: SeriesDetector, task: Task) -> None:
        default, each, called_in = bench.untaught(room)
        np.testing.assert_allclose(default, detector.decision_function(task.X), rtol=1e-6)
        assert set(each) == {"near", "gauss"}
        assert called_in.shape == default.shape

    def test_what_is_taught_is_what_the_detector_is_taught(
        self, room: bench.Room, detector: SeriesDetector, task: Task
    ) -> None:
        pieces, data, regions = zip(*(bench.real(room, event, False) for event in EVENTS[:3]), strict=True)
        weights = np.array([1.0, 1.0, 0.5])
        (ours,) = bench.taught(room, pieces, weights)
        theirs = detector.teach(list(data), list(regions), weights=weights).decision_function(task.X)
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)

    def test_weights_alone_ask_no_channels(self, room: bench.Room) -> None:
        piece, _, _ = bench.real(room, EVENTS[0], False)
        alone, called_in = (bench.taught(room, [piece], np.ones(1), each)[0] for each in (True, False))
        assert not np.allclose(alone, called_in)

    def test_windows_depart_where_the_anomaly_is(self, room: bench.Room, task: Task) -> None:
        modality = room.model.modality
        strip = modality.strip(modality.read(task.X).tracks[0])
        assert len(room.away) == room.view.count(len(Laid.of(strip)))
        assert room.away[200:205, 1].mean() > room.away[100:150].mean() + 0.5


class TestJudge:
    def test_known_events_and_what_is_around_them_are_cut(self, task: Task) -> None:
        judge = bench.Judge.of(task, EVENTS[:1])
        assert not judge.kept[200 - bench.MARGIN : 220 + bench.MARGIN].any()
        assert judge.kept.sum() == 1500 - 20 - 2 * bench.MARGIN
        assert len(segments(judge.y)) == 3

    def test_a_neighbour_is_not_cut(self) -> None:
        y = np.zeros(300, np.int64)
        y[100:110] = y[120:130] = 1
        judge = bench.Judge.of(Task("", "", np.zeros((300, 1)), y), np.array([[100, 110]]))
        assert judge.y.sum() == 10

    def test_the_labels_themselves_are_perfect(self, task: Task) -> None:
        judge = bench.Judge.of(task, EVENTS[:2])
        assert judge(task.y + np.linspace(0, 0.1, 1500))["auroc"] == 1


class TestSummary:
    def record(self, name: str, arm: str, value: float) -> dict:
        return {"set": name, "count": 3, "seed": 0, "arm": arm, "auroc": value, "ap": value, "vus_pr": value}

    def test_shares_of_the_distance(self) -> None:
        found = closed([np.array([0.01]), np.array([0.03])], [np.array([0.02]), np.array([0.06])])
        assert found is not None
        assert (found["share"], found["low"], found["high"]) == pytest.approx((0.5, 0.5, 0.5))
        assert closed([np.zeros(2)], [np.zeros(2)]) is None

    def test_gains_and_tallies(self) -> None:
        values = {bench.DEFAULT: 0.8, bench.BEST: 0.9}
        records = [self.record(n, arm, values.get(arm, 0.85)) for n in ("a", "b") for arm in bench.ARMS]
        told = summary(records)
        arms = told["all"]["3"]["arms"]
        assert arms[bench.REAL]["closed"]["share"] == pytest.approx(0.5)
        assert arms[bench.REAL]["over the default"]["auroc"]["wins"] == 2
        assert arms[bench.GENERATED]["over the real alone"]["ap"]["ties"] == 2
        assert told["one half"]["3"]["names"] == ["a"]
        assert "| real | 0.8500 | 50% (50% to 50%) |" in page(told)
