"""Records become vectors: each part for itself, missing ones as nothing, and the same after saving."""

import numpy as np
import pytest
import torch

from anodiff.modalities.multimodal import Multimodal
from anodiff.modalities.parts import shape_of
from anodiff.types import BadModel, Misfit, Unreadable
from record_toys import modality, records


@pytest.fixture(scope="module")
def fitted() -> Multimodal:
    return modality().fit(records(20)[0])


def test_lays_parts_side_by_side(fitted: Multimodal) -> None:
    encoded = fitted.encode(records(20)[0])
    assert encoded.x.shape == (20, sum(fitted.widths_))
    assert fitted.columns == ["photo", "step", "force"]
    assert encoded.x.mean(0).abs().max() < 1e-4
    assert encoded.known.all()


def test_what_is_missing_is_nothing(fitted: Multimodal) -> None:
    normal, _ = records(3)
    encoded = fitted.encode({"photo": normal["photo"], "force": [None, 1.0, 2.0]})
    start = fitted.widths_[0]
    text = slice(start, start + fitted.widths_[1])
    assert not encoded.known[:, text].any()
    assert not encoded.x[:, text].any()
    assert encoded.known[:, -1].tolist() == [False, True, True]


def test_a_record_is_encoded_for_itself(fitted: Multimodal) -> None:
    normal, _ = records(6, seed=2)
    whole = fitted.encode(normal).x
    one = fitted.encode({name: column[4:5] for name, column in normal.items()}).x
    assert torch.equal(whole[4:5], one)


def test_comes_back_from_what_it_tells(fitted: Multimodal) -> None:
    normal, _ = records(4, seed=3)
    again = Multimodal.restore(fitted.config(), fitted.arrays())
    assert torch.equal(again.encode(normal).x, fitted.encode(normal).x)
    with pytest.raises(BadModel, match="damaged"):
        Multimodal.restore({**fitted.config(), "widths": [1]}, fitted.arrays())


def test_a_map_is_summed_by_part(fitted: Multimodal) -> None:
    located = fitted.locate(torch.ones(2, sum(fitted.widths_)))
    assert located.tolist() == [[float(width) for width in fitted.widths_]] * 2


def test_refusals() -> None:
    with pytest.raises(Unreadable, match="20 columns to tell apart"):
        Multimodal().fit({f"n{k}": [1.0, 2.0] for k in range(20)})
    with pytest.raises(Misfit, match="pairs is 'some'"):
        Multimodal(pairs="some").fit({"n": [1.0, 2.0]})
    with pytest.raises(Misfit, match="call fit first"):
        Multimodal().encode({"n": [1.0]})
    with pytest.raises(Misfit, match="turned back"):
        Multimodal().decode(torch.zeros(1, 1))


def test_the_shape_of_a_series_stays_finite() -> None:
    for values in ([1.0], [3.0, 3.0, 3.0], [1e300, -1e300, 0.0], [np.nan, 1.0, 2.0, np.nan, 4.0]):
        found = shape_of(np.array(values))
        assert np.isfinite(found).all(), values
        assert found.shape == shape_of(np.arange(9.0)).shape


def test_a_part_that_hardly_any_record_has_is_not_read() -> None:
    data = {"force": np.arange(9.0) ** 2, "said": ["the lid is on now", *[None] * 8], "kilos": [4.0, *[None] * 8]}
    model = Multimodal(encoder="hashed", kinds={"said": "text"})
    _, found = model.fit_encode(data)
    assert model.columns == ["force"]
    assert "Column said is there in 1 of 9 records, too few to learn from" in " ".join(found.notes)
    with pytest.raises(Unreadable, match=r"too few have a part to learn what is normal \(force in 2\)"):
        Multimodal().fit({"force": [1.0, 2.0]})
