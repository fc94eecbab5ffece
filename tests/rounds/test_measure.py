"""The yardstick: scikit-learn's numbers, intervals over units, and the same draw for both."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from anodiff.rounds.measure import Ranking, Yardstick, averaged, covered, stretches, yardstick
from anodiff.types import Misfit, Unreadable


def drawn(n=120, cells=5, gain=1.0, seed=0, ties=False):
    random = np.random.default_rng(seed)
    truth = [(random.random(cells) < 0.2 * (i % 3 == 0)).astype(float) for i in range(n)]
    said = [each * gain + random.normal(size=cells) for each in truth]
    return truth, [np.round(each) for each in said] if ties else said


@pytest.mark.parametrize("ties", [False, True])
def test_the_numbers_are_those_of_scikit_learn(ties):
    truth, said = drawn(ties=ties)
    ranking, whole = Ranking.of(truth, said), np.ones(len(truth))
    flat = np.concatenate(truth), np.concatenate(said)
    assert ranking.precision(whole) == pytest.approx(average_precision_score(*flat))
    assert ranking.area(whole) == pytest.approx(roc_auc_score(*flat))


def test_a_unit_that_weighs_twice_is_there_twice():
    truth, said = drawn(n=20)
    weight = (np.arange(20) + 1) % 3
    again = [i for i, w in enumerate(weight) for _ in range(w)]
    flat = np.concatenate([truth[i] for i in again]), np.concatenate([said[i] for i in again])
    assert Ranking.of(truth, said).precision(weight.astype(float)) == pytest.approx(average_precision_score(*flat))


def test_gains_have_intervals_that_hold_them():
    truth, poor = drawn(gain=0.5)
    _, good = drawn(gain=3.0)
    measure = Yardstick("tabular", None, {"items": truth}, "")
    gain = measure.gain({"items": good}, {"items": poor}, draws=300)
    assert 0 < gain.low < gain.value < gain.high
    none = measure.gain({"items": poor}, {"items": poor}, draws=100)
    assert (none.value, none.low, none.high) == (0.0, 0.0, 0.0)
    wide = measure.gain({"items": good}, {"items": poor}, confidence=0.999, draws=300)
    assert wide.high - wide.low > gain.high - gain.low
    back = measure.gain({"items": poor}, {"items": good}, draws=300)
    assert back.value == pytest.approx(-gain.value)


def test_maps_and_masks_are_averaged_to_a_grid():
    map_ = np.add.outer(np.arange(50.0), np.zeros(70))
    assert averaged(map_).shape == (32, 32)
    assert averaged(map_).mean() == pytest.approx(24.5, abs=1)
    assert averaged(np.ones((256, 256))).tolist() == np.ones((32, 32)).tolist()
    mask = np.zeros((256, 256), bool)
    mask[0:16, 0:16] = True
    assert covered(mask).sum() == 4
    mask[:] = False
    mask[3, 3] = True
    assert covered(mask).sum() == 1
    assert covered(np.zeros((64, 64), bool)).sum() == 0


def test_series_are_cut_into_stretches_and_nothing_is_lost():
    found = stretches([np.arange(250), np.arange(30)])
    assert [len(each) for each in found] == [125, 125, 30]
    assert np.concatenate(found)[:250].tolist() == list(range(250))


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(Misfit, match="3 labels for 4 held-out items"):
        yardstick("tabular", np.zeros((4, 2)), [0, 1, 0])
    with pytest.raises(Unreadable, match="all alike"):
        yardstick("tabular", np.zeros((4, 2)), [0, 0, 0, 0])
