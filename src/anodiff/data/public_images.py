"""The public sets of pictures that are known, and where they lie: folders as they are distributed, or near it.

`picture_set("mvtec", "bottle")` looks for the set in folders of the usual names, under the folder that the environment
variable ANODIFF_DATA names and under its folder image. Nothing is downloaded: each set has its own terms.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anodiff.data import image_layouts as layouts
from anodiff.data.image_sets import PictureSet, Truth
from anodiff.types import Misfit, Unreadable

__all__ = ["IMAGE_SETS", "PictureSet", "Truth", "categories", "picture_set"]
_MVTEC_SHAPE = "<category>/train/good, <category>/test/<defect> and <category>/ground_truth/<defect>"


@dataclass(frozen=True)
class PublicSet:
    """A public set.

    Attributes:
        title: its name and what it shows.
        origin: who publishes it, and the paper.
        shape: how its folder must look.
        folders: usual names of its folder.
        layout: finds its categories in a folder.
        splits: of it, the usual one first; none where there is one.
    """

    title: str
    origin: str
    shape: str
    folders: Sequence[str]
    layout: layouts.Layout = layouts.categories
    splits: Sequence[str] = ()


IMAGE_SETS: dict[str, PublicSet] = {
    "mvtec": PublicSet(
        "MVTec AD, industrial objects and textures",
        "MVTec Software GmbH (Bergmann and others, MVTec AD, CVPR 2019)",
        _MVTEC_SHAPE,
        ("mvtec_anomaly_detection", "mvtec_ad", "mvtec", "MVTec", "MVTecAD", "MVTec-AD"),
    ),
    "loco": PublicSet(
        "MVTec LOCO, logical and structural anomalies",
        "MVTec Software GmbH (Bergmann and others, Beyond dents and scratches, IJCV 2022)",
        "<category>/train/good, <category>/test/<kind> and <category>/ground_truth/<kind>/<picture>/*.png",
        ("mvtec_loco_anomaly_detection", "mvtec_loco", "loco", "MVTecLOCO", "MVTec-LOCO"),
    ),
    "mvtec3d": PublicSet(
        "MVTec 3D-AD, its colour pictures",
        "MVTec Software GmbH (Bergmann and others, The MVTec 3D-AD dataset, VISAPP 2022)",
        "<category>/train/good/rgb, <category>/test/<defect>/rgb and <category>/test/<defect>/gt",
        ("mvtec_3d_anomaly_detection", "mvtec_3d", "mvtec3d", "MVTec3D", "MVTec-3D"),
    ),
    "visa": PublicSet(
        "VisA, objects of several layouts",
        "Amazon Science, in its project spot-diff (Zou and others, SPot-the-Difference, ECCV 2022)",
        "<category>/Data/Images, <category>/Data/Masks and split_csv/*.csv",
        ("VisA", "visa", "VisA_20220922", "VisA_pytorch/1cls"),
        layouts.visa,
        ("1cls", "2cls_highshot", "2cls_fewshot"),
    ),
    "btad": PublicSet(
        "BTAD, three industrial products",
        "beanTech and the University of Udine (Mishra and others, VT-ADL, ISIE 2021)",
        "<category>/train/ok, <category>/test/ko and <category>/ground_truth/ko",
        ("BTech_Dataset_transformed", "BTAD", "btad"),
    ),
    "mpdd": PublicSet(
        "MPDD, painted metal parts",
        "Brno University of Technology (Jezek and others, Deep learning-based defect detection, ICUMT 2021)",
        _MVTEC_SHAPE,
        ("MPDD", "mpdd"),
    ),
    "ksdd2": PublicSet(
        "KolektorSDD2, surfaces of a product",
        "the ViCoS lab, University of Ljubljana (Bozic and others, Mixed supervision, Computers in Industry 2021)",
        "train/<number>.png and test/<number>.png, with <number>_GT.png beside each",
        ("KolektorSDD2", "KSDD2", "ksdd2"),
        layouts.ksdd2,
    ),
    "mtd": PublicSet(
        "MTD, magnetic tiles, laid out like MVTec AD",
        "Huang and others, Surface defect saliency of magnetic tiles, The Visual Computer 2020",
        "train/good, test/<defect>, ground_truth/<defect> and split_grouped.json",
        ("mtd", "MTD"),
        layouts.alone,
        ("literature", "grouped"),
    ),
    "brats": PublicSet(
        "BraTS 2021, slices of brains",
        "the benchmark BMAD (Bao and others, 2024), from the challenge BraTS 2021 (Baid and others, 2021)",
        "train/good, test/good/img, test/Ungood/img and test/Ungood/label",
        ("BraTS2021_slice", "Brain_AD", "brats", "BraTS"),
        layouts.alone,
    ),
    "deeppcb": PublicSet(
        "DeepPCB as pairs, circuit boards and their templates",
        "Tang and others, Online PCB defect detector on a new PCB defect dataset, 2019",
        "pairs.jsonl and images/*.jpg",
        ("deeppcb_pairs",),
        layouts.deeppcb,
    ),
}


def picture_set(
    name: str, category: str | None = None, split: str | None = None, folder: str | os.PathLike | None = None
) -> PictureSet:
    """A public set by name, or one category of it.

    Args:
        name: one of `IMAGE_SETS`, whatever the case.
        category: of the set, where it has some.
        split: where it has several; the usual one if None.
        folder: the folder of the set, or one that holds it. Without it, the one that the environment variable
            ANODIFF_DATA names, and its folder image.

    Raises:
        Misfit: there is no set, category or split of that name.
        Unreadable: it is not there, or not whole; the message says what was looked for and who publishes it.

    >>> picture_set("ksdd2", folder="/nowhere")
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: KolektorSDD2, surfaces of a product: not found; looked for a folder KolektorSDD2 with \
train/<number>.png and test/<number>.png, with <number>_GT.png beside each in /nowhere and /nowhere/image. It is \
published by the ViCoS lab, University of Ljubljana (Bozic and others, Mixed supervision, Computers in Industry 2021);\
 name the folder around it by the environment variable ANODIFF_DATA, or by folder=.
    """
    wanted = _wanted(name)
    found = _found(name.lower(), wanted, folder)
    return found[_category(wanted, found, category)](_split(wanted, split))


def categories(name: str, folder: str | os.PathLike | None = None) -> list[str]:
    """The categories of a public set that are there, none where it has none; see `picture_set`."""
    return [category for category in _found(name.lower(), _wanted(name), folder) if category]


def _wanted(name: str) -> PublicSet:
    if name.lower() not in IMAGE_SETS:
        raise Misfit(f"there is no set {name!r}; choose one of {', '.join(IMAGE_SETS)}.")
    return IMAGE_SETS[name.lower()]


def _found(name: str, wanted: PublicSet, folder: str | os.PathLike | None) -> layouts.Found:
    given = os.environ.get("ANODIFF_DATA", "") if folder is None else folder
    places = [Path(given), Path(given) / "image"] if str(given) else []
    found = next((f for at in _folders(wanted, places, folder is not None) if (f := wanted.layout(name, at))), None)
    if found is None:
        raise Unreadable(_absent(wanted, places))
    return found


def _folders(wanted: PublicSet, places: Sequence[Path], named: bool) -> Iterator[Path]:
    """Where to look; into the folder itself only where it was `named`."""
    for place in places:
        yield from (place / usual for usual in wanted.folders)
    yield from places[:1] if named else []


def _category(wanted: PublicSet, found: layouts.Found, category: str | None) -> str:
    if (category or "") not in found:
        choice = f"choose one of {', '.join(found)}" if "" not in found else "it has none, leave it out"
        raise Misfit(f"{wanted.title}: there is no category {category!r}; {choice}.")
    return category or ""


def _split(wanted: PublicSet, split: str | None) -> str:
    known = wanted.splits or ("",)
    if split is not None and split not in wanted.splits:
        choice = f"choose one of {', '.join(wanted.splits)}" if wanted.splits else "it has one, leave it out"
        raise Misfit(f"{wanted.title}: there is no split {split!r}; {choice}.")
    return known[0] if split is None else split


def _absent(wanted: PublicSet, places: Sequence[Path]) -> str:
    where = f" in {' and '.join(map(str, places))}" if places else ""
    return (
        f"{wanted.title}: not found; looked for a folder {wanted.folders[0]} with {wanted.shape}{where}. It is "
        f"published by {wanted.origin}; name the folder around it by the environment variable ANODIFF_DATA, or by "
        "folder=."
    )
