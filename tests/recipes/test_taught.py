"""A head learns known defects from a stack of planes, and is not asked about what it was shown."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from anodiff.data.stack import Stack
from anodiff.data.twins import thumbnail
from anodiff.recipes.defects import Defects
from anodiff.recipes.schema import recipe
from anodiff.recipes.taught import GRID, Taught, examined, judged_plane, taught, told
from anodiff.scores.head import PatchHead
from anodiff.types import BadModel

C, CELLS, SIDE = 24, 16, 32
SHAPES = {"fine": (C, CELLS, CELLS), "coarse": (9, 8, 8)}
FEATURES = {
    "name": "two",
    "about": "Two planes.",
    "planes": {"coarse": {"space": "features", "stride": 8}, "fine": {"space": "features", "stride": 4}},
    "denoisers": {"usual": {"use": "positional", "view": "fine"}},
    "scores": {"place": {"use": "departure", "of": "usual"}},
}
RECIPE = recipe(FEATURES)


def planes(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, C, CELLS, CELLS, generator=generator)


def spoilt(count, seed, kind=0, by=0.6):
    """Planes with a square where all channels are moved a little, this way or that as the kind says, and where."""
    x, region = planes(count, seed), np.zeros((count, SIDE, SIDE), bool)
    way = torch.randn(C, 1, 1, generator=torch.Generator().manual_seed(kind)).sign()
    draw = np.random.default_rng(seed)
    for k in range(count):
        row, column = draw.integers(0, CELLS - 4, 2)
        x[k, :, row : row + 4, column : column + 4] += by * way
        region[k, 2 * row : 2 * row + 8, 2 * column : 2 * column + 8] = True
    return x, region


def shown(x):
    """What an unsupervised member would: how far a cell is from 0, in deviations, on the canvas."""
    far = (x.square().sum(1) - C) / (2 * C) ** 0.5
    return torch.from_numpy(np.stack([gaussian_filter(np.kron(each, np.ones((2, 2))), 1.0) for each in far.numpy()]))


def known(x, region):
    small = np.stack([thumbnail(each[0].numpy()) for each in x])
    names = [str(k) for k in range(len(x))]
    return Defects(names, {"fine": x}, [None if r is None else r for r in region], small, [])


@pytest.fixture(scope="module")
def stack():
    with Stack(SHAPES) as made:
        for x in planes(60, 0):
            made.add({"fine": x, "coarse": torch.zeros(SHAPES["coarse"])})
        yield made


def learn(stack, x, region, seed=0):
    fold, kept = np.arange(60) % 10, np.ones(60, bool)
    maps = lambda places: shown(stack.plane("fine", places))  # noqa: E731
    return taught(RECIPE, stack, fold, kept, maps, known(x, region), shown(x).float(), seed)


def laid(map):
    return torch.nn.functional.interpolate(map[:, None], (SIDE, SIDE), mode="bilinear", align_corners=False)[:, 0]


def judged(head, x):
    return head.map(shown(x).float(), laid(head.said({"fine": x})))


def auroc(map, region):
    return roc_auc_score(region.ravel(), map.numpy().ravel())


def test_examples_find_others_of_their_kind(stack):
    x, region = spoilt(20, 2)
    found = [auroc(judged(learn(stack, *spoilt(count, 1)).whole, x), region) for count in (1, 3, 10)]
    assert auroc(shown(x), region) < found[0] < found[1] < found[2] - 0.01


@pytest.mark.parametrize(("kind", "by"), [(0, 0.6), (0, -0.6), (1, 0.6), (2, 0.6)])
@pytest.mark.parametrize(("examples", "harm"), [(1, 0.005), (10, 0.05)])
def test_other_kinds_are_found_as_before(stack, examples, harm, kind, by):
    """Also the opposite of the known kind, which a head by itself takes for most normal."""
    lesson = learn(stack, *spoilt(examples, 1))
    x, region = spoilt(20, 2, kind, by)
    before, after = auroc(shown(x), region), auroc(judged(lesson.whole, x), region)
    assert after > before - harm
    if examples > 1 and by < 0:
        alone = lesson.whole.odd(shown(x).float(), laid(lesson.whole.said({"fine": x})))
        assert auroc(alone, region) < after - 0.02


def test_without_masks_the_map_says_where(stack):
    x, region = spoilt(5, 1, by=1.5)
    lesson = learn(stack, x, [None] * 5)
    assert auroc(judged(lesson.whole, x), region) > auroc(shown(x), region)
    other, where = spoilt(20, 2, by=0.8)
    assert auroc(judged(lesson.whole, other), where) > auroc(shown(other), where)
    mixed = examined(known(x, [region[0], None, *region[2:]]), torch.cat([x, x[:, :1]], 1), shown(x))
    assert set(mixed[1].tolist()) == {0, 2, 3, 4}
    assert set(mixed[3].tolist()) == {0, 2, 3, 4}
    assert set(examined(known(x, [None] * 5), torch.cat([x, x[:, :1]], 1), shown(x))[1].tolist()) == {0, 1, 2, 3, 4}
    lone = learn(stack, x, [region[0], *[None] * 4])
    assert [head is None for head in lone.apart] == [True, False, False, False, False]


def test_normals_are_judged_by_heads_that_had_not_seen_them(stack):
    lesson = learn(stack, *spoilt(3, 1))
    fresh = judged(lesson.whole, planes(60, 7))
    left_out = lesson.whole.map(shown(stack.plane("fine", range(60))).float(), laid(torch.from_numpy(lesson.left_out)))
    assert lesson.left_out.shape == (60, CELLS, CELLS)
    assert abs(float(left_out.mean() - fresh.mean())) < 0.1
    assert abs(float(left_out.std() / fresh.std()) - 1) < 0.1
    assert abs(float(left_out.mean())) < 0.3


def test_an_example_is_judged_by_a_head_that_had_not_seen_it_or_its_twin(stack):
    x, region = spoilt(4, 1)
    x[3], region[3] = x[0], region[0]
    alone = learn(stack, x[1:3], region[1:3])
    lesson = learn(stack, x, region)
    assert torch.equal(lesson.apart[0].head.slope, lesson.apart[3].head.slope)
    torch.testing.assert_close(lesson.apart[0].head.slope, alone.whole.head.slope)
    assert not torch.equal(lesson.apart[1].head.slope, lesson.apart[0].head.slope)
    assert learn(stack, x[:1], region[:1]).apart == [None]


def test_it_is_the_same_again_and_after_saving(stack):
    x, region = spoilt(3, 1)
    one, same = (learn(stack, x, region, seed=3) for _ in range(2))
    assert torch.equal(one.whole.head.slope, same.whole.head.slope)
    np.testing.assert_array_equal(one.left_out, same.left_out)
    twin = Taught.restore(one.whole.config(), one.whole.arrays(), SHAPES)
    assert torch.equal(judged(twin, x), judged(one.whole, x))


@pytest.mark.parametrize("change", [{"plane": "coarse"}, {"std": 0.0}, {"mean": np.nan}, {"head": {}}, {"cells": 99}])
def test_a_damaged_head_is_refused(stack, change):
    whole = learn(stack, *spoilt(1, 1)).whole
    with pytest.raises(BadModel, match="the head of known defects is damaged"):
        Taught.restore({**whole.config(), **change}, whole.arrays(), SHAPES)
    with pytest.raises(BadModel, match="damaged"):
        Taught.restore(whole.config(), {"slope": np.zeros(2)}, SHAPES)


def test_the_score_hears_a_head_that_finds_what_members_miss():
    draw = torch.Generator().manual_seed(0)
    heard, odd = torch.randn(2, 500, generator=draw, dtype=torch.float64)
    blank = Taught(PatchHead(C, told=1), "fine", CELLS)
    missed, seen = torch.zeros(8, dtype=torch.float64), torch.full((8,), 6.0, dtype=torch.float64)
    helps = blank.weighed((heard, odd), (missed, seen))
    assert helps.weight > 0
    assert (helps.scored(missed, seen) > helps.scored(heard, odd).quantile(0.95)).all()
    for known in ((seen, missed), (missed, missed), (missed[:1], seen[:1]), (missed[:0], seen[:0])):
        silent = blank.weighed((heard, odd), known)
        assert silent.weight == 0
        torch.testing.assert_close(silent.scored(heard, odd), heard / silent.heard)


def test_which_plane_is_judged():
    assert judged_plane(RECIPE, SHAPES) == ("fine", CELLS)
    pixels = {**FEATURES, "planes": {"fine": {"space": "pixels"}}}
    assert judged_plane(recipe(pixels), {"fine": (1, 64, 64)}) == ("fine", GRID)


def test_what_a_head_is_told_rises_with_the_map():
    assert told(torch.tensor([-3.0, 0.0, 1.0])).tolist() == pytest.approx([-np.log(4), 0, np.log(2)])
