"""Why a person raised an alarm: which joints, how the body moved, and what would be normal instead, in a sentence.

What was expected is what the nearest normal windows hold. Speeds are in sizes of the body, the root mean square
distance of its joints from their middle, per frame.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from anodiff.data.people import People
from anodiff.gait import Gait
from anodiff.happening import Happening
from anodiff.modalities.poses import Walk
from anodiff.types import JSON

OTHER_PACE, STANDS = 1.25, 0.3
"""How many times as fast is another speed; and what part of what was expected is standing still."""
OTHER_WAY, OPPOSITE = 40.0, 135.0
"""Degrees between two ways."""
WORTH_TELLING = 0.1
"""Share of the evidence from which on the joints, or the motion, are told of."""


@dataclass(frozen=True)
class Deed:
    """What one joint did.

    Attributes:
        joint: Its name.
        share: Its part of the evidence of the event, without that of the motion of the whole body.
        off: How far it was at the peak from where it was expected, in sizes of the body; None where it was not seen.
    """

    joint: str
    share: float
    off: float | None


@dataclass(frozen=True, eq=False)
class Misstep:
    """An event of a person, explained.

    Attributes:
        happening: When, how high, how rare.
        joints: The joints of which most of the evidence is.
        motion: Share of the evidence that is of the motion of the whole body.
        speed: Of the body at the event, in its sizes per frame; None where it cannot be told.
        expected_speed: What was expected.
        turned: Degrees between the way that it went and the way that was expected; None where either stood still.
        pose: Joints at the peak `(J, D)`, as they were given.
        expected: Where they were expected, in the same units; NaN where nothing was.
        sentence: All of this.
    """

    happening: Happening
    joints: list[Deed]
    motion: float
    speed: float | None
    expected_speed: float | None
    turned: float | None
    pose: np.ndarray
    expected: np.ndarray
    sentence: str

    def to_dict(self) -> JSON:
        """As JSON; what is NaN in poses is None."""
        poses = {name: _listed(getattr(self, name)) for name in ("pose", "expected")}
        told = {name: getattr(self, name) for name in ("motion", "speed", "expected_speed", "turned", "sentence")}
        return {**self.happening.to_dict(), "joints": [asdict(deed) for deed in self.joints], **told, **poses}


def missteps(
    model: Gait, people: People, walks: Sequence[Walk], happenings: Sequence[Happening], top: int
) -> list[Misstep]:
    """The events of people, explained, the worst first.

    Args:
        model: The fitted parts.
        people: Tracks.
        walks: The same, encoded.
        happenings: Their events.
        top: How many joints are told of.
    """
    found = list[Misstep]()
    known = {i: (model.evidence(walks[i]), model.expected(walks[i])) for i in {h.track for h in happenings}}
    for one in sorted(happenings, key=lambda h: -h.event.score):
        evidence, (joints, motion) = known[one.track]
        name = people.names[one.track] if people.layout == "dict" else None
        found.append(
            _misstep(model, people.tracks[one.track], name, walks[one.track], one, evidence, joints, motion, top)
        )
    return found


def _misstep(
    model: Gait,
    track: np.ndarray,
    name: str | None,
    walk: Walk,
    one: Happening,
    evidence: np.ndarray,
    joints: np.ndarray,
    motion: np.ndarray,
    top: int,
) -> Misstep:
    modality, (_, d) = model.modality, model.modality.shape_
    span, peak = slice(one.event.start, one.event.end + 1), one.event.peak
    own = evidence[span].clip(min=0)
    moving = float(own[:, -d:].sum() / max(own.sum(), 1e-300))
    bare = np.concatenate([own[:, :-d], np.zeros((len(own), d))], 1)
    by_joint = modality.locate(bare).sum(0)
    shares = by_joint / max(by_joint.sum(), 1e-300)
    off = np.linalg.norm(track[peak] - joints[peak], axis=1) / walk.size[peak]
    deeds = [
        Deed(modality.columns[j], float(shares[j]), float(off[j]) if np.isfinite(off[j]) else None)
        for j in np.argsort(-shares, kind="stable")[:top]
        if shares[j] > 0
    ]
    told = np.where(walk.known[:, -d:].numpy(), modality.motion(walk.x.numpy()), np.nan)[span]
    both = np.isfinite(told).all(1) & np.isfinite(motion[span]).all(1)
    speed, expected, turned = _moved(told[both], motion[span][both])
    said = _sentence(name, one, modality.rate, deeds, moving, speed, expected, turned)
    return Misstep(one, deeds, moving, speed, expected, turned, track[peak], joints[peak], said)


def _moved(told: np.ndarray, expected: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Speeds of the motion and of the expected one `(n, D)`, and the degrees between their ways.

    Medians: an event begins before and ends after what it is about.
    """
    if not len(told):
        return None, None, None
    here, there = np.median(told, 0), np.median(expected, 0)
    speed, usual = (float(np.median(np.linalg.norm(motion, axis=1))) for motion in (told, expected))
    lengths = np.linalg.norm(here) * np.linalg.norm(there)
    if min(np.linalg.norm(here), np.linalg.norm(there)) < STANDS * max(speed, usual, 1e-12):
        return speed, usual, None
    return speed, usual, float(np.degrees(np.arccos(np.clip(here @ there / lengths, -1, 1))))


def _sentence(
    name: str | None,
    one: Happening,
    rate: float | None,
    deeds: Sequence[Deed],
    moving: float,
    speed: float | None,
    expected: float | None,
    turned: float | None,
) -> str:
    event = one.event
    who = f"{name}: " if name is not None else ""
    p = "" if event.p_value is None else f", p = {event.p_value:.2g}"
    when = f"frames {event.start} to {event.end}"
    when += "" if rate is None else f" ({event.start / rate:.1f} s to {event.end / rate:.1f} s)"
    parts = []
    if moving > WORTH_TELLING and speed is not None and expected is not None:
        parts.append(_pace(speed, expected, turned))
    named = [deed for deed in deeds if deed.share > WORTH_TELLING]
    share = sum(deed.share for deed in named) * (1 - moving)
    if share > WORTH_TELLING:
        whose = ", ".join(_placed(deed) for deed in named)
        parts.append(f"most at odds with what is normal: {whose} ({100 * share:.0f} % of the evidence)")
    if not parts:
        parts.append("no single joint, but how all of them lie and move together")
    said = f"{who}{when}, peak at {event.peak}{p}: {'; '.join(parts)}."
    return said[:1].upper() + said[1:]


def _pace(speed: float, expected: float, turned: float | None) -> str:
    """How the body moved beside how it was expected to.

    >>> _pace(0.24, 0.12, 3.0)
    'faster than expected, 0.24 sizes of the body a frame where 0.12 are normal'
    """
    beside = f"{speed:.2g} sizes of the body a frame where {expected:.2g} are normal"
    ways = ""
    if turned is not None and turned > OTHER_WAY:
        ways = "the opposite way" if turned > OPPOSITE else f"another way, by {turned:.0f} degrees"
    if speed < STANDS * expected:
        return f"stands still, {beside}"
    if speed > OTHER_PACE * expected:
        pace = f"faster than expected, {beside}"
    elif speed * OTHER_PACE < expected:
        pace = f"slower than expected, {beside}"
    else:
        pace = "" if ways else "moves at the usual speed, and not as is usual"
    return " and ".join(part for part in (ways, pace) if part)


def _placed(deed: Deed) -> str:
    return deed.joint if deed.off is None else f"{deed.joint} ({deed.off:.2f} sizes from where it is normal)"


def _listed(pose: np.ndarray) -> list[list[float] | None]:
    return [None if np.isnan(joint).any() else joint.tolist() for joint in pose]
