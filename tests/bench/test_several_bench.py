import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anodiff.bench.several.judge import Draws, compared, interval, over_seeds, wrong_is_higher
from anodiff.bench.several.photos import without
from anodiff.bench.video.judge import draws, fitted, in_order, of_maps
from anodiff.bench.video.rivals import Difference, NearestFlow, pooled, smoothed
from anodiff.bench.video.run import gain, told
from anodiff.metrics.ranking import auroc


def some(count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    labels = (draw.random(count) < 0.5).astype(int)
    return labels, np.round(draw.normal(size=count) + labels, 1)


def test_a_sample_is_a_weighing_of_groups() -> None:
    labels, scores = some()
    groups = np.arange(200) // 4
    found = Draws(groups, labels, 5)
    for weights, each in zip(found.weights, found.aurocs(scores), strict=True):
        assert each == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights[groups]))


def test_one_group_of_all_is_the_whole() -> None:
    labels, scores = some()
    assert np.allclose(Draws(np.zeros(200), labels, 3).aurocs(scores), auroc(labels, scores))


def test_pairs_that_tie_count_half() -> None:
    right = wrong_is_higher(np.array([1.0, 2.0, 2.0, 0.0]), np.array([[0, 1], [1, 2], [0, 3]]))
    assert right.tolist() == [1.0, 0.5, 0.0]
    shares = Draws(np.arange(4), np.array([0, 1, 1, 1]), 200).shares(right, np.array([0, 1, 0]))
    assert ((shares >= 0) & (shares <= 1)).all()
    assert abs(shares.mean() - 0.5) < 0.1


def test_the_whole_is_ahead_of_its_parts() -> None:
    labels, scores = some(400)
    found = compared(Draws(np.arange(400), labels, 100), {"both": scores, "one": -scores}, "both")
    assert "lead" not in found["both"]
    lead = found["one"]["lead"]
    assert lead["low"] < lead["gain"] < lead["high"]
    assert lead["gain"] == pytest.approx(2 * auroc(labels, scores) - 1)


def test_means_over_seeds() -> None:
    assert over_seeds([{"a": {"x": 1.0}, "b": 2}, {"a": {"x": 2.0}, "b": 4}]) == {"a": {"x": 1.5}, "b": 3.0}


def test_missing_columns_are_missing_together() -> None:
    columns = {"image": list(range(1000)), "context": list("ab" * 500), "check": list("cd" * 500)}
    found = without(columns, ("context", "check"), 0)
    gone = [each is None for each in found["context"]]
    assert gone == [each is None for each in found["check"]]
    assert 0.25 < np.mean(gone) < 0.35
    assert found["image"] == columns["image"]


def clips(seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    draw = np.random.default_rng(seed)
    labels = [np.array([0, 0, 0, 1, 1]), np.zeros(4, int), np.ones(6, int)]
    return labels, [np.round(draw.normal(size=len(each)) + each, 1) for each in labels]


def test_samples_of_clips_are_exact() -> None:
    labels, scores = clips()
    right, pairs = in_order(labels, scores)
    assert right.sum() / pairs.sum() == pytest.approx(auroc(np.concatenate(labels), np.concatenate(scores)))
    found = draws(labels, scores, 50)
    assert len(found) == 50
    low, high = interval(found)
    assert low <= auroc(np.concatenate(labels), np.concatenate(scores)) <= high


def test_maps_are_stretched_to_their_masks() -> None:
    mask = np.zeros((2, 8, 8), bool)
    mask[1, :4, :4] = True
    maps = np.zeros((2, 4, 4), np.float32)
    maps[1, :2, :2] = 1
    assert fitted(maps, mask.shape).shape == mask.shape
    assert of_maps([maps], [mask])["pixel_auroc"] > 0.97


def test_rivals_see_what_moves() -> None:
    pytest.importorskip("cv2")
    from anodiff.data.clips import reel
    from anodiff.data.walkway import walkway

    normal = reel(walkway(80, seed=1).frames).clips
    odd = walkway(120, ["fast"], seed=2)
    judged = reel(odd.frames).clips[0]
    for rival in (Difference(), NearestFlow(0)):
        scores = np.stack(list(rival.fit(normal).maps(judged))).max((1, 2))
        assert len(scores) == 120
        assert auroc(odd.labels, smoothed(scores, 3.0)) > 0.6


def test_patches_leave_out_the_rest() -> None:
    planes = np.arange(17 * 20, dtype=np.float32).reshape(17, 20, 1)
    found = pooled(planes)
    assert found.shape == (2, 2, 1)
    assert found[0, 0, 0] == pytest.approx(planes[:8, :8].mean())


def test_what_is_said_of_a_method() -> None:
    from anodiff.bench.images.judge import packed

    labels, scores = clips()
    record = {"micro": 0.7, "unsmoothed_micro": 0.6, "draws": {"micro": packed(draws(labels, scores, 50))}}
    better = record | {"micro": 0.8}
    assert told([record, better])["most"] == 0.8
    assert gain([better], [record])["gain"] == pytest.approx(0.1)
