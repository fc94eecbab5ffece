"""The judge of what was made: its laws."""

import numpy as np
import pytest

from anodiff.anomalies.judge import (
    COPIED,
    IMPLAUSIBLE,
    NOT_ABNORMAL,
    OUTSIDE,
    REPEATED,
    Judge,
    novelty,
    plausibility,
    too_frequent,
)
from anodiff.made import Judgement
from anodiff.metrics.change import region_agreement, visible
from anodiff.types import Misfit, Unreadable

SPREADS = {
    "normal": lambda random, n: random.normal(size=(n, 5)),
    "skewed": lambda random, n: np.exp(random.normal(size=(n, 5))),
    "discrete": lambda random, n: random.integers(0, 3, size=(n, 5)).astype(float),
    "two dense and loose": lambda random, n: random.normal(size=(n, 5)) * random.choice([0.1, 2.0], (n, 1)) + 3,
}


@pytest.fixture
def facts():
    """Eight made items of which nothing can be said against."""
    random = np.random.default_rng(1)
    region = np.zeros((8, 6, 6), dtype=bool)
    region[:, 1:4, 2:5] = True
    return {
        "whole": (random.normal(size=(200, 4)), 0.5 * random.normal(size=(8, 4))),
        "odd": (random.normal(size=200), np.full(8, 9.0)),
        "wanted": np.full(8, 0.01),
        "change": region * random.uniform(0.5, 1, region.shape),
        "region": region,
        "looks": (random.normal(size=(5, 3)), random.normal(size=(8, 3))),
    }


def said(facts, **settings):
    return Judge(**settings).verdicts(**facts)


def with_made(pair, change):
    made = pair[1].copy()
    change(made)
    return pair[0], made


@pytest.mark.parametrize("n", [30, 60, 120, 400])
@pytest.mark.parametrize("name", SPREADS)
def test_normals_are_implausible_at_most_at_the_nominal_rate(name, n):
    random = np.random.default_rng(n)
    draws = [SPREADS[name](random, n + 100) for _ in range(24)]
    rate = np.mean([plausibility(x[:n], x[n:])[1] for x in draws])
    assert rate <= 0.02
    loose = np.mean([plausibility(x[:n], x[n:], 0.1)[1] for x in draws])
    assert 0.06 <= loose <= 0.14 or (name == "discrete" and loose <= 0.14)


@pytest.mark.parametrize("n", [30, 400])
@pytest.mark.parametrize("name", ["normal", "discrete"])
def test_junk_far_off_is_implausible(name, n):
    x = SPREADS[name](np.random.default_rng(n), n + 50)
    p, rare = plausibility(x[:n], x[n:] + 12 * x.std(0))
    assert rare.all()
    assert (p <= 0.01).all()


def test_density_is_local():
    random = np.random.default_rng(0)
    dense, loose = 0.01 * random.normal(size=(200, 2)), 5 + random.normal(size=(200, 2))
    between = np.array([[0.3, 0.3]])
    assert plausibility(np.concatenate([dense, loose]), between)[1].all()
    assert not plausibility(np.concatenate([dense, loose]), loose[:1] + 0.3)[1].any()


def test_units_do_not_matter(facts):
    units = np.array([1e-6, 1.0, 30.0, 1e5])
    scaled = {**facts, "whole": tuple(units * x + units for x in facts["whole"])}
    scaled["looks"] = tuple(1e4 * x - 7 for x in facts["looks"])
    scaled["change"] = 1e-3 * facts["change"]
    assert [v.against for v in said(scaled)] == [v.against for v in said(facts)]
    np.testing.assert_allclose(
        [[v.plausible, v.abnormal, v.inside, v.novel] for v in said(scaled)],
        [[v.plausible, v.abnormal, v.inside, v.novel] for v in said(facts)],
        rtol=1e-6,
    )


def test_a_feature_that_never_varies_counts_where_it_does():
    random = np.random.default_rng(0)
    normal = np.column_stack([random.normal(size=100), np.full(100, 7.0)])
    _, rare = plausibility(normal, np.array([[0.0, 7.0], [0.0, 7.1]]))
    assert rare.tolist() == [False, True]


def test_what_is_good_is_accepted(facts):
    verdicts = said(facts)
    assert all(isinstance(v, Judgement) and v.accepted for v in verdicts)
    assert all(v.inside == 1 and v.abnormal == pytest.approx(1 / 201) for v in verdicts)


def test_each_objection(facts):
    def far(made):
        made[0] += 50

    def mild(made):
        made[1] = 0.0

    def same(made):
        made[3] = facts["looks"][0][2]
        made[5] = made[4]

    moved = facts["change"].copy()
    moved[2] = np.roll(moved[2], 3, axis=0)
    verdicts = said(
        {
            **facts,
            "whole": with_made(facts["whole"], far),
            "odd": with_made(facts["odd"], mild),
            "change": moved,
            "looks": with_made(facts["looks"], same),
        }
    )
    expected = [(IMPLAUSIBLE,), (NOT_ABNORMAL,), (OUTSIDE,), (COPIED,), (), (REPEATED,), (), ()]
    assert [v.against for v in verdicts] == expected
    assert verdicts[3].novel == verdicts[5].novel == verdicts[4].novel == 0


def test_order_matters_to_the_copy_of_another_only(facts):
    shuffled = np.array([5, 2, 7, 0, 4, 1, 6, 3])
    looks = facts["looks"][1].copy()
    looks[5] = looks[4]
    facts["looks"] = (facts["looks"][0], looks)
    turned = {
        **{name: (facts[name][0], facts[name][1][shuffled]) for name in ("whole", "odd", "looks")},
        **{name: facts[name][shuffled] for name in ("wanted", "change", "region")},
    }
    before, after = said(facts), said(turned)
    for place, i in enumerate(shuffled):
        assert after[place].novel == pytest.approx(before[i].novel)
        assert after[place].plausible == before[i].plausible
    assert [i for i, v in enumerate(before) if v.against] == [5]
    assert [int(shuffled[i]) for i, v in enumerate(after) if v.against] == [4]


def test_abnormal_enough_is_what_normals_cannot_contradict(facts):
    facts["odd"] = (np.arange(20.0), np.array([25.0, 19.0, 18.0, 18.0, 8.0, 1.0, 0.0, 0.0]))
    facts["wanted"] = np.array([1e-4, 1e-4, 0.01, 0.05, 0.3, 0.5, 1.0, 0.9])
    against = [NOT_ABNORMAL in v.against for v in said(facts)]
    assert against == [False, True, True, False, True, True, False, False]


def test_many_normals_are_strict():
    p, wanted = np.array([0.09, 0.105, 0.12]), np.full(3, 0.1)
    assert too_frequent(p, wanted, 10_000).tolist() == [False, False, True]
    assert too_frequent(p, wanted, 100).tolist() == [False, False, False]


@pytest.mark.parametrize("wanted", [0.01, 0.1, 0.5])
def test_what_is_as_abnormal_as_wanted_is_seldom_rejected(wanted):
    random = np.random.default_rng(0)
    counts = random.binomial(60, wanted, 2000)
    assert too_frequent((1 + counts) / 61, np.full(2000, wanted), 60).mean() <= 0.05 + 0.01


def test_visible_change_ignores_rounding_and_one_bright_cell():
    random = np.random.default_rng(0)
    change = random.uniform(0, 1 / 255, (64, 64))
    region = np.zeros((64, 64), dtype=bool)
    region[20:30, 30:44] = True
    change[region] += random.uniform(0.2, 0.4, int(region.sum()))
    change[25, 35] = 1.0
    assert (visible(change) == region).all()
    assert not visible(np.zeros(4)).any()


def test_a_part_that_changed_lies_inside(facts):
    facts["change"][:, 2:] = 0
    verdicts = said(facts)
    assert all(v.accepted and v.inside == pytest.approx(1 / 3) for v in verdicts)
    assert all(v.inside == 1 for v in said({**facts, "change": None}))
    still, kept = region_agreement([np.zeros(3)], [np.array([True, False, False])])
    assert (still[0], kept[0]) == (0.0, 1.0)


def test_copies_of_one_example():
    one = np.ones((1, 3))
    novel, copied, repeated = novelty(one, np.ones((3, 3)))
    assert copied.all()
    assert (novel == 0).all()
    assert repeated.tolist() == [False, True, True]
    random = np.random.default_rng(0)
    assert not novelty(one, random.normal(size=(6, 3)))[1].any()


def test_alike_by_nature_is_no_copy():
    real = np.repeat(np.eye(3), 20, axis=0)
    novel, copied, repeated = novelty(real, real[::10])
    assert not copied.any()
    assert not repeated.any()
    assert (novel == 1).all()


def test_two_sample():
    random = np.random.default_rng(0)
    normal = random.normal(size=(80, 4))
    alike = Judge().two_sample(normal, random.normal(size=(60, 4)))
    other = Judge().two_sample(normal, random.normal(size=(60, 4)) + 1.5)
    assert alike["p_value"] > 0.05
    assert abs(alike["auroc"] - 0.5) < 0.2
    assert other["p_value"] == 1 / 200
    assert other["auroc"] > 0.9
    assert Judge().two_sample(normal, normal[:3])["auroc"] is None


def test_refusals(facts):
    with pytest.raises(Misfit, match="12 held-out normals do not say what is plausible; give at least 30"):
        said({**facts, "whole": (facts["whole"][0][:12], facts["whole"][1])})
    with pytest.raises(Unreadable, match=r"change 0 is \(6, 6\) and its region \(5, 6\)"):
        said({**facts, "region": facts["region"][:, :5]})
    with pytest.raises(Unreadable, match="normal items have 4 features, made items 3"):
        said({**facts, "whole": (facts["whole"][0], facts["looks"][1])})
    with pytest.raises(Misfit, match="give all the same items"):
        said({**facts, "wanted": np.full(7, 0.1), "change": None})
