"""Pictures as they were given: those that cannot be read are passed over, and that is said."""

import numpy as np
import pytest
from PIL import Image as Pillow

from anodiff.data.pictures import album
from anodiff.modalities.image import Image
from anodiff.types import Unreadable
from anodiff.workshop.pictures.originals import originals


def test_what_cannot_be_read_is_named_and_left_out(tmp_path):
    for k in range(3):
        Pillow.fromarray(np.full((20, 30), 40 * k, np.uint8)).save(tmp_path / f"{k}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    image = Image(16).fit(album(sorted(tmp_path.glob("?.png"))))
    with pytest.warns(UserWarning, match=r"1 of 4 pictures cannot be read and are left out: broken\.png"):
        found = originals(album(tmp_path), image)
    assert found.names == ["0.png", "1.png", "2.png"]
    assert [p.shape for p in found.pixels] == [(20, 30)] * 3


def test_nothing_that_can_be_read_is_refused(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(Unreadable, match="not one of the 1 pictures can be read"):
        originals(album(tmp_path), Image(16).fit(np.zeros((1, 8, 8), np.uint8)))
