import numpy as np
import pytest

from anodiff.alarms import Conformal, benjamini_hochberg, q_values
from anodiff.types import Misfit, Unreadable


def test_is_the_rule_of_the_paper() -> None:
    # The 15 p-values of section 3.2 of Benjamini and Hochberg, 1995; four are rejected at 0.05.
    p = np.array(
        [
            0.0001,
            0.0004,
            0.0019,
            0.0095,
            0.0201,
            0.0278,
            0.0298,
            0.0344,
            0.0459,
            0.324,
            0.4262,
            0.5719,
            0.6528,
            0.759,
            1,
        ]
    )
    assert benjamini_hochberg(p, 0.05).tolist() == [True] * 4 + [False] * 11
    mixed = np.random.default_rng(0).permutation(15)
    assert (benjamini_hochberg(p[mixed], 0.05) == (p[mixed] <= 0.0095)).all()


def test_controls_false_discoveries_of_conformal_p_values() -> None:
    random = np.random.default_rng(0)
    shares, found = [], []
    for _ in range(400):
        alarm = Conformal().fit(random.normal(size=999))
        scores = np.concatenate([random.normal(size=180), random.normal(4, size=20)])
        alarms = benjamini_hochberg(alarm.p_value(scores), 0.1)
        shares.append(alarms[:180].sum() / max(1, alarms.sum()))
        found.append(alarms[180:].mean())
    assert np.mean(shares) <= 0.1 + 3.3 * np.std(shares) / 20
    assert np.mean(found) > 0.7


def test_nothing_is_found_in_nothing() -> None:
    assert benjamini_hochberg(np.array([]), 0.1).shape == (0,)
    assert not benjamini_hochberg(np.ones(5), 0.1).any()
    assert (q_values(np.array([0.2, 0.2])) == 0.2).all()


@pytest.mark.parametrize("p", [[1.2], [-0.1], [np.nan], [[0.1]]])
def test_refuses_what_is_no_p_value(p: object) -> None:
    with pytest.raises(Unreadable, match="p-values"):
        q_values(p)  # type: ignore[arg-type]


def test_refuses_what_is_no_rate() -> None:
    with pytest.raises(Misfit, match="fdr is 10"):
        benjamini_hochberg(np.array([0.1]), 10)
