"""Masks find their pictures, and keep their place in a frame."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anodiff.data.frames import Frame
from anodiff.data.masks import in_frame, masks_of
from anodiff.types import Misfit, Unreadable


def write(path: Path, shape=(6, 8), at=(2, 3)) -> Path:
    mask = np.zeros(shape, np.uint8)
    mask[at] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)
    return path


def test_arrays_files_and_nothing(tmp_path):
    bools = np.eye(6, 8, dtype=bool)
    colour = np.zeros((6, 8, 3), np.uint8)
    colour[1, 1, 2] = 200
    found = masks_of([bools, colour, write(tmp_path / "a.png"), None], list("abcd"), [(6, 8)] * 4)
    assert (found[0] == bools).all()
    assert np.argwhere(found[1]).tolist() == [[1, 1]]
    assert np.argwhere(found[2]).tolist() == [[2, 3]]
    assert found[3] is None
    assert masks_of(None, ["a", "b"], [(6, 8)] * 2) == [None, None]
    assert masks_of(np.stack([bools, ~bools]), ["a", "b"], [(6, 8)] * 2)[1] is not None


def test_a_folder_is_matched_by_name(tmp_path):
    write(tmp_path / "crack" / "000_mask.png", at=(0, 0))
    write(tmp_path / "hole" / "000_mask.png", at=(1, 1))
    write(tmp_path / "hole" / "001.png", at=(2, 2))
    names = ["parts/test/hole/000.jpg", "hole/001.jpg", "parts/test/crack/000.jpg", "hole/002.jpg"]
    found = masks_of(tmp_path, names, [(6, 8)] * 4)
    assert [None if mask is None else np.argwhere(mask).tolist()[0] for mask in found] == [[1, 1], [2, 2], [0, 0], None]
    with pytest.raises(Unreadable, match=r"000_mask\.png may both be the mask of 000\.png; give regions as a list"):
        masks_of(tmp_path, ["000.png"], [(6, 8)])
    with pytest.raises(Unreadable, match=r"no mask for any of 1 examples; .* called 7_mask\.png"):
        masks_of(str(tmp_path), ["7.png"], [(6, 8)])
    with pytest.raises(Unreadable, match="cannot be listed"):
        masks_of(tmp_path / "gone", ["7.png"], [(6, 8)])


def test_refusals(tmp_path):
    mask = np.ones((6, 8), bool)
    with pytest.raises(Misfit, match="1 regions for 2 examples; give one mask, or None, for each"):
        masks_of([mask], ["a", "b"], [(6, 8)] * 2)
    with pytest.raises(Misfit, match="the mask of b is 6 x 8 pixels, its picture is 8 x 6"):
        masks_of([None, mask], ["a", "b"], [(6, 8), (8, 6)])
    with pytest.raises(Misfit, match=r"the mask of a has shape \(6,\)"):
        masks_of([mask[:, 0]], ["a"], [(6, 8)])
    with pytest.raises(Misfit, match="regions are a int"):
        masks_of(3, ["a"], [(6, 8)])
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(Unreadable, match=r"mask .*a\.png: "):
        masks_of([tmp_path / "a.png"], ["a"], [(6, 8)])
    assert masks_of([mask[:1]], ["unread"], [None]) == [None]


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
def test_a_mask_lies_in_the_frame_as_its_picture_does(fit):
    mask = np.zeros((40, 80), bool)
    mask[10:20, 30:50] = True
    frame = Frame(40, fit)
    found = in_frame(mask, frame)
    assert found.shape == (40, 40)
    back = frame.back(found, mask.shape) > 0.5
    assert (back & mask).sum() / (back | mask).sum() > 0.8
    dot = np.zeros((400, 800), bool)
    dot[200, 400] = True
    assert in_frame(dot, frame).any()
    assert in_frame(~np.zeros((40, 80), bool), frame).all()
