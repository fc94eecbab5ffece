"""Contact sheets of pictures, series and rows: rendered, unpicked, with what is said of each."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from anodiff.made import Judgement, Made
from anodiff.report import contact_pictures
from anodiff.report.contact import contact_sheet, sheet, shown, sort_of
from anodiff.report.contact_pictures import SIDE
from anodiff.report.contact_rows import _said
from anodiff.report.plots import ALARM
from anodiff.types import Misfit


def made_of(data, region, normal, kind="spot"):
    n = len(region)
    verdicts = [Judgement(against=("not abnormal enough",) if i == 1 else ()) for i in range(n)]
    strength = np.full(n, 0.5)
    return Made(data, region, normal, [kind] * n, ["blob"] * n, strength, strength, strength, np.arange(n), verdicts)


def pictures(n=5, shape=(40, 60, 3)):
    normal = np.full((n, *shape), 120, np.uint8)
    data, region = normal.copy(), np.zeros((n, *shape[:2]), bool)
    region[:, 10:16, 20:30] = True
    data[region] = 250
    return made_of(data, region, normal)


def series(n=3):
    rng = np.random.default_rng(0)
    normal = [rng.normal(size=(120 + 10 * i, 4)) for i in range(n)]
    region = [np.zeros(s.shape, bool) for s in normal]
    data = [s.copy() for s in normal]
    for i, (s, m) in enumerate(zip(data, region, strict=True)):
        m[30 : 31 + i, : 1 + i] = True
        s[m] += 5
    return made_of(data, region, normal, "level")


def table(n=4):
    normal = pd.DataFrame({"flow": np.arange(n) * 1.5, "valve": ["open"] * n, "flag": [True] * n})
    data = normal.copy()
    data.loc[0, "flow"], data.loc[1, "valve"] = 66_700.0, "ajar"
    region = np.zeros((n, 3), bool)
    region[0, 0] = region[1, 1] = True
    return made_of(data, region, normal, "cell")


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def ink(png):
    """Pixels that are not white."""
    return int((opened(png) < 250).any(2).sum())


@pytest.mark.parametrize("make", [pictures, series, table])
def test_a_sheet_is_a_png_that_grows_with_its_items(make):
    made = make()
    whole, one = sheet(made), sheet(made, first=1)
    assert whole[:4] == b"\x89PNG"
    assert ink(whole) > ink(one) > 1000
    assert sheet(made) == whole
    without = Made(
        made.data, made.region, None, made.kind, made.where, made.strength, made.amount, made.score, made.source
    )
    assert ink(sheet(without)) > 1000


def test_pictures_stand_as_they_are_beside_their_region():
    page = opened(sheet(pictures(1), first=1))
    top = contact_pictures.TEXT + 12
    panels = [
        page[top : top + SIDE, contact_pictures.BETWEEN + k * (SIDE + contact_pictures.GAP) :][:, :SIDE]
        for k in range(4)
    ]
    normal, region, made, closer = panels
    assert (normal[60:80, 40:100] == 120).all()
    assert (made == 250).all(2).sum() == pytest.approx(60 * (SIDE / 60) ** 2, rel=0.2)
    assert (region != normal).any()
    assert not (region == 250).all(2).any()
    assert (closer == 250).all(2).sum() > 2 * (made == 250).all(2).sum()


def test_what_was_rejected_is_there_and_says_why():
    found = shown(pictures(), {})
    assert [row.accepted for row in found] == [True, False, True, True, True]
    assert found[1].verdict == "not abnormal enough"
    assert found[0].title == "0: spot, blob, 0.50"
    colour = [int(ALARM[k : k + 2], 16) for k in (1, 3, 5)]
    red = (opened(sheet(pictures())) == colour).all(2).any()
    assert red
    assert not (opened(sheet(pictures(), first=1)) == colour).all(2).any()


@pytest.mark.parametrize("make", [pictures, series, table])
def test_a_real_one_stands_beside_those_of_its_kind(make):
    made = make()
    data = made.data.to_numpy(dtype=object) if isinstance(made.data, pd.DataFrame) else made.data
    real = {made.kind[0]: [(data[0], made.region[0]), (data[1], None)]}
    assert ink(sheet(made, examples=real)) > ink(sheet(made))
    assert sheet(made, examples={"other": [(data[0], None)]}) == sheet(made)
    assert [row.real is real[made.kind[0]][i % 2] for i, row in enumerate(shown(made, real))] == [True] * len(made)


def test_grey_float_and_deep_pictures_are_shown_alike():
    grey = pictures(2, (40, 60))
    as_float = Made(
        grey.data / 255.0, grey.region, grey.normal / 255.0, grey.kind, grey.where, grey.strength, grey.amount,
        grey.score, grey.source, grey.verdicts,
    )  # fmt: skip
    assert sheet(as_float) == sheet(grey)
    assert sort_of(list(grey.data)) == "image"
    assert sort_of(series().data) == "series"
    assert sort_of(np.zeros((3, 4))) == sort_of(table().data) == "tabular"


def test_a_sheet_is_written_where_it_is_asked_to_be(tmp_path):
    made = table()
    png = contact_sheet(shown(made, {}), "tabular", ["a", "b", "c"], tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes() == png


def test_of_wide_tables_the_columns_that_changed_are_drawn():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(5, 40))
    region = np.zeros((5, 40), bool)
    region[:, 33] = True
    made = made_of(normal + 9 * region, region, normal)
    assert opened(sheet(made)).shape[1] < 2000
    names = [f"c{i}" for i in range(40)]
    assert sheet(made, names) != sheet(made)
    other = [*names[:33], "changed", *names[34:]]
    assert sheet(made, names) != sheet(made, other)
    assert sheet(made, names) == sheet(made, [*names[:39], "not drawn"])


def test_values_are_short():
    said = [_said(v) for v in (66_700.0, 0.00001234, "Saarbruecken", None, float("nan"), 7, True)]
    assert said == ["6.67e4", "1.23e-5", "Saarbrue\N{HORIZONTAL ELLIPSIS}", "missing", "missing", "7", "True"]


def test_nothing_cannot_be_shown():
    with pytest.raises(Misfit, match="first 0 of 5"):
        sheet(pictures(), first=0)
    with pytest.raises(Misfit, match="of 0 items"):
        sheet(pictures().only([]))
