"""Is the stated rate of false alarms kept? Normal parts cut in time: fit on the first, count events on the rest."""

from collections.abc import Iterator
from functools import partial
from math import isfinite

from anodiff.alarms.events import events
from anodiff.bench.series.ours import fitted
from anodiff.bench.series.settings import Settings
from anodiff.bench.series.tasks import Source, normal_part
from anodiff.bench.series.timed import Absent, Record, attempt
from anodiff.detect_series import SeriesDetector
from anodiff.types import JSON, Scores

STATED = (10.0, 5.0, 20.0)
"""Events per 10,000 instants, the one that is looked at first first."""
PER = 10_000
CUT, LEAST = 0.6, 200
OFFLINE, CAUSAL = "blocks", "blocks, causal"
NAIVE, NAIVE_CAUSAL = "naive", "naive, causal"
METHODS = (OFFLINE, NAIVE, CAUSAL, NAIVE_CAUSAL)
ABOUT = {
    OFFLINE: "events of held-out instants counted, in blocks; what anodiff does",
    NAIVE: "as if instants were independent and each alarm an event of its own",
}


def act(source: Source, seed: int, settings: Settings) -> Iterator[Record]:
    """One fit; the alarm and the naive calibration, offline and causal."""
    normal = normal_part(source)
    cut = int(CUT * len(normal))
    held = normal[cut:]
    fits: list[SeriesDetector] = []

    def counted(causal: bool) -> JSON:
        if len(held) < LEAST:
            raise Absent(f"{len(normal)} normal instants are too few to hold out {LEAST} of them.")
        if not fits:
            fits.append(fitted(normal[:cut], seed, settings.recipe, settings.changes))
        return found(fits[0], fits[0].decision_function(held, causal=causal), causal)

    for offline, naive, causal in ((OFFLINE, NAIVE, False), (CAUSAL, NAIVE_CAUSAL, True)):
        record = attempt(offline, partial(counted, causal))
        both = record.facts
        ours, theirs = both.pop("ours", {}), both.pop("naive", {})
        shared = {"instants_fitted": cut, "instants_held": len(held), **both}
        yield Record(offline, record.status, record.error, {**shared, **ours})
        yield Record(naive, record.status, record.error, {**shared, **theirs})


def found(detector: SeriesDetector, scores: Scores, causal: bool) -> JSON:
    """How many events there are among scores of normal instants, per stated rate, by each way to choose thresholds."""
    alarm = detector.alarm_(causal)
    ours = {rate: detector.threshold(rate / PER, causal) for rate in STATED}
    naive = {rate: alarm.naive_threshold(rate) for rate in STATED}
    return {
        "supported_rate": alarm.supported_rate,
        "hold_off": detector.hold_off_,
        "ours": _counts(detector, scores, ours),
        "naive": _counts(detector, scores, naive),
    }


def _counts(detector: SeriesDetector, scores: Scores, limits: dict[float, float]) -> JSON:
    """An infinite threshold, where too few normal instants were held out, raises nothing."""
    counts = {r: len(events(scores, at, detector.hold_off_)) if isfinite(at) else 0 for r, at in limits.items()}
    return {f"events_{rate:g}": count for rate, count in counts.items()}
