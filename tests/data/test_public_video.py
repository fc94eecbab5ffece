import json
from pathlib import Path

import numpy as np
import pytest

from anodiff.data.public_records import RecordSet, boards, sdls
from anodiff.data.public_video import video_set
from anodiff.types import Misfit, Unreadable


@pytest.fixture
def laid(tmp_path: Path) -> Path:
    for part, clips in (("train", ("01", "02")), ("test", ("01",))):
        for clip in clips:
            (tmp_path / "ucsd_ped2" / part / clip).mkdir(parents=True)
    (tmp_path / "ucsd_ped2" / "frame_labels.json").write_text(json.dumps({"01": [0, 1, 1]}))
    (tmp_path / "ucsd_ped2" / "masks").mkdir()
    return tmp_path


def masks(place: Path, mask: np.ndarray, shape: tuple[int, ...]) -> None:
    np.savez(place / "ucsd_ped2" / "masks" / "01.npz", mask=np.packbits(mask, axis=-1), shape=np.array(shape))


def test_clips_and_their_truth(laid: Path) -> None:
    mask = np.zeros((3, 4, 6), bool)
    mask[1, 2, 3] = True
    masks(laid, mask, mask.shape)
    found = video_set("ped2", laid)
    assert ([each.name for each in found.train], [each.name for each in found.test]) == (["01", "02"], ["01"])
    assert found.labels[0].tolist() == [0, 1, 1]
    given = found.masks(0)
    assert given is not None
    assert (given == mask).all()


def test_found_where_the_data_is_said_to_be(laid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANODIFF_DATA", str(laid))
    assert video_set().folder == laid / "ucsd_ped2"
    assert video_set().masks(0) is None


def test_masks_of_another_shape(laid: Path) -> None:
    masks(laid, np.zeros((3, 4, 8), bool), (3, 5, 8))
    with pytest.raises(Unreadable, match=r"shape \(3, 4, 8\), and says \(3, 5, 8\)"):
        video_set("ped2", laid).masks(0)


def test_nothing_there(tmp_path: Path, laid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misfit, match="choose one of ped2"):
        video_set("ped9")
    (laid / "ucsd_ped2" / "frame_labels.json").write_text("{}")
    with pytest.raises(Unreadable, match="no labels of 01"):
        video_set("ped2", laid)
    monkeypatch.delenv("ANODIFF_DATA", raising=False)
    with pytest.raises(Unreadable, match="which is not set"):
        video_set()
    monkeypatch.setenv("ANODIFF_DATA", str(tmp_path / "none"))
    with pytest.raises(Unreadable, match="set ANODIFF_DATA"):
        sdls()


def of_sdls(place: Path, *records: dict[str, object]) -> RecordSet:
    (place / "records.jsonl").write_text("\n".join(json.dumps(each) for each in records))
    return sdls(place)


def test_what_describes_the_answer_is_not_read(tmp_path: Path) -> None:
    told = {"context": "close", "check": "lid on", "caption": "the lid is off", "state_description": "off"}
    found = of_sdls(
        tmp_path,
        {"image": "images/1.jpg", "split": "train", "label": 0, **told},
        {"image": "images/2.jpg", "split": "test", "label": 0, **told},
        {"image": "images/2.jpg", "split": "test", "label": 1, **told},
    )
    assert set(found.train) == {"image", "context", "check", "view", "location", "step"}
    assert found.train["image"] == [str(tmp_path / "images" / "1.jpg")]
    assert (found.labels.tolist(), found.pairs.tolist()) == ([0, 1], [[0, 1]])


def test_boards(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text('{"id": "7", "split": "train"}\n{"id": "8", "split": "test"}')
    found = boards(tmp_path)
    assert (found.train[0].name, found.references[0].name, found.tested[0].name) == (
        "7_temp.jpg",
        "8_temp.jpg",
        "8_test.jpg",
    )
