"""Records of several parts: what does not go together is found, whatever is missing, and scores mean the same."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anodiff.detect_multimodal import MultimodalDetector
from anodiff.metrics.ranking import auroc
from anodiff.types import Misfit, Unreadable
from record_toys import mixed_up, modality, records

LABELS = np.repeat([0, 1], 40)


@pytest.fixture(scope="module")
def fitted() -> MultimodalDetector:
    return MultimodalDetector(modality()).fit(records(120)[0])


@pytest.fixture(scope="module")
def both() -> dict[str, Any]:
    """Forty records as they should be, and the same with another's step."""
    normal, colour = records(40, seed=1)
    wrong = mixed_up(normal, colour)
    return {
        "photo": np.concatenate([normal["photo"], wrong["photo"]]),
        "step": [*normal["step"], *wrong["step"]],
        "force": np.concatenate([normal["force"], wrong["force"]]),
    }


def quietly(detector: MultimodalDetector, X: Any) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return detector.decision_function(X)


def test_finds_what_does_not_go_together(fitted: MultimodalDetector, both: dict[str, Any]) -> None:
    scores = fitted.decision_function(both)
    assert auroc(LABELS, scores) > 0.95
    assert fitted.parts_ == ["photo", "step", "force"]
    assert fitted.predict(both, false_alarm_rate=0.05)[:40].mean() <= 0.2


def test_neither_part_tells_alone(fitted: MultimodalDetector, both: dict[str, Any]) -> None:
    for part in ("photo", "step", "force"):
        assert abs(auroc(LABELS, quietly(fitted, {part: both[part]})) - 0.5) < 0.1, part


def test_evidence_adds_up(fitted: MultimodalDetector, both: dict[str, Any]) -> None:
    map = fitted.anomaly_map(both)
    assert map.shape == (80, len(fitted.evidences_))
    assert np.allclose(map.sum(1), fitted.decision_function(both), rtol=1e-9)
    wrong = dict(zip(fitted.evidences_, map[40:].mean(0), strict=True))
    assert max(wrong, key=lambda name: wrong[name]).endswith("given the rest")


@pytest.mark.parametrize("fusion", ["early", "late", "dynamic"])
def test_every_fusion_finds_it(fusion: str, both: dict[str, Any]) -> None:
    detector = MultimodalDetector(modality(fusion=fusion)).fit(records(120)[0])
    assert auroc(LABELS, detector.decision_function(both)) > (0.75 if fusion == "early" else 0.9)
    assert np.allclose(detector.anomaly_map(both).sum(1), detector.decision_function(both))


def test_missing_parts_leave_scores_comparable(fitted: MultimodalDetector) -> None:
    fresh, _ = records(90, seed=3)
    for hidden in ("photo", "step", "force"):
        less = {name: column for name, column in fresh.items() if name != hidden}
        p = fitted.p_of(quietly(fitted, less))
        assert abs(np.mean(p) - 0.5) < 0.2, hidden
        assert np.mean(p <= 0.1) < 0.25, hidden


def test_a_part_that_is_missing_now_and_then(both: dict[str, Any]) -> None:
    normal, _ = records(120)
    draw = np.random.default_rng(0)
    normal["step"] = [None if draw.random() < 0.3 else step for step in normal["step"]]
    detector = MultimodalDetector(modality()).fit(normal)
    assert len(detector.decision_scores_) == 120
    assert auroc(LABELS, detector.decision_function(both)) > 0.9
    gone = {**both, "step": [None if i % 3 == 0 else step for i, step in enumerate(both["step"])]}
    assert auroc(LABELS, detector.decision_function(gone)) > 0.7
    said = detector.part_scores(gone)
    assert np.isnan(said["step given the rest"][::3]).all()
    assert np.isfinite(said["step given the rest"][1::3]).all()


def test_a_record_without_any_part_is_no_anomaly(fitted: MultimodalDetector) -> None:
    normal, _ = records(3, seed=5)
    bare = {"photo": [None, *normal["photo"][1:]], "step": [None, *normal["step"][1:]], "force": [None, 1.0, 2.0]}
    with pytest.warns(UserWarning, match="1 of 3 records have no part"):
        scores = fitted.decision_function(bare)
    assert scores[0] == 0
    assert fitted.p_of(scores)[0] == 1


def test_a_score_does_not_depend_on_the_others(fitted: MultimodalDetector, both: dict[str, Any]) -> None:
    some = {name: column[30:50] for name, column in both.items()}
    assert np.allclose(fitted.decision_function(some), fitted.decision_function(both)[30:50], rtol=1e-9)


def test_the_same_seed_gives_the_same(both: dict[str, Any]) -> None:
    few, _ = records(40)
    one, two = (MultimodalDetector(modality(), seed=3).fit(few).decision_function(both) for _ in range(2))
    assert np.array_equal(one, two)


def test_the_same_picture_stays_in_one_fold() -> None:
    normal, _ = records(40)
    twice = {
        "photo": np.concatenate([normal["photo"]] * 2),
        "step": normal["step"] * 2,
        "force": np.tile(normal["force"], 2),
    }
    once = MultimodalDetector(modality()).fit(normal).decision_scores_
    doubled = MultimodalDetector(modality()).fit(twice).decision_scores_
    assert abs(np.median(doubled[:40]) - np.median(once)) < 0.7


def test_calibrate_counts_other_normals(both: dict[str, Any]) -> None:
    detector = MultimodalDetector(modality()).fit(records(60)[0])
    detector.calibrate(records(50, seed=7)[0])
    assert len(detector.held_out_) == 50
    assert len(detector.decision_scores_) == 60
    assert auroc(LABELS, detector.decision_function(both)) > 0.9


def test_contaminated_records_are_set_aside() -> None:
    normal, colour = records(100)
    wrong = mixed_up(normal, colour)
    normal["step"] = [*wrong["step"][:10], *normal["step"][10:]]
    detector = MultimodalDetector(modality(), contamination=0.1).fit(normal)
    assert detector.contamination_ == 0.1
    assert len(detector.held_out_) == 90
    assert detector.decision_scores_[:10].mean() > detector.decision_scores_[10:].mean() + 1


def test_two_views_of_one_thing() -> None:
    draw = np.random.default_rng(0)

    def pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
        coarse = draw.integers(60, 200, (count, 8, 8)).astype(np.uint8)
        reference = coarse.repeat(8, 1).repeat(8, 2)
        noisy = reference.astype(int) + draw.integers(-6, 7, reference.shape)
        return reference, np.clip(noisy, 0, 255).astype(np.uint8)

    detector = MultimodalDetector(modality(size=64, kinds=None)).fit(dict(zip("ab", pairs(30), strict=True)))
    assert "b against a" in detector.evidences_
    reference, tested = pairs(30)
    tested[15:, 24:34, 24:34] = 255 - tested[15:, 24:34, 24:34]
    test = {"a": reference, "b": tested}
    assert auroc(np.repeat([0, 1], 15), detector.decision_function(test)) > 0.9
    assert "b against a" not in MultimodalDetector(modality(pairs=False, kinds=None)).fit(test).evidences_


@pytest.mark.parametrize(
    ("X", "said"),
    [
        ({"force": [1.0, 2.0]}, "of 2 records too few have a part"),
        ({"force": [1.0] * 8, "step": ["on"] * 8}, "all 8 records are the same"),
        ({"force": [1.0] * 8, "step": ["on"] * 7}, "columns differ in length: force 8, step 7"),
        ({"force": [], "step": []}, "no records"),
    ],
)
def test_refusals(X: Any, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        MultimodalDetector(modality(kinds=None)).fit(X)


def test_refuses_settings() -> None:
    few, _ = records(8)
    with pytest.raises(Misfit, match="fusion is 'middle'; choose one of auto, early, late, dynamic"):
        MultimodalDetector(modality(fusion="middle")).fit(few)
    with pytest.raises(Misfit, match="recipe 'table' is for tabular"):
        MultimodalDetector(modality(), recipe="table").fit(few)
    with pytest.raises(Misfit, match="learns no known anomalies"):
        MultimodalDetector(modality()).fit(few, examples=few)
    with pytest.raises(Misfit, match="kinds names a column"):
        MultimodalDetector(modality(kinds={"nowhere": "text"})).fit(few)


def test_reads_no_other_kinds_later(fitted: MultimodalDetector) -> None:
    normal, _ = records(4)
    assert np.isfinite(quietly(fitted, {**normal, "force": ["much"] * 4})).all()
    with pytest.warns(UserWarning, match="not read"):
        fitted.decision_function({**normal, "colour": ["red"] * 4})


def test_one_row_and_odd_cells(fitted: MultimodalDetector, tmp_path: Path) -> None:
    normal, _ = records(1, seed=9)
    assert fitted.decision_function(normal).shape == (1,)
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.warns(UserWarning, match="could not be read"):
        scores = fitted.decision_function({**normal, "photo": [str(tmp_path / "cut.png")]})
    assert np.isfinite(scores).all()
    long = fitted.decision_function({**normal, "force": [1e300]})
    assert np.isfinite(long).all()
    assert long[0] > fitted.decision_function(normal)[0]


def test_a_single_part_is_judged_by_itself() -> None:
    draw = np.random.default_rng(0)
    detector = MultimodalDetector().fit({"force": draw.normal(size=(60, 2))})
    assert detector.evidences_ == ["force"]
    far = detector.decision_function({"force": [[0.0, 0.0], [9.0, 9.0]]})
    assert far[1] > detector.threshold(0.05) > far[0]


def test_series_and_categories_are_parts() -> None:
    draw = np.random.default_rng(0)

    def made(count: int) -> tuple[dict[str, Any], np.ndarray]:
        fast = draw.integers(0, 2, count)
        time = np.linspace(0, 1, 40)
        waves = np.sin(2 * np.pi * (2 + 6 * fast)[:, None] * (time + draw.random((count, 1))))
        return {"wave": waves + draw.normal(0, 0.1, waves.shape), "mode": [("slow", "fast")[k] for k in fast]}, fast

    normal, _ = made(100)
    detector = MultimodalDetector(modality(kinds={"wave": "series", "mode": "category"})).fit(normal)
    test, fast = made(40)
    wrong = {**test, "mode": [("fast", "slow")[k] for k in fast]}
    assert (
        auroc(
            np.repeat([0, 1], 40),
            np.concatenate([detector.decision_function(test), detector.decision_function(wrong)]),
        )
        > 0.9
    )
