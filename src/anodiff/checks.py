"""The laws that every part obeys, public so that outsiders can run them on theirs.

A check returns nothing; it raises `AssertionError` with the name of the law and of the part that breaks it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.modalities.base import Modality
from anodiff.scores.base import AnomalyScore
from anodiff.scores.combine import parts
from anodiff.types import Batch

REPLAY = 1e-5


def hold(law: bool, *said: object) -> None:
    """Raise unless a law holds.

    >>> hold(1 > 2, "Score", "farther is worse")
    Traceback (most recent call last):
    ...
    AssertionError: Score: farther is worse
    """
    if not law:
        raise AssertionError(": ".join(str(v) if isinstance(v, str) else type(v).__name__ for v in said))


def check_score(score: AnomalyScore, denoiser: Denoiser, normal: Batch, adds_up: bool = True) -> None:
    """A score on a denoiser of `normal` `(n, *event)`: a fitted one, floating, a dozen items or more, roughly centred.

    Args:
        score: The score; if it trains a net of its own, trained.
        denoiser: What it asks.
        normal: Items that the denoiser takes for normal.
        adds_up: Whether the score promises that its map adds up to its total.
    """
    evidence = score(denoiser, normal)
    n = len(normal)
    hold(evidence.total.shape == (n,), score, "one total per item")
    hold(evidence.map.shape == normal.shape, score, "a map shaped like x")
    hold(evidence.total.dtype == evidence.map.dtype == normal.dtype, score, "x's precision is kept")
    hold(not evidence.total.requires_grad and not evidence.map.requires_grad, score, "evidence is detached")
    if adds_up:
        hold(close(evidence.map.flatten(1).sum(1), evidence.total), score, "the map adds up to the total")
    check_each_row_for_itself(score, denoiser, normal)
    check_farther_is_worse(score, denoiser, normal)
    check_cost(score, denoiser, normal)


def check_each_row_for_itself(score: AnomalyScore, denoiser: Denoiser, normal: Batch) -> None:
    """The same item has the same evidence in any order, in any batch, and when asked again."""
    whole = score(denoiser, normal)
    again, backwards = score(denoiser, normal), score(denoiser, normal.flip(0))
    hold(torch.equal(again.total, whole.total), score, "asked again, the same")
    hold(close(backwards.total.flip(0), whole.total), score, "the order does not matter")
    for size in (1, 5):
        pieces = torch.cat([score(denoiser, piece).total for piece in normal.split(size)])  # type: ignore[no-untyped-call]
        hold(close(pieces, whole.total), score, f"batches of {size} are as good as one")


def check_farther_is_worse(score: AnomalyScore, denoiser: Denoiser, normal: Batch) -> None:
    """Six times as far from the centre is more abnormal; a hundred thousand times is finite."""
    centre = normal.mean(0)
    near, far, absurd = (score(denoiser, centre + (normal - centre) * k) for k in (1, 6, 1e5))
    hold(bool(far.total.median() > near.total.median()), score, "farther is worse")
    for evidence in (near, far, absurd):
        hold(bool(evidence.total.isfinite().all() and evidence.map.isfinite().all()), score, "evidence is finite")


def check_cost(score: AnomalyScore, denoiser: Denoiser, normal: Batch) -> None:
    """`nfe` is what an item costs: evaluations of denoisers and of the score's own nets, counted."""
    own = [part.net for part in parts(score) if isinstance(part, nn.Module) and isinstance(part.net, nn.Module)]
    with counting([m for m in denoiser.modules() if isinstance(m, Denoiser)] + own) as rows:
        score(denoiser, normal)
    hold(score.nfe > 0 and sum(rows) == score.nfe * len(normal), score, f"nfe {score.nfe} is {sum(rows) / len(normal)}")


def check_denoiser(denoiser: Denoiser, normal: Batch) -> None:
    """Shapes, precision and rows for themselves; a little noise is no reason to leave x; the variance is no debt."""
    n = len(normal)
    times = torch.linspace(0.05, 1, n, dtype=normal.dtype)
    with torch.no_grad():
        posterior: Posterior = denoiser(normal, times)
        each = [denoiser(normal[i : i + 1], times[i : i + 1]).mean for i in range(n)]
        one = denoiser(normal, times[n // 2]).mean
        same = denoiser(normal, times[n // 2].expand(n)).mean
    hold(posterior.mean.shape == normal.shape, denoiser, "a mean shaped like x")
    hold(posterior.mean.dtype == normal.dtype, denoiser, "x's precision is kept")
    hold(bool(posterior.mean.isfinite().all()), denoiser, "the mean is finite")
    hold(close(torch.cat(each), posterior.mean), denoiser, "each row for itself")
    hold(close(one, same), denoiser, "one time is that time for every item")
    if posterior.variance is not None:
        hold(posterior.variance.shape == normal.shape, denoiser, "a variance per coordinate")
        hold(bool((posterior.variance >= 0).all()), denoiser, "no variance is negative")


def check_sampler(factory: Callable[[Denoiser], Any], denoiser: Denoiser, start: Batch) -> None:
    """`factory(denoiser)` walks from `start` `(n, *event)` to a finite state of the same shape; its nfe is honest."""
    with counting([denoiser]) as rows, torch.no_grad():
        end: Tensor = factory(denoiser)(start)
    hold(end.shape == start.shape and end.dtype == start.dtype, factory(denoiser), "a state like the start")
    hold(bool(end.isfinite().all()), factory(denoiser), "the end is finite")
    hold(sum(rows) == factory(denoiser).nfe * len(start), factory(denoiser), "nfe is what an item costs")


def check_modality(modality: Modality, X: Any) -> None:
    """Fitted on `X`: encodes to finite float32, decodes, locates with sums kept, and survives its own config."""
    encoded = modality.fit(X).encode(X)
    hold(encoded.x.dtype == torch.float32 and bool(encoded.x.isfinite().all()), modality, "x is float32 and finite")
    hold(
        encoded.known.dtype == torch.bool and encoded.known.shape == encoded.x.shape, modality, "known is shaped like x"
    )
    hold(bool((encoded.x[~encoded.known] == 0).all()), modality, "what is not known is 0")
    again = modality.encode(modality.decode(encoded.x, encoded.known))
    hold(torch.equal(again.known, encoded.known), modality, "decoding and encoding keep what is known")
    hold(close(again.x, encoded.x, 1e-3), modality, "decoding and encoding keep x")
    located = modality.locate(torch.ones_like(encoded.x), encoded.known)
    hold(np.isclose(np.nansum(located), encoded.x.numel(), rtol=1e-5), modality, "locating keeps sums")
    twin = type(modality).restore(modality.config(), modality.arrays())
    hold(torch.equal(twin.encode(X).x, encoded.x), modality, "its config and arrays are all that it knows")


def check_detector(detector: Any, normal: np.ndarray, abnormal: np.ndarray) -> None:
    """A detector with PyOD's names, fitted here on half of `normal` `(n, d)`; `abnormal` `(m, d)` should stand out.

    Args:
        detector: Has `fit`, `decision_function`, `p_value`, `predict`, `threshold` and PyOD's attributes.
        normal: At least 40 rows.
        abnormal: At least one row.
    """
    half = len(normal) // 2
    hold(detector.fit(normal[:half]) is detector, detector, "fit returns itself")
    X = np.concatenate([normal[half:], abnormal])
    scores = detector.decision_function(X)
    hold(scores.shape == (len(X),) and scores.dtype == np.float64, detector, "one double per row")
    hold(bool(np.isfinite(scores).all()), detector, "no score is NaN or infinite")
    hold(
        np.median(scores[len(normal) - half :]) > np.median(scores[: len(normal) - half]),
        detector,
        "abnormal is higher",
    )
    backwards = detector.decision_function(X[::-1].copy())[::-1]
    alone = np.concatenate([detector.decision_function(X[i : i + 1]) for i in (0, len(X) - 1)])
    hold(np.allclose(backwards, scores, rtol=REPLAY, atol=0), detector, "order does not matter")
    hold(np.allclose(alone, scores[[0, -1]], rtol=REPLAY, atol=0), detector, "the batch does not matter")
    p, rate = detector.p_value(X), 0.1
    hold(bool(((p > 0) & (p <= 1)).all()), detector, "p-values lie in (0, 1]")
    hold(bool((np.diff(p[np.argsort(scores)]) <= 0).all()), detector, "p falls as the score rises")
    alarms = detector.predict(X, false_alarm_rate=rate)
    hold(set(np.unique(alarms)) <= {0, 1}, detector, "labels are 0 and 1")
    hold(np.array_equal(alarms == 1, p <= rate), detector, "an alarm is a p-value up to the rate")
    hold(np.array_equal(alarms == 1, scores > detector.threshold(rate)), detector, "and a score above the threshold")
    hold(detector.decision_scores_.shape == (half,), detector, "a left-out score per row of fit")
    labels = (detector.decision_scores_ > detector.threshold_).astype(int)
    hold(np.array_equal(detector.labels_, labels), detector, "labels_ are what the threshold says")


def close(a: Tensor, b: Tensor, relative: float = REPLAY) -> bool:
    """Equal up to `relative` of each value, or of a typical one where the value itself is small."""
    typical = float(b.abs().median()) if b.numel() else 0.0
    return torch.allclose(a, b, rtol=relative, atol=relative * typical)


@contextmanager
def counting(modules: list[nn.Module]) -> Iterator[list[int]]:
    """A list that grows by the number of items whenever one of the modules is asked, other than by another of them."""
    rows: list[int] = []
    inside: list[nn.Module] = []

    def enter(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        rows.extend([] if inside else [len(given[0])])
        inside.append(module)

    hooks = [m.register_forward_pre_hook(enter) for m in modules]
    hooks += [m.register_forward_hook(lambda *_: inside.pop() and None) for m in modules]
    try:
        yield rows
    finally:
        for hook in hooks:
            hook.remove()
