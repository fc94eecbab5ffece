import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import directed_hausdorff
from sklearn.metrics import average_precision_score, roc_auc_score

from anodiff.metrics import localisation
from anodiff.types import Misfit, Unreadable

SIDES = st.tuples(st.integers(1, 5), st.integers(1, 5))
TIED = st.integers(-2, 2).map(float) | st.floats(-3, 3, width=32)


@st.composite
def sets(draw: st.DrawFn) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """One to three maps of their own sizes with their masks, of which both kinds of pixels are drawn."""
    shapes = draw(st.lists(SIDES, min_size=1, max_size=3))
    shapes[0] = (max(2, shapes[0][0]), shapes[0][1])
    kind = draw(st.sampled_from([np.float32, np.float64]))
    maps = [draw(arrays.arrays(kind, shape, elements=TIED)) for shape in shapes]
    masks = [draw(arrays.arrays(bool, shape)) for shape in shapes]
    masks[0][0, 0], masks[0][-1, -1] = True, False
    return maps, masks


def regions_of(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """Connected parts by flooding; corners touch."""
    left, found = set(zip(*np.nonzero(mask), strict=True)), []
    while left:
        region, edge = set(), {left.pop()}
        while edge:
            region |= edge
            edge = {(r + i, c + j) for r, c in edge for i, j in product((-1, 0, 1), repeat=2)} & left
            left -= edge
        found.append(region)
    return found


def brute_aupro(maps: list[np.ndarray], masks: list[np.ndarray], limit: float) -> float:
    """By the definition: every distinct score is a threshold, straight lines between, cut at the limit."""
    regions = [
        [score[pixel] for pixel in region]
        for score, mask in zip(maps, masks, strict=True)
        for region in regions_of(mask)
    ]
    normal = np.concatenate([score[~mask] for score, mask in zip(maps, masks, strict=True)])
    points = [(0.0, 0.0)]
    for t in np.unique(np.concatenate([score.ravel() for score in maps]))[::-1]:
        points.append(((normal >= t).mean(), np.mean([np.mean(np.array(region) >= t) for region in regions])))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x1 > x0 and x0 < limit:
            end = min(x1, limit)
            area += (end - x0) * (y0 + (y0 + (y1 - y0) * (end - x0) / (x1 - x0))) / 2
    return area / limit


@settings(max_examples=300)
@given(pictures=sets(), limit=st.sampled_from([0.05, 0.3, 0.5, 1.0]) | st.floats(0.01, 1))
def test_aupro_is_its_definition(pictures: tuple[list[np.ndarray], list[np.ndarray]], limit: float) -> None:
    assert localisation.aupro(*pictures, limit=limit) == pytest.approx(brute_aupro(*pictures, limit), abs=1e-12)


@settings(max_examples=200)
@given(pictures=sets())
def test_pixels_are_ranked_as_scikit_learn_does(pictures: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
    scores, labels = (np.concatenate([each.ravel() for each in planes]) for planes in pictures)

    def dice_at(t: float) -> float:
        return 2 * (labels & (scores >= t)).sum() / (labels.sum() + (scores >= t).sum())

    found = localisation.of_pixels(*pictures)
    assert found.auroc == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert found.ap == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    assert found.oracle_dice == pytest.approx(max(dice_at(t) for t in scores), abs=1e-12)
    assert found == (
        localisation.pixel_auroc(*pictures),
        localisation.pixel_ap(*pictures),
        localisation.aupro(*pictures),
        localisation.oracle_dice(*pictures),
    )


def test_one_region_over_all_rates_is_the_auroc() -> None:
    random, mask = np.random.default_rng(0), np.zeros((12, 9), dtype=bool)
    mask[2:7, 3:8] = True
    maps = [random.normal(size=(12, 9)) + mask, random.normal(size=(4, 7))]
    masks = [mask, np.zeros((4, 7), dtype=bool)]
    assert localisation.aupro(maps, masks, limit=1) == pytest.approx(localisation.pixel_auroc(maps, masks))


def test_every_region_counts_the_same() -> None:
    mask = np.zeros((8, 8), dtype=bool)
    mask[0, 0], mask[3:, 3:] = True, True
    small, large = np.zeros((8, 8)), np.zeros((8, 8))
    small[0, 0], large[3:, 3:] = 1, 1
    assert localisation.aupro([small], [mask]) == pytest.approx(localisation.aupro([large], [mask]))
    assert localisation.pixel_auroc([small], [mask]) < localisation.pixel_auroc([large], [mask])


def test_corners_join_a_region() -> None:
    mask = np.eye(3, dtype=bool)
    found = np.zeros((3, 3))
    found[0, 0] = 1
    assert localisation.levels([found], [mask]).overlap.tolist() == pytest.approx([1 / 3, 1])


@pytest.mark.parametrize("limit", [0.1, 0.3, 1.0])
def test_perfect_constant_and_reversed(limit: float) -> None:
    mask = np.zeros((6, 6), dtype=bool)
    mask[1:3, 1:3] = True
    maps, masks = [mask.astype(float), np.zeros((3, 3))], [mask, np.zeros((3, 3), dtype=bool)]
    assert localisation.of_pixels(maps, masks, limit) == (1, 1, 1, 1)
    assert localisation.aupro([0 * each for each in maps], masks, limit) == pytest.approx(limit / 2)
    assert localisation.of_pixels([-each for each in maps], masks, 0.3).aupro == 0
    assert localisation.pixel_auroc([0 * each for each in maps], masks) == 0.5


def test_only_the_order_of_scores_matters() -> None:
    random = np.random.default_rng(1)
    maps = [random.normal(size=(7, 9)).astype(np.float32) for _ in range(4)]
    masks = [random.random((7, 9)) < 0.2 for _ in range(4)]
    found = localisation.of_pixels(maps, masks)
    assert localisation.of_pixels([np.exp(each.astype(float)) for each in maps], masks) == pytest.approx(found)
    assert localisation.of_pixels(maps[::-1], [each.astype(int) for each in masks[::-1]]) == pytest.approx(found)
    assert localisation.of_pixels(iter(maps), iter(masks)) == found


def test_scores_that_only_doubles_tell_apart() -> None:
    maps = [np.array([[1.0, 1.0 + 1e-12]]), np.zeros((1, 1), dtype=np.float32)]
    assert localisation.pixel_auroc(maps, [np.array([[0, 1]]), np.array([[0]])]) == 1


def test_pictures() -> None:
    labels, scores = [0, 0, 1, 1], [0.1, 0.8, 0.7, 0.9]
    found = localisation.of_pictures(labels, scores)
    assert found == pytest.approx((0.75, average_precision_score(labels, scores), 0.8))


@settings(max_examples=200)
@given(masks=SIDES.flatmap(lambda shape: st.tuples(*[arrays.arrays(bool, shape)] * 2)))
def test_overlap_is_its_definition(masks: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = (set(zip(*np.nonzero(mask), strict=True)) for mask in masks)
    if not a and not b:
        assert (localisation.dice(*masks), localisation.iou(*masks), localisation.hausdorff(*masks)) == (1, 1, 0)
        return
    assert localisation.dice(*masks) == pytest.approx(2 * len(a & b) / (len(a) + len(b)))
    assert localisation.iou(*masks) == pytest.approx(len(a & b) / len(a | b))
    if not a or not b:
        assert localisation.hausdorff(*masks) == localisation.hausdorff(*masks, quantile=0.95) == math.inf
        return
    there, back = ([min(math.dist(p, q) for q in to) for p in of] for of, to in ((a, b), (b, a)))
    assert localisation.hausdorff(*masks) == pytest.approx(max(*there, *back))
    assert localisation.hausdorff(*masks, quantile=0.95) == pytest.approx(
        max(np.quantile(there, 0.95), np.quantile(back, 0.95))
    )


def test_hausdorff_is_scipys() -> None:
    random = np.random.default_rng(2)
    a, b = random.random((2, 40, 30)) < 0.02
    points = np.argwhere(a), np.argwhere(b)
    expected = max(directed_hausdorff(*points)[0], directed_hausdorff(*points[::-1])[0])
    assert localisation.hausdorff(a, b) == pytest.approx(expected)


PLANE, MASK = np.arange(4.0).reshape(2, 2), np.eye(2, dtype=bool)


@pytest.mark.parametrize(
    ("maps", "masks", "refusal", "said"),
    [
        ([PLANE], [np.zeros((2, 3))], Unreadable, r"map 0 is \(2, 2\) and its mask \(2, 3\)"),
        ([PLANE, PLANE], [MASK], Unreadable, "2 maps and 1 masks"),
        ([PLANE, PLANE * np.nan], [MASK, MASK], Unreadable, r"map 1 \(2, 2\) holds NaN or infinity at 4 pixels"),
        ([PLANE], [MASK * 255], Unreadable, "mask 0 .* holds 255"),
        ([PLANE[None]], [MASK], Unreadable, "map 0 is float64 of shape"),
        ([PLANE.astype(str)], [MASK], Unreadable, "give numbers"),
        ([PLANE], [MASK[None]], Unreadable, "mask 0 has shape"),
        ([PLANE], [~MASK & MASK], Misfit, "0 pixels of 1 maps are anomalous, 4 normal"),
        ([PLANE], [MASK | ~MASK], Misfit, "4 pixels of 1 maps are anomalous, 0 normal"),
        ([], [], Misfit, "0 pixels of 0 maps"),
    ],
)
def test_refuses(maps: list, masks: list, refusal: type[Exception], said: str) -> None:
    for measure in (localisation.of_pixels, localisation.aupro, localisation.pixel_ap, localisation.oracle_dice):
        with pytest.raises(refusal, match=said):
            measure(maps, masks)


def test_refuses_settings() -> None:
    for limit in (0, -1, 1.5, math.nan):
        with pytest.raises(Misfit, match="limit is"):
            localisation.aupro([PLANE], [MASK], limit)
    with pytest.raises(Misfit, match=r"quantile is 95"):
        localisation.hausdorff(MASK, MASK, 95)
    with pytest.raises(Unreadable, match="the true one"):
        localisation.dice(MASK, MASK[:1])
