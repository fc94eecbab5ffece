"""One body of laws over the list of everything."""

import pytest
import torch
from score_toys import Copying, drawn

from anodiff.checks import check_denoiser, check_each_row_for_itself, check_farther_is_worse, check_score
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.noise import SCHEDULES
from anodiff.scores import SCORES
from anodiff.scores.cold import ColdResidual, ColdWalk
from anodiff.scores.combine import Panel, parts
from anodiff.scores.dynamic import Dynamic
from anodiff.scores.guided import Guided
from anodiff.scores.implicit import Implicit
from anodiff.scores.improbable import Improbable
from anodiff.scores.leaning import Leaning
from anodiff.scores.likeness import Likeness
from anodiff.scores.reconstruction import Residual
from anodiff.scores.segmented import Segmented
from anodiff.scores.stitched import Stitched
from anodiff.types import Misfit

NAMES = [
    "residual",
    "spread",
    "reconstruction",
    "reconstruction without noise",
    "reconstruction, heun",
    "reconstruction, ddpm",
    "likelihood",
    "bound",
    "closest",
    "stein",
    "categorical time",
    "inverse gamma time",
    "nonparametric time",
    "departure",
    "profiles",
    "imputation",
    "imputation by samples",
    "hybrid",
]

OF_PICTURES = {Guided, Dynamic, Stitched, Implicit}
"""Held to the laws in test_picture_scores."""
TRAINED_ON_MADE_ANOMALIES = {Segmented, ColdResidual, ColdWalk}
"""Held to them in test_segmented and test_cold."""
OF_KNOWN = {Likeness, Leaning}
"""The first is held to them below; the other, to which farther is worse on one side only, in test_leaning."""

OF_DENSITIES = {Improbable}
"""Asks denoisers for their own density, and is held to the laws below but that of evaluations: it makes none."""


def test_the_list_is_everything(scores):
    assert list(scores) == NAMES
    alone = {type(part) for score in scores.values() for part in parts(score)}
    assert alone | OF_KNOWN | OF_DENSITIES | OF_PICTURES | TRAINED_ON_MADE_ANOMALIES == set(SCORES.values())


@pytest.mark.parametrize("which", ["gaussian", "mixture", "empirical", "all rows", "learnt"])
@pytest.mark.parametrize("name", NAMES)
def test_laws(name, which, scores, denoisers, toy):
    check_score(scores[name], denoisers[which], toy.normal[:16])


@pytest.mark.parametrize("which", ["gaussian", "mixture", "empirical", "all rows"])
def test_laws_of_what_asks_for_densities(which, denoisers, toy):
    found = Improbable()(denoisers[which], toy.normal[:16])
    torch.testing.assert_close(found.map.sum(1), found.total)
    check_each_row_for_itself(Improbable(), denoisers[which], toy.normal[:16])
    check_farther_is_worse(Improbable(), denoisers[which], toy.normal[:16])


def test_a_network_knows_no_density(denoisers, toy):
    with pytest.raises(Misfit, match="which Preconditioned has not"):
        Improbable()(denoisers["learnt"], toy.normal[:4])


@pytest.mark.parametrize("which", ["gaussian", "mixture", "empirical", "all rows", "learnt"])
def test_laws_of_denoisers(which, denoisers, toy):
    check_denoiser(denoisers[which], toy.normal[:16])


@pytest.mark.parametrize("name", NAMES)
def test_the_precision_of_x_is_kept(name, scores, denoisers, toy):
    found = scores[name](denoisers["gaussian"], toy.normal[:8].float())
    exact = scores[name](denoisers["gaussian"], toy.normal[:8])
    assert found.total.dtype == found.map.dtype == torch.float32
    if not name.startswith(("reconstruction", "bound", "closest", "hybrid", "imputation by")):
        torch.testing.assert_close(found.total, exact.total.float(), rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["residual", "reconstruction", "likelihood", "bound", "stein", "nonparametric time"])
def test_items_may_have_any_shape(name, scores, denoisers, toy):
    flat = scores[name](denoisers["gaussian"], toy.normal[:8])
    square = scores[name](denoisers["gaussian"], toy.normal[:8].reshape(8, 2, 2))
    assert square.map.shape == (8, 2, 2)
    torch.testing.assert_close(square.total, flat.total)


@pytest.mark.parametrize("name", NAMES)
def test_scores_work_without_gradients_and_in_inference_mode(name, scores, denoisers, toy):
    expected = scores[name](denoisers["learnt"], toy.normal[:4]).total
    with torch.inference_mode():
        torch.testing.assert_close(scores[name](denoisers["learnt"], toy.normal[:4]).total, expected)


def test_a_batch_dependent_score_is_found_out(denoisers):
    class Centred(Residual):
        def __call__(self, denoiser, x, **condition):
            return super().__call__(denoiser, x - x.mean(0) / 2, **condition)

    with pytest.raises(AssertionError, match="as good as one"):
        check_score(Centred(), denoisers["gaussian"], drawn(16, 5))


def test_a_constant_score_is_found_out():
    with pytest.raises(AssertionError, match="farther is worse"):
        check_score(Residual(), Copying(), drawn(16, 5))


def test_a_false_cost_is_found_out(denoisers):
    class Cheap(Residual):
        nfe = 1

    with pytest.raises(AssertionError, match="nfe 1 is 10"):
        check_score(Cheap(), denoisers["gaussian"], drawn(16, 5))


def test_laws_of_likeness(toy):
    """It asks two denoisers; the known anomalies lie all around, so that farther is more alike."""
    process = SCHEDULES["ve"]()
    around = 12 * torch.nn.functional.normalize(torch.randn(400, *toy.normal.shape[1:], dtype=toy.normal.dtype), dim=1)
    panel = Panel({"normal": Empirical(toy.normal, process, 5), "known": Empirical(around, process, 1)})
    check_score(Likeness("normal", "known", floor=0.1), panel, toy.normal[:16])
