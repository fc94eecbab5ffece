"""Pasted anomalies: they change pictures exactly where they say."""

import pytest
import torch

from anodiff.anomalies import ANOMALIES, Blend, Boxes, CutPaste, Seamless
from anodiff.anomalies.paste import another, membrane, one_of, sparing, waves


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n=12, channels=3, size=32):
    """Smooth waves of a phase each, and a little noise."""
    generator = seeded(7)
    phase = 6.28 * torch.rand(n, channels, 1, 1, generator=generator)
    place = torch.linspace(0, 6.28, size)
    waves = torch.sin(place + phase) * torch.cos(place[:, None] - phase)
    return 0.7 * waves + 0.05 * torch.randn(waves.shape, generator=generator)


@pytest.mark.parametrize("name", ANOMALIES)
def test_pictures_differ_exactly_inside_the_mask(name):
    x = pictures()
    before = x.clone()
    bad, mask = ANOMALIES[name](x, seeded())
    assert torch.equal(x, before)
    assert bad.shape == x.shape
    assert mask.shape == (12, 1, 32, 32)
    assert torch.equal((bad != x).any(1, keepdim=True), mask)
    assert mask.flatten(1).any(1).all()
    assert bad.min() >= x.min()
    assert bad.max() <= x.max()
    again, _ = ANOMALIES[name](x, seeded())
    assert torch.equal(again, bad)


@pytest.mark.parametrize("name", ANOMALIES)
def test_pictures_of_one_channel_and_no_square_and_alone(name):
    bad, mask = ANOMALIES[name](pictures(1, 1, 32)[..., :24], seeded())
    assert bad.shape == (1, 1, 32, 24)
    assert mask.any()
    assert bad.isfinite().all()


def test_what_is_cut_and_pasted_comes_from_the_same_picture():
    x = torch.arange(2 * 32 * 32, dtype=torch.float32).reshape(2, 1, 32, 32)
    bad, mask = CutPaste(Boxes(share=(0.05, 0.05)), jitter=0.0)(x, seeded())
    for one, two, where in zip(x, bad, mask, strict=True):
        shift = (two - one)[where]
        assert torch.isin(two[where].round(), one).all()
        assert len(shift.unique()) == 1


def test_a_seamless_paste_meets_the_picture_at_its_edge():
    x, plain = pictures(), Blend(Boxes(share=(0.05, 0.05)), (1.0, 1.0), [another])
    jump = {}
    for name, paste in (("plain", plain), ("seamless", Seamless(plain))):
        bad, mask = paste(x, seeded())
        edge = mask[..., 1:] & ~mask[..., :-1]
        steps = (bad[..., 1:] - bad[..., :-1]).abs() * edge
        jump[name] = float(steps.sum() / edge.sum())
    assert jump["seamless"] < 0.5 * jump["plain"]


def test_a_membrane_is_harmonic():
    place = torch.linspace(-1, 1, 24, dtype=torch.float64)
    saddle = (place[:, None] ** 2 - place**2).expand(1, 2, 24, 24)
    known = torch.ones(1, 1, 24, 24, dtype=torch.bool)
    known[..., 8:14, 9:18] = False
    laid = membrane(torch.where(known, saddle, 5.0), known, sweeps=200)
    torch.testing.assert_close(laid, saddle, rtol=0, atol=1e-3)
    assert (membrane(torch.where(known, saddle, 5.0), known) - saddle).abs().max() < 0.1


def test_opacity_and_foreground_are_kept_to():
    x = pictures()
    left = lambda x: (torch.arange(32) < 16).expand(len(x), 32, 32)  # noqa: E731
    bad, mask = Blend(opacity=(0.1, 0.1), textures=[waves], foreground=left)(x, seeded())
    assert not mask[..., 16:].any()
    assert (bad - x).abs().max() <= 0.1 * (x.max() - x.min()) + 1e-6


def test_some_pictures_are_spared_and_kinds_are_mixed():
    x = pictures(200, 1)
    bad, mask = sparing(one_of([ANOMALIES["blend"], ANOMALIES["scar"]]), 0.3)(x, seeded())
    assert torch.equal((bad != x).any(1, keepdim=True), mask)
    assert 0.2 < 1 - mask.flatten(1).any(1).float().mean() < 0.4
    large = mask.flatten(1).float().mean(1) > 0.025
    assert 0.1 < large.float().mean() < 0.5
