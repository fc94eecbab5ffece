r"""What a live detector remembers of one entity: enough of its last instants to score the next ones as if it had all,

.. math:: a_t = f(x_{t - R + 1}, \dots, x_t), \qquad R \text{ the reach of `Timeline`,}

and the last reading of each channel before them, from which a gap that is still open is bridged once it closes.
"""

import numpy as np
import torch

from anodiff.data.log import Track
from anodiff.modalities.laid import Before, Laid
from anodiff.modalities.series import Strip
from anodiff.modalities.windows import over
from anodiff.timeline import Timeline
from anodiff.types import Scores


class Trail:
    """The causal scores of one entity, as its instants come.

    Memory holds the instants of the longest window and as many raw scores as are smoothed over; nothing else grows.

    Attributes:
        time: Of the last instant, microseconds since 1970 UTC; None without a clock.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.time: int | None = None
        width = timeline.modality.width
        self._kept = Strip(torch.zeros(0, width), torch.zeros(0, width, dtype=torch.bool), np.arange(0))
        self._before = Before.nothing(width)
        self._raw = {name: np.zeros(0) for name in timeline.members}

    def scores(self, track: Track, again: bool = False) -> tuple[Scores, np.ndarray]:
        """Scores of the next instants `(T,)`, and where any part could judge, `(T,)` bool.

        They are later than all before; but if `again`, the first is another reading of the last instant, in its place.
        """
        after = None if again or track.times is None else self.time
        fresh = self.timeline.modality.strip(track, after)
        kept = last_of(self._kept, len(self._kept), but=int(again))
        strip = joined(kept, fresh)
        with torch.inference_mode():
            said = self.timeline.latest(Laid.of(strip, self._before), len(fresh))
        past = slice(None, -1 if again else None)
        raw = {name: np.append(self._raw[name][past], values) for name, values in said.items()}
        scores = self.timeline.combined(raw, causal=True)[-len(fresh) :][fresh.at]
        judged = np.isfinite(np.stack([values[fresh.at] for values in said.values()])).any(0)
        self._keep(strip, raw)
        self.time = self.time if track.times is None else int(track.times[-1])
        return scores, judged

    def _keep(self, strip: Strip, raw: dict[str, np.ndarray]) -> None:
        """One instant more than the next window needs: the last may be read again."""
        gone = max(0, len(strip) - self.timeline.longest)
        self._before = self._before.after(strip.x[:gone].numpy(), strip.known[:gone].numpy())
        self._kept = last_of(strip, self.timeline.longest)
        self._raw = {name: values[-over(self.timeline.smooth, True) :].copy() for name, values in raw.items()}


def joined(first: Strip, second: Strip) -> Strip:
    """One strip after another."""
    if not len(first):
        return second
    clocked = first.times is not None and second.times is not None
    times = np.append(first.times, second.times) if clocked else None  # type: ignore[arg-type]
    x, known = torch.cat([first.x, second.x]), torch.cat([first.known, second.known])
    return Strip(x, known, np.arange(len(x)), second.entity, times)


def last_of(strip: Strip, instants: int, but: int = 0) -> Strip:
    """At most so many instants of a strip, the last `but` a few."""
    part = slice(max(0, len(strip) - instants), len(strip) - but)
    times = None if strip.times is None else strip.times[part].copy()
    x, known = strip.x[part].clone(), strip.known[part].clone()
    return Strip(x, known, np.arange(len(x)), strip.entity, times)
