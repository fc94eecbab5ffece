"""Quality of made items: known answers, oracles, and what must not matter."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import linalg, stats
from scipy.stats.contingency import association as scipys_association

from anodiff.metrics import quality, quality_images, quality_series, quality_tables
from anodiff.metrics.ranking import auroc
from anodiff.types import Misfit, Unreadable

RANDOM = np.random.default_rng(0)
REAL, MADE = RANDOM.normal(size=(60, 5)), RANDOM.normal(size=(40, 5)) * [1, 2, 1, 1, 0.5] + 0.3
BEGUN = RANDOM.bit_generator.state


@pytest.fixture(autouse=True)
def _same_draws():
    RANDOM.bit_generator.state = BEGUN


def moments(mean, deviation, n=50):
    """Exactly this mean and deviation."""
    x = np.random.default_rng(1).normal(size=(n, 1))
    return mean + deviation * (x - x.mean()) / x.std(ddof=1)


def test_frechet_of_two_gaussians_in_closed_form():
    one, other = moments(1.0, 2.0), moments(4.0, 0.5, 30)
    assert quality.frechet_distance(one, other) == pytest.approx(3**2 + 1.5**2)
    assert quality.frechet_distance(REAL, REAL) == pytest.approx(0, abs=1e-9)
    assert quality.frechet_distance(REAL, REAL + np.array([3, 0, 0, 0, 4])) == pytest.approx(25)


@pytest.mark.parametrize("features", [5, 90])
def test_frechet_is_that_of_scipys_square_root(features):
    x, y = RANDOM.normal(size=(40, features)), 0.5 + RANDOM.normal(size=(30, features)) * 2
    c, d = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = linalg.sqrtm(linalg.sqrtm(c) @ d @ linalg.sqrtm(c)).real
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(c + d - 2 * root)
    assert quality.frechet_distance(x, y) == pytest.approx(expected, rel=1e-4)


def test_kernel_distance_counts_pairs():
    def kernel(a, b):
        return (a @ b / 5 + 1) ** 3

    xx = np.mean([kernel(a, b) for i, a in enumerate(REAL) for j, b in enumerate(REAL) if i != j])
    yy = np.mean([kernel(a, b) for i, a in enumerate(MADE) for j, b in enumerate(MADE) if i != j])
    xy = np.mean([kernel(a, b) for a in REAL for b in MADE])
    assert quality.kernel_distance(REAL, MADE).value == pytest.approx(xx + yy - 2 * xy)


def test_kernel_distance_is_unbiased_and_its_error_honest():
    found = [quality.kernel_distance(*np.split(RANDOM.normal(size=(48, 4)), [24]), seed=i) for i in range(60)]
    values, errors = (np.array(each) for each in zip(*found, strict=True))
    assert abs(values.mean()) < 3 * values.std() / math.sqrt(60)
    assert errors.mean() > 0.7 * values.std()


@pytest.mark.parametrize("order", [lambda x: x[::-1], lambda x: np.roll(x, 7, axis=0)])
def test_order_does_not_matter(order):
    for measure in (quality.frechet_distance, lambda x, y: quality.kernel_distance(x, y).value):
        assert measure(order(REAL), order(MADE)) == pytest.approx(measure(REAL, MADE))
    assert quality.energy_test(order(REAL), order(MADE))[0] == pytest.approx(quality.energy_test(REAL, MADE)[0])
    anchors = RANDOM.normal(size=(3, 5))
    assert quality.cluster_diversity(order(MADE), order(anchors)) == pytest.approx(
        quality.cluster_diversity(MADE, anchors)
    )


def test_energy_distance_counts_pairs_and_its_p_value_is_uniform():
    both = np.concatenate([REAL, MADE])
    x, y = (each / both.std(0) / math.sqrt(5) for each in (REAL, MADE))

    def mean(a, b):
        return np.mean([np.linalg.norm(i - j) for i in a for j in b])

    energy, p = quality.energy_test(REAL, MADE)
    assert energy == pytest.approx(2 * mean(x, y) - mean(x, x) - mean(y, y))
    assert p == 1 / 200
    ps = [quality.energy_test(*np.split(RANDOM.normal(size=(30, 2)), [15]), 99, seed=i)[1] for i in range(100)]
    assert np.mean(np.array(ps) <= 0.1) < 0.2
    assert 0.4 < np.mean(ps) < 0.62


def test_told_apart_or_not():
    alike = quality.detectability(REAL, RANDOM.normal(size=(60, 5)))
    other = quality.detectability(REAL, REAL[:40] * 0 + RANDOM.normal(size=(40, 5)) + 3)
    ring = quality.detectability(REAL, 4 * REAL / np.linalg.norm(REAL, axis=1, keepdims=True))
    assert all(abs(value - 0.5) < 0.25 for value in alike.values())
    assert all(value > 0.99 for value in other.values())
    assert ring["trees"] > 0.9 > ring["linear"]


def test_told_by_a_given_scorer():
    found = quality.told_by(lambda x: np.abs(x).max(1), REAL, MADE)
    labels = np.repeat([0, 1], [60, 40])
    assert found.value == pytest.approx(auroc(labels, np.abs(np.concatenate([REAL, MADE])).max(1)))
    assert found.low < found.value < found.high


def test_intervals_of_auroc_cover():
    covered = 0
    for i in range(80):
        random = np.random.default_rng(i)
        found = quality.auroc_interval(random.normal(size=60), random.normal(size=40) + 1, seed=i)
        covered += found.low <= stats.norm.cdf(1 / math.sqrt(2)) <= found.high
    assert covered >= 70


def test_predictive_entropy_has_its_bounds():
    assert quality.predictive_entropy_score(np.repeat(np.eye(4), 5, axis=0)) == pytest.approx(4)
    assert quality.predictive_entropy_score(np.tile([0.7, 0.3], (9, 1))) == pytest.approx(1)
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    expected = math.exp(np.mean([stats.entropy(row, p.mean(0)) for row in p]))
    assert quality.predictive_entropy_score(p) == pytest.approx(expected)
    with pytest.raises(Unreadable, match="give predict_proba of a classifier"):
        quality.predictive_entropy_score(2 * p)


def test_diversity_is_within_clusters():
    examples = np.array([[0.0, 0.0], [100.0, 0.0]])
    made = np.array([[0.0, 1.0], [0.0, -1.0], [100.0, 2.0], [100.0, -2.0], [99.0, 0.0]])
    others = [4, math.hypot(1, 2), math.hypot(1, 2)]
    assert quality.cluster_diversity(made, examples) == pytest.approx((2 + np.mean(others)) / 2 / math.sqrt(2))
    assert quality.cluster_diversity(np.repeat(examples, 5, axis=0), examples) == 0
    assert math.isnan(quality.cluster_diversity(examples, examples))


def test_memorised_or_not():
    examples, held_out = RANDOM.normal(size=(5, 6)), RANDOM.normal(size=(80, 6))
    fresh = quality.memorisation(RANDOM.normal(size=(80, 6)), examples, held_out)
    copied = quality.memorisation(np.repeat(examples, 8, axis=0) + 1e-3, examples, held_out)
    assert fresh.distance.low <= 1 <= fresh.distance.high
    assert fresh.ratio == pytest.approx(fresh.ratio_held_out, abs=0.1)
    assert copied.distance.high < 0.01
    assert copied.copies == 1
    assert copied.ratio < 0.01 < copied.ratio_held_out
    one = quality.memorisation(held_out[:20], examples[:1], held_out[20:])
    assert math.isnan(one.ratio)


def test_units_do_not_matter_to_what_is_relative():
    examples, held_out, unit = RANDOM.normal(size=(5, 5)), RANDOM.normal(size=(30, 5)), np.array([1e-3, 1, 7, 1e4, 2])
    plain, scaled = quality.memorisation(MADE, examples, held_out), [x * unit for x in (MADE, examples, held_out)]
    found = quality.memorisation(*scaled)
    assert found.distance.value == pytest.approx(plain.distance.value)
    assert found.ratio == pytest.approx(plain.ratio)
    record, other = (quality.nearest_record(x, y, z) for x, y, z in ((MADE, examples, held_out), scaled))
    assert record.closer == other.closer
    assert record.made == pytest.approx(other.made)


def test_nearest_records():
    covered = {"nearer": 0, "closer": 0}
    for i in range(40):
        random = np.random.default_rng(i)
        found = quality.nearest_record(*(random.normal(size=(n, 4)) for n in (150, 200, 100)))
        covered["nearer"] += found.nearer.low <= 0.5 <= found.nearer.high
        covered["closer"] += found.closer.low <= 0.05 <= found.closer.high
    assert min(covered.values()) >= 33
    records, held_out = RANDOM.normal(size=(200, 4)), RANDOM.normal(size=(200, 4))
    leaked = quality.nearest_record(records[:50], records, held_out)
    assert (leaked.closer.value, leaked.nearer.value, leaked.made) == (1, 1, 0)
    alike = quality.nearest_record(np.zeros((9, 2)), np.zeros((5, 2)), np.zeros((30, 2)))
    assert (alike.closer.value, alike.nearer.value) == (0, 0.5)
    with pytest.raises(Misfit, match="which 10 held-out rows do not support; give at least 19"):
        quality.nearest_record(records, records, held_out[:10])


def test_features_are_refused_in_a_sentence():
    with pytest.raises(Unreadable, match="real items have 5 features, made items 4; give the same of both"):
        quality.frechet_distance(REAL, MADE[:, :4])
    with pytest.raises(Unreadable, match="made items hold NaN or infinity in 1 of 40 rows"):
        quality.kernel_distance(REAL, np.where(np.arange(200).reshape(40, 5) == 3, np.nan, MADE))
    with pytest.raises(Unreadable, match="made items are 3; give at least 8"):
        quality.detectability(REAL, MADE[:3])


def waves(period, n=4, length=200, channels=1, seed=0):
    phase = np.random.default_rng(seed).uniform(0, 6, (n, 1, channels))
    return list(np.sin(2 * np.pi * np.arange(length)[:, None] / period + phase))


def test_spectra_of_waves():
    same = quality_series.spectral_distance(waves(10), waves(10, seed=1))
    other = quality_series.spectral_distance(waves(10), waves(40))
    assert same < 0.01
    assert other > 0.98
    assert quality_series.spectral_distance(waves(10), [7 + 3 * x for x in waves(10)]) == pytest.approx(0, abs=1e-9)
    mixed = quality_series.spectral_distance(
        [np.hstack(pair) for pair in zip(waves(10), waves(10), strict=True)],
        [np.hstack(pair) for pair in zip(waves(10), waves(40), strict=True)],
    )
    assert mixed == pytest.approx(other / 2, abs=0.01)


def test_autocorrelation_of_an_autoregression():
    def walk(phi, seed, n=4000):
        noise = np.random.default_rng(seed).normal(size=n)
        return np.array(list(_recursion(phi, noise)))

    found = quality_series.autocorrelation(walk(0.8, 0)[:, None], 5)[:, 0]
    np.testing.assert_allclose(found, 0.8 ** np.arange(1, 6), atol=0.08)
    expected = math.sqrt(np.mean((0.8 ** np.arange(1, 11) - 0.2 ** np.arange(1, 11)) ** 2))
    distance = quality_series.autocorrelation_distance([walk(0.8, 1)], [walk(0.2, 2)], lags=10)
    assert distance == pytest.approx(expected, abs=0.05)
    assert quality_series.autocorrelation_distance([walk(0.8, 1)], [5 - 2 * walk(0.8, 1)]) == pytest.approx(0, abs=1e-9)


def _recursion(phi, noise):
    x = 0.0
    for e in noise:
        x = phi * x + e
        yield x


def test_gaps_in_series_matter_little():
    whole = waves(25, n=6, length=300)
    gaps = [np.where(RANDOM.random(x.shape) < 0.2, np.nan, x) for x in whole]
    assert quality_series.autocorrelation_distance(whole, gaps) < 0.03
    assert quality_series.spectral_distance(whole, gaps) < 0.3
    flat = [np.zeros((50, 1))]
    assert quality_series.spectral_distance(flat, flat) == 0
    assert quality_series.autocorrelation_distance(flat, flat) == 0


def test_series_are_refused_in_a_sentence():
    with pytest.raises(Unreadable, match="made series 0 has shape"):
        quality_series.spectral_distance(waves(10), [np.zeros(3)])
    with pytest.raises(Unreadable, match="series have 1, 2 channels"):
        quality_series.spectral_distance(waves(10), waves(10, channels=2))
    with pytest.raises(Misfit, match="lags are 200; give a number from 1 to 199"):
        quality_series.autocorrelation_distance(waves(10), waves(10), lags=200)


def table(n, seed, shift=0.0):
    random = np.random.default_rng(seed)
    flow = random.normal(size=n) + shift
    site = np.where(flow + random.normal(size=n) > 0, "north", "south").astype(object)
    return pd.DataFrame(
        {"flow": flow, "heat": flow + random.normal(size=n), "site": site, "shift": random.choice(list("ab"), n)}
    )


def test_columns_are_scipys():
    real, made = table(300, 0), table(200, 1, 0.7)
    made.loc[:49, "heat"] = np.nan
    made.loc[:9, "site"] = None
    found = {each.name: each for each in quality_tables.column_distances(real, made)}
    assert found["flow"].distance == pytest.approx(stats.ks_2samp(real.flow, made.flow).statistic)
    assert found["flow"].wasserstein == pytest.approx(
        stats.wasserstein_distance(real.flow, made.flow) / real.flow.std(ddof=0)
    )
    assert (found["heat"].missing, found["site"].missing) == (0.25, 0.05)
    north = [(each.site.dropna() == "north").mean() for each in (real, made)]
    assert found["site"].distance == pytest.approx(abs(north[0] - north[1]))
    assert math.isnan(found["site"].wasserstein)
    arrow = quality_tables.column_distances(pl.from_pandas(real), pl.from_pandas(made))
    assert [each.distance for each in arrow] == pytest.approx([each.distance for each in found.values()])


def test_dependence_is_scipys():
    real, made = table(300, 0), table(300, 1)
    shuffled = made.assign(heat=made.heat.sample(frac=1, random_state=0).to_numpy())
    numbers = stats.spearmanr(real.flow, real.heat).statistic
    assert quality_tables.association(real.flow.to_numpy(), real.heat.to_numpy(), True, True) == pytest.approx(numbers)
    names = [real[name].to_numpy() for name in ("site", "shift")]
    assert quality_tables.association(*names, False, False) == pytest.approx(
        scipys_association(pd.crosstab(*names).to_numpy(), "cramer")
    )
    ranks = stats.rankdata(real.flow)
    between = sum(len(r) * (r.mean() - ranks.mean()) ** 2 for r in (ranks[real.site == s] for s in ("north", "south")))
    ratio = math.sqrt(between / ((ranks - ranks.mean()) ** 2).sum())
    assert quality_tables.association(real.site.to_numpy(), real.flow.to_numpy(), False, True) == pytest.approx(ratio)
    alike, broken = (quality_tables.dependence_distance(real, each) for each in (made, shuffled))
    assert alike.mean < 0.1 < broken.mean
    assert broken.between == ("flow", "heat")
    assert broken.pairs["flow", "heat"] < -0.5
    assert quality_tables.dependence_distance(real, real).mean == 0


def test_tables_are_refused_in_a_sentence():
    with pytest.raises(Unreadable, match="real rows have the columns 0, 1, made rows 0"):
        quality_tables.column_distances(REAL[:, :2], MADE[:, :1])
    with pytest.raises(Unreadable, match="made rows are no table with rows"):
        quality_tables.dependence_distance(REAL, MADE[:0])
    constant = quality_tables.column_distances(np.ones((9, 1)), np.ones((9, 1)))
    assert constant[0].distance == 0
    assert math.isnan(quality_tables.dependence_distance(np.ones((9, 1)), np.ones((9, 1))).mean)


def test_crops_hold_the_region():
    picture = np.add.outer(np.arange(100.0), np.arange(80.0))[..., None] * [1, 2]
    region = np.zeros((100, 80), dtype=bool)
    region[40:60, 30:46] = True
    (crop,) = quality_images.crops([picture], [region], size=40, margin=0.5)
    assert crop.shape == (40, 40, 2)
    np.testing.assert_allclose(crop[..., 1], 2 * crop[..., 0])
    np.testing.assert_allclose(crop[..., 0], picture[30:70, 18:58, 0], atol=1e-4)
    (mask,) = quality_images.crops([region.astype(float)], [region], size=10, margin=0)
    assert mask.mean() == pytest.approx(16 / 20, abs=0.05)
    corner = np.zeros((100, 80), dtype=bool)
    corner[0, 0] = corner[99, 79] = True
    assert quality_images.crops([picture], [corner], size=20).shape == (1, 20, 20, 2)
    with pytest.raises(Unreadable, match="mask 0 is empty"):
        quality_images.crops([picture], [np.zeros((100, 80))])
    with pytest.raises(Unreadable, match="give both of one size"):
        quality_images.crops([picture], [np.ones((100, 100))])


def test_inside_the_region_the_background_says_nothing():
    pictures, regions = [], []
    for i in range(6):
        random = np.random.default_rng(i)
        picture, region = random.normal(size=(64, 64)), np.zeros((64, 64), dtype=bool)
        top, left = random.integers(8, 40, 2)
        region[top : top + 16, left : left + 16] = True
        pictures.append(np.where(region, 5.0, picture))
        regions.append(region)
    inside = quality_images.region_features(lambda x: x.mean((1, 2)), pictures, regions, size=16, margin=0, batch=4)
    np.testing.assert_allclose(inside, 5, atol=1e-5)
    assert inside.shape == (6, 1)
    maps = np.stack(pictures)[..., None]
    np.testing.assert_allclose(quality_images.pooled_inside(maps, regions), 5)
    coarse = maps.reshape(6, 16, 4, 16, 4, 1).mean((2, 4))
    assert (quality_images.pooled_inside(coarse, regions) > 3).all()


@pytest.mark.parametrize("shape", [(30, 20), (7, 5), (64, 33)])
def test_cover_keeps_area(shape):
    mask = RANDOM.random(shape) < 0.3
    found = quality_images.covered(mask, (5, 3))
    assert found.mean() == pytest.approx(mask.mean())
    assert (found >= -1e-12).all()
    assert (found <= 1 + 1e-12).all()
    whole = mask[:30, :18] if shape == (30, 20) else None
    if whole is not None:
        np.testing.assert_allclose(quality_images.covered(whole, (5, 3)), whole.reshape(5, 6, 3, 6).mean((1, 3)))
