"""Our AdamW and one-cycle rate against torch's, weight by weight."""

import copy

import torch
from torch import Tensor, nn

from anodiff.training import OneCycle, batches, train


def test_steps_are_those_of_torch() -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(5, 16), nn.SiLU(), nn.Linear(16, 5)).double()
    theirs = copy.deepcopy(ours)
    x = torch.randn(300, 5, dtype=torch.float64)

    def loss_of(net: nn.Module) -> object:
        return lambda rows, _: ((net(rows) - rows) ** 2).mean(1)

    draw = torch.Generator().manual_seed(1)
    list(train(ours, loss_of(ours), batches(x, 32, 60, draw), 60, draw, averaging=0.0))
    optimiser = torch.optim.AdamW(theirs.parameters(), 1e-3, weight_decay=1e-4)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=60)
    for rows in batches(x, 32, 60, torch.Generator().manual_seed(1)):
        optimiser.zero_grad()
        loss_of(theirs)(rows, None).mean().backward()
        optimiser.step()
        rate.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(mine, other, rtol=0, atol=1e-9)


def test_the_rate_is_torchs() -> None:
    optimiser = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], 0.2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.2, total_steps=25)
    for number in range(25):
        wanted = optimiser.param_groups[0]["lr"], optimiser.param_groups[0]["betas"][0]
        assert torch.allclose(torch.tensor(OneCycle(25, 0.2)(number)), torch.tensor(wanted), rtol=1e-6)
        optimiser.step()
        schedule.step() if number < 24 else None


def test_weights_own_their_memory_afterwards() -> None:
    net = nn.Linear(3, 3)
    draw = torch.Generator().manual_seed(0)

    def loss(rows: Tensor, _: torch.Generator) -> Tensor:
        return (net(rows) ** 2).mean(1)

    list(train(net, loss, batches(torch.randn(20, 3), 8, 5, draw), 5, draw))
    assert net.weight.untyped_storage().nbytes() == 9 * 4
    assert net.weight.grad is None
