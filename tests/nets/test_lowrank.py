"""Low-rank adaptation: the same at first, little to train, and what was trained can be given to another copy."""

import copy

import pytest
import torch
from torch import nn

from anodiff.nets.lowrank import LowRank, adapted, learnt, relearn
from anodiff.nets.unet2d import UNet2d
from anodiff.types import Misfit


@pytest.fixture
def net() -> UNet2d:
    torch.manual_seed(0)
    return UNet2d(1, width=8, masked=True, silent=False)


def asked(net: nn.Module) -> torch.Tensor:
    x = torch.linspace(-1, 1, 2 * 16 * 16).reshape(2, 1, 16, 16)
    return net(x, torch.tensor([0.1, -0.3]), known=x > 0)


def test_adapted_is_the_same_at_first(net: UNet2d) -> None:
    assert torch.equal(asked(adapted(net, 4)), asked(net))


def test_little_is_trained_and_the_rest_is_kept(net: UNet2d) -> None:
    made = adapted(net, 2)
    trained, whole = (sum(w.numel() for w in module) for module in (learnt(made).values(), net.parameters()))
    assert trained < whole / 3
    before = copy.deepcopy(net.state_dict())
    weights = [w for w in made.parameters() if w.requires_grad]
    optimiser = torch.optim.SGD(weights, 1.0)
    asked(made).square().mean().backward()
    optimiser.step()
    assert not torch.equal(asked(made), asked(net))
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())


def test_the_change_of_a_layer_has_the_rank() -> None:
    layer = LowRank(nn.Linear(12, 10), 3, torch.Generator().manual_seed(0))
    nn.init.normal_(layer.up.weight)
    with torch.no_grad():
        change = layer(torch.eye(12)) - layer.layer(torch.eye(12))
    assert int(torch.linalg.matrix_rank(change, atol=1e-5)) == 3


def test_strides_and_kernels_are_kept() -> None:
    for conv in (nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(4, 6, 2, 2), nn.Conv2d(4, 6, 1)):
        layer = LowRank(conv, 2, torch.Generator().manual_seed(0))
        assert layer(torch.zeros(1, 4, 8, 8)).shape == conv(torch.zeros(1, 4, 8, 8)).shape


def test_what_was_learnt_moves_to_another_copy(net: UNet2d) -> None:
    one, other = adapted(net, 2, seed=0), adapted(net, 2, seed=1)
    for name, weight in one.named_parameters():
        if "up" in name and weight.requires_grad:
            nn.init.normal_(weight)
    assert not torch.allclose(asked(one), asked(other))
    relearn(other, learnt(one))
    assert torch.equal(asked(one), asked(other))
    with pytest.raises(ValueError, match="another network"):
        relearn(adapted(net, 3), learnt(one))


def test_a_rank_below_one_is_refused(net: UNet2d) -> None:
    with pytest.raises(Misfit, match="rank of an adaptation is 0"):
        adapted(net, 0)
