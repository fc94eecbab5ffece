"""Contact sheets of clips and of records."""

import io

import numpy as np
from PIL import Image

from anodiff.made import Judgement, Made
from anodiff.report.contact import sheet, stills


def of_kind(data, region, normal, kinds):
    one = np.ones(len(kinds))
    verdicts = [Judgement(against=("not abnormal enough",) * (i % 2)) for i in range(len(kinds))]
    return Made(data, region, normal, kinds, ["box"] * len(kinds), one, one, one, np.arange(len(kinds)), verdicts)


def size_of(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


def test_of_a_clip_the_frame_that_changed_most_is_shown() -> None:
    normal = [np.full((5, 20, 30), 100, np.uint8) for _ in range(3)]
    data, region = [clip.copy() for clip in normal], [np.zeros(clip.shape, bool) for clip in normal]
    for i in range(3):
        region[i][i : i + 2, 5:9, 5:9] = True
        data[i][i, 5:9, 5:9], data[i][i + 1, 5:9, 5:9] = 120, 200
    made = of_kind(data, region, normal, ["jump"] * 3)
    shown = stills(made)
    assert [int(frame.max()) for frame in shown.data] == [200] * 3
    assert all(inside.shape == (20, 30) for inside in shown.region)
    small, large = (size_of(sheet(made, first=first)) for first in (1, 3))
    assert small[1] < large[1]


def test_records_are_shown_part_by_part() -> None:
    def row(k: int) -> dict:
        return {
            "photo": np.full((6, 8, 3), 40 * k, np.uint8),
            "step": "a long text " * 30,
            "force": None if k == 2 else float(k),
            "trace": np.sin(np.arange(9.0) + k),
        }

    region = np.eye(4, dtype=bool)
    made = of_kind([row(k) for k in range(4)], region, [row(k + 1) for k in range(4)], ["swap"] * 4)
    wide, tall = size_of(sheet(made))
    assert wide > 600
    assert tall > 3 * size_of(sheet(made, first=1))[1]
