"""The public sets of video that are known: UCSD Ped2 as it lies beside the project, and others in the same layout.

`video_set("ped2")` looks for the set in folders of the usual names, under the folder that the environment variable
ANODIFF_DATA names and under its folder video. Nothing is downloaded: each set has its own terms.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anodiff.types import Misfit, Unreadable

FOLDERS = {"ped2": ("ucsd_ped2", "ped2", "UCSDped2")}
SHAPE = "train/<clip>/<frame>, test/<clip>/<frame>, frame_labels.json and masks/<clip>.npz"


@dataclass(frozen=True)
class VideoSet:
    """Clips that are learnt and clips that are judged, with their truth.

    Attributes:
        name: Of the set.
        folder: Where it lies.
        train: Folders of frames, all normal.
        test: Folders of frames.
        labels: Of each test clip `(T,)`, 1 where the frame is abnormal.
    """

    name: str
    folder: Path
    train: list[Path]
    test: list[Path]
    labels: list[np.ndarray]

    def masks(self, clip: int) -> np.ndarray | None:
        """Where the frames of a test clip are abnormal, `(T, H, W)` bool; None where nobody says.

        Raises:
            Unreadable: the file of masks is not what it should be.
        """
        path = self.folder / "masks" / f"{self.test[clip].name}.npz"
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as held:
                shape = tuple(int(each) for each in held["shape"])
                found = np.unpackbits(held["mask"], axis=-1)[..., : shape[-1]].astype(bool)
        except (OSError, ValueError, KeyError) as error:
            raise Unreadable(f"{path} holds no masks ({error}); give packed bits as mask, and their shape.") from None
        if found.shape != shape:
            raise Unreadable(f"{path} holds masks of shape {found.shape}, and says {shape}; write it anew.")
        return found


def video_set(name: str = "ped2", root: str | Path | None = None) -> VideoSet:
    """A public set.

    Args:
        name: Of the set: "ped2".
        root: Its folder, or one that it lies in; else what ANODIFF_DATA names.

    Raises:
        Misfit: there is no such set.
        Unreadable: it is not there, or laid out otherwise.
    """
    if name not in FOLDERS:
        raise Misfit(f"no public set of video is called {name!r}; choose one of {', '.join(FOLDERS)}.")
    folder = next((each for each in places(name, root) if (each / "frame_labels.json").is_file()), None)
    if folder is None:
        where = root or os.environ.get("ANODIFF_DATA") or "ANODIFF_DATA (which is not set)"
        raise Unreadable(f"no folder of {name} is in {where}; it must hold {SHAPE}.")
    train, test = (parts(folder / part) for part in ("train", "test"))
    said = json.loads((folder / "frame_labels.json").read_text(encoding="utf-8"))
    unsaid = [each.name for each in test if each.name not in said]
    if unsaid or not train or not test:
        lack = f"labels of {unsaid[0]}" if unsaid else "clips in train or test"
        raise Unreadable(f"{folder} has no {lack}; it must hold {SHAPE}.")
    return VideoSet(name, folder, train, test, [np.asarray(said[each.name], int) for each in test])


def places(name: str, root: str | Path | None) -> Iterator[Path]:
    """Where a set may lie."""
    given = root or os.environ.get("ANODIFF_DATA")
    if given is None:
        return
    yield Path(given)
    for above in (Path(given), Path(given) / "video"):
        yield from (above / folder for folder in FOLDERS[name])


def parts(folder: Path) -> list[Path]:
    """The folders in a folder, by name."""
    return sorted(each for each in folder.glob("*") if each.is_dir())
