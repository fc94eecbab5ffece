"""Series to order: what changes, what does not, how far, and what cannot be made."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import polars as pl
import pytest

from anodiff.generate import Generator
from anodiff.generate_series import SeriesGenerator
from anodiff.made import Made
from anodiff.types import Misfit, Unreadable


def several(n: int, seed: int = 0) -> np.ndarray:
    """A wave, another that follows it, noise, a counter of few values and a channel that stands still."""
    draw = np.random.default_rng(seed)
    t = np.arange(n) + 7 * seed
    wave = np.sin(t / 4)
    cells = np.stack([wave, 2 * np.roll(wave, 3), draw.standard_normal(n)], 1) + 0.1 * draw.standard_normal((n, 3))
    return np.column_stack([cells, draw.integers(0, 4, n), np.full(n, 5.0)])


def one(n: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return np.sin((np.arange(n) + 7 * seed) / 5) + 0.1 * draw.standard_normal(n)


def known(count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    series, regions = [several(200, 20 + i) for i in range(count)], []
    for i, x in enumerate(series):
        region = np.zeros(x.shape, bool)
        region[60 + 10 * i : 80 + 10 * i, 2] = True
        x[region] += 6 + np.linspace(0, 4, 20)
        regions.append(region)
    return series, regions


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator("series").fit(several(2500))


@pytest.fixture(scope="module")
def shown() -> Generator:
    examples, regions = known(3)
    return Generator("series").fit(several(1500), examples=examples, regions=regions, kinds=["step", "step", "ramp"])


@pytest.fixture(scope="module")
def on() -> list[np.ndarray]:
    return [several(300, seed) for seed in range(1, 5)]


@pytest.fixture(scope="module")
def made(generator: Generator, on: list[np.ndarray]) -> Made:
    return generator.sample(20, on=on, strength=0.9)


def test_outside_the_region_everything_is_as_it_was(made: Made, on: list[np.ndarray]) -> None:
    for i, (data, region) in enumerate(zip(made.data, made.region, strict=True)):
        before = on[i % 4]
        assert data.shape == region.shape == before.shape
        assert region.any()
        assert not region.all()
        assert np.array_equal(data[~region], before[~region])
        assert (data[region] != before[region]).mean() > 0.3
    assert made.source.tolist() == [i % 4 for i in range(20)]


def test_kinds_come_in_turns_and_are_judged(made: Made, generator: Generator) -> None:
    assert made.kind[:10] == generator.kinds_
    assert len(made.verdicts) == 20
    assert made.rejection_rate < 0.5
    assert np.median([verdict.inside for verdict in made.verdicts]) >= 0.7
    assert made.facts["offsets"] == [0] * 20
    assert made.facts["two_sample"]["p_value"] > 0


def test_channels_of_few_values_hold_what_was_observed(generator: Generator, on: list[np.ndarray]) -> None:
    region = np.zeros(on[0].shape, bool)
    region[100:120, 3:] = True
    for kind in ("shift", "noise"):
        found = generator.sample(2, on=on[0], where=region, kind=kind, strength=0.9, judged=False)
        for data, changed in zip(found.data, found.region, strict=True):
            assert set(data[:, 3]) <= {0.0, 1.0, 2.0, 3.0}
            assert (data[:, 4] == 5.0).all()
            assert changed[:, :3].sum() == 0


def test_strength_is_how_far(generator: Generator, on: list[np.ndarray]) -> None:
    levels = (0.1, 0.4, 0.7, 1.0)
    scores = [generator.sample(8, on=on, kind="shift", strength=s, judged=False).score.mean() for s in levels]
    assert (np.diff(scores) > 0).all()
    assert scores[0] < 0.5 < 0.9 < scores[-1]


def test_the_same_seed_makes_the_same(generator: Generator, on: list[np.ndarray]) -> None:
    first, again, other = (generator.sample(3, on=on, seed=s, judged=False) for s in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first.data, again.data, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first.data, other.data, strict=True))


def test_one_channel_in_one_dimension_stays_so() -> None:
    fitted = Generator("series").fit(one(1200))
    assert "break" not in fitted.kinds_
    assert "channels" not in fitted.places_
    found = fitted.sample(4, on=one(200, 1), strength=1.0)
    assert [data.shape for data in found.data] == [(200,)] * 4
    assert [region.shape for region in found.region] == [(200, 1)] * 4
    with pytest.raises(Misfit, match="no two channels of these series go together; choose one of point"):
        fitted.sample(1, kind="break")
    with pytest.raises(Misfit, match="which series do not have; choose one of auto, instant, span, channel"):
        fitted.sample(1, where="blob")


def test_of_a_long_series_it_is_a_piece_about_the_region(generator: Generator) -> None:
    long = several(4000, 3)
    found = generator.sample(3, on=long, judged=False)
    for data, region, offset in zip(found.data, found.region, found.facts["offsets"], strict=True):
        before = long[offset : offset + len(data)]
        assert len(data) == 1000
        assert np.array_equal(data[~region], before[~region])


def test_without_series_it_takes_pieces_that_were_kept(generator: Generator) -> None:
    found = generator.sample(3, judged=False)
    assert found.source.tolist() == [-1] * 3
    assert found.normal is not None
    for data, region, before in zip(found.data, found.region, found.normal, strict=True):
        assert np.array_equal(data[~region], before[~region])


def test_normal_series_are_new_and_pass_as_normal(generator: Generator) -> None:
    found = generator.sample(10, kind="normal")
    assert found.normal is None
    assert not any(region.any() for region in found.region)
    assert found.kind == ["normal"] * 10
    assert found.rejection_rate <= 0.2
    lagged = [np.corrcoef(x[3:, 0], x[:-3, 1])[0, 1] for x in found.data]
    real = several(300, 9)
    assert abs(np.median(lagged) - np.corrcoef(real[3:, 0], real[:-3, 1])[0, 1]) < 0.2
    assert all(set(x[:, 3]) <= {0.0, 1.0, 2.0, 3.0} for x in found.data)


def test_regions_that_are_given_are_kept_to(generator: Generator, on: list[np.ndarray]) -> None:
    region = np.zeros(on[0].shape, bool)
    region[40:55, :2] = True
    found = generator.sample(2, on=on[0], where=region, kind="noise", judged=False)
    assert found.where == ["given"] * 2
    assert all(np.array_equal(changed, region) for changed in found.region)
    instants = np.arange(300) < 20
    found = generator.sample(4, on=on, where=[instants] * 4, kind="noise", judged=False)
    assert all(changed[:20, 0].all() and not changed[20:].any() for changed in found.region)


def test_a_region_longer_than_a_window_is_filled(generator: Generator, on: list[np.ndarray]) -> None:
    region = np.zeros(on[0].shape, bool)
    region[20:280, 0] = True
    found = generator.sample(1, on=on[0], where=region, kind="noise", strength=1.0)
    assert np.array_equal(found.region[0], region)
    assert (found.data[0] != on[0])[region].all()


def test_size_is_the_share_of_the_piece(generator: Generator, on: list[np.ndarray]) -> None:
    found = generator.sample(6, on=on, where="span", kind="shift", size=(0.1, 0.2), judged=False)
    assert all(29 <= region.any(1).sum() <= 61 for region in found.region)


@pytest.mark.parametrize(
    ("region", "said"),
    [
        (np.zeros((300, 5), bool), "empty"),
        (np.ones((300, 5), bool), "covers all"),
        (np.ones((299, 5), bool), r"the region of series 0 has the shape \(299, 5\)"),
        ([np.ones((300, 5), bool)] * 0, "give one for each"),
    ],
)
def test_hostile_regions_are_refused(generator: Generator, on: list[np.ndarray], region: object, said: str) -> None:
    with pytest.raises(Misfit, match=said):
        generator.sample(1, on=on[0], where=region)


def test_what_cannot_be_ordered_is_refused(generator: Generator, on: list[np.ndarray]) -> None:
    with pytest.raises(Misfit, match="'scratch', which series do not have; choose one of point"):
        generator.sample(1, kind="scratch")
    with pytest.raises(Misfit, match="give on= too"):
        generator.sample(1, where=np.ones((300, 5), bool))
    with pytest.raises(Misfit, match="fitted on none"):
        generator.sample(1, like=0)
    with pytest.raises(Unreadable):
        generator.sample(1, on=several(300)[:, :2])
    with pytest.raises(Misfit, match="has none"):
        Generator("series", settings={"steps": 3}).fit(several(200))
    with pytest.raises(Misfit, match="there are none"):
        Generator("series", reach="examples").fit(several(200))


def test_gaps_stay_gaps(generator: Generator, on: list[np.ndarray]) -> None:
    gaps = on[0].copy()
    gaps[np.random.default_rng(0).random(gaps.shape) < 0.2] = np.nan
    found = generator.sample(5, on=gaps, where="span", strength=1.0)
    for data, region in zip(found.data, found.region, strict=True):
        assert np.array_equal(np.isnan(data), np.isnan(gaps))
        assert not region[np.isnan(gaps)].any()
        assert np.array_equal(data[~region], gaps[~region], equal_nan=True)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_series_in_which_nothing_was_observed_is_refused(generator: Generator) -> None:
    empty = np.full((60, 5), np.nan)
    empty[:, 4] = 5.0
    with pytest.raises(Misfit, match="nothing that can change"):
        generator.sample(1, on=empty)


def test_a_series_shorter_than_a_window_will_do(generator: Generator) -> None:
    short = several(12, 3)
    found = generator.sample(4, on=short, strength=0.8)
    for data, region in zip(found.data, found.region, strict=True):
        assert region.any()
        assert np.array_equal(data[~region], short[~region])


def test_frames_stay_frames() -> None:
    clock = pd.date_range("2024-01-01", periods=900, freq="min")
    frame = pd.DataFrame(several(900), columns=["a", "b", "c", "d", "e"]).assign(
        t=clock, d=lambda f: f["d"].astype(int), mode=np.where(np.arange(900) // 50 % 2, "day", "night")
    )
    fitted = Generator("series").fit(frame)
    part = frame.iloc[100:400].sample(frac=1, random_state=0)
    found = fitted.sample(10, on=part, where="span", strength=1.0)
    for data, region in zip(found.data, found.region, strict=True):
        assert list(data.columns) == list(part.columns)
        assert data.dtypes.equals(part.dtypes)
        assert data.index.equals(part.index)
        assert data["t"].equals(part["t"])
        for i, name in enumerate(["a", "b", "c", "d", "e", "mode"]):
            outside = ~region[:, i]
            assert (data[name].to_numpy()[outside] == part[name].to_numpy()[outside]).all()
        assert set(data["mode"]) <= {"day", "night"}
        assert set(data["d"]) <= {0, 1, 2, 3}


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_whose_model_has_no_names_go_by_position(
    generator: Generator, frame: type, on: list[np.ndarray]
) -> None:
    given = frame(on[0].astype(np.float32), **({"columns": list("abcde")} if frame is pd.DataFrame else {}))
    found = generator.sample(6, on=given, judged=False)
    for data, region in zip(found.data, found.region, strict=True):
        assert type(data) is frame
        assert list(data.columns) == list(given.columns)
        values = data.to_numpy()
        assert values.dtype == np.float32
        assert np.array_equal(values[~region], on[0].astype(np.float32)[~region])
        assert (values[region] != on[0].astype(np.float32)[region]).any()


def test_series_without_instants_are_refused(generator: Generator, on: list[np.ndarray]) -> None:
    with pytest.raises(Unreadable, match="series 1 has no instants"):
        generator.sample(2, on=[on[0], on[0][:0]])


def test_of_several_entities_each_item_is_one() -> None:
    frame = pd.concat(
        pd.DataFrame(several(500, seed)[:, :3], columns=["a", "b", "c"]).assign(
            t=pd.date_range("2024-01-01", periods=500, freq="min"), who=f"m{seed}"
        )
        for seed in range(3)
    )
    from anodiff.modalities.series import Series

    fitted = Generator(Series(entity="who")).fit(frame)
    found = fitted.sample(6, on=frame, judged=False)
    assert [set(data["who"]) for data in found.data] == [{f"m{i % 3}"} for i in range(6)]
    region = np.zeros(len(frame), bool)
    region[[100, 101, 102, 700, 701, 1200]] = True
    found = fitted.sample(3, on=frame, where=region, kind="shift", judged=False)
    assert [changed.any(1).sum() for changed in found.region] == [3, 2, 1]


def test_examples_make_kinds_of_their_own(shown: Generator) -> None:
    assert shown.kinds_[-2:] == ["step", "ramp"]
    assert shown.places_[-1] == "examples"
    found = shown.sample(6, on=several(300, 5), kind="step", strength=1.0)
    for data, region in zip(found.data, found.region, strict=True):
        assert np.flatnonzero(region.any(0)).tolist() == [2]
        assert (data - several(300, 5))[region].mean() > 2
    assert shown.sample(2, like=2, judged=False).kind == ["ramp", "ramp"]
    with pytest.raises(Misfit, match="like is 7, and the generator has 3"):
        shown.sample(1, like=7)
    with pytest.raises(Misfit, match="leave one of them out"):
        shown.sample(1, like=2, kind="step")


def test_one_example_whose_region_is_not_told_is_found() -> None:
    examples, regions = known(1)
    fitted = SeriesGenerator()
    for _ in fitted.fitting(several(1500), examples=examples):
        pass
    (found,) = fitted.examples_
    both, either = (found.region & regions[0]).sum(), (found.region | regions[0]).sum()
    assert found.kind == "known"
    assert both / either > 0.5


def test_examples_that_do_not_fit_are_refused() -> None:
    normal = several(600)
    examples, regions = known(2)

    def fit(**given: object) -> Iterator[object]:
        return SeriesGenerator().fitting(normal, **given)  # type: ignore[arg-type]

    with pytest.raises(Unreadable, match="among the normals"):
        list(fit(examples=[normal[100:200]], regions=[np.arange(100) < 20]))
    with pytest.raises(Misfit, match="2 examples and 1 regions"):
        list(fit(examples=examples, regions=regions[:1]))
    with pytest.raises(Misfit, match="2 examples and 3 kinds"):
        list(fit(examples=examples, regions=regions, kinds=["a", "b", "c"]))
    with pytest.raises(Misfit, match="example 1 is empty"):
        list(fit(examples=examples, regions=[regions[0], regions[1] & False]))


def test_a_detector_may_be_the_judge(on: list[np.ndarray]) -> None:
    class Large:
        """Asked like a detector of series: one score per instant, how far the wave jumps."""

        def decision_function(self, X: list[np.ndarray], *, causal: bool | None = None) -> list[np.ndarray]:
            assert causal is False
            return [np.abs(np.diff(x[:, 0], prepend=x[0, 0])) for x in X]

    fitted = Generator("series", detector=Large()).fit(several(1000))
    region = np.zeros(on[0].shape, bool)
    region[100:102, 0] = True
    spikes = fitted.sample(4, on=on, where=[region] * 4, kind="point", strength=1.0)
    assert all(verdict.abnormal < 0.05 for verdict in spikes.verdicts)
    elsewhere = fitted.sample(4, on=on, where=[np.roll(region, 2, 1)] * 4, kind="point", strength=1.0)
    assert all("not abnormal enough" in verdict.against for verdict in elsewhere.verdicts)


def test_what_is_saved_makes_the_same(shown: Generator, on: list[np.ndarray]) -> None:
    inner = shown.inner_
    again = SeriesGenerator.restore(inner.config(), inner.arrays())
    assert again.kinds_ == inner.kinds_
    assert again.places_ == inner.places_
    shown_again = Generator("series").hold("series", again)
    for order in ({"on": on}, {"on": on, "kind": "ramp"}):
        first, other = (g.sample(3, judged=False, **order) for g in (shown, shown_again))  # type: ignore[arg-type]
        assert all(np.array_equal(a, b) for a, b in zip(first.data, other.data, strict=True))
    first, other = (g.sample(2, judged=False) for g in (shown, shown_again))
    assert all(np.array_equal(a, b) for a, b in zip(first.data, other.data, strict=True))


def test_it_says_where_it_is_from(generator: Generator) -> None:
    assert generator.references().startswith("@")
