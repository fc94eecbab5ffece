"""The facts of a report of pictures, before anyone decides how they look."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from anodiff.data.pictures import Album, album
from anodiff.detect_images import ImageDetector
from anodiff.explain.sight_words import called
from anodiff.explain.sights import Sight
from anodiff.gallery import Gallery
from anodiff.report.calibration import curve, rates_for
from anodiff.report.citing import works
from anodiff.report.findings import asked_of
from anodiff.report.image_shown import Shot, shown
from anodiff.report.image_survey import ImageSurvey, image_survey
from anodiff.report.image_words import drift, headline, limits, trust
from anodiff.report.survey import counted, histogram_edges
from anodiff.types import JSON, Unreadable
from anodiff.version import __version__

WORST = 24
BESIDES = 4
"""Pictures without alarm that are shown after those in alarm."""
REGIONS = 3
HEARD = {"window": "score and map", "map": "map", "picture": "score"}
"""What a member is heard for, by what is read of it."""
NORMALS = 12
"""Normal pictures that are shown."""


@dataclass(frozen=True, eq=False)
class ImageFindings:
    """Everything that a report of pictures says.

    Attributes:
        headline: The answer in one sentence.
        model: What was learnt, from what, how, at what cost.
        alarms: Rate, threshold, the statement behind them, the calibration curve.
        scores: Histograms of held-out normals and of the pictures, over common edges.
        data: Pictures, alarms, files that could not be read, seconds; None where no pictures were given.
        worst: The highest scoring pictures, explained; those in alarm, and the next ones.
        listed: All alarms by name, at most 200, the worst first.
        drift: Whether pictures without alarm score as held-out normals do; None where that is not known.
        trust: Checks, each good or not, in words.
        limits: What it cannot do.
        references: The works behind it.
        shots: How the worst are shown, as arrays; None where a picture is gone.
        normals: Some small normal pictures, as arrays.
    """

    headline: str
    model: JSON
    alarms: JSON
    scores: JSON
    data: JSON | None
    worst: list[JSON]
    listed: list[JSON]
    drift: JSON | None
    trust: list[JSON]
    limits: list[str]
    references: list[JSON]
    shots: list[Shot | None] = field(default_factory=list)
    normals: list[np.ndarray] = field(default_factory=list)

    def to_dict(self) -> JSON:
        """As nested dicts and lists, without the pictures."""
        bare = [each.name for each in fields(self) if each.name not in ("shots", "normals")]
        return {name: getattr(self, name) for name in bare}


def image_findings(
    detector: ImageDetector, data: Any = None, model: str = "", name: str = "", worst: int = WORST
) -> ImageFindings:
    """Gather the facts of a fitted detector and, if given, of pictures, in one pass and bounded memory.

    Args:
        detector: Fitted.
        data: What `ImageDetector.judge` reads: a folder, a file, paths, arrays.
        model: Where it is saved, for the report to name.
        name: What to call the data; their path, if not given.
        worst: So many pictures are shown at most.

    Raises:
        Unreadable: none of the pictures can be read.
    """
    pictures = None if data is None else album(data)
    found = None if pictures is None else surveyed(detector, pictures, worst)
    held_out, threshold = detector.held_out_, detector.threshold_
    edges = histogram_edges(held_out, threshold)
    alarms, described = _alarms(detector, found), _learnt(detector, model)
    about = (
        None
        if found is None or pictures is None
        else _judged(found, name or _named(data), alarms["rate"], pictures.paired)
    )
    moved = None if found is None else drift(found.scores, held_out, threshold)
    seen = [] if found is None or pictures is None else list(_seen(detector, pictures, found, worst))
    return ImageFindings(
        headline=headline(about, alarms, described),
        model=described,
        alarms=alarms,
        scores={
            "edges": edges.tolist(),
            "held_out": counted(held_out, edges).tolist(),
            "data": None if found is None else counted(found.scores, edges).tolist(),
        },
        data=about,
        worst=[each for each, _ in seen],
        listed=[] if found is None else [verdict.to_dict() for verdict in found.listed],
        drift=moved,
        trust=trust(alarms, about, moved, described),
        limits=limits(alarms, described),
        references=works(detector.references()),
        shots=[shot for _, shot in seen],
        normals=_some(detector.whole_.shown),
    )


def surveyed(detector: ImageDetector, pictures: Album, worst: int) -> ImageSurvey:
    """The pass over pictures, or a refusal."""
    found = image_survey(detector.judge(pictures), worst)
    if not len(found.scores):
        first = found.unread[0]
        raise Unreadable(f"none of {found.unreadable:,} pictures can be read; {first['name']}: {first['why']}")
    return found


def entry(sight: Sight) -> JSON:
    """A picture for the report: what is said of it, with and without its name, and the name in two parts."""
    path = PurePosixPath(called(sight.name))
    said = sight.sentence.removeprefix(called(sight.name)).strip()
    return {**sight.to_dict(), "said": said, "file": path.name, "folder": str(path.parent).removeprefix(".")}


def _seen(
    detector: ImageDetector, pictures: Album, found: ImageSurvey, worst: int
) -> Iterator[tuple[JSON, Shot | None]]:
    """The worst in alarm and a few more; one large map at a time."""
    for place, verdict in found.worst[: min(worst, found.alarms + BESIDES)]:
        sight, shot = shown(detector, pictures, place, verdict, REGIONS)
        yield entry(sight), shot


def _alarms(detector: ImageDetector, found: ImageSurvey | None) -> JSON:
    held_out, rate = detector.held_out_, detector.false_alarm_rate_
    rates = rates_for(held_out, rate)
    points = curve(held_out, rates, int(detector.seed))
    if found is not None:
        above = [(found.scores > detector.conformal_.threshold(each)).mean() for each in rates]
        points = [{**point, "data": float(share)} for point, share in zip(points, above, strict=True)]
    return {
        "rate": rate,
        "threshold": detector.threshold_,
        "supported_rate": detector.conformal_.supported_rate,
        "regions": max(rate, 1 / (len(held_out) + 1)),
        "held_out": len(held_out),
        "statement": detector.statement(),
        "curve": points,
    }


def _judged(found: ImageSurvey, name: str, rate: float, paired: bool) -> JSON:
    return {
        "name": name,
        "paired": paired,
        "pictures": len(found.scores),
        "alarms": found.alarms,
        "expected": rate * len(found.scores),
        "unreadable": found.unreadable,
        "unread": found.unread,
        "seconds": found.seconds,
    }


def _learnt(detector: ImageDetector, path: str) -> JSON:
    model = detector.model_
    facts, (read,) = model.facts, model.facts["columns"]
    return {
        "path": path,
        "anodiff": __version__,
        "recipe": model.recipe.name,
        "about": model.recipe.about,
        "settings": model.recipe.model_dump(mode="json"),
        "pictures_seen": facts["rows_seen"],
        "pictures_fitted": facts["rows_fitted"],
        "unread": [{"name": name, "why": why} for name, why in facts["unread"]],
        "twins": facts["twins"],
        "folds": facts["folds"],
        "size": read["size"],
        "colour": read["channels"] == 3,
        "median": [read["median height"], read["median width"]],
        "backbone": read["backbone"],
        "planes": read["planes"],
        "seconds": facts["seconds"],
        "evaluations": model.nfe,
        "contamination": facts["contamination"]["value"],
        "examples": facts["examples"],
        "seed": int(detector.seed),
        "members": [_member(model, name) for name in model.members],
    }


def _member(model: Gallery, name: str) -> JSON:
    asked = model.recipe.scores[name]
    return {
        "name": name,
        "asks": asked.use,
        "of": asked_of(model.recipe, name),
        "heard": HEARD[asked.read],
        "weight": asked.weight,
    }


def _named(data: Any) -> str:
    return str(data) if isinstance(data, str) or hasattr(data, "__fspath__") else "the pictures given"


def _some(pictures: np.ndarray) -> list[np.ndarray]:
    """A few of those that are kept, from the first to the last."""
    return [pictures[i] for i in np.unique(np.linspace(0, len(pictures) - 1, NORMALS).astype(int)) if len(pictures)]
