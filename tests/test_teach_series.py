"""Known anomalies taught to detectors of series: at fit, later, from a saved model; and what is refused."""

from typing import Any

import numpy as np
import pytest

import anodiff
from anodiff.detect_series import SeriesDetector
from anodiff.lessons_series import lessons, summit
from anodiff.metrics.ranking import auroc
from anodiff.types import Misfit, Unreadable
from series_toys import SMALL, log, waves

pytestmark = pytest.mark.filterwarnings("ignore:.*held-out normal instants support")
REGION = slice(90, 110)


def shifted(seed: int, channel: int = 1, by: float = 0.5, instants: int = 200) -> np.ndarray:
    found = waves(instants, seed)
    found[REGION, channel] += by
    return found


def marked(instants: int = 200) -> np.ndarray:
    return np.isin(np.arange(instants), np.arange(instants)[REGION])


EXAMPLES = [shifted(seed) for seed in (5, 6, 7)]
REGIONS = [marked()] * 3
NEW = waves(1500, 9)
for start in (300, 700, 1100):
    NEW[start : start + 20, 1] += 0.5
LABELS = np.isin(np.arange(1500), [t for start in (300, 700, 1100) for t in range(start, start + 20)])


@pytest.fixture(scope="module")
def fitted() -> SeriesDetector:
    return SeriesDetector(recipe=SMALL).fit(waves())


@pytest.fixture(scope="module")
def taught(fitted: SeriesDetector) -> SeriesDetector:
    return fitted.teach(EXAMPLES, REGIONS)


@pytest.fixture(scope="module")
def one() -> SeriesDetector:
    return SeriesDetector(recipe=SMALL).fit(waves(channels=1))


def weights(detector: SeriesDetector) -> dict[str, float]:
    return {name: score.weight for name, score in detector.whole_.recipe.scores.items()}


class TestTaught:
    def test_two_scores_are_called_in_and_all_are_weighed(self, taught: SeriesDetector) -> None:
        assert set(weights(taught)) == {"near", "gauss", "channels", "alike"}
        assert sum(weights(taught).values()) == pytest.approx(1)
        assert taught.whole_.facts["examples"] == 3

    def test_such_anomalies_are_found_as_well_or_better(self, fitted: SeriesDetector, taught: SeriesDetector) -> None:
        before, after = (auroc(LABELS, each.decision_function(NEW)) for each in (fitted, taught))
        assert after > before - 0.005
        assert after > 0.9

    def test_the_teacher_stays_as_it_was(self, fitted: SeriesDetector, taught: SeriesDetector) -> None:
        assert weights(fitted) == {"near": 1.0, "gauss": 1.0}
        assert fitted.whole_.panel is taught.whole_.panel
        assert fitted.whole_.facts["examples"] == 0

    def test_fit_with_examples_is_fit_then_teach(self, taught: SeriesDetector) -> None:
        at_once = SeriesDetector(recipe=SMALL).fit(waves(), examples=EXAMPLES, regions=REGIONS)
        np.testing.assert_array_equal(at_once.decision_function(NEW), taught.decision_function(NEW))
        assert at_once.threshold_ == taught.threshold_

    def test_a_second_lesson_replaces_the_first(self, fitted: SeriesDetector, taught: SeriesDetector) -> None:
        again, fresh = (each.teach(EXAMPLES[:1], REGIONS[:1]) for each in (taught, fitted))
        np.testing.assert_array_equal(again.decision_function(NEW), fresh.decision_function(NEW))
        assert again.threshold_ == fresh.threshold_

    def test_left_out_scores_are_like_those_of_new_normal_instants(self, taught: SeriesDetector) -> None:
        for causal in (False, True):
            (left,) = taught.left_out(causal)
            new = taught.decision_function(waves(1500, 12), causal=causal)
            assert np.isfinite(left).all()
            assert np.mean(new > np.quantile(left, 0.9)) < 0.2
            assert np.mean(new < np.quantile(left, 0.1)) < 0.2

    def test_causal_scores_are_those_of_the_stream(self, taught: SeriesDetector) -> None:
        stream = taught.stream()
        told = [stream.push(row).score for row in NEW[:200]]
        np.testing.assert_allclose(told, taught.decision_function(NEW[:200], causal=True), atol=1e-6)

    def test_maps_add_up_and_explanations_name_the_channel(self, taught: SeriesDetector) -> None:
        whole = taught.anomaly_map(NEW)
        np.testing.assert_allclose(whole.sum(1), taught.decision_function(NEW), rtol=1e-6, atol=1e-9)
        assert whole[305:315, 1].sum() > whole[305:315, 0].sum()

    def test_one_channel_is_weighed_alone(self, one: SeriesDetector) -> None:
        pieces = [shifted(seed)[:, 1] for seed in (5, 6)]
        found = one.teach(pieces, [marked()] * 2)
        assert set(weights(found)) == {"near", "gauss"}
        assert found.whole_.recipe.power == 2
        assert np.isfinite(found.decision_function(NEW[:, 0])).all()

    def test_weights_of_examples(self, fitted: SeriesDetector) -> None:
        odd = [*EXAMPLES, waves(200, 8) * 0 + 1]
        regions = [*REGIONS, marked()]
        some, all_ = (fitted.teach(odd, regions, weights=w) for w in ([1, 1, 1, 0], [1, 1, 1, 1]))
        np.testing.assert_array_equal(
            some.decision_function(NEW), fitted.teach(EXAMPLES, REGIONS).decision_function(NEW)
        )
        assert weights(all_) != weights(some)

    def test_normals_are_calibrated_with(self, fitted: SeriesDetector) -> None:
        found = fitted.teach(EXAMPLES, REGIONS, normals=waves(1500, 20))
        assert len(np.concatenate(found.held_out_)) == 1500
        with pytest.raises(Misfit, match="give them as normals= again"):
            found.teach(EXAMPLES)


class TestRegions:
    def test_where_none_are_told_they_are_found(self, fitted: SeriesDetector) -> None:
        found = fitted.teach([shifted(seed, by=2.0) for seed in (5, 6)])
        assert auroc(LABELS, found.decision_function(NEW)) > 0.9

    def test_the_summit_is_what_lies_above_half_of_the_peak(self) -> None:
        assert summit(np.array([9.0, 1, 6, 10, 8, 4, 9])).tolist() == [False, False, True, True, True, False, False]
        assert summit(np.full(3, 2.0)).all()
        assert summit(np.array([-1.0, -3.0])).any()

    def test_of_channels(self, fitted: SeriesDetector) -> None:
        region = np.zeros((200, 2), bool)
        region[REGION, 1] = True
        found = fitted.teach(EXAMPLES, [region] * 3)
        assert [row[0] for row in found.whole_.recipe.scores["alike"].settings["profiles"]] == [0, 0, 0]

    def test_rows_that_share_an_instant_are_one(self, fitted: SeriesDetector) -> None:
        piece = log(60).take([*range(60), 59])
        timed = SeriesDetector(recipe=SMALL).fit(log(400))
        (lesson,) = lessons(timed.whole_.modality, [piece], [[False] * 60 + [True]])
        assert lesson.instants().tolist() == [False] * 59 + [True]

    def test_an_all_covering_one(self, fitted: SeriesDetector) -> None:
        found = fitted.teach(EXAMPLES, [np.ones(200, bool)] * 3)
        assert np.isfinite(found.decision_function(NEW)).all()

    def test_a_piece_shorter_than_a_window(self, fitted: SeriesDetector) -> None:
        found = fitted.teach([EXAMPLES[0][95:102]], [np.ones(7, bool)])
        assert np.isfinite(found.decision_function(NEW)).all()

    def test_a_piece_that_nobody_observed(self, fitted: SeriesDetector) -> None:
        found = fitted.teach([EXAMPLES[0], np.full((50, 2), np.nan)], [REGIONS[0], np.ones(50, bool)])
        assert np.isfinite(found.decision_function(NEW)).all()


def test_a_saved_model_keeps_what_it_learnt(taught: SeriesDetector, tmp_path: Any) -> None:
    loaded = anodiff.load(taught.save(tmp_path / "model"))
    np.testing.assert_allclose(loaded.decision_function(NEW), taught.decision_function(NEW), atol=1e-9)
    assert loaded.threshold_ == pytest.approx(taught.threshold_)
    assert "known anomalies that it was shown: 3" in (tmp_path / "model" / "card.md").read_text()
    again, fresh = (each.teach(EXAMPLES[:2], REGIONS[:2]) for each in (loaded.inner_, taught))
    np.testing.assert_allclose(again.decision_function(NEW), fresh.decision_function(NEW), atol=1e-9)
    assert again.threshold_ == pytest.approx(fresh.threshold_)


def test_through_the_facade(fitted: SeriesDetector) -> None:
    facade = anodiff.Detector("series", recipe=SMALL).fit(waves(), examples=EXAMPLES, regions=REGIONS)
    found = facade.teach(EXAMPLES[:1], REGIONS[:1])
    assert (facade.model_.facts["examples"], found.model_.facts["examples"]) == (3, 1)


REFUSED: dict[str, tuple[type[Exception], str, Any, Any, Any]] = {
    "other channels": (Unreadable, "example 2: ", [EXAMPLES[0], waves(200, channels=3)], None, None),
    "no series": (Unreadable, "example 1", [[["a"]]], None, None),
    "none": (Unreadable, "examples is empty", [], None, None),
    "empty region": (Unreadable, "region 1 marks no instant", EXAMPLES[:1], [np.zeros(200, bool)], None),
    "another length": (Misfit, r"region 1 has shape \(150,\); its example has 200", EXAMPLES[:1], [marked(150)], None),
    "another width": (Misfit, r"of 2 channels", EXAMPLES[:1], [np.ones((200, 3), bool)], None),
    "fewer regions": (Misfit, "there are 2 regions for 3 examples", EXAMPLES, REGIONS[:2], None),
    "no mask": (Misfit, "more than True and False", EXAMPLES[:1], [np.full(200, 0.5)], None),
    "fewer weights": (Misfit, "give one number of 0 or more for each of the 3", EXAMPLES, REGIONS, [1.0]),
    "weights below 0": (Misfit, "give one number of 0 or more", EXAMPLES, REGIONS, [1, 1, -1]),
    "normal ones": (Unreadable, "is among the normal windows too", [waves()[200:400]], [marked()], None),
    "several series": (Misfit, "example 1 holds 2 series", [[EXAMPLES[0], EXAMPLES[1]]], None, None),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_one_sentence(fitted: SeriesDetector, what: str) -> None:
    kind, words, examples, regions, given = REFUSED[what]
    with pytest.raises(kind, match=words):
        fitted.teach(examples, regions, weights=given)
