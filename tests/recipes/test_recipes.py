"""Recipes: every one that ships builds, detects and cites; what does not exist is refused by name."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from sklearn.metrics import roc_auc_score

from anodiff import Detector
from anodiff.recipes.grow import grow, left_out, network_folds, planned_steps, raw_totals
from anodiff.recipes.schema import available, bibtex, recipe
from anodiff.types import Misfit
from toys import broken, normals


@pytest.mark.parametrize("name", available("tabular"))
def test_each_recipe_finds_the_broken_dependency(name: str) -> None:
    own, learnt = {"scores.time.net.steps": 200, "scores.time.net.width": 64}, {"denoisers.learnt.steps": 200}
    changes = own if not recipe(name).denoisers else learnt if "learnt" in recipe(name).denoisers else None
    detector = Detector(recipe=name, changes=changes).fit(normals(250))
    scores = detector.decision_function(np.r_[normals(80, 5), broken()])
    assert roc_auc_score(np.r_[np.zeros(80), np.ones(40)], scores) > 0.85, name


@pytest.mark.parametrize("name", available("tabular"))
def test_each_recipe_cites_what_exists(name: str) -> None:
    found = recipe(name)
    assert found.name == name
    assert bibtex(found.cite).count("author =") == len(found.cite) > 0


def test_every_score_asks_a_denoiser_that_exists() -> None:
    with pytest.raises(Misfit, match="nobody"):
        recipe("table", {"scores.near.of": "nobody"})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "x", "about": "y", "scores": {}}, "at least 1"),
        ({"name": "x", "about": "y", "scores": {"a": {"use": "magic"}}}, "Input should be"),
        ({"name": "x", "about": "y", "scores": {"a": {"use": "categorical_time"}}}, "give it a net"),
        ({"name": "x", "about": "y", "scores": {"../a": {"use": "stein"}}}, "pattern"),
        ("nowhere.yaml", "cannot be read"),
        ("tabel", "no recipe is called"),
    ],
)
def test_refuses_in_one_sentence(given, words: str) -> None:
    with pytest.raises(Misfit, match=words) as refusal:
        recipe(given)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scores.learnt.settings": {"colour": 1}}, "colour"),
        ({"scores.learnt.use": "reconstruction", "scores.learnt.settings": {"sampler": "magic"}}, "no sampler 'magic'"),
        ({"schedule.settings": {"hue": 1.0}}, "schedule does not take"),
        ({"schedule.settings": {"sigma_max": -1.0}}, "sigma_max=-1.0 has no noise that grows"),
        ({"schedule.settings": {"sigma_min": 9.0, "sigma_max": 1.0}}, "no noise that grows"),
    ],
)
def test_settings_that_do_not_exist(settings, words: str) -> None:
    with pytest.raises(Misfit, match=words):
        Detector(changes={**settings, "denoisers.learnt.steps": 2}).fit(normals(20))


def test_own_recipes_come_from_files_and_dicts(tmp_path: Path) -> None:
    own = {
        "name": "own",
        "about": "a mixture, asked twice",
        "denoisers": {"few": {"use": "mixture", "components": 2}},
        "scores": {
            "slope": {"use": "stein", "of": "few", "weight": 2.0},
            "holes": {
                "use": "imputation",
                "of": "few",
                "settings": {
                    "patterns": {"use": "each", "count": 5},
                    "fill": {"use": "iterated", "levels": [1.0, 0.3]},
                },
            },
        },
    }
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(own))
    first, again = (Detector(recipe=given).fit(normals(60)) for given in (own, path))
    assert np.array_equal(first.decision_function(broken()), again.decision_function(broken()))
    assert first.references() == ""


def last(work):
    """What a generator of steps returns, and how many steps it took."""
    steps = 0
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value, steps
        steps += 1


@pytest.mark.parametrize("rows", [7, 60, 600])
def test_steps_are_planned_exactly(rows: int) -> None:
    chosen = recipe("table", {"denoisers.learnt.steps": 210, "denoisers.learnt.width": 4, "denoisers.learnt.depth": 1})
    x = torch.randn(rows, 2, generator=torch.Generator().manual_seed(0))
    steps = last(left_out(chosen, x, 0))[1] + last(grow(chosen, x, 0))[1]
    assert steps == planned_steps(chosen, rows)


@pytest.mark.parametrize(
    "denoiser",
    [
        {"use": "empirical"},
        {"use": "empirical", "transform": {"use": "normal_scores"}},
        {"use": "empirical", "transform": {"use": "whitening"}},
        {"use": "gaussian"},
    ],
)
def test_left_out_scores_look_like_those_of_new_rows(denoiser) -> None:
    """In-sample scores would be far lower than those of new rows: that is the error that calibration must not make."""
    content = {
        "name": "x",
        "about": "y",
        "denoisers": {"a": denoiser},
        "scores": {"a": {"use": "residual", "of": "a", "settings": {"spread": True}}},
    }
    generator = torch.Generator().manual_seed(0)
    x, fresh = torch.randn(300, 10, generator=generator), torch.randn(3000, 10, generator=generator).double()
    chosen = recipe(content)
    totals, _ = last(left_out(chosen, x, 0))
    (panel, hybrid), _ = last(grow(chosen, x, 0))
    new = raw_totals(hybrid.members["a"], panel, fresh)
    assert abs(np.mean(totals["a"]) / np.mean(new) - 1) < 0.08


def test_scarce_data_gets_more_folds() -> None:
    folds = [network_folds(rows) for rows in (50, 1_000, 50_000)]
    assert folds == sorted(folds, reverse=True)
