"""Sentences of a report of series: the headline, how often alarms are false, whether to trust them, and limits."""

from anodiff.explain.moment_words import instants, lasting
from anodiff.explain.values import written
from anodiff.report.judgement import about, doubted
from anodiff.types import JSON

DAY = 86_400_000_000
LOUD = 0.2


def headline(data: JSON | None, alarms: JSON, model: JSON) -> str:
    """The answer in one sentence.

    >>> data = {"alarms": 2, "events": 3, "instants": 6000, "passed": 6000 * 300_000_000, "expected": 0.6}
    >>> headline(data, {}, {})
    '2 alarms with 3 separate events in 21 days; about 0.6 would be expected if all were normal.'
    """
    if data is None:
        channels = f"{model['channels']} channel{'s' * (model['channels'] != 1)}"
        often = how_often(alarms["rate"], model["step"])
        return f"A detector of {channels} that learnt {instants(model['instants'])}; false alarms: {often}."
    found = "No alarm" if not data["alarms"] else f"{data['alarms']:,} alarm{'s' * (data['alarms'] != 1)}"
    if data["events"] > data["alarms"]:
        found += f" with {data['events']:,} separate events"
    time = instants(data["instants"]) if data["passed"] is None else lasting(_rough(data["passed"]))
    return f"{found} in {time}; about {about(data['expected'])} would be expected if all were normal."


def how_often(rate: float, step: int | None) -> str:
    """A rate of events per normal instant, as people count.

    >>> how_often(1e-4, 300_000_000), how_often(1e-2, 60_000_000), how_often(1e-4, None)
    ('about one in 35 days', 'about 14.4 per day', 'about one in 10,000 instants')
    """
    if step is None:
        return f"about one in {instants(round(1 / rate))}"
    per_day = rate * DAY / step
    return f"about {written(per_day)} per day" if per_day > 1 else f"about one in {lasting(_rough(step / rate))}"


def trust(alarms: JSON, data: JSON | None, drift: JSON | None) -> list[JSON]:
    """Checks of the promise behind an alarm, each good or not."""
    checks = [{"good": alarms["supported"] <= 1e4 * alarms["rate"], "text": _capital(alarms["statement"])}]
    checks += [check for check in (_counted(alarms), _still(drift), _quiet(data), _whole(data)) if check]
    return checks


def limits(alarms: JSON, model: JSON) -> list[str]:
    """What it cannot do."""
    return [
        "An alarm says unusual, not harmful; what was expected is what normal series did where all else was the same, "
        "not what caused the difference.",
        f"The rate ({how_often(alarms['rate'], model['step'])}) is that of false alarms while all is normal, not the "
        "share of alarms that are false: where events are rare, most alarms may be false.",
        f"Alarms begin before an event and end after it, by up to {_reach(model)}: windows are long, and scores are "
        "smoothed. Times of events are where the evidence is.",
        "Slow changes that stay within what windows of fit held are not seen; a fault that was there during fit counts "
        "as normal.",
        "A p-value is that of the highest score in a stretch of its length; it is no smaller than the held-out "
        "stretches allow, unless a tail was fitted to them.",
        doubted(model["contamination"]).replace("rows", "instants"),
    ]


def _reach(model: JSON) -> str:
    count = model["reach"]
    return instants(count) if model["step"] is None else f"{lasting(count * model['step'])} ({instants(count)})"


def _counted(alarms: JSON) -> JSON | None:
    point = next((p for p in alarms["curve"] if abs(p["wanted"] - 1e4 * alarms["rate"]) < 1e-9), None)
    if point is None or point["expected"] < 1:
        return None
    return {
        "good": point["low"] <= point["found"] <= point["high"],
        "text": f"Counted on stretches held out of the threshold: {written(point['found'])} events per 10,000 normal "
        f"instants for {written(point['wanted'])} wanted; chance keeps it from {written(point['low'])} to "
        f"{written(point['high'])}.",
    }


def _still(drift: JSON | None) -> JSON | None:
    if drift is None:
        return None
    moved, scores = drift["moved"], drift["scores"]
    if moved:
        more = ", ..." if len(moved) > 3 else ""
        share = drift["channels"][0]["moved"]
        return {
            "good": False,
            "text": f"The level of {', '.join(moved[:3])}{more} is beyond that of fit for {100 * share:.0f} % of the "
            "time, short alarms aside: if that is the new normal, fit again.",
        }
    if scores["higher"] > LOUD:
        return {
            "good": False,
            "text": f"For {100 * scores['higher']:.0f} % of the time, short alarms aside, scores are as high as only "
            "5 % of those held out: expect more false alarms than promised, or fit again.",
        }
    return {"good": True, "text": "Levels of channels and scores are those of fit."}


def _quiet(data: JSON | None) -> JSON | None:
    if data is None or data["share_in_alarm"] <= LOUD:
        return None
    return {
        "good": False,
        "text": f"{100 * data['share_in_alarm']:.0f} % of the time is in alarm: check that channels, units and "
        "sampling are those of fit.",
    }


def _whole(data: JSON | None) -> JSON | None:
    if data is None or data["missing"] < 0.05:
        return None
    return {"good": data["missing"] < 0.3, "text": f"{100 * data['missing']:.0f} % of the readings are missing."}


def _rough(micro: float) -> int:
    """A time in whole days, hours, minutes or seconds: the coarsest of which there are two."""
    unit = next((size for size in (DAY, DAY // 24, DAY // 1440, 1_000_000) if micro >= 2 * size), 1)
    return round(micro / unit) * unit


def _capital(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}"
