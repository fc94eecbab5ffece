"""Which scores a denoiser that copies its input can fool.

Trained long on anything, a network may learn to copy: D(x_t) = x_t / alpha_t. A score that judges by the difference
between x and D then sees nothing. The table says what is left, as AUROC, of two kinds of anomalies: far out, and inside
the range of every column but against the correlation.

- nothing: the score is constant.
- chance: the score is that of a draw.
- norm: the score knows how far out x is, from the flow's end or from where a fill starts; it knows no correlation.
- all: the score has a network of its own, and never asked.
"""

import pytest
from score_toys import Copying, auroc

from anodiff.scores.imputation import Imputation
from anodiff.scores.patterns import EachCoordinate

LEFT = {
    "residual": "nothing",
    "spread": "nothing",
    "reconstruction": "nothing",
    "reconstruction without noise": "nothing",
    "reconstruction, heun": "nothing",
    "reconstruction, ddpm": "nothing",
    "likelihood": "norm",
    "bound": "nothing",
    "closest": "chance",
    "stein": "nothing",
    "categorical time": "all",
    "inverse gamma time": "all",
    "nonparametric time": "nothing",
    "departure": "nothing",
    "profiles": "nothing",
    "imputation": "norm",
    "imputation by samples": "norm",
    "hybrid": "nothing",
}

MEANS = {
    "nothing": lambda far, inside: far == inside == 0.5,
    "chance": lambda far, inside: 0.35 < far < 0.65 and 0.35 < inside < 0.65,
    "norm": lambda far, inside: far > 0.6 and inside < 0.6,
    "all": lambda far, inside: far > 0.95 and inside > 0.95,
}


@pytest.mark.parametrize("name", LEFT)
def test_identity_shortcut(name, scores, toy):
    far, inside = (auroc(scores[name], Copying(), toy.normal, x) for x in (toy.far, toy.inside))
    assert MEANS[LEFT[name]](far, inside), (name, far, inside)


def test_every_score_is_in_the_table(scores):
    assert list(LEFT) == list(scores)


@pytest.mark.parametrize("name", ["residual", "likelihood", "bound", "stein"])
def test_a_denoiser_that_does_not_copy_tells_both_apart(name, scores, denoisers, toy):
    for denoiser in denoisers.values():
        for x in (toy.far, toy.inside):
            assert auroc(scores[name], denoiser, toy.normal, x) > 0.9


def test_hiding_cells_needs_a_denoiser_that_does_not_copy(denoisers, toy):
    score = Imputation(EachCoordinate(4))
    assert auroc(score, denoisers["gaussian"], toy.normal, toy.inside) > 0.95
