"""Records of several parts to order: what is swapped, what is filled, and what cannot be made."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anodiff.detect_multimodal import MultimodalDetector
from anodiff.generate import Generator
from anodiff.generate_multimodal import MultimodalGenerator, expected
from anodiff.made import Made, Order
from anodiff.modalities.multimodal import Multimodal
from anodiff.saving import load
from anodiff.types import Misfit, Unreadable

PARTS = Multimodal(kinds={"step": "text", "force": "numbers", "trace": "series"}, encoder="hashed")
STEPS = ("pour the water into the cup", "shake the bottle gently", "close the lid of the oven")


def steps(n: int, seed: int = 0) -> dict[str, Any]:
    """What is to be done, how hard it is pushed, and a short trace of it: three steps that the parts agree on."""
    draw = np.random.default_rng(seed)
    which = draw.integers(0, 3, n)
    ends = ("", " now", " please", " slowly", " with care", " at once")
    trace = [np.sin(np.arange(24) / (2 + 2 * k)) * (1 + k) + draw.normal(0, 0.1, 24) for k in which]
    return {
        "step": [STEPS[k] + ends[draw.integers(6)] for k in which],
        "force": 3.0 * which + draw.normal(0, 0.3, n),
        "trace": trace,
    }


def step_of(row: dict[str, Any]) -> dict[str, int]:
    """Which step each part speaks of."""
    found = {"step": next(k for k, step in enumerate(STEPS) if row["step"].startswith(step))}
    found["force"] = int(np.clip(np.round(row["force"] / 3), 0, 2))
    return found | {"trace": int(np.clip(np.round(np.abs(row["trace"]).max() - 1.1), 0, 2))}


def order(n: int, strength: float = 0.8, seed: int = 0, **given: Any) -> Order:
    return Order(n, strength=np.full(n, strength), seed=seed, **given)


def fitted(X: Any, **settings: Any) -> MultimodalGenerator:
    made = MultimodalGenerator(**({"modality": PARTS} | settings))
    for _ in made.fitting(X):
        pass
    return made


@pytest.fixture(scope="module")
def generator() -> MultimodalGenerator:
    return fitted(steps(60))


@pytest.fixture(scope="module")
def on() -> dict[str, Any]:
    return steps(4, seed=5)


@pytest.fixture(scope="module")
def made(generator: MultimodalGenerator, on: dict[str, Any]) -> Made:
    return generator.sample(order(8, on=on))


def same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else one == other


def test_one_part_is_anothers_and_the_rest_is_as_it_was(made: Made, on: dict[str, Any]) -> None:
    assert made.region.shape == (8, 3)
    assert (made.region.sum(1) == 1).all()
    for i, (row, before, region) in enumerate(zip(made.data, made.normal, made.region, strict=True)):
        assert [not same(row[name], before[name]) for name in ("step", "force", "trace")] == region.tolist()
        assert before["force"] == on["force"][i % 4]
        assert made.where[i] == ("step", "force", "trace")[int(np.flatnonzero(region)[0])]
    assert made.source.tolist() == [i % 4 for i in range(8)]
    assert made.kind == ["swap"] * 8


def test_a_part_that_is_swapped_speaks_of_another_step(made: Made) -> None:
    wrong = [len(set(step_of(row).values())) > 1 for row in made.data]
    right = [len(set(step_of(row).values())) == 1 for row in made.normal]
    assert all(right)
    assert np.mean(wrong) > 0.8


def test_what_is_made_is_judged(made: Made, generator: MultimodalGenerator) -> None:
    assert made.rejection_rate < 0.5
    assert (made.amount > 0).mean() > 0.8
    assert max(verdict.abnormal for verdict in made.verdicts) < 0.1
    assert all(verdict.inside == 1 for verdict in made.verdicts)
    assert made.facts["two_sample"]["p_value"] > 0
    unjudged = generator.sample(order(2, judged=False))
    assert not unjudged.verdicts
    assert (unjudged.source == -1).all()


def test_a_detector_finds_what_was_made(made: Made, generator: MultimodalGenerator) -> None:
    detector = MultimodalDetector(PARTS).fit(steps(60, seed=9))
    assert (detector.decision_function(made.data) > detector.decision_function(made.normal)).mean() > 0.7
    judged = fitted(steps(60, seed=9), detector=detector)
    assert judged.mixing_.model.panel is detector.whole_.model.panel
    assert judged.sample(order(3)).accepted.mean() > 0.5


def test_stronger_fits_worse(generator: MultimodalGenerator, on: dict[str, Any]) -> None:
    weak, strong = (generator.sample(order(4, strength, on=on, judged=False)).score for strength in (0.1, 1.0))
    assert weak.mean() < strong.mean()
    assert (weak <= strong).all()


def test_what_is_missing_is_filled(generator: MultimodalGenerator, on: dict[str, Any]) -> None:
    lacking = {**on, "force": [None] * 4}
    filled = generator.sample(order(4, kind="fill", on=lacking))
    assert filled.region.tolist() == [[False, True, False]] * 4
    np.testing.assert_allclose([row["force"] for row in filled.data], on["force"], atol=1.2)
    assert all(row["force"] is None for row in filled.normal)
    texts = generator.sample(order(4, kind="fill", on={**on, "step": [None] * 4}))
    assert [step_of(row)["step"] for row in texts.data] == [step_of(row)["step"] for row in made_rows(on)]
    assert filled.accepted.mean() > 0.5


def made_rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: column[i] for name, column in columns.items()} for i in range(len(columns["step"]))]


def test_normal_records_fit_and_have_no_region(generator: MultimodalGenerator) -> None:
    fine = generator.sample(Order(4, kind="normal", strength=np.zeros(4), where="force"))
    assert not fine.region.any()
    assert all(len(set(step_of(row).values())) == 1 for row in fine.data)
    assert any(row["force"] != before["force"] for row, before in zip(fine.data, fine.normal, strict=True))
    assert np.median(fine.score) < np.quantile(generator.gaps_, 0.9)


def test_parts_may_be_chosen(generator: MultimodalGenerator, on: dict[str, Any]) -> None:
    assert generator.sample(order(3, on=on, where="trace")).where == ["trace"] * 3
    both = generator.sample(order(2, on=on, where=np.array([True, False, True])))
    assert both.region.tolist() == [[True, False, True]] * 2
    assert both.where == ["step, trace"] * 2


def test_records_come_in_any_layout(generator: MultimodalGenerator, on: dict[str, Any], tmp_path: Path) -> None:
    few = {"step": on["step"], "force": on["force"]}
    lines = tmp_path / "few.jsonl"
    lines.write_text("\n".join(json.dumps(row) for row in made_rows({**few, "force": few["force"].tolist()})))
    for layout in (pd.DataFrame(few), made_rows(few), lines):
        found = generator.sample(order(2, on=layout, kind="swap"))
        assert found.data[0]["trace"] is None
        assert found.region[:, 2].sum() == 0


def test_pictures_are_lent_too() -> None:
    draw = np.random.default_rng(1)
    which = draw.integers(0, 2, 32)
    pictures = np.full((32, 32, 32, 3), 60, np.uint8) + draw.integers(0, 9, (32, 32, 32, 3)).astype(np.uint8)
    pictures[which == 1, 8:24, 8:24, 0] = 220
    X = {"photo": pictures, "side": [("left", "right")[k] for k in which]}
    generator = fitted(X, modality=Multimodal(kinds={"side": "category"}, size=32))
    found = generator.sample(order(2, where="photo"))
    for row, before in zip(found.data, found.normal, strict=True):
        assert row["photo"].shape == (32, 32, 3)
        assert row["photo"].dtype == np.uint8
        assert row["side"] == before["side"]
        assert abs(int(row["photo"][16, 16, 0]) - int(before["photo"][16, 16, 0])) > 100


def test_a_restored_generator_makes_the_same(generator: MultimodalGenerator) -> None:
    plain = json.loads(json.dumps(generator.config()))
    again = MultimodalGenerator.restore(plain, generator.arrays())
    one, other = (each.sample(order(2)) for each in (generator, again))
    for a, b in zip(one.data, other.data, strict=True):
        assert all(same(a[name], b[name]) for name in a)
    assert [v.to_dict() for v in one.verdicts] == [v.to_dict() for v in other.verdicts]


def test_the_facade_keeps_what_it_makes(generator: MultimodalGenerator, on: dict[str, Any], tmp_path: Path) -> None:
    held = Generator("multimodal").hold("multimodal", generator)
    held.save(tmp_path / "generator")
    again = load(tmp_path / "generator")
    assert again.kind_ == "multimodal"
    assert again.places_ == ["step", "force", "trace"]
    one, other = (each.sample(on=on, judged=False) for each in (held, again))
    assert len(one) == len(on["step"])
    assert all(same(a[name], b[name]) for a, b in zip(one.data, other.data, strict=True) for name in a)


def test_what_cannot_be_made_is_refused(generator: MultimodalGenerator, on: dict[str, Any]) -> None:
    for given, match in (
        ({"kind": "scratch"}, "kind is 'scratch', which records do not have; choose one of swap, fill"),
        ({"where": "smell"}, "where is 'smell'"),
        ({"where": np.ones((2, 2), bool)}, "give the name of a part"),
        ({"where": np.zeros(3, bool)}, "is empty"),
        ({"size": (0.1, 0.2)}, "a region is a whole part here"),
        ({"like": 1}, "knows no examples"),
    ):
        with pytest.raises(Misfit, match=match):
            generator.sample(order(1, on=on, **given))
    with pytest.raises(Misfit, match="part 'force' of record 0 is missing"):
        generator.sample(order(1, on={**on, "force": [None] * 4}, where="force"))
    with pytest.raises(Misfit, match="tells anything of another"):
        generator.sample(order(1, on={"step": on["step"]}))
    with pytest.raises(Misfit, match="learns from normal records alone"):
        next(MultimodalGenerator().fitting(on, examples=on))
    with pytest.raises(Misfit, match="fitted on several kinds"):
        fitted(on, detector=object())
    with pytest.raises(Unreadable, match="too few to say what fits together"):
        fitted(steps(12))


def test_numbers_are_expected_by_what_goes_with_them() -> None:
    draw = np.random.default_rng(3)
    codes = draw.normal(size=(200, 2))
    values = (2 * codes[:, :1] - codes[:, 1:]) + 5 + 0.1 * draw.normal(size=(200, 1))
    np.testing.assert_allclose(expected(codes, values, np.array([1.0, 1.0]), None), [6.0], atol=0.1)
    drawn = [expected(codes, values, np.array([1.0, 1.0]), np.random.default_rng(i))[0] for i in range(200)]
    assert np.std(drawn) == pytest.approx(0.1, abs=0.03)
