"""What is normal shows through, what is odd is told apart by everybody, and lines lie around regions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anodiff.alarms.regions import Regions
from anodiff.report.overlay import EDGE, HEAT, LINE, coloured, overlay, shrunk, strength, to_look_at
from anodiff.types import Misfit

SHAPE = (40, 60)
GREY = np.full(SHAPE, 120, np.uint8)
NORMAL = np.full(SHAPE, 0.5)
DEUTERANOPE = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
PROTANOPE = np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]])


def spot() -> np.ndarray:
    p = NORMAL.copy()
    p[10:20, 30:50] = 1e-5
    return p


@given(hnp.arrays(np.uint8, (5, 7, 3)), st.floats(0.01, 1))
def test_what_is_normal_shows_through(picture: np.ndarray, p: float) -> None:
    before = picture.copy()
    assert (overlay(picture, np.full((5, 7), p)) == before).all()
    assert (picture == before).all()


@given(hnp.arrays(np.float64, (6,), elements=st.floats(1e-12, 1)))
def test_strength_rises_as_p_falls(p: np.ndarray) -> None:
    worth = strength(np.sort(p))
    assert ((worth >= 0) & (worth <= 1)).all()
    assert (np.diff(worth) <= 0).all()


def test_p_of_nothing_is_full_heat() -> None:
    assert strength(np.array([0.0])) == 1


@pytest.mark.parametrize("picture", [GREY, GREY[..., None], np.repeat(GREY[..., None], 3, 2)], ids=["2", "1", "3"])
def test_heat_lies_where_the_map_is_low(picture: np.ndarray) -> None:
    drawn = overlay(picture, spot())
    changed = (drawn != 120).any(2)
    assert (changed == (spot() < 0.01)).all()
    assert drawn.shape == (*SHAPE, 3)
    assert drawn.dtype == np.uint8


@pytest.mark.parametrize("sight", [np.eye(3), DEUTERANOPE, PROTANOPE], ids=["all", "deuteranope", "protanope"])
def test_colours_are_told_apart_without_red_or_green(sight: np.ndarray) -> None:
    seen = np.vstack([HEAT, LINE, EDGE]) @ sight.T
    light = seen @ (0.299, 0.587, 0.114)
    assert (np.diff(light[: len(HEAT)]) < -20).all()
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=2)[~np.eye(len(seen), dtype=bool)]
    assert apart.min() > 35


def test_a_line_lies_around_each_region_and_leaves_it_free() -> None:
    region = Regions().fit([np.zeros(SHAPE) + 0.01 * i for i in range(19)]).find(9.0 * (spot() < 0.01), 0.05)[0]
    plain, drawn = overlay(GREY, spot()), overlay(GREY, spot(), [region])
    assert (drawn[region.mask] == plain[region.mask]).all()
    line = (drawn == LINE).all(2)
    rows, columns = np.nonzero(line)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (9, 20, 29, 50)
    assert line.sum() == 2 * (12 + 22) - 4
    assert ((drawn == EDGE).all(2)).sum() == 2 * (14 + 24) - 4


def test_lines_grow_with_the_picture() -> None:
    inside = np.zeros((1200, 1500), bool)
    inside[600, 700] = True
    drawn = overlay(np.zeros((1200, 1500), np.uint8), np.ones((1200, 1500)), [inside])
    assert ((drawn == LINE).all(2)).sum() == 9 * 9 - 1


def test_a_region_that_is_the_picture() -> None:
    assert (overlay(GREY, NORMAL, [np.ones(SHAPE, bool)]) == coloured(GREY)).all()


@pytest.mark.parametrize(
    ("picture", "p", "masks", "said"),
    [
        (GREY, NORMAL[:-1], [], "map of p-values is"),
        (GREY, NORMAL, [np.ones((3, 3), bool)], "region is"),
        (GREY / 255, NORMAL, [], "give uint8"),
        (np.zeros((*SHAPE, 4), np.uint8), NORMAL, [], "give uint8"),
    ],
)
def test_refused(picture: np.ndarray, p: np.ndarray, masks: list[np.ndarray], said: str) -> None:
    with pytest.raises(Misfit, match=said):
        overlay(picture, p, masks)


@pytest.mark.parametrize(("faint", "full"), [(0.01, 0.01), (0.01, 0.0), (2.0, 0.1)])
def test_levels_that_make_no_sense(faint: float, full: float) -> None:
    with pytest.raises(Misfit, match="heat goes from"):
        overlay(GREY, NORMAL, faint=faint, full=full)


def test_a_small_region_is_not_lost_when_the_picture_shrinks() -> None:
    mask = np.zeros((1000, 900), bool)
    mask[501, 37] = True
    small = shrunk(mask, (100, 90))
    assert np.argwhere(small).tolist() == [[50, 3]]
    assert shrunk(mask, mask.shape) is mask


def test_black_pictures_stay_black() -> None:
    assert (to_look_at(np.zeros((2, 2, 1), np.float32)) == 0).all()
