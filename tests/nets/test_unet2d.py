"""The network of pictures: any size, each picture for itself, and every condition reaches it."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from anodiff.nets import PICTURE_NETS
from anodiff.nets.mlp import seeded
from anodiff.nets.unet2d import UNet2d

SHAPES = [(1, 64, 64), (3, 16, 16), (3, 1, 1), (1, 7, 33), (2, 30, 18)]
WHOLE = {"width": 16, "images": 3, "masks": 1, "masked": True, "labels": 3, "silent": False}


def built(channels: int, **settings) -> UNet2d:
    return seeded(PICTURE_NETS["unet2d"], 0, channels=channels, **WHOLE | settings).eval()


def items(batch: int, *shape: int, seed: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, *shape, generator=generator), torch.linspace(-1, 0.5, batch)


def told(batch: int, channels: int, height: int, width: int) -> dict[str, torch.Tensor]:
    return {
        "image": items(batch, 3, height, width, seed=1)[0],
        "mask": items(batch, 1, height, width, seed=2)[0] > 0,
        "known": items(batch, channels, height, width, seed=4)[0] > 0,
        "label": torch.arange(batch) % 4,
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_any_size_with_and_without_conditions(shape):
    x, t = items(5, *shape)
    for net in (built(shape[0]), built(shape[0], factor=2, depth=1)):
        for condition in ({}, told(5, *shape)):
            answer = net(x, t, **condition)
            assert answer.shape == x.shape
            assert torch.isfinite(answer).all()
    assert built(shape[0], images=0, masks=0, masked=False, labels=0)(x, t).shape == x.shape


def test_pictures_do_not_mix():
    x, t = items(24, 2, 20, 20)
    net, condition = built(2), told(24, 2, 20, 20)
    whole = net(x, t, **condition)
    for rows in (slice(0, 1), slice(5, 12)):
        part = net(x[rows], t[rows], **{k: v[rows] for k, v in condition.items()})
        torch.testing.assert_close(part, whole[rows], rtol=1e-5, atol=1e-5)


def test_every_condition_reaches_the_network():
    x, t = items(4, 2, 16, 16)
    net, condition = built(2), told(4, 2, 16, 16)
    with torch.no_grad():
        whole = net(x, t, **condition)
        for other in (
            {"image": condition["image"] + 1},
            {"mask": ~condition["mask"]},
            {"known": ~condition["known"]},
            {"label": (condition["label"] + 1) % 4},
        ):
            moved = (net(x, t, **condition | other) - whole).abs().flatten(1).amax(1)
            assert (moved > 1e-5).all(), other.keys()
        assert (net(x, t + 1, **condition) - whole).abs().flatten(1).amax(1).min() > 1e-5


def test_what_is_absent_is_unknown():
    x, t = items(4, 2, 16, 16)
    net = built(2)
    unknown = {
        "image": torch.full((4, 3, 16, 16), torch.nan),
        "mask": torch.zeros(4, 1, 16, 16),
        "known": torch.zeros(4, 2, 16, 16, dtype=torch.bool),
        "label": torch.zeros(4, dtype=torch.long),
    }
    absent = net(x, t)
    assert torch.equal(net(x, t, **unknown), absent)
    for key, value in unknown.items():
        assert torch.equal(net(x, t, **{key: value}), absent)
    assert not torch.equal(net(x, t, image=torch.zeros(4, 3, 16, 16)), absent)


def test_a_silent_network_answers_zero_and_still_learns():
    x, t = items(4, 1, 16, 16)
    net = built(1, silent=True)
    answer = net(x, t)
    assert not answer.any()
    (answer - x).square().sum().backward()
    assert net.leave.weight.grad.any()


def test_small_by_default_and_blind_when_asked():
    assert 1_000_000 < sum(p.numel() for p in UNet2d().parameters()) < 2_000_000
    x, t = items(2, 1, 16, 16)
    blind = built(1, levelled=False)
    assert torch.equal(blind(x), blind(x, t))


def test_same_seed_same_weights_and_a_saved_one_answers_the_same(tmp_path: Path):
    x, t = items(3, 2, 19, 16)
    net, condition = built(2), told(3, 2, 19, 16)
    before = torch.get_rng_state()
    assert torch.equal(built(2)(x, t, **condition), net(x, t, **condition))
    assert torch.equal(torch.get_rng_state(), before)
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    with torch.device("meta"):
        again = UNet2d(2, **WHOLE)
    again.load_state_dict(load_file(tmp_path / "net.safetensors"), strict=True, assign=True)
    assert torch.equal(again(x, t, **condition), net(x, t, **condition))
