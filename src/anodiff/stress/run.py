"""Anomalies are made, the detector is asked, and what it says is held against what it says of normals."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from anodiff.made import one_of_these
from anodiff.stress.curve import Cell, StressCurve
from anodiff.stress.held import Items, Score, Spans
from anodiff.types import Misfit

STRENGTHS = (0.1, 0.25, 0.5, 0.75, 1.0)
N = {"tabular": 100, "series": 40, "image": 16}


def stress(
    detector: Any,
    generator: Any,
    X: Any,
    *,
    strengths: Sequence[float] = STRENGTHS,
    sizes: Sequence[float | tuple[float, float]] | None = None,
    kinds: Sequence[str] | None = None,
    where: str | Sequence[str] | None = None,
    n: int | None = None,
    seed: int = 0,
    false_alarm_rate: float = 0.05,
    higher_is_abnormal: bool | None = None,
) -> StressCurve:
    """The detectability curve of any fitted detector: this package's, PyOD's, scikit-learn's, or a function.

    Args:
        detector: Fitted. `score_samples` is taken to be lower for anomalies, as scikit-learn has it, a
            `decision_function` without it to be higher, as PyOD and this package have it. Of series it is asked for one
            score per instant.
        generator: A fitted `Generator`, which need not have been fitted on the same data.
        X: Normal items that neither has seen, to make anomalies on and to hold them against.
        strengths: Of the curve, above 0 up to 1.
        sizes: Shares of an item that regions cover, a number or least and most each; by default the places' own.
        kinds: By name; by default all that the generator has. One that cannot be made on X is left out, and that is
            said, unless nothing is left.
        where: Places by name; by default each kind's own.
        n: How many are made for each kind, place, size and strength; by default 100 rows, 40 series, 16 pictures. None
            is left out.
        seed: Of every draw. Different strengths are made at the same places of the same items.
        false_alarm_rate: At which the share that is found is measured.
        higher_is_abnormal: Which way the scores go, where it is not as said above; a function needs it.

    Raises:
        Misfit: the detector is not fitted or gives no scores, or X is too small for the rate, or something is ordered
            that cannot be made.
        Unreadable: scores are not one finite number per item, or per instant.
    """
    if not hasattr(generator, "kind_"):
        raise Misfit(f"generator is a {type(generator).__name__}; give a fitted anodiff.Generator.")
    if not len(strengths):
        raise Misfit("strengths are empty; give some above 0 up to 1, such as (0.1, 0.5, 1.0).")
    kind = generator.kind_
    bench = (Spans if kind == "series" else Items)(
        kind, scorer(detector, higher_is_abnormal), X, false_alarm_rate, seed
    )
    places = ["auto"] if where is None else [where] if isinstance(where, str) else list(where)
    names = [kinds] if isinstance(kinds, str) else generator.kinds_ if kinds is None else kinds
    ranges = [None] if sizes is None else [_pair(size) for size in sizes]
    for name in names:
        one_of_these("kind", name, list(generator.kinds_), "such generators")
    cells, left_out = list[Cell](), dict[str, str]()
    ordered = {"n": N[kind] if n is None else n, "on": X, "judged": False, "seed": seed}
    for number, (name, place, size) in enumerate(product(names, places, ranges)):
        for strength in sorted(float(each) for each in strengths):
            try:
                made = generator.sample(**ordered, where=place, kind=name, strength=strength, size=size)
            except Misfit as error:
                left_out[name if place == "auto" else f"{name}, {place}"] = str(error)
                break
            auroc, recall = bench.held_against(made, number)
            cells.append(Cell(name, place, size, strength, len(made), auroc, recall))
    if not cells:
        raise Misfit(next(iter(left_out.values()), "kinds are empty; give some, or leave them out for all."))
    return StressCurve(kind, float(false_alarm_rate), bench.normals, cells, bench.spots(), left_out)


def scorer(detector: Any, higher_is_abnormal: bool | None = None) -> Score:
    """A function from items to scores, higher is more abnormal.

    Raises:
        Misfit: it is not known how to ask the detector, or which way its scores go.

    >>> scorer(max)
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: max says not which way its scores go; give higher_is_abnormal=True or False.
    """
    for name, up in (("score_samples", False), ("decision_function", True)):
        if callable(asked := getattr(detector, name, None)):
            return _signed(asked, up if higher_is_abnormal is None else higher_is_abnormal)
    what = getattr(detector, "__name__", type(detector).__name__)
    if not callable(detector):
        raise Misfit(f"{what} gives no scores; give a detector with decision_function or score_samples, or a function.")
    if higher_is_abnormal is None:
        raise Misfit(f"{what} says not which way its scores go; give higher_is_abnormal=True or False.")
    return _signed(detector, higher_is_abnormal)


def _signed(asked: Callable[[Any], Any], up: bool) -> Score:
    def score(items: Any) -> np.ndarray:
        try:
            said = np.asarray(asked(items), dtype=np.float64)
        except NotFittedError as error:
            raise Misfit(f"the detector is not fitted ({error}); fit it on normal data first.") from None
        return said if up else -said

    return score


def _pair(size: float | tuple[float, float]) -> tuple[float, float]:
    low, high = size if isinstance(size, Sequence) else (size, size)
    return float(low), float(high)
