"""Maps on disk come back as they were, in half precision, wherever they are asked for."""

import os

import numpy as np
import pytest
import torch

from anodiff.data.stack import BATCH, Stack, along

SHAPES = {"wide": (3, 4, 5), "deep": (7, 2, 2)}


def planes(n: int) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [{name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()} for _ in range(n)]


def test_gives_back_what_it_was_given() -> None:
    given = planes(20)
    with Stack(SHAPES) as stack:
        for each in given:
            stack.add(each)
        assert len(stack) == 20
        for name in SHAPES:
            whole = torch.stack([each[name] for each in given])
            places = [3, 3, 19, 0]
            found = stack.plane(name, places)
            assert found.dtype == torch.float32
            assert torch.equal(found, whole[places].half().float())
            assert torch.equal(stack.plane(name, np.arange(20)), whole.half().float())
            assert stack.plane(name, []).shape == (0, *SHAPES[name])


def test_may_be_added_to_after_it_was_read() -> None:
    given = planes(4)
    with Stack(SHAPES) as stack:
        stack.add(given[0])
        stack.plane("wide", [0])
        stack.add(given[1])
        assert torch.equal(stack.plane("wide", [1, 0])[0], given[1]["wide"].half().float())


def test_standardised_then_turned() -> None:
    given = planes(6)
    mean, std = torch.randn(3), torch.rand(3) + 0.5
    basis = torch.randn(3, 2)
    with Stack(SHAPES) as stack:
        for each in given:
            stack.add(each)
        plain = stack.plane("wide", range(6))
        stack.scale("wide", mean, std)
        scaled = (plain - mean[:, None, None]) / std[:, None, None]
        torch.testing.assert_close(stack.plane("wide", range(6)), scaled)
        stack.turn("wide", basis)
        assert stack.shapes["wide"] == (2, 4, 5)
        expected = torch.stack([torch.tensordot(basis.T, one, 1) for one in scaled])
        torch.testing.assert_close(stack.plane("wide", range(6)), expected)
        torch.testing.assert_close(along(scaled, basis), expected)
        assert stack.plane("deep", [0]).shape == (1, 7, 2, 2)


def test_a_few_at_a_time() -> None:
    with Stack(SHAPES) as stack:
        for each in planes(2 * BATCH + 1):
            stack.add(each)
        parts = list(stack.batches("wide", np.arange(2 * BATCH + 1)))
        assert [len(places) for places, _ in parts] == [BATCH, BATCH, 1]
        assert torch.equal(torch.cat([x for _, x in parts]), stack.plane("wide", range(2 * BATCH + 1)))
        assert [places.tolist() for places, _ in stack.batches("deep", [5, 2, 9], 2)] == [[5, 2], [9]]


def test_what_is_cut_off_cannot_be_asked_for() -> None:
    with Stack(SHAPES) as stack:
        for each in planes(5):
            stack.add(each)
        stack.cut(3)
        assert len(stack) == 3
        stack.plane("wide", [0, 2])
        for place in (3, -1):
            with pytest.raises(IndexError, match="the stack holds 3 pictures"):
                stack.plane("wide", [0, place])
        stack.cut(9)
        assert len(stack) == 3


def test_leaves_no_file_behind(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Stack(SHAPES) as stack:
        stack.add(planes(1)[0])
        assert os.listdir(str(tmp_path)) == []
    with pytest.raises(ValueError, match="closed"):
        stack.plane("wide", [0])
