"""Which scores see known anomalies, which channels those disturb, and what kept windows say of left-out instants."""

import numpy as np
import pytest
import torch

from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.noise import VE
from anodiff.modalities.windows import View
from anodiff.recipes import known_spans as known
from anodiff.recipes.chronicle import by_hand
from anodiff.recipes.instants import Ledger
from anodiff.recipes.schema import recipe
from anodiff.scores.profiles import Profiles

VIEW = View(4, 4)


def kept(n: int = 60, width: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(n, width, VIEW.length))).float()


def empirical(**settings) -> Empirical:
    return Empirical(kept(), VE(), neighbours=1, **settings)


class TestWeights:
    def test_shares_are_areas_under_the_curve(self):
        rng = np.random.default_rng(1)
        normal, event = rng.normal(size=50), rng.normal(1, 1, size=7)
        pairs = (normal[:, None] < event[None]).mean()
        assert known.shares(normal, [event])[0] == pytest.approx(pairs)

    def test_ties_and_silence_are_halves(self):
        assert known.shares(np.zeros(9), [np.zeros(3), np.full(2, np.nan)]).tolist() == [0.5, 0.5]
        assert known.shares(np.full(4, np.nan), [np.ones(2)]).tolist() == [0.5]

    def test_they_add_up_and_follow_what_is_seen(self):
        found = known.weights({"sees": 0.95, "half": 0.8, "blind": 0.5}, 5)
        assert sum(found.values()) == pytest.approx(1)
        assert found["sees"] > found["half"] > found["blind"]

    def test_few_anomalies_say_less_than_many(self):
        seen = {"sees": 0.95, "blind": 0.5}
        gaps = [np.subtract(*known.weights(seen, k).values()) for k in (0.5, 1, 5, 10)]
        assert np.all(np.diff(gaps) > 0)
        assert known.weights(seen, 0)["sees"] == 0.5

    def test_five_anomalies_weigh_as_the_equation_says(self):
        found = known.weights({"a": 0.9, "b": 0.7}, 5)
        assert found["a"] / found["b"] == pytest.approx(np.exp(known.SHARPNESS * 5 / (5 + known.PATIENCE) * 0.2))


class TestRecipes:
    def test_strangers_undo_the_acquaintance(self):
        asked = recipe("series-many")
        met = known.richer(asked, {known.CHANNELS: known.asking(Profiles(), [torch.ones(1)], "near")})
        met = known.weighing(met, {"near": 0.1, known.CHANNELS: 0.9})
        assert met.power == known.LOGARITHMS
        assert known.strangers(met, asked) == asked

    def test_strangers_of_windows_by_hand_weigh_as_what_they_repeat(self):
        asked = recipe("series-many", {"scores.far.weight": 0.5})
        many = by_hand(asked, (16, 40, 80))
        assert known.strangers(known.weighing(many, dict.fromkeys(many.scores, 0.2)), asked) == many

    @pytest.mark.parametrize(("name", "width", "of"), [("series-many", 4, "near"), ("series", 1, None)])
    def test_the_base_of_profiles(self, name, width, of):
        views = {name: View(8, 8, spec.normalise) for name, spec in recipe(name).views.items()}
        assert known.base(recipe(name), views, width) == of

    def test_normalised_windows_are_no_base(self):
        soft = recipe("series-many", {"views.short.normalise": "soft", "views.long.normalise": "unit"})
        views = {name: View(8, 8, spec.normalise) for name, spec in soft.views.items()}
        assert known.base(soft, views, 4) is None


class TestProfiles:
    def test_a_copy_is_nearest_to_itself_and_left_out_it_is_not(self):
        inside = known.distances(known.alone(empirical(), VIEW, 10_000), 3)
        square = Profiles().residual(empirical(), kept().double()).sum(2)
        assert square.max() < 1e-6
        assert inside.shape == (60, 3)
        assert inside.min() > 0

    def test_neighbours_that_overlap_are_left_out(self):
        assert known.alone(empirical(), VIEW, 60).exclude == VIEW.length
        assert known.alone(empirical(), VIEW, 10**6).exclude == 2
        assert known.alone(empirical(), View(1000, 4), 60).exclude == 29

    def test_normal_windows_hardly_depart(self):
        distance = known.distances(known.alone(empirical(), VIEW, 10_000), 3)
        scale = known.departures(distance, recipe("series-many").scores["near"])
        away = scale.departure(distance)
        assert away.median() < 0.2
        assert scale.departure(distance * 20).min() > away.quantile(0.95)

    def test_a_profile_is_of_the_windows_that_hold_the_anomaly(self):
        windows = torch.tensor([[9.0, 0, 0], [0, 3, 4], [0, 0, 0]])
        every = np.ones(3, bool)
        assert known.profile(windows, np.array([0, 2, 1]), every).tolist() == pytest.approx([0, 0.6, 0.8])
        assert known.profile(windows, np.array([0, 2, 1]), np.array([True, True, False])).tolist() == [0, 1, 0]

    def test_of_an_anomaly_that_disturbs_nothing_every_channel_is_heard(self):
        found = known.profile(torch.zeros(2, 4), np.ones(2), np.ones(4, bool))
        assert found.tolist() == [0.5] * 4


class TestLeftOut:
    def test_where_every_window_is_kept_they_say_what_they_would_say(self):
        said, judged = np.random.default_rng(0).normal(size=20), np.ones(20, bool)
        ledger = Ledger(23, VIEW, "window")
        ledger.add(0, said, None, judged)
        late = np.where(np.arange(23) < 3, np.nan, 1.0)
        ((offline, causal),) = known.left_out(said, VIEW, [np.ones(23)], [late])
        np.testing.assert_allclose(offline, ledger.covered(), rtol=1e-6)
        np.testing.assert_allclose(causal, ledger.ends.astype(np.float32))

    def test_two_strips_and_a_gap(self):
        late = [np.where(np.arange(n) < 3, np.nan, 1.0) for n in (10, 8)]
        late[0][6] = np.nan
        first, second = known.left_out(np.array([1.0, 5.0]), VIEW, [np.ones(10), np.ones(8)], late)
        assert np.isnan(first[1][6])
        assert np.nanmax(first[0]) <= 5
        assert (second[1][3:] == 5).all()

    def test_a_strip_shorter_than_a_window_says_nothing(self):
        ((offline, causal),) = known.left_out(np.ones(4), VIEW, [np.ones(2)], [np.full(2, np.nan)])
        assert np.isnan(offline).all()
        assert np.isnan(causal).all()
