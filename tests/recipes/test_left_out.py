"""What is said of pictures left out is what would be said of new ones; in less time, of fewer, by fewer steps."""

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import torch

from anodiff.data.stack import Stack
from anodiff.data.twins import folds
from anodiff.recipes.hasten import FEWEST_FOLDS, FEWEST_PICTURES, FEWEST_STEPS, hastened, nets, shortened
from anodiff.recipes.pictured import Grown, Seen, grow_pictured, judged
from anodiff.recipes.schema import Recipe, recipe

SHAPE = (60, 3, 3)
POSITIONAL = {
    "name": "left out",
    "about": "A Gaussian for each place of many features.",
    "schedule": {"use": "ve", "settings": {"sigma_max": 1000.0}},
    "planes": {"p": {}},
    "denoisers": {"usual": {"use": "positional", "view": "p", "pooled": 0.05, "shrinkage": 0.0}},
    "scores": {"odd": {"use": "departure", "of": "usual", "root": True, "settings": {"level": 0.03}}},
}
NETWORKS = {
    **POSITIONAL,
    "denoisers": {
        **POSITIONAL["denoisers"],  # type: ignore[dict-item]
        "learnt": {"use": "network", "view": "p", "width": 16, "depth": 1, "steps": 4000, "batch": 32},
    },
    "scores": {
        **POSITIONAL["scores"],  # type: ignore[dict-item]
        "left": {"use": "residual", "of": "learnt", "settings": {"levels": [0.3]}},
        "time": {
            "use": "inverse_gamma_time",
            "net": {"use": "network", "view": "p", "width": 16, "depth": 1, "steps": 1000, "batch": 32},
        },
    },
}


def maps(count: int, seed: int) -> torch.Tensor:
    """Exchangeable planes of correlated features."""
    draw, mixing = np.random.default_rng(seed), np.random.default_rng(99).normal(size=(SHAPE[0], SHAPE[0]))
    mixing *= np.arange(1, SHAPE[0] + 1) ** -0.5
    own = np.einsum("cd,ndhw->nchw", mixing, draw.normal(size=(count, *SHAPE)))
    own += 3 * draw.normal(size=(count, SHAPE[0], 1, 1)) * (np.arange(SHAPE[0]) < 9)[:, None, None]
    return torch.from_numpy(own / own.std((0, 2, 3), keepdims=True)).float()


def grown(chosen: Recipe, x: torch.Tensor, kept: np.ndarray | None = None) -> Grown:
    with Stack({"p": SHAPE}) as stack:
        steps = grow_pictured(chosen, seen(stack, x, chosen.folds, kept), 0)
        return drawn(steps)


def seen(stack: Stack, x: torch.Tensor, count: int = 10, kept: np.ndarray | None = None) -> Seen:
    for each in x:
        stack.add({"p": each})
    every = np.ones(len(x), bool) if kept is None else kept
    return Seen(stack, folds(np.arange(len(x)), count), every, torch.zeros(len(x), dtype=torch.int64))


def drawn(steps: Generator[Any, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


@pytest.mark.parametrize("context", [0, 8])
@pytest.mark.parametrize(("count", "most"), [(10, 1.03), (4, 1.1)])
def test_left_out_is_like_new(count: int, most: float, context: int) -> None:
    """Rather above than below; if they were not continued they were 5 to 7 % above, and 13 to 20 of four folds."""
    chosen = recipe(POSITIONAL, {"folds": count, "denoisers.usual.context": context})
    ratios = []
    for seed in range(3):
        made = grown(chosen, maps(60, seed))
        new = judged(chosen, "odd", made.members["odd"], made.panel["usual"], maps(200, 50 + seed))
        ratios.append(float(made.left_out["odd"].mean() / new.mean()))
    assert 0.99 < np.mean(ratios) < most


def test_pictures_that_are_not_kept_are_judged_by_fits_without_them() -> None:
    x, kept = maps(40, 0), np.ones(40, bool)
    x[5] *= 3
    kept[5] = False
    without = grown(recipe(POSITIONAL), x, kept).left_out["odd"]
    whole = grown(recipe(POSITIONAL), x).left_out["odd"]
    assert np.isfinite(without).all()
    assert without[kept].mean() > whole[kept].mean()


def test_few_pictures_are_no_trouble() -> None:
    for count in (5, 6, 7):
        assert np.isfinite(grown(recipe(POSITIONAL), maps(count, 0)).left_out["odd"]).all()


def test_time_enough_changes_nothing() -> None:
    chosen = recipe(NETWORKS)
    with Stack({"p": SHAPE}) as stack:
        assert hastened(chosen, seen(stack, maps(30, 0)), 0, 3600.0) == (chosen, 30)


def test_no_time_leaves_the_fewest() -> None:
    with Stack({"p": SHAPE}) as stack:
        done, pictures = hastened(recipe(NETWORKS), seen(stack, maps(30, 0)), 0, 1e-3)
    assert (done.folds, pictures) == (FEWEST_FOLDS, FEWEST_PICTURES)
    assert [spec.steps for spec in nets(done).values()] == [FEWEST_STEPS] * 2


def test_some_time_shortens_every_training_alike() -> None:
    with Stack({"p": SHAPE}) as stack:
        done, pictures = hastened(recipe(NETWORKS), seen(stack, maps(30, 0)), 0, 8.0)
    learnt, time = nets(done)["denoisers.learnt"].steps, nets(done)["scores.time"].steps
    assert FEWEST_STEPS < time < 1000
    assert learnt == pytest.approx(4 * time, abs=4)
    assert pictures == 30


def test_networks_are_found_wherever_they_are() -> None:
    chosen = recipe(NETWORKS)
    assert {name: spec.steps for name, spec in nets(chosen).items()} == {"denoisers.learnt": 4000, "scores.time": 1000}
    half = nets(shortened(chosen, 0.5))
    assert {name: spec.steps for name, spec in half.items()} == {"denoisers.learnt": 2000, "scores.time": 500}
    assert nets(shortened(chosen, 5.0)) == nets(chosen)
    assert shortened(recipe(POSITIONAL), 0.1) == recipe(POSITIONAL)
