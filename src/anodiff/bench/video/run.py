"""Runs of the bench of video: each method with each seed on a public set, kept in one json file, which goes on."""

import json
import resource
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anodiff.bench.generation.results import Results, resumed, write
from anodiff.bench.images.judge import packed, unpacked
from anodiff.bench.series.timed import timed
from anodiff.bench.video.judge import draws, interval, of_maps, of_scores
from anodiff.bench.video.rivals import RIVALS, Rival, smoothed
from anodiff.data.clips import Clip, reel
from anodiff.data.public_video import VideoSet
from anodiff.detect_video import VideoDetector
from anodiff.types import JSON

OURS = "anodiff"
METRICS = ("micro", "macro", "ap", "eer", "pixel_auroc", "pixel_ap")
Said = tuple[list[np.ndarray], Iterator[np.ndarray] | None]
"""Scores of each clip, and maps `(T, h, w)` of each."""


@dataclass(frozen=True)
class Asked:
    """What a run does: methods by name, with so many seeds; the rivals' scores are smoothed by `sigma` frames."""

    methods: tuple[str, ...] = (OURS, *RIVALS)
    sigma: float = 4.0
    recipe: str = "auto"
    changes: tuple[tuple[str, float], ...] = ()


def running(
    asked: Asked, seeds: int, held: VideoSet, path: Path, command: str, overwrite: bool = False
) -> Iterator[JSON]:
    """Run what is not recorded yet; each record is written when it is made."""
    sizes = {"train": len(held.train), "test": len(held.test), "frames": sum(map(len, held.labels))}
    fresh = Results("video", {"set": held.name, **vars(asked)}, command, {held.name: sizes})
    results = resumed(fresh, path, overwrite)
    train, test = ([each for folder in part for each in reel(folder).clips] for part in (held.train, held.test))
    for seed in range(seeds):
        for method in asked.methods:
            if (seed, 0, method) in results.done or (seed and not seeded(method)):
                continue
            facts, said = ours(train, test, seed, asked) if method == OURS else rival(method, train, test, seed)
            record = {"seed": seed, "count": 0, "arm": method, **facts, **judged(held, said, asked, method)}
            results.records.append(record)
            write(results, path, summary(results.records))
            yield record


def seeded(method: str) -> bool:
    """Whether another seed may give other numbers."""
    return method == OURS or method == "nearest flow patches"


def ours(train: Sequence[Clip], test: Sequence[Clip], seed: int, asked: Asked) -> tuple[JSON, Said]:
    """The detector as a user gets it: seconds of fit, frames a second of scoring, decoding and flow included."""
    with timed() as fitting:
        detector = VideoDetector("video", asked.recipe, changes=dict(asked.changes) or None, seed=seed)
        detector.fit(list(train))
    scores, maps, alarms = list[np.ndarray](), list[np.ndarray](), 0
    with timed() as scoring:
        for clip in test:
            seen = list(detector.judge([clip], maps=True))
            scores.append(np.array([each.score for each in seen]))
            maps.append(np.stack([small(each.map) for each in seen if each.map is not None]))
            alarms += sum(each.alarm for each in seen)
    frames = sum(map(len, scores))
    facts = {
        **fitting.told("fit_"),
        **scoring.told("score_"),
        "frames_per_second": frames / scoring.seconds,
        "frames_per_cpu_second": frames / scoring.cpu_seconds,
        "false_alarm_rate": detector.false_alarm_rate_,
        "alarms": alarms,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    return facts, (scores, iter(maps))


def rival(method: str, train: Sequence[Clip], test: Sequence[Clip], seed: int) -> tuple[JSON, Said]:
    """A rival: the largest value of each map is its score."""
    made: Callable[..., Rival] = RIVALS[method]
    with timed() as fitting:
        found = (made(seed=seed) if seeded(method) else made()).fit(train)
    with timed() as scoring:
        maps = [np.stack(list(found.maps(clip))) for clip in test]
    scores = [each.max((1, 2)) for each in maps]
    frames = sum(map(len, scores))
    told = {**fitting.told("fit_"), **scoring.told("score_"), "frames_per_second": frames / scoring.seconds}
    return told, (scores, iter(maps))


def judged(held: VideoSet, said: Said, asked: Asked, method: str) -> JSON:
    """The numbers of a method; of a rival as it is, and with its scores smoothed."""
    scores, maps = said
    masks = [mask for i in range(len(held.test)) if (mask := held.masks(i)) is not None]
    pixels = of_maps(maps, masks) if maps is not None and len(masks) == len(held.test) else {}
    plain = of_scores(held.labels, scores)
    best = scores if method == OURS else [smoothed(each, asked.sigma) for each in scores]
    return {
        **of_scores(held.labels, best),
        **pixels,
        "unsmoothed_micro": plain["micro"],
        "draws": {"micro": packed(draws(held.labels, best))},
    }


def small(map: np.ndarray) -> np.ndarray:
    """A map at half its size, for the memory of the bench."""
    return map[::2, ::2]


def summary(records: Sequence[JSON]) -> JSON:
    """By method: the mean of each number over seeds, and the interval of clips; the gain over each rival."""
    by: dict[str, list[JSON]] = {}
    for each in sorted(records, key=lambda each: each["arm"] != OURS):
        by.setdefault(each["arm"], []).append(each)
    return {
        "methods": {name: told(own) for name, own in by.items()},
        "gains": {name: gain(by[OURS], own) for name, own in by.items() if name != OURS and OURS in by},
    }


def told(own: Sequence[JSON]) -> JSON:
    """One method."""
    numbers = (*METRICS, "unsmoothed_micro", "fit_seconds", "frames_per_second", "frames_per_cpu_second", "megabytes")
    found = {name: float(np.mean([each[name] for each in own])) for name in numbers if name in own[0]}
    spread = [each["micro"] for each in own]
    low, high = np.mean([interval(unpacked(each["draws"]["micro"])) for each in own], 0)
    return {
        **found,
        "low": float(low),
        "high": float(high),
        "least": min(spread),
        "most": max(spread),
        "seeds": len(own),
    }


def gain(ours: Sequence[JSON], other: Sequence[JSON]) -> JSON:
    """How much higher the micro AUROC is, with the interval of clips drawn anew, the same for both."""
    pairs = [(each, other[min(i, len(other) - 1)]) for i, each in enumerate(ours)]
    ends = [interval(unpacked(a["draws"]["micro"]) - unpacked(b["draws"]["micro"])) for a, b in pairs]
    low, high = np.mean(ends, 0)
    return {
        "gain": float(np.mean([a["micro"] - b["micro"] for a, b in pairs])),
        "low": float(low),
        "high": float(high),
    }


def page(found: JSON) -> str:
    """The summary as markdown."""
    names = ["method", "micro AUROC", "95 %, clips drawn anew", "not smoothed", "macro", "AP", "EER", "pixel AUROC"]
    names += ["fit s", "frames/s"]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for name, each in found["methods"].items():
        pixel = f"{each['pixel_auroc']:.3f}" if "pixel_auroc" in each else "-"
        spread = f" ({each['least']:.3f} to {each['most']:.3f}, {each['seeds']} seeds)" if each["seeds"] > 1 else ""
        plain = "as it is" if name == OURS else f"{each['unsmoothed_micro']:.3f}"
        lines.append(
            f"| {name} | {each['micro']:.3f}{spread} | {each['low']:.3f} to {each['high']:.3f} | {plain} | "
            f"{each['macro']:.3f} | {each['ap']:.3f} | {each['eer']:.3f} | {pixel} | {each['fit_seconds']:.0f} | "
            f"{each['frames_per_second']:.1f} |"
        )
    ahead = [
        f"- {OURS} is {each['gain']:+.3f} ({each['low']:+.3f} to {each['high']:+.3f}) from {name}."
        for name, each in found["gains"].items()
    ]
    return "\n".join([*lines, "", *ahead, ""])


def shown(path: Path) -> str:
    """A file of results as markdown."""
    return page(json.loads(path.read_text(encoding="utf-8"))["summary"])
