r"""A handful of known defects: which patches a head is shown, and how loudly it is heard,

.. math:: a = z + w_n \max(z_\text{head} - c, 0), \qquad w_n = w \, \tau \, \frac{n}{n + n_{1/2}},

both maps in scales of held-out normals. The head may raise the unsupervised map and never lower it: it knows only what
it was shown. With n examples it is trusted by :math:`\tau`, how well heads find an example that they were not shown.
"""

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


def tail_scale(values: Tensor, share: float = 1e-3) -> tuple[float, float]:
    """Median and scale of a map's values on held-out normals, so that `share` of them lie above 3.09 scales.

    The scale is that of the upper tail: a normal patch hardly ever stands out, whatever the shape of the rest.

    Args:
        values: Any shape; each value one patch.
        share: As small as there are values for; of fewer than 1 / share values the highest stands for the tail.
    """
    ordered = values.double().flatten().sort().values
    middle, high = (float(ordered[min(round(part * len(ordered)), len(ordered) - 1)]) for part in (0.5, 1 - share))
    return middle, max((high - middle) / 3.09, 1e-9)


def trust(left_out: Tensor, of: Tensor, normal: Tensor) -> float:
    """How well a head finds examples that it was not shown: 0 for chance or worse, 1 for all normals below each.

    Args:
        left_out: Log-odds of the defects' patches by heads that were not shown their example, `(M,)`.
        of: Which example each is from, `(M,)`; each counts the same.
        normal: Log-odds of held-out normal patches, any shape.
    """
    ordered = normal.flatten().sort().values
    below = torch.searchsorted(ordered, left_out.contiguous()).double() / len(ordered)
    mean = torch.stack([below[of == example].mean() for example in torch.unique(of)]).mean()
    return max(0.0, 2 * float(mean) - 1)


def weight_of(examples: int, trusted: float = 1.0, most: float = 1.0, half: float = 3.0) -> float:
    """How loudly a head is heard: `most` times what is trusted of it, and half of that with `half` examples.

    >>> [round(weight_of(n), 2) for n in (0, 1, 3, 10)]
    [0.0, 0.25, 0.5, 0.77]
    """
    return most * trusted * examples / (examples + half)


def fused(unsupervised: Tensor, head: Tensor, weight: float, least: float = 2.0) -> Tensor:
    r""":math:`z + w \max(z_\text{head} - c, 0)`, of maps in scales of held-out normals.

    Args:
        unsupervised: The z, any shape.
        head: :math:`z_\text{head}`, of the same shape.
        weight: w.
        least: c, above which the head is heard: by about 2 % of the normals, so that they hardly move.
    """
    return unsupervised + weight * (head - least).clamp(min=0)


def scaled(values: Tensor, scale: tuple[float, float]) -> Tensor:
    """Values less the middle, in units of the `scale` that `tail_scale` gave."""
    return (values - scale[0]) / scale[1]
