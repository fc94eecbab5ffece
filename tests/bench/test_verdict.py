import math

import numpy as np
import pytest
from scipy import stats
from toys_for_bench import made_up

from anodiff.bench.compare import compare, in_words
from anodiff.bench.page import page
from anodiff.bench.pictures import draw
from anodiff.bench.results import plain
from anodiff.bench.sentences import headline
from anodiff.bench.verdict import verdict
from anodiff.metrics.ranking import paired_interval, ragged_interval
from anodiff.metrics.ranks import average_ranks, critical_difference
from anodiff.types import Unreadable

OURS = {f"s{i}": [90.0 + i, 91.0 + i] for i in range(8)}
CLEAR = {name: [a - 5, b - 4] for name, (a, b) in OURS.items()}
EVEN = {name: [a + (-1) ** i, b + (-1) ** i] for i, (name, (a, b)) in enumerate(OURS.items())}
AHEAD = {name: [a + 2, b + 3] for name, (a, b) in OURS.items()}


def test_wins_ties_and_loses() -> None:
    found = verdict(made_up({"anodiff": OURS, "clear": CLEAR, "even": EVEN, "ahead": AHEAD}))
    against = {each["rival"]: each["auroc"] for each in found["levels"][0]["against"]}
    assert [against[name]["verdict"] for name in ("clear", "even", "ahead")] == ["wins", "ties", "loses"]
    assert against["clear"]["value"] == pytest.approx(4.5)
    assert (against["clear"]["wins"], against["clear"]["losses"], against["clear"]["worst_set"]) == (8, 0, None)
    assert (against["ahead"]["losses"], against["ahead"]["worst"]) == (8, pytest.approx(-2.5))
    said = headline(found, None)
    assert said[0].startswith("anodiff loses against ahead by -2.5 AUROC (")
    assert "on 8 sets x 2 seeds" in said[0]
    assert "wins against clear; ties with even" in said[1]


def test_a_failing_rival_is_named_and_judged_where_both_are() -> None:
    broken = {**CLEAR, "s0": [math.nan, math.nan]}
    found = verdict(made_up({"anodiff": OURS, "clear": broken, "even": EVEN}))
    against = {each["rival"]: each["auroc"] for each in found["levels"][0]["against"]}
    assert (against["clear"]["sets"], against["even"]["sets"]) == (7, 8)
    assert any("clear failed on s0: it broke" in each for each in found["warnings"])
    assert found["levels"][0]["ranks"]["sets"] == 7


def test_ragged_is_paired_where_nothing_is_missing() -> None:
    draw = np.random.default_rng(0)
    ours, theirs = draw.normal(1, 2, (12, 4)), draw.normal(0, 2, (12, 4))
    paired, ragged = paired_interval(ours, theirs), ragged_interval(list(ours - theirs))
    assert ragged.value == pytest.approx(paired.value)
    assert [ragged.low, ragged.high] == pytest.approx([paired.low, paired.high], abs=0.06)


def test_one_set_has_an_interval_over_its_seeds() -> None:
    found = verdict(made_up({"anodiff": {"mine": [9, 8, 9.5]}, "knn": {"mine": [8, 7, 8]}}))
    assert found["over"] == "seeds of one set"
    assert found["levels"][0]["against"][0]["auroc"]["verdict"] == "wins"
    alone = verdict(made_up({"anodiff": {"mine": [9]}, "knn": {"mine": [8]}}))
    assert alone["levels"][0]["against"][0]["auroc"]["low"] is None
    assert "is not told from knn" in headline(alone, None)[0]
    with pytest.raises(Unreadable):
        ragged_interval([np.array([1.0])])


@pytest.mark.parametrize(("methods", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_critical_difference_has_demsars_constants(methods: int, q: float) -> None:
    """The table of q at 0.05 in Demsar (2006), to three digits, which he prints."""
    assert critical_difference(methods, 30) == pytest.approx(q * math.sqrt(methods * (methods + 1) / 180), abs=1e-3)


def test_friedman_is_scipys_and_groups_are_runs() -> None:
    draw = np.random.default_rng(0)
    values = {name: draw.normal(mean, 1, 20).round(1) for name, mean in {"a": 3, "b": 2.6, "c": 1.0, "d": 0.0}.items()}
    found = average_ranks(values)
    assert found.p == pytest.approx(stats.friedmanchisquare(*values.values()).pvalue)
    assert next(iter(found.ranks)) == "a"
    assert sum(found.ranks.values()) == pytest.approx(10)
    for group in found.groups:
        assert found.ranks[group[-1]] - found.ranks[group[0]] <= found.distance


def test_the_page_and_the_pictures_say_oracle_and_losses(tmp_path) -> None:
    results = made_up({"anodiff": OURS, "clear": CLEAR, "ahead": AHEAD})
    results.machine, results.versions = {"cores": 2, "cpu": ""}, {"anodiff": "1", "torch": "2", "scikit-learn": "1"}
    results.summary = plain(verdict(results))
    text = page(results, "made up")
    assert "oracle F1" in text
    assert "| 0 : 8 | -2.5, s0 | 8 |" in text
    assert "Nemenyi" in text
    assert draw(results.summary, None, tmp_path) == ["ranks.png", "ranks.svg"]
    assert (tmp_path / "ranks.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "ranks.svg").read_text().count("<path") > 20


def test_compare_says_what_differs_and_by_how_much() -> None:
    old = made_up({"anodiff": OURS, "knn": CLEAR})
    assert compare(old, made_up({"anodiff": OURS, "knn": CLEAR}))["same"]
    other = made_up({"anodiff": {**OURS, "s3": [93.05, 95.0]}, "knn": CLEAR})
    for record in other.records:
        record["seconds"] = 2.0
    found = compare(old, other)
    assert not found["same"]
    assert {(gap["set"], gap["seed"], gap["method"]) for gap in found["differ"]} == {("s3", 1, "anodiff")}
    assert found["largest"] == pytest.approx(1)
    assert found["seconds_ratio"]["knn"] == 2
    assert "s3, seed 1, anodiff: auroc 94.00 -> 95.00 (+1.00)" in "\n".join(in_words(found))
