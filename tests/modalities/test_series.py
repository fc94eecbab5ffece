"""Series as strips: grids, gaps, entities, categorical channels, and the way back."""

import numpy as np
import pandas as pd
import pytest
import torch

from anodiff.modalities.laid import Laid
from anodiff.modalities.series import Series
from anodiff.modalities.windows import View
from anodiff.types import Misfit, Unreadable

RNG = np.random.default_rng(0)
WAVE = np.sin(np.arange(200) / 5)


def frame(times: pd.DatetimeIndex, **more: object) -> pd.DataFrame:
    return pd.DataFrame({"ts": times, "flow": np.sin(np.arange(len(times)) / 5), **more})


def test_numbers_become_standard() -> None:
    series = Series().fit(7 + 3 * RNG.normal(size=(500, 2)))
    (strip,) = series.encode(7 + 3 * RNG.normal(size=(500, 2)))
    assert strip.x.shape == (500, 2)
    assert abs(float(strip.x.mean())) < 0.2
    assert abs(float(strip.x.std()) - 1) < 0.1


def test_one_and_many() -> None:
    series = Series().fit([WAVE, WAVE[:50]])
    assert [len(strip) for strip in series.encode([WAVE, WAVE[:70], WAVE[:5]])] == [200, 70, 5]


def test_gaps_in_the_clock_are_unknown() -> None:
    times = pd.date_range("2024-01-01", periods=200, freq="1min")
    series = Series().fit(frame(times))
    (strip,) = series.encode(frame(times).drop(index=[50, 51, 52]))
    assert len(strip) == 200
    assert (~strip.known[:, 0]).nonzero()[:, 0].tolist() == [50, 51, 52]
    assert strip.at[50] == 53


def test_a_long_gap_is_cut() -> None:
    times = pd.date_range("2024-01-01", periods=200, freq="1s")
    series = Series().fit(frame(times))
    late = times[:100].append(times[100:] + pd.Timedelta(days=30))
    assert len(series.encode(frame(late))[0]) < 200 + 1100


def test_jitter_is_no_gap() -> None:
    times = pd.date_range("2024-01-01", periods=200, freq="1min")
    series = Series().fit(frame(times))
    shaken = times + pd.to_timedelta(RNG.uniform(-14, 14, 200), unit="s")
    assert series.encode(frame(shaken))[0].known.all()


def test_the_grid_does_not_look_ahead() -> None:
    times = pd.date_range("2024-01-01", periods=200, freq="1min")
    series = Series().fit(frame(times))
    dense = times[:100].append(pd.date_range(times[100], periods=100, freq="1s"))
    assert np.array_equal(series.encode(frame(dense))[0].at[:100], series.encode(frame(times))[0].at[:100])


def test_entities_have_scales_of_their_own() -> None:
    data = pd.DataFrame({"machine": ["a"] * 200 + ["b"] * 200, "flow": np.concatenate([WAVE, 1000 + 50 * WAVE])})
    series = Series(entity="machine").fit(data)
    a, b = series.encode(data)
    assert series.entities_ == ["a", "b"]
    assert torch.allclose(a.x, b.x, atol=1e-4)
    assert (a.entity, b.entity) == (1, 2)
    (new,) = series.encode(pd.DataFrame({"machine": ["c"] * 30, "flow": WAVE[:30]}))
    assert new.entity == 0


def test_text_channels() -> None:
    data = pd.DataFrame({"flow": WAVE, "mode": np.where(np.arange(200) % 50 < 25, "on", "off")})
    series = Series().fit(data)
    (strip,) = series.encode(data)
    assert strip.x.shape[1] > 2
    back = series.channels_.decode(strip.x.numpy())
    assert list(back["mode"]) == list(data["mode"])
    assert np.allclose(back["flow"], data["flow"], atol=1e-4)
    strange = data.assign(mode="broken")
    assert (series.encode(strange)[0].x != strip.x).any()


def test_missing_values_are_unknown() -> None:
    data = WAVE.copy()
    data[20:30] = np.nan
    (strip,) = Series().fit(WAVE).encode(data)
    assert (~strip.known[:, 0]).sum() == 10
    assert torch.isfinite(strip.x).all()


def test_a_channel_without_a_reading_is_noted() -> None:
    series = Series().fit(np.column_stack([WAVE, np.full(200, np.nan)]))
    assert any("x1" in note for note in series.notes_)
    assert series.encode(np.column_stack([WAVE, np.full(200, np.nan)]))[0].known.all()


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.ones(500), "no channel varies"),
        (np.arange(5.0), "5 instants are too few"),
        (np.full(100, np.nan), "nothing was observed"),
        (np.r_[WAVE, np.inf], "inf"),
    ],
)
def test_refusals(X: np.ndarray, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        Series().fit(X)


@pytest.mark.parametrize("window", [1, 0, -5, 2.5, "long", [10, "x"], 10**6])
def test_windows_by_hand_are_checked(window: object) -> None:
    with pytest.raises(Misfit, match="window is"):
        Series(window=window).fit(WAVE)


def test_other_channels_are_refused() -> None:
    series = Series().fit(pd.DataFrame({"flow": WAVE, "temp": WAVE}))
    with pytest.raises(Unreadable, match="tmp"):
        series.encode(pd.DataFrame({"flow": WAVE, "tmp": WAVE}))


def test_config_brings_it_back() -> None:
    data = pd.DataFrame(
        {"machine": ["a"] * 200 + ["b"] * 200, "flow": np.r_[WAVE, 9 + WAVE], "mode": ["on", "off"] * 200}
    )
    series = Series(entity="machine", window=[20, 40], causal=True).fit(data)
    again = Series.restore(series.config(), series.arrays())
    for one, other in zip(series.encode(data), again.encode(data), strict=True):
        assert torch.equal(one.x, other.x)
    assert again.config() == series.config()


def test_gaps_are_bridged_by_lines_offline_and_held_causally() -> None:
    data = np.arange(30.0)
    data[10:15] = np.nan
    series = Series().fit(np.arange(30.0))
    (strip,) = series.encode(data)
    laid, line = Laid.of(strip), series.encode(np.arange(30.0))[0].x
    assert torch.allclose(laid.x, line, atol=1e-5)
    view = View(4, 4)
    offline, causal = (laid.windows(view, 8, 12, causal=mode)[:, 0] for mode in (False, True))
    assert torch.allclose(offline, line[:, 0].unfold(0, 4, 1)[8:12], atol=1e-5)
    assert torch.allclose(causal[0], line[[8, 9, 9, 9], 0], atol=1e-5)
    assert torch.allclose(laid.windows(view, 12, 13, causal=True)[0, 0], line[12:16, 0], atol=1e-5)
    assert laid.judged(view, causal=True)[6:12].tolist() == [True, False, False, False, False, False]
