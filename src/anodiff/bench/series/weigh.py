"""The measurements of `cost`, in the process that it starts: `python -m anodiff.bench.series.weigh '{"name": ...}'`."""

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from anodiff.bench.measure import measured
from anodiff.bench.series.cost import KINDS, SIZES, made
from anodiff.bench.series.ours import fitted, members_of
from anodiff.bench.series.timed import timed
from anodiff.detect_series import SeriesDetector
from anodiff.types import JSON

if TYPE_CHECKING:
    from anodiff.live import Stream

PER, WARM, LEARNT = 100_000, 1_000, 20_000
LIVE_SECONDS = 120.0
Fit = Callable[[np.ndarray], SeriesDetector]
GAUSSIAN = {
    "name": "gaussian-windows",
    "about": "A Gaussian of windows, for the cost of the closed form.",
    "smooth": "1P",
    "views": {"fixed": {"length": 100}},
    "denoisers": {"gauss": {"use": "gaussian", "view": "fixed"}},
    "scores": {"gauss": {"use": "residual", "of": "gauss", "settings": {"levels": [0.5], "power": 2.0}}},
}


def univariate(fit: Fit, sizes: tuple[int, int]) -> dict[str, JSON]:
    """Seconds per 100,000 instants: of the default, of its members by kind, and of a Gaussian that is no part of it."""
    X, new = made(*sizes), made(*sizes, seed=1)
    with timed() as fitting:
        detector = fit(X)
    with timed() as scoring:
        detector.decision_function(new)
    found = {"fit": fitting.told(""), "default score": scoring.told("")}
    kinds = {kind: members_of(detector, *uses) for kind, uses in KINDS.items()}
    found |= {kind: _by(detector, new, names) for kind, names in kinds.items() if names}
    with timed() as fitting:
        gaussian = SeriesDetector(recipe=GAUSSIAN).fit(X)
    found["a Gaussian alone: fit"] = fitting.told("")
    found["a Gaussian alone: score"] = _by(gaussian, new, list(gaussian.whole_.members))
    return {what: _scaled(told, PER / len(X)) for what, told in found.items()}


def machine(fit: Fit, sizes: tuple[int, int]) -> dict[str, JSON]:
    """Seconds of a machine all told: fitted, then as many instants scored."""
    X, new = made(*sizes), made(*sizes, seed=1)
    with measured() as grown, timed() as fitting:
        detector = fit(X)
    with timed() as scoring:
        detector.decision_function(new)
    return {"fit": {**fitting.told(""), "megabytes": grown.megabytes}, "default score": scoring.told("")}


def million(fit: Fit, sizes: tuple[int, int]) -> dict[str, JSON]:
    """Megabytes by which the process grows while a long series, which it holds already, is scored."""
    detector, new = fit(made(min(LEARNT, sizes[0]), sizes[1])), made(*sizes, seed=1)
    with measured() as grown, timed() as spent:
        detector.decision_function(new)
    return {"memory": {**spent.told(""), "megabytes": grown.megabytes}}


def live(fit: Fit, sizes: tuple[int, int]) -> dict[str, JSON]:
    """Milliseconds per instant of a stream, and how far memory grows; it ends early where that takes too long."""
    stream = fit(made(min(LEARNT, sizes[0]), sizes[1])).stream()
    rows = made(*sizes, seed=1)
    _feed(stream, rows[:300])
    with measured() as grown, timed() as spent:
        took = _feed(stream, rows[300:])
    each = 1000 * np.asarray(took)
    return {
        "live": {
            **_scaled(spent.told(""), 1000 / len(each), "milli"),
            "median_milliseconds": float(np.median(each)),
            "p99_milliseconds": float(np.quantile(each, 0.99)),
            "megabytes": grown.megabytes,
            "instants": len(each),
        }
    }


def _feed(stream: "Stream", rows: Iterable[np.ndarray]) -> list[float]:
    """Seconds of each instant, as many as there is time for."""
    took, began = [], time.perf_counter()
    for row in rows:
        start = time.perf_counter()
        stream.push(row)
        took.append(time.perf_counter() - start)
        if time.perf_counter() - began > LIVE_SECONDS:
            break
    return took


def _by(detector: SeriesDetector, X: np.ndarray, names: Iterable[str]) -> JSON:
    """Seconds of some members alone, reading the series included."""
    whole = detector.whole_
    part = replace(whole, members={name: whole.members[name] for name in names})
    with timed() as spent:
        part.totals(whole.modality.strip(whole.modality.read(X).tracks[0]))
    return spent.told("")


def _scaled(told: JSON, by: float, unit: str = "") -> JSON:
    return {name.replace("seconds", unit + "seconds"): value * by for name, value in told.items()}


MEASURES = {"univariate": univariate, "machine": machine, "million": million, "live": live}


def main(text: str) -> dict[str, JSON]:
    """What is asked for; a small series is worked on first."""
    asked = json.loads(text)
    sizes = tuple(asked.get("sizes") or SIZES[asked["name"]])

    def fit(X: np.ndarray) -> SeriesDetector:
        return fitted(X, asked["seed"], asked["recipe"], asked["changes"])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(made(WARM, sizes[1])).decision_function(made(WARM, sizes[1], seed=1))
        return MEASURES[asked["name"]](fit, (sizes[0], sizes[1]))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1])) + "\n")
