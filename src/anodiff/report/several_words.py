"""Sentences of a report of records of several kinds: the headline, records, whether to trust it, limits."""

from anodiff.alarms.base import percent
from anodiff.explain.parts import Reason
from anodiff.report.image_words import counted
from anodiff.report.judgement import MOST_ALARMS, about, doubted
from anodiff.types import JSON

MISSING = 0.5
"""From this share of a part that is missing on it is said."""


def headline(data: JSON | None, alarms: JSON, model: JSON) -> str:
    """The answer in one sentence.

    >>> headline({"records": 60, "alarms": 1, "expected": 0.6, "unread": []}, {}, {})
    '1 alarm in 60 records, where about 0.6 would be expected if all were normal.'
    """
    if data is None:
        return (
            f"A detector that learnt {counted(model['records'], 'record')} of {counted(model['parts'], 'part')}; "
            f"at most {percent(alarms['rate'])} of normal records raise an alarm."
        )
    found = "No alarm" if not data["alarms"] else counted(data["alarms"], "alarm")
    expected = f"about {about(data['expected'])} would be expected if all were normal"
    unread = f"; {counted(len(data['unread']), 'cell')} could not be read" if data["unread"] else ""
    return f"{found} in {counted(data['records'], 'record')}, where {expected}{unread}."


def tell(reason: Reason) -> str:
    """What is odd about a record, without its name, for a page that gives that.

    >>> tell(Reason("line 9", 4.0, 0.001, True, "line 9 raises an alarm (p = 0.001).", [], []))
    'raises an alarm (p = 0.001).'
    """
    return reason.sentence.removeprefix(reason.name).strip()


def trust(alarms: JSON, data: JSON | None, moved: JSON | None) -> list[JSON]:
    """Checks of the promise behind an alarm, each good or not."""
    checks = [
        {"good": alarms["rate"] >= alarms["supported_rate"], "text": alarms["statement"]},
        _measured(alarms),
        _same_source(moved),
        *(_lacking(data) if data is not None else []),
        _not_everything(data),
        _read(data),
    ]
    return [check for check in checks if check]


def limits(alarms: JSON, model: JSON) -> list[str]:
    """What it cannot do."""
    return [
        "An alarm says unusual, not harmful; a part that does not go with the rest may be the one that is right.",
        f"{percent(alarms['rate'])} is the share of normal records that raise an alarm, not the share of alarms that "
        "are false: where anomalies are rare, most alarms may be false.",
        f"p-values end at {percent(alarms['supported_rate'])}: beyond {alarms['held_out']:,} held-out normals the "
        "score alone ranks records.",
        "“Expected” is what stood in the normal record whose other parts are most like these. It is not a correction.",
        "Parts are judged by what encoders see of them: of texts their sense more than their wording, of pictures "
        "their content more than their details.",
        "A record that lacks a part is judged by the others, beside normal records with the same parts hidden.",
        "The promise holds while normal records come from where those of the fit came from.",
        doubted(model["contamination"]).replace("training rows", "records of the fit"),
    ]


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
    share = f"{100 * moved['above']:.0f} % of the records without alarm score above the middle of the held-out normals"
    if moved["moved"] == "higher":
        return {
            "good": False,
            "text": f"{share}, for 50 % expected: their source may have changed. Expect more false alarms than "
            "promised; if that is the new normal, fit again.",
        }
    if moved["moved"] == "lower":
        return {
            "good": True,
            "text": f"{share}, for 50 % expected: alarms are rarer than promised. (Records of the fit must not be "
            "judged: they look too normal.)",
        }
    return {"good": True, "text": "Records without alarm score as held-out normals do."}


def _lacking(data: JSON) -> list[JSON]:
    return [
        {"good": False, "text": f"{each['name']} is missing in {100 * each['missing']:.0f} % of the records."}
        for each in data["parts"]
        if each["missing"] >= MISSING
    ]


def _not_everything(data: JSON | None) -> JSON | None:
    if data is None or data["alarms"] <= MOST_ALARMS * data["records"]:
        return None
    return {
        "good": False,
        "text": "More than half of the records raise an alarm: check that the columns hold what they held in the fit.",
    }


def _read(data: JSON | None) -> JSON | None:
    if data is None or not data["unread"]:
        return None
    return {"good": False, "text": f"{counted(len(data['unread']), 'cell')} could not be read, and count as missing."}
