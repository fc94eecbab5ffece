r"""Time grids: where a sampler stops on its way from noise to data.

Each returns decreasing times :math:`t_0 > \dots > t_n` `(steps + 1,)` from `start` to `end`, in double precision,
evenly spaced in something: in t, in :math:`\log \mathrm{SNR}`, or in :math:`s^{1/\rho}`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from anodiff.diffusion.noise import Schedule
from anodiff.types import Times

Grid = Callable[[Schedule, int, float, float], Tensor]


def uniform(schedule: Schedule, steps: int, start: float = 1.0, end: float = 0.0) -> Times:  # noqa: ARG001
    """Evenly in t."""
    return torch.linspace(start, end, steps + 1, dtype=torch.float64)


def log_snr(schedule: Schedule, steps: int, start: float = 1.0, end: float = 0.0) -> Times:
    """Evenly in the logarithm of the level (Lu et al., "DPM-Solver++", 2022).

    Where the level at `end` is zero, its logarithm is out of reach: the last step leads there from a thousandth of the
    way.
    """
    first, last = torch.tensor([start, end], dtype=torch.float64)
    if schedule.level(last) > 0:
        return _between(schedule, torch.log, torch.exp, steps, start, end)
    if steps == 1:
        return torch.stack([first, last])
    return torch.cat([log_snr(schedule, steps - 1, start, end + (start - end) / 1000), last[None]])


def karras(schedule: Schedule, steps: int, start: float = 1.0, end: float = 0.0, rho: float = 7.0) -> Times:
    r"""Evenly in :math:`s^{1/\rho}` (Karras et al., 2022)."""
    return _between(schedule, lambda s: s ** (1 / rho), lambda v: v**rho, steps, start, end)


def _between(
    schedule: Schedule,
    to: Callable[[Tensor], Tensor],
    back: Callable[[Tensor], Tensor],
    steps: int,
    start: float,
    end: float,
) -> Tensor:
    ends = torch.tensor([start, end], dtype=torch.float64)
    first, last = to(schedule.level(ends))
    share = torch.linspace(0, 1, steps + 1, dtype=torch.float64)[1:-1]
    return torch.cat([ends[:1], schedule.time(back(first + share * (last - first))), ends[1:]])


GRIDS: dict[str, Grid] = {"uniform": uniform, "log_snr": log_snr, "karras": karras}
