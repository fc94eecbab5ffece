r"""Do scores still look like those the alarm was calibrated on? Per block of instants the mean surprise, kept short,

.. math:: v = \frac1b \sum_{i \in \text{block}} \min(-\log p_i, 3) ,

is ranked among those of the calibration and of the blocks since, and `Evidence` bets on the ranks: on average at least
`every` instants pass before a drift is declared where there is none, as far as blocks are exchangeable. Anomalies are
no drift: instants above the threshold are left out until they outnumber the quiet ones by `patience`, what others add
is at most 3, and what has lasted less than `patience` is not declared.

A drift is answered twice: at once the calibration is moved to where scores are now, and after a window of instants the
alarm is fitted to these alone (`alarms.recalibrate`). In between no other drift is looked for.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anodiff.alarms.base import finite
from anodiff.alarms.blocks import Blocks
from anodiff.alarms.events import check_instants
from anodiff.alarms.evidence import Evidence
from anodiff.alarms.levels import FEWEST_BLOCKS, autocorrelation
from anodiff.alarms.rates import PER, check_events
from anodiff.alarms.recalibrate import change, moved, refitted
from anodiff.types import Misfit, Scores

LARGEST_SURPRISE = 3.0
USUAL_BLOCK, SHORTEST_BLOCK = 100, 10
SHORTEST_WINDOW, LONGEST_WINDOW = 500, 20_000


@dataclass(frozen=True)
class Drifted:
    """Scores no longer look like those of the calibration; `dataclasses.asdict` makes it JSON.

    Attributes:
        at: Place of the instant at which it was declared, or fitted again.
        since: Place from which on scores are different.
        before: Median score of the calibration.
        now: Median score since.
        threshold: The one from the next instant on.
        settled: False where the old calibration was moved, True where the new scores alone were fitted.
        words: All of it in a sentence.
    """

    at: int
    since: int
    before: float
    now: float
    threshold: float
    settled: bool
    words: str


class Follower:
    """Follows the scores of a stream in bounded memory, and keeps the alarm calibrated; no matter how it is cut.

    `threshold` is what an instant has to exceed to be an alarm from now on, `blocks` the calibration behind it.

    Args:
        blocks: The calibration on held-out normal stretches, 200 instants or more.
        rate: Events per 10,000 instants that the user accepts.
        every: Instants that pass, on average at least, before a drift is declared where there is none.
        patience: Instants that an event may last, and that a drift has to.
        window: Instants to fit to after a drift, by default as many as the calibration had, at most 20,000; never less
            than 500 or 25 blocks.

    Raises:
        Misfit: The calibration has too few instants to know drift from chance.
    """

    def __init__(
        self, blocks: Blocks, rate: float, every: int = 100_000, patience: int = 500, window: int | None = None
    ) -> None:
        self.rate = check_events(rate)
        self.every = check_instants(every, "every")
        self.patience = check_instants(patience, "patience")
        self.place = 0
        self._began = self._alarms = 0
        self._expect(blocks)
        wanted = min(blocks.instants_, LONGEST_WINDOW) if window is None else check_instants(window, "window")
        self.window = max(wanted, SHORTEST_WINDOW, 5 * FEWEST_BLOCKS // 4 * self.length)
        self._recent: deque[float] = deque(maxlen=self.window)

    def push(self, scores: npt.ArrayLike) -> list[Drifted]:
        """What the next score, or the next scores `(m,)`, tell about drift; a refusal leaves all as it was."""
        return [drifted for score in finite(np.atleast_1d(scores)).tolist() for drifted in self.step(score)]

    def step(self, score: float) -> list[Drifted]:
        """`push` of one score that is known to be finite."""
        place, self.place = self.place, self.place + 1
        self._recent.append(score)
        if self._since is not None:
            return [self._settle(place)] if self.place - self._since >= self.window else []
        alarm = score > self.threshold
        self._alarms = min(self.patience, self._alarms + 1) if alarm else max(0, self._alarms - 1)
        if alarm and self._alarms < self.patience:
            return []
        self._began = self._began if self._block else place
        self._block.append(score)
        return self._judge(place) if len(self._block) == self.length else []

    def _expect(self, blocks: Blocks) -> None:
        """Take `blocks` for what is usual; nothing is changed where they are too few."""
        threshold, scores = blocks.threshold(self.rate), np.concatenate(blocks.stretches_)
        usual = surprise(blocks, scores[scores <= threshold])
        length = block_length(usual, blocks.block_)
        means = block_means(usual, length)
        self.blocks, self.threshold, self.length, self._usual = blocks, threshold, length, float(means.mean())
        self._evidence = Evidence(means, self.every / length, independence(means))
        self._since: int | None = None
        self._block: list[float] = []
        self._began, self._alarms = self.place, 0

    def _judge(self, place: int) -> list[Drifted]:
        value, self._block = float(surprise(self.blocks, np.array(self._block)).mean()), []
        seen, since = self._evidence.push(value, self._began), self._evidence.since
        if not seen:
            return []
        recent = np.array(self._recent)[since - self.length - self.patience - self.place :]
        recent = recent[change(surprise(self.blocks, recent), self._usual) :]
        lasted = max(self.place - since, len(recent))
        return [self._move(place, recent)] if lasted >= self.patience else []

    def _move(self, place: int, recent: Scores) -> Drifted:
        before, now, old = self._median(), float(np.median(recent)), self.threshold
        self._since = since = self.place - len(recent)
        self.blocks = moved(self.blocks, recent)
        self.threshold = self.blocks.threshold(self.rate)
        words = (
            f"scores moved {'up' if self._evidence.rising else 'down'} about instant {since:,}: their median was "
            f"{before:.4g} and is {now:.4g}; the threshold moves with them from {old:.4g} to {self.threshold:.4g}, "
            f"until {self.window:,} instants are there to fit it to."
        )
        return Drifted(place, since, before, now, self.threshold, False, words)

    def _settle(self, place: int) -> Drifted:
        recent, before, old = np.array(self._recent), self._median(), self.threshold
        since = self.place - len(recent)
        try:
            blocks, left_out = refitted(self.blocks, recent, self.rate)
            self._expect(blocks)
            words = (
                f"the threshold is fitted to the {len(recent):,} instants up to {place:,}, {left_out} events left out "
                f"as anomalies: {old:.4g} becomes {self.threshold:.4g}."
            )
        except Misfit as error:
            self._expect(self.blocks)
            words = f"the threshold stays {self.threshold:.4g}, that of the calibration before, moved: {error}"
        return Drifted(place, since, before, float(np.median(recent)), self.threshold, True, words)

    def _median(self) -> float:
        return float(np.median(self.blocks.each_.scores_))


def surprise(blocks: Blocks, scores: Scores) -> Scores:
    """-log p of `scores` `(m,)`, at most 3 nats."""
    return np.asarray(np.minimum(-np.log(blocks.each_.p_value(scores)), LARGEST_SURPRISE))


def block_means(values: Scores, length: int) -> Scores:
    """Means of whole blocks, `(n // length,)`."""
    return np.asarray(values[: len(values) // length * length].reshape(-1, length).mean(1))


def independence(means: Scores) -> float:
    """What one of the block `means` is worth where neighbours remember each other: (1 - r) / (1 + r) of one.

    1 where the correlation r of neighbours is within two standard errors of none.
    """
    r = float(autocorrelation([means], 1)[1])
    return (1 - r) / (1 + r) if r > 2 / np.sqrt(len(means)) else 1.0


def block_length(surprises: Scores, wanted: int) -> int:
    """Instants per block: at least 100 and as `wanted`, doubled while neighbouring blocks remember each other.

    Twenty blocks come first: where the calibration is short they are shorter, down to 10 instants.
    """
    most = len(surprises) // FEWEST_BLOCKS
    if most < SHORTEST_BLOCK:
        raise Misfit(
            f"{len(surprises)} held-out normal instants below the threshold are too few to know drift from chance; "
            f"hold out at least {FEWEST_BLOCKS * SHORTEST_BLOCK}, better {PER:,}."
        )
    length = min(most, max(USUAL_BLOCK, wanted))
    while 2 * length <= most:
        means = block_means(surprises, length)
        if independence(means) == 1:
            break
        length *= 2
    return length
