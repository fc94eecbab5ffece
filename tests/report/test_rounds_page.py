"""The page of the rounds: it says whether made anomalies help, names every rival, and escapes what it is given."""

import numpy as np
import pytest

from anodiff.metrics.ranking import Interval
from anodiff.report.rounds_render import headline, render_rounds
from anodiff.rounds.record import HELPS, NOT, OURS, WEAK, WITHOUT, WORSE, Round, Rounds


def round_(number, without, rival):
    values = {name: {"items AP": 0.5, "items AUROC": 0.75} for name in (WITHOUT, "<gaussian>", OURS)}
    gains = {WITHOUT: Interval(*without), "<gaussian>": Interval(*rival)}
    return Round(number, 90, 60, 30, {"a copy of another": 30}, {"shift": 0.25}, values, gains, 1.5)


HELPED = round_(1, (0.2, 0.1, 0.3), (0.1, 0.05, 0.2))
EVEN = round_(2, (0.2, 0.15, 0.3), (0.0, -0.05, 0.2))
HURT = round_(1, (-0.2, -0.3, -0.1), (0.0, -0.05, 0.2))
NONE = round_(3, (0.01, -0.1, 0.1), (0.0, -0.05, 0.2))


def found(*rounds):
    return Rounds(list(rounds), None, "made anomalies of held-out kinds", 0.98)


def test_verdicts_follow_the_intervals():
    assert [each.verdict for each in (HELPED, EVEN, NONE, HURT)] == [HELPS, WEAK, NOT, WORSE]
    assert found(NONE).best is None
    assert not found(NONE).helps
    assert found(HELPED, EVEN, NONE).best is EVEN


@pytest.mark.parametrize(
    ("rounds", "said"),
    [
        ((HELPED,), "help, more than the classical ones do"),
        ((EVEN, NONE), "help, but no more than the classical ones do"),
        ((NONE,), "do not help here"),
        ((HURT, NONE), "do not help here"),
        ((HURT,), "make it worse here"),
    ],
)
def test_the_page_says_so_first(rounds, said):
    page = render_rounds(found(*rounds))
    assert said in headline(found(*rounds))
    assert page.index(said) < page.index("Round by round")
    assert "30 a copy of another" in page
    assert "shift 25 %" in page
    assert "&lt;gaussian&gt;" in page
    assert "<gaussian>" not in page
    assert "<script" not in page


def test_the_sentence_names_the_gain_and_the_rivals():
    said = found(HELPED).summary()
    assert said.startswith("Made anomalies help: average precision +0.200 (+0.100 to +0.300) on made anomalies")
    assert "Against <gaussian> +0.100 (+0.050 to +0.200)." in said
    assert found(NONE).summary().startswith("Made anomalies do not help")
    assert found(HELPED).to_dict()["rounds"][0]["verdict"] == HELPS
    assert np.isfinite(found(HELPED).confidence)
