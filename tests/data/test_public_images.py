"""The layouts of the public sets of pictures, on tiny folders; on the real ones where they are."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anodiff.data.pictures import album
from anodiff.data.public_images import IMAGE_SETS, PictureSet, categories, picture_set
from anodiff.types import Misfit, Unreadable

SPOT = np.zeros((8, 6), np.uint8)
SPOT[2:4, 1:3] = 255
OTHER = np.zeros((8, 6), np.uint8)
OTHER[6, 5] = 1
NONE = np.zeros((8, 6), np.uint8)


def put(folder: Path, *names: str, pixels: np.ndarray | Image.Image | None = None) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (8, 6), dtype=np.uint8)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(grey if pixels is None else pixels) if not isinstance(pixels, Image.Image) else pixels
        image.save(folder / name)


def names(paths: list[Path]) -> list[str]:
    return ["/".join(path.parts[-2:]) for path in paths]


def consistent(found: PictureSet) -> PictureSet:
    n = len(found.test)
    assert n == len(found.labels) == len(found.kinds) == len(found.masks)
    assert found.labels.dtype == np.int64
    assert [kind != "good" for kind in found.kinds] == found.labels.astype(bool).tolist()
    assert not set(found.train) & set(found.test)
    for path, label, i in zip(found.test, found.labels, range(n), strict=True):
        (picture,) = album(path).pictures()
        mask = found.mask(i)
        if mask is not None:
            assert (mask.dtype, mask.shape) == (bool, picture.size)
            assert mask.any() == bool(label)
    return found


@pytest.mark.parametrize(("name", "folder"), [("mvtec", "mvtec_anomaly_detection"), ("MPDD", "image/MPDD")])
def test_mvtec(name: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / folder
    put(root, "bottle/train/good/001.png", "bottle/train/good/000.png", "bottle/test/good/000.png")
    put(root, "bottle/test/crack/000.png", "bottle/test/crack/001.png", "bottle/test/hole/000.png")
    put(root, "bottle/ground_truth/crack/000_mask.png", pixels=SPOT)
    put(root, "bottle/ground_truth/crack/001_mask.png", pixels=NONE)
    put(root, "cable/train/good/000.png", "cable/test/good/000.png")
    (root / "license.txt").touch()
    monkeypatch.setenv("ANODIFF_DATA", str(tmp_path))
    assert categories(name) == ["bottle", "cable"]
    found = consistent(picture_set(name, "bottle"))
    assert (found.name, found.category, found.references, found.validation) == (name.lower(), "bottle", None, [])
    assert names(found.train) == ["good/000.png", "good/001.png"]
    assert names(found.test) == ["crack/000.png", "crack/001.png", "good/000.png", "hole/000.png"]
    assert found.kinds == ["crack", "crack", "good", "hole"]
    masks = [found.mask(i) for i in range(4)]
    assert np.array_equal(masks[0], SPOT > 0)
    assert masks[1] is None
    assert not masks[2].any()
    assert masks[3] is None
    with pytest.raises(Misfit, match="no category None; choose one of bottle, cable"):
        picture_set(name)
    with pytest.raises(Misfit, match="no category 'can'"):
        picture_set(name, "can")
    with pytest.raises(Misfit, match="no split 'odd'; it has one"):
        picture_set(name, "bottle", "odd")
    assert picture_set(name, "bottle", folder=root).train == found.train
    put(root, "bottle/ground_truth/crack/000_mask.png", pixels=np.zeros((3, 3), np.uint8))
    with pytest.raises(Unreadable, match=r"000_mask\.png has \(3, 3\) pixels, its picture \(8, 6\)"):
        found.mask(0)
    (root / "bottle/ground_truth/crack/000_mask.png").write_text("")
    with pytest.raises(Unreadable, match=r"000_mask\.png: it is empty"):
        found.mask(0)


def test_loco_joins_its_masks(tmp_path: Path) -> None:
    root = tmp_path / "mvtec_loco_anomaly_detection/box"
    put(root, "train/good/000.png", "validation/good/000.png", "test/good/000.png", "test/logical_anomalies/000.png")
    put(root, "ground_truth/logical_anomalies/000/000.png", pixels=SPOT)
    put(root, "ground_truth/logical_anomalies/000/001.png", pixels=OTHER)
    found = consistent(picture_set("loco", "box", folder=tmp_path))
    assert found.kinds == ["good", "logical_anomalies"]
    assert names(found.validation) == ["good/000.png"]
    assert np.array_equal(found.mask(1), (SPOT > 0) | (OTHER > 0))


def test_mvtec_3d_takes_colour(tmp_path: Path) -> None:
    root = tmp_path / "mvtec_3d_anomaly_detection/bagel"
    put(root, "train/good/rgb/000.png", "train/good/xyz/000.tiff", "validation/good/rgb/000.png")
    put(root, "test/good/rgb/000.png", "test/crack/rgb/000.png", "test/crack/xyz/000.tiff")
    put(root, "test/good/gt/000.png", pixels=NONE)
    put(root, "test/crack/gt/000.png", pixels=SPOT)
    found = consistent(picture_set("mvtec3d", "bagel", folder=tmp_path))
    assert names(found.train) == names(found.validation) == ["rgb/000.png"]
    assert [path.parts[-3] for path in found.test] == ["crack", "good"]
    assert np.array_equal(found.mask(0), SPOT > 0)


def test_visa(tmp_path: Path) -> None:
    root, data = tmp_path / "VisA", "candle/Data"
    put(root, *(f"{data}/Images/Normal/000{i}.JPG" for i in range(3)), f"{data}/Images/Anomaly/000.JPG")
    marks = Image.fromarray(SPOT // 255)
    marks.putpalette([0, 0, 0] * 256)
    put(root, f"{data}/Masks/Anomaly/000.png", pixels=marks)
    rows = ["object,split,label,image,mask", *(f"candle,train,normal,{data}/Images/Normal/000{i}.JPG," for i in (0, 1))]
    rows += [f"candle,test,normal,{data}/Images/Normal/0002.JPG,", "pcb1,train,normal,pcb1/x.JPG,"]
    anomaly = f"anomaly,{data}/Images/Anomaly/000.JPG,{data}/Masks/Anomaly/000.png"
    (root / "split_csv").mkdir()
    (root / "split_csv/1cls.csv").write_text("\n".join([*rows, f"candle,test,{anomaly}"]))
    (root / "split_csv/2cls_highshot.csv").write_text("\n".join([*rows, f"candle,train,{anomaly}"]))
    found = consistent(picture_set("visa", "candle", folder=tmp_path))
    assert names(found.train) == ["Normal/0000.JPG", "Normal/0001.JPG"]
    assert (names(found.test), found.kinds) == (["Normal/0002.JPG", "Anomaly/000.JPG"], ["good", "anomaly"])
    assert np.array_equal(found.mask(1), SPOT > 0)
    assert picture_set("visa", "candle", "2cls_highshot", tmp_path).kinds == ["good"]
    with pytest.raises(Misfit, match="choose one of 1cls, 2cls_highshot, 2cls_fewshot"):
        picture_set("visa", "candle", "3cls", tmp_path)
    with pytest.raises(Unreadable, match=r"2cls_fewshot\.csv"):
        picture_set("visa", "candle", "2cls_fewshot", tmp_path)
    (root / "split_csv/1cls.csv").write_text("a,b\n1,2\n")
    with pytest.raises(Unreadable, match=r"1cls\.csv: damaged"):
        picture_set("visa", "candle", folder=tmp_path)


def test_visa_laid_out_anew(tmp_path: Path) -> None:
    root = tmp_path / "VisA_pytorch/1cls/candle"
    put(root, "train/good/0000.JPG", "test/good/0001.JPG", "test/bad/000.JPG")
    put(root, "ground_truth/bad/000.png", pixels=SPOT)
    found = consistent(picture_set("visa", "candle", folder=tmp_path))
    assert found.kinds == ["bad", "good"]
    assert np.array_equal(found.mask(0), SPOT > 0)


def test_btad(tmp_path: Path) -> None:
    root = tmp_path / "BTech_Dataset_transformed/03"
    put(root, "train/ok/0000.bmp", "test/ok/0000.bmp", "test/ko/0000.bmp")
    put(root, "ground_truth/ko/0000.bmp", pixels=SPOT)
    found = consistent(picture_set("btad", "03", folder=tmp_path))
    assert (found.kinds, names(found.train)) == (["ko", "good"], ["ok/0000.bmp"])
    assert np.array_equal(found.mask(0), SPOT > 0)


def test_ksdd2(tmp_path: Path) -> None:
    root = tmp_path / "KolektorSDD2"
    put(root, "train/10000.png", "train/10001.png", "test/20000.png", "test/20001.png", "train/10301_GT (copy).png")
    put(root, "train/10000_GT.png", "test/20001_GT.png", pixels=SPOT)
    put(root, "train/10001_GT.png", "test/20000_GT.png", pixels=NONE)
    found = consistent(picture_set("ksdd2", folder=tmp_path))
    assert names(found.train) == ["train/10001.png"]
    assert (names(found.test), found.kinds) == (["test/20000.png", "test/20001.png"], ["good", "defect"])
    assert np.array_equal(found.mask(1), SPOT > 0)
    assert categories("ksdd2", tmp_path) == []
    with pytest.raises(Misfit, match="no category 'x'; it has none"):
        picture_set("ksdd2", "x", folder=tmp_path)
    (root / "train/10000_GT.png").unlink()
    with pytest.raises(Unreadable, match=r"10000_GT\.png: it is not there"):
        picture_set("ksdd2", folder=tmp_path)


def test_brats(tmp_path: Path) -> None:
    root = tmp_path / "BraTS2021_slice"
    put(root, "train/good/0.png", "test/good/img/1.png", "test/Ungood/img/2.png")
    put(root, "valid/good/img/3.png", "valid/Ungood/img/4.png", "test/good/label/1.png")
    put(root, "test/Ungood/label/2.png", pixels=SPOT)
    found = consistent(picture_set("brats", folder=tmp_path))
    assert (found.kinds, names(found.validation)) == (["Ungood", "good"], ["img/3.png"])
    assert np.array_equal(found.mask(0), SPOT > 0)


def test_mtd(tmp_path: Path) -> None:
    root = tmp_path / "image/mtd"
    put(root, "train/good/a.jpg", "train/good/b.jpg", "test/good/c.jpg", "test/crack/d.jpg", "test/crack/e.jpg")
    put(root, "ground_truth/crack/d_mask.png", pixels=SPOT)
    put(root, "ground_truth/crack/e_mask.png", pixels=NONE)
    (root / "split_grouped.json").write_text(json.dumps({"train_good": ["c.jpg", "a.jpg"], "test_good": ["b.jpg"]}))
    found = consistent(picture_set("mtd", folder=tmp_path))
    assert (names(found.train), found.kinds) == (["good/a.jpg", "good/b.jpg"], ["crack", "crack", "good"])
    assert found.mask(1) is None
    grouped = consistent(picture_set("mtd", split="grouped", folder=tmp_path))
    assert (names(grouped.train), names(grouped.test)) == (
        ["good/a.jpg", "good/c.jpg"],
        ["crack/d.jpg", "crack/e.jpg", "good/b.jpg"],
    )
    (root / "split_grouped.json").write_text(json.dumps({"train_good": ["z.jpg"], "test_good": []}))
    with pytest.raises(Unreadable, match=r"split_grouped\.json: damaged"):
        picture_set("mtd", split="grouped", folder=tmp_path)


def test_deeppcb(tmp_path: Path) -> None:
    root = tmp_path / "deeppcb_pairs"
    put(root, "images/1_temp.jpg", "images/2_temp.jpg", "images/2_test.jpg")
    pairs = [{"id": "1", "split": "train", "boxes": []}, {"id": "2", "split": "test", "boxes": [[1, 2, 3, 4, 5]]}]
    (root / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)) + "\n")
    found = consistent(picture_set("deeppcb", folder=tmp_path))
    assert (found.kinds, names(found.train)) == (["good", "defect"], ["images/1_temp.jpg"])
    assert found.references is not None
    assert names(found.references) == ["images/2_temp.jpg", "images/2_temp.jpg"]
    assert np.array_equal(found.mask(1), SPOT > 0)


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_what_is_absent_is_said_in_full(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANODIFF_DATA", raising=False)
    for folder in (tmp_path, None):
        with pytest.raises(Unreadable, match="not found") as refusal:
            picture_set(name, folder=folder)
        said, wanted = str(refusal.value), IMAGE_SETS[name]
        assert all(
            part in said for part in (wanted.title, wanted.origin, wanted.shape, wanted.folders[0], "ANODIFF_DATA")
        )
        assert folder is None or str(tmp_path) in said
    with pytest.raises(Misfit, match="no set 'nothing'"):
        picture_set("nothing")


def test_a_set_that_is_not_whole(tmp_path: Path) -> None:
    put(tmp_path, "mvtec/x/train/good/0.png")
    (tmp_path / "mvtec/x/test/good").mkdir(parents=True)
    with pytest.raises(Unreadable, match="mvtec, x: its test part holds no picture; copy the set again"):
        picture_set("mvtec", "x", folder=tmp_path)


@pytest.mark.data
def test_magnetic_tiles() -> None:
    if not (Path(os.environ["ANODIFF_DATA"]) / "image/mtd").is_dir():
        pytest.skip("the set is not there")
    literature, grouped = picture_set("mtd"), picture_set("mtd", split="grouped")
    for found in (literature, grouped):
        assert (len(found.train), len(found.test), int(found.labels.sum())) == (762, 582, 392)
        assert not set(found.train) & set(found.test)
    assert set(literature.train) != set(grouped.train)
    assert [literature.kinds.count(kind) for kind in ("blowhole", "break", "crack", "fray", "uneven")] == [
        115,
        85,
        57,
        32,
        103,
    ]
    unknown = [i for i in range(582) if literature.mask(i) is None]
    assert [literature.kinds[i] for i in unknown] == ["uneven"] * 4
    consistent(literature)


@pytest.mark.data
def test_circuit_boards() -> None:
    if not (Path(os.environ["ANODIFF_DATA"]) / "image/deeppcb_pairs").is_dir():
        pytest.skip("the set is not there")
    found = consistent(picture_set("deeppcb"))
    assert (len(found.train), len(found.test), int(found.labels.sum())) == (400, 500, 250)
    assert found.references is not None
    assert all(path.is_file() for path in [*found.train, *found.references])
