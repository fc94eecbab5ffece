"""Small public sets of pictures, and a detector with the interface of the real one: the difference from the mean."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
from PIL import Image

from anodiff.data.pictures import album
from anodiff.verdict import Verdict

SIDE = 64
FINISH = {"canvas": SIDE, "blur": 2.0, "pool": "max", "share": 0.01, "relative": 0.5}
LEARNT, GOOD, HOLES, CRACKS = 8, 4, 4, 4


def picture(seed: int, kind: str = "good", side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """A grey square with a bright cross, and where it is damaged."""
    draw = np.random.default_rng(seed)
    pixels, mask = np.full((side, side), 120.0), np.zeros((side, side), bool)
    pixels[side // 2 - 3 : side // 2 + 3] = 180
    pixels[:, side // 2 - 3 : side // 2 + 3] = 180
    top, left = draw.integers(6, side - 20, 2)
    if kind == "hole":
        mask[top : top + 12, left : left + 12] = True
    elif kind == "crack":
        mask[top : top + 3, left : left + 14] = True
    pixels[mask] = 20
    return np.clip(pixels + draw.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8), mask


def tiles(place: Path) -> Path:
    """What ANODIFF_DATA may name: a set laid out like the magnetic tiles."""
    root, seed = place / "mtd", 0
    groups: dict[str, list[str]] = {"train_good": [], "test_good": []}
    for part, kind, count in (("train", "good", LEARNT), ("test", "good", GOOD), ("test", "hole", HOLES)):
        for _ in range(count):
            seed += 1
            save(root, part, kind, seed)
            if kind == "good":
                groups[f"{part}_good"].append(f"{seed}.png")
    for _ in range(CRACKS):
        seed += 1
        save(root, "test", "crack", seed)
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(root / "ground_truth" / "crack" / f"{seed}_mask.png")
    (root / "split_grouped.json").write_text(json.dumps(groups), encoding="utf-8")
    return place


def save(root: Path, part: str, kind: str, seed: int) -> None:
    pixels, mask = picture(seed, kind)
    (root / part / kind).mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(root / part / kind / f"{seed}.png")
    if kind != "good":
        (root / "ground_truth" / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 * mask.astype(np.uint8)).save(root / "ground_truth" / kind / f"{seed}_mask.png")


def boards(place: Path, learnt: int = 3, tested: int = 2) -> Path:
    """What ANODIFF_DATA may name: pairs like DeepPCB's."""
    root = place / "deeppcb_pairs"
    (root / "images").mkdir(parents=True)
    lines = []
    for seed in range(learnt + tested):
        pixels, _ = picture(seed)
        Image.fromarray(pixels).save(root / "images" / f"{seed}_temp.jpg")
        boxes = []
        if seed >= learnt:
            damaged = pixels.copy()
            damaged[8:20, 40:54] = 20
            Image.fromarray(damaged).save(root / "images" / f"{seed}_test.jpg")
            boxes = [[40, 8, 54, 20, 1]]
        lines.append(json.dumps({"id": str(seed), "split": "test" if boxes else "train", "boxes": boxes}))
    (root / "pairs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


class Judging:
    """The inner detector: how far each pixel is from the mean, or from its reference."""

    def __init__(self, mean: np.ndarray, known: int) -> None:
        self.mean = mean
        self.known = known
        pool = SimpleNamespace(use="max", share=0.01)
        recipe = SimpleNamespace(name="toy", blur=2.0, relative=0.5, pool=pool)
        self.model_ = SimpleNamespace(
            recipe=recipe, modality=SimpleNamespace(canvas=SIDE, image_=SimpleNamespace(size=SIDE))
        )

    def judge(self, X: Any, *, maps: bool = True) -> Any:
        for picture in album(X).pictures(SIDE):
            usual = self.mean if picture.reference is None else picture.reference.pixels[..., 0]
            map = np.abs(picture.pixels[..., 0] - usual).astype(np.float32) * (1 + self.known)
            score = float(map.max())
            yield Verdict(
                picture.name, picture.path, picture.size, score, 1 / (1 + 60 * score), False, map if maps else None
            )

    def laid(self, verdict: Verdict) -> np.ndarray:
        assert verdict.map is not None
        plane = Image.fromarray(verdict.map)
        return np.asarray(plane.resize(verdict.size[::-1], Image.Resampling.BILINEAR))


class Fake:
    """Stands in for `anodiff.Detector`."""

    def __init__(self, modality: str, **settings: Any) -> None:
        assert modality == "image"
        self.settings = settings

    def fit(self, X: Any, *, examples: Any = None, regions: Any = None) -> Self:
        mean = np.mean([picture.pixels[..., 0] for picture in album(X).pictures(SIDE)], 0)
        assert (examples is None) == (regions is None)
        assert examples is None or len(examples) == len(regions)
        self.inner_ = Judging(mean, 0 if examples is None else len(examples))
        return self
