"""What was made, as a folder."""

import json

import numpy as np
from PIL import Image

from anodiff.data.clips import reel
from anodiff.data.records import records
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


def of_kind(data, region, kinds, against):
    one = np.ones(len(kinds))
    verdicts = [Judgement(against=words) for words in against]
    return Made(data, region, None, kinds, ["box"] * len(kinds), one, one, one, np.arange(len(kinds)), verdicts)


def test_clips_are_written_frame_by_frame_and_read_again(tmp_path):
    clips = [np.random.default_rng(k).integers(0, 255, (4, 12, 16), dtype=np.uint8) for k in range(2)]
    region = [np.zeros(clip.shape, bool) for clip in clips]
    region[0][1:3, 2:6, 5:9] = True
    made = of_kind(clips, region, ["speed", "speed"], [(), ("a copy of another",)])
    out = write(made, "video", tmp_path / "made")
    again = reel(out / "test" / "speed" / "000").clips[0]
    assert all(np.array_equal(frame.pixels, clips[0][frame.index]) for frame in again.frames())
    masks = [np.asarray(Image.open(out / "ground_truth" / "speed" / "000" / f"{t:05d}_mask.png")) for t in range(4)]
    assert np.array_equal(np.stack(masks) > 0, region[0])
    assert (out / "regions.csv").read_text().splitlines()[1] == "0,1,3,2,5,6,9,speed,1.0"
    page = json.loads((out / "verdicts.json").read_text())
    assert [item["file"] for item in page["items"]] == ["test/speed/000", "rejected/test/speed/000"]


def test_clips_may_be_films(tmp_path):
    clip = np.full((5, 16, 32), 90, np.uint8)
    made = of_kind([clip], [clip > 100], ["freeze"], [()])
    out = write(made, "video", tmp_path / "made", rate=10.0)
    frames = [frame.pixels for frame in reel(out / "test" / "freeze" / "000.mp4").clips[0].frames()]
    assert len(frames) == 5
    assert np.abs(frames[0].astype(int) - 90).max() < 6


def test_records_are_json_lines_with_their_pictures(tmp_path):
    rows = [
        {"photo": np.full((6, 8, 3), 10 * k, np.uint8), "step": "füllen", "force": 1.5, "trace": np.arange(3.0)}
        for k in range(2)
    ]
    made = of_kind(rows, np.eye(2, 4, dtype=bool), ["swap", "swap"], [(), ("not abnormal enough",)])
    out = write(made, "multimodal", tmp_path / "made")
    again = records(out / "records.jsonl", {"step": "text"})
    assert len(again) == 1
    assert again.columns["photo"].picture(0).shape == (6, 8, 3)
    assert list(again.columns["step"].values) == ["füllen"]
    assert (out / "regions.csv").read_text().splitlines()[1] == "0,photo,swap,1.0"
    assert (out / "rejected" / "regions.csv").read_text().splitlines()[1] == "0,step,swap,1.0"
    page = json.loads((out / "verdicts.json").read_text())
    assert page["items"][1]["file"] == "rejected/records.jsonl"
