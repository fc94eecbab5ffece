"""Sentences that judge: the headline, whether to trust it, what it cannot do."""

from anodiff.alarms.base import percent
from anodiff.types import JSON

MOST_ALARMS = 0.5


def headline(data: JSON | None, alarms: JSON, model: JSON) -> str:
    """The answer in one sentence.

    >>> headline({"rows": 300, "alarms": 12, "expected": 3.0}, {"rate": 0.01}, {})
    '12 alarms in 300 rows, where about 3 would be expected if every row were normal.'
    """
    if data is None:
        return (
            f"A detector that learnt {model['columns']} columns from {model['rows_fitted']:,} normal rows; "
            f"at most {percent(alarms['rate'])} of normal rows raise an alarm."
        )
    count = "No alarm" if not data["alarms"] else f"{data['alarms']:,} alarm{'s' * (data['alarms'] != 1)}"
    expected = f"about {about(data['expected'])} would be expected if every row were normal"
    return f"{count} in {data['rows']:,} rows, where {expected}."


def about(count: float) -> str:
    """An expected count, no finer than it is meant.

    >>> about(19.55), about(0.314)
    ('20', '0.3')
    """
    return f"{count:,.0f}" if count >= 3 else f"{count:.1g}"


def trust(alarms: JSON, data: JSON | None, drift: list[JSON], model: JSON) -> list[JSON]:
    """Checks of the promise behind an alarm, each good or not."""
    checks = [_supported(alarms), _measured(alarms)]
    if data is not None:
        checks += [_same_source(drift, model), _not_everything(data)]
    return [check for check in checks if check]


def limits(alarms: JSON, model: JSON) -> list[str]:
    """What it cannot do."""
    sampled = model["rows_seen"] > model["rows_fitted"]
    return [
        "An alarm says unusual, not harmful; a reason says what the model expected, not what caused it.",
        f"{percent(alarms['rate'])} is the share of normal rows that raise an alarm, not the share of alarms that are "
        "false: where anomalies are rare, most alarms may be false.",
        f"p-values end at {percent(alarms['supported_rate'])}: beyond {alarms['held_out']:,} held-out normals the "
        "score alone ranks rows.",
        "The promise holds on average over training sets, and only while normal rows come from where the training rows "
        "came from.",
        doubted(model["contamination"]),
        "Rows are judged one by one: a change over time, in order or in number is not seen.",
        *(
            [f"{model['rows_fitted']:,} of {model['rows_seen']:,} rows, drawn at random, were learnt from."]
            if sampled
            else []
        ),
    ]


def _supported(alarms: JSON) -> JSON:
    return {"good": alarms["rate"] >= alarms["supported_rate"], "text": alarms["statement"]}


def _measured(alarms: JSON) -> JSON | None:
    point = next((p for p in alarms["curve"] if p["wanted"] == alarms["rate"]), None)
    if point is None:
        return None
    good = point["low"] <= point["measured"] <= point["high"]
    return {
        "good": good,
        "text": f"Counted on normals held out of the threshold, {percent(point['measured'])} raise an alarm for "
        f"{percent(point['wanted'])} wanted ({percent(point['low'])} to {percent(point['high'])} is chance).",
    }


def _same_source(drift: list[JSON], model: JSON) -> JSON:
    moved = [each["column"] for each in drift if each["without_alarms"]]
    if moved:
        return {
            "good": False,
            "text": f"{len(moved)} of {model['columns']} columns differ from training even in rows without alarm "
            f"({', '.join(moved[:3])}{', ...' if len(moved) > 3 else ''}): if that is the new normal, fit again.",
        }
    if drift:
        return {"good": True, "text": f"{len(drift)} columns differ from training, but only in the rows in alarm."}
    return {"good": True, "text": "No column differs notably from training."}


def _not_everything(data: JSON) -> JSON | None:
    if data["alarms"] <= MOST_ALARMS * data["rows"]:
        return None
    return {
        "good": False,
        "text": "More than half of the rows raise an alarm: check that these data, their columns and their units are "
        "those of training.",
    }


def doubted(contamination: float) -> str:
    """What became of anomalies among the training rows."""
    if not contamination:
        return "Anomalies that were in the training rows count as normal, and so do new ones like them."
    return (
        f"{percent(contamination)} of the training rows, of the highest scores, were taken for anomalies; if they were "
        "fewer, there are more false alarms than promised."
    )
