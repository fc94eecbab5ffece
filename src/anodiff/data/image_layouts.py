"""How the folders of the public sets of pictures look: each layout finds its categories in a folder.

Most are MVTec AD's, or near it: train/good, test/<defect>, ground_truth/<defect>, where a mask has the name of its
picture, perhaps with _mask behind it, or is a folder of several masks (LOCO); pictures and masks may lie one deeper
(rgb and gt in MVTec 3D, img and label in the slices of BraTS); what is normal may be called ok (BTAD).
"""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from anodiff.data.image_sets import GOOD, Judged, PictureSet, Truth, files, folders, picture_set_of
from anodiff.data.labelled import guarded
from anodiff.data.picture_files import marked
from anodiff.types import Unreadable

Found = dict[str, Callable[[str], PictureSet]]
"""By category ("" where there are none), what gives the set, told the split."""
Layout = Callable[[str, Path], Found]
NORMAL = (GOOD, "ok")
PICTURES = ("rgb", "img")
MASKS = ("gt", "label", "anomaly_mask")
VALIDATION = ("validation", "valid")
GROUPED = "split_grouped.json"
KSDD2 = re.compile(r"\d+")


def categories(name: str, folder: Path) -> Found:
    """Folders like MVTec AD's, one for each category."""
    return {place.name: partial(_laid_out, name, place, place.name) for place in folders(folder) if _is_laid_out(place)}


def alone(name: str, folder: Path) -> Found:
    """One folder like MVTec AD's; of a split "grouped", split_grouped.json names the normal pictures."""
    return {"": partial(_laid_out, name, folder, None)} if _is_laid_out(folder) else {}


def visa(name: str, folder: Path) -> Found:
    """<category>/Data/Images and Masks with split_csv/<split>.csv, or laid out anew like MVTec AD's."""
    places = [place for place in folders(folder) if (place / "Data" / "Images").is_dir()]
    if not places or not (folder / "split_csv").is_dir():
        return categories(name, folder)
    return {place.name: partial(_visa, name, folder, place.name) for place in places}


def ksdd2(name: str, folder: Path) -> Found:
    """train/<number>.png and test/<number>.png, with <number>_GT.png beside each."""
    whole = all(any((folder / part).glob("*_GT.png")) for part in ("train", "test"))
    return {"": partial(_ksdd2, name, folder)} if whole else {}


def deeppcb(name: str, folder: Path) -> Found:
    """pairs.jsonl, images/<id>_temp.jpg as it should be and images/<id>_test.jpg with defects in boxes."""
    return {"": partial(_deeppcb, name, folder)} if (folder / "pairs.jsonl").is_file() else {}


def _is_laid_out(place: Path) -> bool:
    return (place / "test").is_dir() and any((place / "train" / normal).is_dir() for normal in NORMAL)


def _laid_out(name: str, place: Path, category: str | None, split: str) -> PictureSet:
    train, test = _normal(place / "train"), _judged(place)
    validation = [path for part in VALIDATION for path in _normal(place / part)]
    if split == "grouped":
        train, test = _regrouped(place, train, test)
    return picture_set_of(name, category, train, test, validation)


def _normal(part: Path) -> list[Path]:
    return [path for normal in NORMAL for path in _pictures(part / normal)]


def _pictures(kind: Path) -> list[Path]:
    return files(next((kind / deeper for deeper in PICTURES if (kind / deeper).is_dir()), kind))


def _judged(place: Path) -> list[Judged]:
    test: list[Judged] = []
    for kind in folders(place / "test"):
        if kind.name in NORMAL:
            test += [(path, GOOD, None) for path in _pictures(kind)]
            continue
        within = (kind / deeper for deeper in MASKS if (kind / deeper).is_dir())
        masks = _masks(next(within, place / "ground_truth" / kind.name))
        for path in _pictures(kind):
            test.append((path, kind.name, Truth(path, masks[path.stem]) if masks.get(path.stem) else None))
    return test


def _masks(folder: Path) -> dict[str, tuple[Path, ...]]:
    """The masks in a folder, by the name of their picture."""
    single = {path.stem.removesuffix("_mask"): (path,) for path in files(folder)}
    return single | {several.name: tuple(files(several)) for several in folders(folder)}


def _regrouped(place: Path, train: list[Path], test: list[Judged]) -> tuple[list[Path], list[Judged]]:
    normal = {path.name: path for path in [*train, *(path for path, kind, _ in test if kind == GOOD)]}
    with guarded(place / GROUPED):
        groups = json.loads((place / GROUPED).read_text(encoding="utf-8"))
        learnt = [normal[name] for name in sorted(groups["train_good"])]
        held: list[Judged] = [(normal[name], GOOD, None) for name in sorted(groups["test_good"])]
    return learnt, [judged for judged in test if judged[1] != GOOD] + held


def _visa(name: str, folder: Path, category: str, split: str) -> PictureSet:
    index = folder / "split_csv" / f"{split}.csv"
    train: list[Path] = []
    test: list[Judged] = []
    with guarded(index), index.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["object"] != category:
                continue
            path, normal = folder / row["image"], row["label"] == "normal"
            if row["split"] == "test":
                truth = Truth(path, (folder / row["mask"],)) if row["mask"] else None
                test.append((path, GOOD if normal else "anomaly", truth))
            elif normal:
                train.append(path)
    return picture_set_of(name, category, train, test)


def _ksdd2(name: str, folder: Path, _split: str) -> PictureSet:
    """What is normal is only said by the masks: all of them are read."""
    train, test = (_with_masks(folder / part) for part in ("train", "test"))
    return picture_set_of(name, None, [path for path, kind, _ in train if kind == GOOD], test)


def _with_masks(part: Path) -> list[Judged]:
    laid: list[Judged] = []
    for path in files(part):
        mask = path.with_name(f"{path.stem}_GT.png")
        if not KSDD2.fullmatch(path.stem):
            continue
        try:
            defect = bool(marked(mask).any())
        except Unreadable as refusal:
            raise Unreadable(f"{mask}: {refusal}") from None
        laid.append((path, "defect", Truth(path, (mask,))) if defect else (path, GOOD, None))
    return laid


def _deeppcb(name: str, folder: Path, _split: str) -> PictureSet:
    """The reference of a normal picture is that picture itself: compare it shifted, or with noise, never as it is."""
    index, images = folder / "pairs.jsonl", folder / "images"
    train: list[Path] = []
    test: list[Judged] = []
    references: list[Path] = []
    with guarded(index), index.open(encoding="utf-8") as file:
        for line in filter(str.strip, file):
            pair = json.loads(line)
            template, tested = (images / f"{pair['id']}_{which}.jpg" for which in ("temp", "test"))
            if pair["split"] == "train":
                train.append(template)
                continue
            boxes = tuple((int(a), int(b), int(c), int(d)) for a, b, c, d, *_ in pair["boxes"])
            test += [(template, GOOD, None), (tested, "defect", Truth(tested, boxes=boxes))]
            references += [template, template]
    return replace(picture_set_of(name, None, train, test), references=references)
