"""Sentences of a report of pictures: the headline, whether to trust it, whether pictures have changed, limits."""

from math import ceil

import numpy as np
from scipy.stats import ks_2samp

from anodiff.alarms.base import percent
from anodiff.report.judgement import MOST_ALARMS, about, doubted
from anodiff.types import JSON, Scores

FEWEST = 20
"""Pictures without alarm from which on they are compared with the held-out normals."""
GAP, SURE = 0.2, 0.01
"""Scores differ if their distributions are so far apart and that is so improbable (Kolmogorov and Smirnov)."""


def headline(data: JSON | None, alarms: JSON, model: JSON) -> str:
    """The answer in one sentence.

    >>> headline({"pictures": 60, "alarms": 1, "expected": 0.6, "unreadable": 2}, {}, {})
    '1 alarm in 60 pictures, where about 0.6 would be expected if all were normal; 2 files could not be read.'
    """
    if data is None:
        return (
            f"A detector that learnt {model['pictures_fitted']:,} normal pictures; "
            f"at most {percent(alarms['rate'])} of normal pictures raise an alarm."
        )
    found = "No alarm" if not data["alarms"] else counted(data["alarms"], "alarm")
    expected = f"about {about(data['expected'])} would be expected if all were normal"
    unread = f"; {counted(data['unreadable'], 'file')} could not be read" if data["unreadable"] else ""
    return f"{found} in {counted(data['pictures'], 'picture')}, where {expected}{unread}."


def drift(scores: Scores, held_out: Scores, threshold: float) -> JSON | None:
    """Do pictures without alarm score as held-out normals do? None where there are too few of either to say.

    >>> normals = np.linspace(0, 1, 100)
    >>> drift(normals, normals, 1.0)["moved"], drift(0.5 + 0.5 * normals, normals, 1.0)["moved"]
    ('', 'higher')
    """
    calm, normals = scores[scores <= threshold], held_out[held_out <= threshold]
    if min(len(calm), len(normals)) < FEWEST:
        return None
    test, above = ks_2samp(calm, normals), float(np.mean(calm > np.median(normals)))
    far = test.statistic >= GAP and test.pvalue < SURE
    moved = "" if not far else "higher" if above > 0.5 else "lower"
    return {
        "pictures": len(calm),
        "gap": float(test.statistic),
        "p": float(test.pvalue),
        "above": above,
        "moved": moved,
    }


def trust(alarms: JSON, data: JSON | None, moved: JSON | None, model: JSON) -> list[JSON]:
    """Checks of the promise behind an alarm, each good or not."""
    checks = [
        {"good": alarms["rate"] >= alarms["supported_rate"], "text": alarms["statement"]},
        _measured(alarms),
        _same_source(moved),
        _not_everything(data),
        _read(data),
        _learnt(model),
    ]
    return [check for check in checks if check]


def limits(alarms: JSON, model: JSON) -> list[str]:
    """What it cannot do."""
    sampled = model["pictures_seen"] - len(model["unread"]) > model["pictures_fitted"] and not model["contamination"]
    return [
        "An alarm says unusual, not harmful; heat says where a picture is unlike normal ones, not why.",
        f"{percent(alarms['rate'])} is the share of normal pictures that raise an alarm, not the share of alarms that "
        "are false: where defects are rare, most alarms may be false.",
        f"p-values end at {percent(alarms['supported_rate'])}: beyond {alarms['held_out']:,} held-out normals the "
        "score alone ranks pictures.",
        "Alarms and regions answer two questions. A picture may be odd as a whole and nowhere in particular, or show a "
        f"region without an alarm; at most {percent(alarms['regions'])} of normal pictures show any region.",
        f"{_resolution(model)} The heat is coarser than that.",
        "“How it should look” is the most similar of the normal pictures that were kept, small. It is not this picture "
        "repaired.",
        "The promise holds while normal pictures come from where those of the fit came from: same camera, light, "
        "position, kind of part.",
        doubted(model["contamination"]).replace("training rows", "pictures of the fit"),
        *(
            [f"{model['pictures_fitted']:,} of {model['pictures_seen']:,} pictures, drawn at random, were learnt from."]
            if sampled
            else []
        ),
    ]


def counted(number: int, noun: str) -> str:
    """A number of things, in words.

    >>> counted(1, "file"), counted(1200, "file")
    ('1 file', '1,200 files')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _resolution(model: JSON) -> str:
    side, (height, width) = model["size"], model["median"]
    least = max(2, ceil(2 * max(height, width) / side))
    return (
        f"Pictures are read as squares of {side} pixels; of the usual {width} x {height} pixels, what is smaller than "
        f"about {least} is hardly seen."
    )


def _measured(alarms: JSON) -> JSON | None:
    point = next((p for p in alarms["curve"] if p["wanted"] == alarms["rate"]), None)
    if point is None:
        return None
    return {
        "good": point["low"] <= point["measured"] <= point["high"],
        "text": f"Counted on normals held out of the threshold, {percent(point['measured'])} raise an alarm for "
        f"{percent(point['wanted'])} wanted ({percent(point['low'])} to {percent(point['high'])} is chance).",
    }


def _same_source(moved: JSON | None) -> JSON | None:
    if moved is None:
        return None
    share = f"{100 * moved['above']:.0f} % of the pictures without alarm score above the middle of the held-out normals"
    if moved["moved"] == "higher":
        return {
            "good": False,
            "text": f"{share}, for 50 % expected: camera, light, position or parts may have changed, or faint defects "
            "be frequent. Expect more false alarms than promised; if that is the new normal, fit again.",
        }
    if moved["moved"] == "lower":
        return {
            "good": True,
            "text": f"{share}, for 50 % expected: alarms are rarer than promised. (Pictures of the fit must not be "
            "judged: they look too normal.)",
        }
    return {"good": True, "text": "Pictures without alarm score as held-out normals do."}


def _not_everything(data: JSON | None) -> JSON | None:
    if data is None or data["alarms"] <= MOST_ALARMS * data["pictures"]:
        return None
    return {
        "good": False,
        "text": "More than half of the pictures raise an alarm: check that these are pictures of the same parts, by "
        "the same camera.",
    }


def _read(data: JSON | None) -> JSON | None:
    if data is None or not data["unreadable"]:
        return None
    return {"good": False, "text": f"{counted(data['unreadable'], 'file')} could not be read, and were not judged."}


def _learnt(model: JSON) -> JSON | None:
    if not model["unread"]:
        return None
    return {"good": False, "text": f"{counted(len(model['unread']), 'file')} of the fit could not be read."}
