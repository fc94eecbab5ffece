"""A handful of known defects: which of their patches a head is shown."""

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d


def marked(features: Tensor, region: Tensor, least: float = 0.25) -> tuple[Tensor, Tensor, Tensor]:
    """Patches of known defects by their masks.

    Args:
        features: Of the examples, `(B, C, h, w)`.
        region: `(B, H, W)`, True where abnormal; of any resolution.
        least: A patch is of the defect where at least so much of it is; the most covered one always is.

    Returns:
        Patches of defects `(M, C)`, the example each is from `(M,)`, and patches that the defect does not touch.
    """
    height, width = features.shape[2:]
    covered = adaptive_avg_pool2d(region.float()[:, None], (height, width))[:, 0].flatten(1)
    most = covered.amax(1, keepdim=True)
    chosen = (covered >= torch.minimum(most, torch.tensor(least))) & (covered > 0)
    rows = features.movedim(1, 3).flatten(1, 2)
    return rows[chosen], chosen.nonzero()[:, 0], rows[covered == 0]


def suspected(features: Tensor, map: Tensor, share: float = 0.01) -> tuple[Tensor, Tensor]:
    """Patches of known defects without masks: of each example those that an unsupervised map finds the most abnormal.

    Args:
        features: Of the examples, `(B, C, h, w)`.
        map: `(B, h, w)`, higher is more abnormal.
        share: Of the patches of an example, at least one.

    Returns:
        Patches `(M, C)` and the example each is from `(M,)`.
    """
    cells = map.flatten(1)
    top = cells.topk(max(1, round(share * cells.shape[1])), dim=1).indices
    rows = features.movedim(1, 3).flatten(1, 2)
    example = torch.arange(len(rows))[:, None].expand_as(top)
    return rows[example, top].flatten(0, 1), example.flatten()
