"""What was made, as a folder."""

import json

import numpy as np

from anodiff.made import Judgement, Made
from anodiff.saving_made import check_folder, write


def test_what_was_made_is_written_with_its_verdicts(tmp_path):
    pictures, region = np.full((2, 8, 8), 90, np.uint8), np.zeros((2, 8, 8), bool)
    region[:, 2:4, 2:4] = True
    pictures[region] = 200
    verdicts = [Judgement(), Judgement(against=("a copy of another",))]
    one = np.ones(2)
    made = Made(
        pictures,
        region,
        None,
        ["crack", "crack"],
        ["box"] * 2,
        one,
        one,
        one * np.nan,
        np.arange(2),
        verdicts,
        {"n": 2},
    )
    out = write(made, "image", tmp_path / "made")
    page = json.loads((out / "verdicts.json").read_text())
    assert page["facts"] == {"n": 2}
    assert [item["file"] for item in page["items"]] == ["test/crack/000.png", "rejected/crack/000.png"]
    assert [item["against"] for item in page["items"]] == [[], ["a copy of another"]]
    check_folder(out, overwrite=True)
