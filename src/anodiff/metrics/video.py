r"""How well are frames of video told apart, and pixels of them? Over all frames of all clips, once, or clip by clip:

.. math:: \text{micro} = \text{AUROC}\big(\textstyle\bigcup_c y_c, \bigcup_c s_c\big), \qquad
    \text{macro} = \frac{1}{|C|} \sum_{c \in C} \text{AUROC}(y_c, s_c) .

Micro asks for one threshold that serves every clip, as an alarm has; macro does not. A clip whose frames are all normal
or all abnormal has no AUROC: macro leaves it out, and the count of those is part of the answer.

A pitfall that most published numbers stand in: scores that are scaled from 0 to 1 *within each test clip* before they
are pooled. That takes the clip's future to judge its past, and it tells the ranking that every clip holds something
normal and something abnormal, which is what was to be found out; a clip that is wholly normal gets alarms, and one that
is wholly abnormal is spread over all of the scale. `scaled_per_clip` is here to show by how much, nothing else uses it.

Regions and tracks: `video_regions`. What a made clip looks like, beside real ones: `frechet_over_clips`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_curve

from anodiff.metrics.quality import frechet_distance
from anodiff.metrics.ranking import auroc, average_precision
from anodiff.metrics.tally import Tally
from anodiff.types import Misfit, Scores, Unreadable

BATCH = 32


class OfFrames(NamedTuple):
    """How well frames are told apart: `macro` over `clips` clips, `left_out` had frames of one kind only."""

    micro: float
    macro: float
    ap: float
    eer: float
    frames: int
    clips: int
    left_out: int


class Macro(NamedTuple):
    """The mean AUROC of single clips; NaN where no clip has frames of both kinds."""

    auroc: float
    clips: int
    left_out: int


class PixelAuroc(NamedTuple):
    """Over all pixels of all frames; the exact one is within `error` of `auroc`."""

    auroc: float
    ap: float
    error: float
    frames: int


class FrechetOverClips(NamedTuple):
    """A Fréchet distance between clips, in the features of one backbone. It is no FVD: that is this in one network."""

    value: float
    backbone: str
    real: int
    made: int
    features: int


def of_frames(labels: Sequence[np.ndarray], scores: Sequence[Scores]) -> OfFrames:
    """Everything that is said of frames.

    Args:
        labels: Of each clip `(T,)`, 0 or False where the frame is normal, 1 or True where it is not.
        scores: Of each clip `(T,)`, higher is more abnormal, on one scale for all clips.

    Raises:
        Unreadable: numbers differ or are not finite, or all frames of all clips are of one kind.

    >>> of_frames([[0, 0, 1], [0, 0]], [[0.1, 0.2, 0.9], [0.3, 0.95]])
    OfFrames(micro=0.75, macro=1.0, ap=0.5, eer=0.25, frames=5, clips=1, left_out=1)
    """
    y, s = _clips(labels, scores)
    all_y, all_s = np.concatenate(y), np.concatenate(s)
    macro = macro_auroc(y, s)
    return OfFrames(
        auroc(all_y, all_s),
        macro.auroc,
        average_precision(all_y, all_s),
        equal_error_rate(all_y, all_s),
        len(all_y),
        macro.clips,
        macro.left_out,
    )


def micro_auroc(labels: Sequence[np.ndarray], scores: Sequence[Scores]) -> float:
    """AUROC over all frames of all clips; arguments and refusals of `of_frames`."""
    y, s = _clips(labels, scores)
    return auroc(np.concatenate(y), np.concatenate(s))


def macro_auroc(labels: Sequence[np.ndarray], scores: Sequence[Scores]) -> Macro:
    """The mean AUROC of the clips with frames of both kinds; arguments of `of_frames`.

    >>> macro_auroc([[0, 1], [0, 0], [1, 0]], [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    Macro(auroc=0.5, clips=2, left_out=1)
    """
    y, s = _clips(labels, scores)
    of_both = [i for i, each in enumerate(y) if 0 < each.sum() < len(each)]
    each = [auroc(y[i], s[i]) for i in of_both]
    return Macro(float(np.mean(each)) if each else float("nan"), len(each), len(y) - len(each))


def equal_error_rate(labels: np.ndarray, scores: Scores) -> float:
    """Where as large a share of normal frames alarms as of abnormal ones does not; straight lines between thresholds.

    The threshold is chosen by the labels: an oracle's. Lower is better, 0.5 is chance.

    >>> equal_error_rate([0, 0, 1, 1], [0.1, 0.6, 0.5, 0.9])
    0.5
    """
    auroc(labels, scores)  # refuses what is no ranking
    fpr, tpr, _ = roc_curve(np.asarray(labels).astype(int), scores, drop_intermediate=False)
    gap = fpr + tpr - 1
    i = int(np.argmax(gap >= 0))
    if gap[i] == 0 or i == 0:
        return float(fpr[i])
    share = -gap[i - 1] / (gap[i] - gap[i - 1])
    return float(fpr[i - 1] + share * (fpr[i] - fpr[i - 1]))


def pixel_auroc(maps: Iterable[np.ndarray], masks: Iterable[np.ndarray]) -> PixelAuroc:
    """AUROC over all pixels of all frames, in one pass and in memory that does not grow with the video.

    Args:
        maps: Frame by frame `(H, W)`, or clip by clip `(T, H, W)`; higher is more abnormal, one scale for all.
        masks: Alike, True or 1 where abnormal; empty ones for normal frames.

    Raises:
        Unreadable: shapes or numbers differ, or a map is not finite.
        Misfit: no pixel is abnormal, or none is normal.

    >>> pixel_auroc([np.array([[0.1, 0.9]]), np.zeros((1, 2))], [np.array([[0, 1]]), np.zeros((1, 2))]).auroc
    1.0
    """
    tally, frames = Tally(), 0
    try:
        for values, mask in zip(maps, masks, strict=True):
            tally.add(values, mask)
            frames += 1 if np.ndim(values) == 2 else len(values)
    except ValueError as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("there are not as many maps as masks; give one mask for each map.") from None
    return PixelAuroc(tally.auroc(), tally.average_precision(), tally.error(), frames)


def scaled_per_clip(scores: Sequence[Scores]) -> list[np.ndarray]:
    """Scores from 0 to 1 within each clip: the practice that leaks, to show by how much. No score of ours is so scaled.

    >>> [each.tolist() for each in scaled_per_clip([[1.0, 3.0], [7.0, 7.0]])]
    [[0.0, 1.0], [0.0, 0.0]]
    """
    found = [np.asarray(each, dtype=np.float64) for each in scores]
    return [(each - each.min()) / (np.ptp(each) or 1.0) for each in found]


def clip_features(backbone: Callable[[np.ndarray], np.ndarray], clips: Sequence[np.ndarray]) -> np.ndarray:
    r"""What a backbone sees of clips, `(n, 2 f)`: its features on average, and how much they change at a step,

    .. math:: f(x) = \Big( \frac1T \sum_t \phi(x_t),\; \frac{1}{T - 1} \sum_t |\phi(x_{t+1}) - \phi(x_t)| \Big) .

    Args:
        backbone: From frames `(b, H, W[, 3])` to features `(b, ...)`, which are laid out flat.
        clips: `(T, H, W[, 3])` each, of one size, T from 2.

    Raises:
        Unreadable: there is no clip, or one has a single frame.
    """
    if not len(clips):
        raise Unreadable("there are no clips to take features of; give at least one.")
    return np.stack([_clip_feature(backbone, np.asarray(clip), i) for i, clip in enumerate(clips)])


def frechet_over_clips(real: np.ndarray, made: np.ndarray, backbone: str) -> FrechetOverClips:
    """Squared Fréchet distance of clips' features `(n, f)` and `(m, f)`, see `quality.frechet_distance`.

    It means something only beside the same of real clips that were held out, with as many clips on both sides, in the
    same features: `backbone` says in which. Unterthiner et al., "FVD: A new Metric for Video Generation", 2019, take
    one network of theirs; this is not that number.

    Raises:
        Unreadable: fewer than 2 clips, other features, or numbers that are not finite.
        Misfit: the backbone is not named.
    """
    if not backbone:
        raise Misfit("backbone is empty; say in whose features the distance is taken, such as 'efficientnet-lite0'.")
    return FrechetOverClips(frechet_distance(real, made), backbone, len(real), len(made), np.shape(real)[1])


def _clip_feature(backbone: Callable[[np.ndarray], np.ndarray], clip: np.ndarray, i: int) -> np.ndarray:
    if clip.ndim not in (3, 4) or len(clip) < 2:
        raise Unreadable(f"clip {i} has the shape {clip.shape}; give (T, H, W) or (T, H, W, 3) with T from 2.")
    parts = [np.asarray(backbone(clip[k : k + BATCH]), dtype=np.float64) for k in range(0, len(clip), BATCH)]
    seen = np.concatenate([part.reshape(len(part), -1) for part in parts])
    return np.concatenate([seen.mean(0), np.abs(np.diff(seen, axis=0)).mean(0)])


def _clips(labels: Sequence[np.ndarray], scores: Sequence[Scores]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Labels and scores clip by clip, or a refusal."""
    y = [np.atleast_1d(np.asarray(each)) for each in labels]
    s = [np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in scores]
    if len(y) != len(s) or not y:
        raise Unreadable(f"labels of {len(y)} clips and scores of {len(s)}; give a list with both of each clip.")
    for i, (label, score) in enumerate(zip(y, s, strict=True)):
        if label.shape != score.shape or label.ndim != 1:
            raise Unreadable(f"clip {i} has labels {label.shape} and scores {score.shape}; give one of each per frame.")
        if not np.isin(label, (0, 1)).all():
            raise Unreadable(f"clip {i} has labels other than 0 and 1; give 1 where a frame is abnormal, else 0.")
    return [label.astype(np.int64) for label in y], s
