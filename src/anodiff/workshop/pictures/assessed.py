"""What is said of made pictures: what the judge asks for, gathered from a glance at them and at held-out normals."""

from collections.abc import Sequence

import numpy as np
import torch

from anodiff.alarms import Conformal
from anodiff.anomalies.fewshot import Examples
from anodiff.anomalies.judge import Judge
from anodiff.made import Judgement
from anodiff.types import JSON, Mask
from anodiff.workshop.pictures.brush import Painted
from anodiff.workshop.pictures.glance import Glance
from anodiff.workshop.pictures.normals import Normals, region_look, whole_look
from anodiff.workshop.pictures.originals import WHITE, Originals

FEWEST = 8
"""Made pictures that a test of all together needs."""
CHUNK = 16


def assessed(
    glance: Glance,
    normals: Normals,
    examples: Examples | None,
    before: Originals | None,
    after: Sequence[np.ndarray],
    laid: Sequence[np.ndarray],
    done: Painted,
    region: Mask,
    normal: np.ndarray,
    p_value: float,
) -> tuple[list[Judgement], JSON]:
    """A judgement of each, and what is said of all together.

    Args:
        glance: At pictures.
        normals: What held-out ones are like.
        examples: Known anomalies.
        before: The pictures that they were made on; None for nothing.
        after: What they became, each `(H, W[, 3])`.
        laid: Where, each `(H, W)`.
        done: The same in the frame, with scores.
        region: The same in the frame, `(n, S, S)`.
        normal: Which are to be normal `(n,)`.
        p_value: At which the most abnormal are.
    """
    judge, odd = Judge(p_value), normals.odd(region)
    wholes, looks = looked(glance, done.x, region)
    wanted = np.maximum(p_value, Conformal().fit(odd).p_value(done.target.numpy()))
    change = None
    if before is not None:
        change = [
            np.abs(new.astype(np.float32) - old).reshape(*where.shape, -1).mean(2) / WHITE
            for old, new, where in zip(before.pixels, after, laid, strict=True)
        ]
    known = normals.looks
    if examples is not None:
        known = looked(glance, examples.x, examples.region)[1]
    verdicts = judge.verdicts(
        whole=(normals.whole, wholes),
        odd=(odd, done.score.numpy()),
        wanted=np.where(normal, 1.0, wanted),
        change=change,
        region=list(laid),
        looks=(known, looks),
    )
    together = judge.two_sample(normals.whole, wholes) if len(wholes) >= FEWEST else {}
    return verdicts, {"two_sample": together}


def looked(glance: Glance, x: torch.Tensor, region: Mask) -> tuple[np.ndarray, np.ndarray]:
    """What pictures are like apart from their regions, `(n, f)`, and what these look like, `(n, g)`."""
    wholes, looks = [], []
    for start in range(0, len(x), CHUNK):
        seen, here = glance.features(x[start : start + CHUNK]), region[start : start + CHUNK]
        wholes.append(whole_look(seen, here))
        looks.append(region_look(seen, here))
    return np.concatenate(wholes), np.concatenate(looks)
