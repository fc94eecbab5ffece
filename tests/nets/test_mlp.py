"""The backbone: shapes, the level reaches it, rows do not mix."""

import pytest
import torch

from anodiff.nets.embed import Fourier
from anodiff.nets.mlp import MLP, seeded


def test_rows_do_not_mix() -> None:
    net, x, t = MLP(4, 3), torch.randn(6, 4), torch.rand(6)
    whole = net(x, t)
    assert whole.shape == (6, 3)
    assert torch.allclose(net(x[2:3], t[2:3]), whole[2:3], atol=1e-6)


def test_level_matters_only_where_it_is_shown() -> None:
    x = torch.randn(5, 4)
    net = MLP(4, 3)
    assert not torch.allclose(net(x, torch.zeros(5)), net(x, torch.ones(5)))
    blind = MLP(4, 3, levelled=False)
    assert torch.equal(blind(x), blind(x, torch.ones(5)))


def test_embedding_tells_near_numbers_apart() -> None:
    embed = Fourier()
    found = embed(torch.tensor([0.0, 0.01, 1.0]))
    assert found.shape == (3, embed.width)
    assert (found[0] - found[1]).abs().max() > 0.05


def test_seeded_leaves_the_global_state() -> None:
    before = torch.get_rng_state()
    first, again = (seeded(MLP, 3, inputs=2, outputs=2) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.enter.weight, again.enter.weight)
    assert not torch.equal(seeded(MLP, 4, inputs=2, outputs=2).enter.weight, first.enter.weight)


@pytest.mark.parametrize("depth", [1, 4])
def test_depth_is_what_was_asked(depth: int) -> None:
    assert len(MLP(2, 2, depth=depth).blocks) == depth
