"""Networks of windows: any shape, each row for itself, and every condition reaches them."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from anodiff.nets import NETS
from anodiff.nets.conditioned import patch_of
from anodiff.nets.mlp import seeded

SHAPES = [(1, 1), (1, 2), (3, 1), (1, 17), (2, 33), (38, 8), (1, 100), (4, 128)]
PAST = 7


def told(batch: int, channels: int, length: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "known": torch.rand(batch, channels, length, generator=generator) < 0.5,
        "past": torch.randn(batch, channels, PAST, generator=generator),
        "entity": torch.arange(batch) % 4,
        "calendar": torch.randn(batch, 4, generator=generator),
    }


def built(name: str, channels: int, length: int, **settings):
    whole = {"entities": 3, "calendar": 4, "masked": True, "past": PAST, "silent": False} | settings
    net = seeded(NETS[name], 0, channels=channels, length=length, **whole)
    if net.context.entities is not None:
        torch.nn.init.normal_(net.context.entities, generator=torch.Generator().manual_seed(2))
    return net.eval()


def items(batch: int, channels: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(batch, channels, length, generator=generator), torch.linspace(-1, 0.5, batch)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NETS)
def test_any_shape_with_and_without_conditions(name, shape):
    x, t = items(5, *shape)
    net = built(name, *shape)
    for condition in ({}, told(5, *shape)):
        answer = net(x, t, **condition)
        assert answer.shape == x.shape
        assert answer.dtype == torch.float32
        assert torch.isfinite(answer).all()
        assert net(x[:0], t[:0], **{k: v[:0] for k, v in condition.items()}).shape == (0, *shape)
    plain = built(name, *shape, entities=0, calendar=0, masked=False, past=0)
    assert plain(x, t).shape == x.shape


@pytest.mark.parametrize("shape", [(1, 17), (38, 8)])
@pytest.mark.parametrize("name", NETS)
def test_rows_do_not_mix(name, shape):
    x, t = items(64, *shape)
    net, condition = built(name, *shape), told(64, *shape)
    whole = net(x, t, **condition)
    for rows in (slice(0, 1), slice(5, 12), slice(12, 64)):
        part = net(x[rows], t[rows], **{k: v[rows] for k, v in condition.items()})
        torch.testing.assert_close(part, whole[rows], rtol=1e-6, atol=2e-6)
    double = net.double()
    whole = double(x.double(), t.double(), **condition)
    alone = double(x[3:4].double(), t[3:4].double(), **{k: v[3:4] for k, v in condition.items()})
    torch.testing.assert_close(alone, whole[3:4], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NETS)
def test_every_condition_reaches_the_network(name):
    x, t = items(4, 2, 19)
    net, condition = built(name, 2, 19), told(4, 2, 19)
    condition["past"].requires_grad_()
    condition["calendar"].requires_grad_()
    x.requires_grad_()
    net(x, t, **condition).square().sum().backward()
    for value in (x, condition["past"], condition["calendar"]):
        assert (value.grad.flatten(1) != 0).all()
    assert (net.context.entities.grad != 0).all()
    with torch.no_grad():
        whole = net(x, t, **condition)
        for other in (
            {"known": ~condition["known"]},
            {"past": condition["past"] + 1},
            {"entity": (condition["entity"] + 1) % 4},
            {"calendar": -condition["calendar"]},
        ):
            moved = (net(x, t, **condition | other) - whole).abs().flatten(1).amax(1)
            assert (moved > 1e-5).all(), other.keys()
        assert (net(x, t + 1, **condition) - whole).abs().flatten(1).amax(1).min() > 1e-5


@pytest.mark.parametrize("name", NETS)
def test_what_is_absent_is_unknown(name):
    x, t = items(4, 2, 19)
    net = built(name, 2, 19)
    unknown = {
        "known": torch.zeros(4, 2, 19, dtype=torch.bool),
        "past": torch.full((4, 2, PAST), torch.nan),
        "entity": torch.zeros(4, dtype=torch.long),
        "calendar": torch.zeros(4, 4),
    }
    absent = net(x, t)
    torch.testing.assert_close(net(x, t, **unknown), absent, rtol=1e-6, atol=1e-6)
    for key in unknown:
        torch.testing.assert_close(net(x, t, **{key: unknown[key]}), absent, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NETS)
def test_a_longer_past_is_cut_and_a_shorter_one_is_unknown_before(name):
    x, t = items(4, 2, 19)
    net, past = built(name, 2, 19), torch.randn(4, 2, 20)
    torch.testing.assert_close(net(x, t, past=past), net(x, t, past=past[..., -PAST:]))
    half = past[..., -PAST:].clone()
    half[..., :4] = torch.nan
    torch.testing.assert_close(net(x, t, past=past[..., -3:]), net(x, t, past=half), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NETS)
def test_silent_networks_answer_zero_and_still_learn(name):
    x, t = items(4, 2, 19)
    net = built(name, 2, 19, silent=True)
    answer = net(x, t)
    assert not answer.any()
    (answer - x).square().sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in net.parameters())


@pytest.mark.parametrize("name", NETS)
def test_blind_networks_see_no_level(name):
    x, t = items(4, 2, 19)
    net = built(name, 2, 19, levelled=False)
    assert torch.equal(net(x), net(x, t))


@pytest.mark.parametrize(("channels", "length"), [(1, 100), (38, 8)])
@pytest.mark.parametrize("name", NETS)
def test_small_by_default(name, channels, length):
    net = NETS[name](channels, length, entities=30, calendar=6, masked=True, past=length)
    assert sum(p.numel() for p in net.parameters()) < 500_000


@pytest.mark.parametrize("name", NETS)
def test_same_seed_same_weights_and_a_saved_one_answers_the_same(name, tmp_path: Path):
    x, t = items(4, 2, 19)
    net, condition = built(name, 2, 19), told(4, 2, 19)
    assert torch.equal(built(name, 2, 19)(x, t, **condition), net(x, t, **condition))
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    with torch.device("meta"):
        again = NETS[name](2, 19, entities=3, calendar=4, masked=True, past=PAST)
    again.load_state_dict(load_file(tmp_path / "net.safetensors"), strict=True, assign=True)
    assert torch.equal(again(x, t, **condition), net(x, t, **condition))


def test_a_unet_takes_windows_of_any_length():
    net = built("unet", 2, 40)
    for length in (1, 3, 40, 57):
        x, t = items(4, 2, length)
        assert net(x, t, **told(4, 2, length)).shape == x.shape


def test_patches_are_about_sixteen():
    assert [patch_of(length) for length in (1, 8, 24, 100, 300)] == [1, 1, 2, 6, 19]
