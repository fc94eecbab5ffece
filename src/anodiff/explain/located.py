r"""Where in an event the evidence is. Scores are high around what made them so: windows are long, scores are smoothed.

A member's part :math:`a_m` of the score at the peak is shared out by how far its evidence E exceeds the usual u,

.. math:: e_{tc} = \sum_m a_m \frac{(E_{m,tc} - u_{mc})_+}{\sum_{t'c'} (E_{m,t'c'} - u_{mc'})_+}, \qquad
          (b, d) = \arg\max_{b \le d} \sum_{t=b}^{d} \Big( \sum_c e_{tc} - \kappa \Big),

and the core of the event, from b to d, is where it exceeds what quiet instants around have, :math:`\kappa`, by most.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from anodiff.modalities.laid import Laid
from anodiff.modalities.series import Strip, stretched
from anodiff.timeline import Timeline

FAINT = 0.05
"""Share of the strongest instant's evidence that an instant needs at least to count for the core."""
SHORTEST_GAP = 5
"""Instants without evidence that never cut a core in two."""


@dataclass(frozen=True, eq=False)
class Core:
    """The instants of an event that made it one.

    Attributes:
        start: Place of the first on the grid of the strip.
        end: Of the last, inclusive.
        parts: Evidence by channel `(channels,)`; it adds up to 1.
        course: Evidence by instant `(n,)`.
    """

    start: int
    end: int
    parts: np.ndarray
    course: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return self.end - self.start + 1


@dataclass(frozen=True)
class Span:
    """An event on the grid: first and last instant, inclusive, and peak; whether scores look at the past only."""

    start: int
    end: int
    peak: int
    causal: bool = False


def located(timeline: Timeline, strip: Strip, span: Span, taken: Sequence[Core] = ()) -> Core:
    """The core of an event; instants of cores that are `taken` are left to these."""
    around = timeline.reach if span.causal else timeline.longest + timeline.smooth // 2
    first = max(0, min(span.start, span.peak - around))
    last = min(len(strip), max(span.end, span.peak + (0 if span.causal else around)) + 1)
    begin, end = max(0, first - timeline.longest), min(len(strip), last + timeline.longest)
    inside = np.zeros(end - begin, bool)
    inside[first - begin : last - begin] = True
    for core in taken:
        inside[max(0, core.start - begin) : max(0, core.end + 1 - begin)] = False
    if not inside.any():
        inside[span.peak - begin] = True
    evidence = shared_out(timeline, cut(strip, begin, end), span.peak - begin, inside)
    start, stop = strongest(evidence.sum(1), inside, max(SHORTEST_GAP, timeline.longest // 4))
    parts, course = evidence[start:stop].sum(0), evidence[start:stop].sum(1)
    parts = parts / parts.sum() if parts.sum() > 0 else np.full(len(parts), 1 / len(parts))
    return Core(begin + start, begin + stop - 1, parts, course)


def shared_out(timeline: Timeline, part: Strip, peak: int, inside: np.ndarray) -> np.ndarray:
    """Evidence `(n, channels)` of a part of a strip, in shares of the score at its instant `peak`."""
    laid = Laid.of(stretched(part, timeline.longest))
    quiet = ~inside if (~inside).sum() >= min(timeline.longest, len(inside) // 2) else np.ones_like(inside)
    parts = at_peak(timeline, part, peak)
    total = np.zeros((len(part), len(timeline.modality.columns)))
    for name, member in timeline.members.items():
        where = timeline.modality.channels_.locate(timeline.evidence(name, member, laid)[: len(part)])
        excess = np.maximum(0, where - np.median(where[quiet], axis=0))
        total += parts[name] * excess / max(float(excess[inside].sum()), 1e-300)
    return total


def at_peak(timeline: Timeline, part: Strip, peak: int) -> dict[str, float]:
    """The part of each member in the score of an instant, none below 0."""
    around = timeline.longest + timeline.smooth // 2
    begin = max(0, peak - around)
    said = timeline.smoothed(timeline.raw(cut(part, begin, min(len(part), peak + around + 1))))
    raw = {name: np.nan_to_num(scores[peak - begin], nan=-np.inf) for name, scores in said.items()}
    return {
        name: timeline.recipe.scores[name].weight * max(0.0, float(timeline.scales[False][name](score)))
        for name, score in raw.items()
    }


def strongest(evidence: np.ndarray, inside: np.ndarray, bridge: int) -> tuple[int, int]:
    """Begin and end (exclusive) of the run within `inside` whose evidence `(n,)` exceeds the quiet level by most.

    A run is cut where it stays below that level for more than `bridge` instants.

    >>> strongest(np.array([0, 0, 5.0, 0, 4, 0, 0, 3, 0]), np.ones(9, bool), bridge=1)
    (2, 5)
    """
    around = evidence[~inside] if (~inside).any() else evidence[evidence <= np.median(evidence)]
    usual = float(around.mean() + around.std())
    gain = np.where(inside, evidence - max(usual, FAINT * float(evidence[inside].max())), -np.inf)
    start, stop = run_of(gain)
    above = start + np.flatnonzero(gain[start:stop] > 0)
    if len(above) < 2:
        return start, stop
    pieces = np.split(above, np.flatnonzero(np.diff(above) > bridge + 1) + 1)
    best = max(pieces, key=lambda piece: float(gain[piece].sum()))
    return int(best[0]), int(best[-1]) + 1


def run_of(gain: np.ndarray) -> tuple[int, int]:
    """Begin and end (exclusive) of the run of the largest sum, of one instant at least; -inf is never within it."""
    gain = np.maximum(gain, -1 - gain[gain > 0].sum())
    sums = np.concatenate([[0.0], np.cumsum(gain)])
    lowest = np.minimum.accumulate(sums[:-1])
    end = int(np.argmax(sums[1:] - lowest))
    start = int(np.flatnonzero(sums[: end + 1] == lowest[end])[-1])
    return start, end + 1


def cut(strip: Strip, start: int, stop: int) -> Strip:
    """The instants from `start` to `stop` - 1 of its grid."""
    times = None if strip.times is None else strip.times[start:stop]
    return Strip(strip.x[start:stop], strip.known[start:stop], np.arange(stop - start), strip.entity, times)
