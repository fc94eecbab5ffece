"""The measurements of `cost`, in the process that it starts: `python -m anodiff.bench.images.weigh '{"name": ...}'`."""

import json
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from anodiff.bench.images.cases import Case
from anodiff.bench.images.cost import alone
from anodiff.bench.images.detect import learnt
from anodiff.bench.images.finish import Finish
from anodiff.bench.images.ours import OURS, fitted, said
from anodiff.bench.images.protocols import case_of
from anodiff.bench.images.rivals import RIVALS
from anodiff.bench.images.seen import Eyes
from anodiff.bench.images.settings import Settings
from anodiff.bench.measure import kilobytes
from anodiff.bench.series.timed import timed
from anodiff.metrics.ranking import auroc
from anodiff.types import JSON

SINGLES = 50
MEMORY = "memory"


def ours(case: Case, seed: int, settings: Settings) -> JSON:
    """Fit, score one by one and all in a row, and in another process for memory."""
    warm(case, lambda pictures: fitted(pictures, seed, settings.recipe, settings.changes))
    with timed() as fit:
        detector = fitted(case.train, seed, settings.recipe, settings.changes)
    single = milliseconds(case.test, lambda path: list(detector.inner_.judge([path])))
    with timed() as folder:
        scores = np.array([verdict.score for verdict in detector.inner_.judge(case.test)])
    found = {"image_auroc": auroc(case.truth.labels, scores), **fit.told("fit_"), **single}
    with tempfile.TemporaryDirectory() as place:
        at = detector.save(Path(place) / "model")
        found |= alone({"name": MEMORY, "model": str(at), "pictures": [str(path) for path in case.test]})
        found["model_megabytes"] = sum(file.stat().st_size for file in at.rglob("*")) / 2**20
    return found | per_picture(folder.seconds, len(case.test))


def rival(name: str, case: Case, seed: int, settings: Settings) -> JSON:
    """Fit, reading included, score one by one and all in a row."""
    finish, eyes = Finish(), Eyes(settings.layers, settings.grid).fit(case.train)
    eyes(case.train[:2])
    with timed() as fit:
        made = RIVALS[name](seed).fit(eyes(learnt(case, settings, seed)))

    def score(pictures: list[Path]) -> np.ndarray:
        return finish(made.maps_and_scores(eyes(pictures))[0])[1]

    single = milliseconds(case.test, lambda path: score([path]))
    with timed() as folder:
        scores = np.concatenate([score([path]) for path in case.test])
    found = {"image_auroc": auroc(case.truth.labels, scores), **fit.told("fit_"), **single}
    return found | per_picture(folder.seconds, len(case.test))


def memory(asked: JSON) -> JSON:
    """The highest resident size, in megabytes: once everything is imported, and once the pictures were scored."""
    from anodiff import load

    base = peak()
    detector = load(asked["model"])
    for _ in detector.inner_.judge(asked["pictures"]):
        pass
    return {"imports_megabytes": base, "megabytes": peak()}


def peak() -> float:
    """The highest resident size of this process so far, in megabytes.

    Linux counts towards getrusage's what the process that started this one held, so its own mark is read there.
    """
    return (kilobytes("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


def warm(case: Case, work: Callable[[list[Path]], Any]) -> None:
    """Work on a few pictures, whose time is not counted."""
    detector = work(case.train[:12])
    said(detector, case.test[:2])


def milliseconds(pictures: list[Path], score: Callable[[Path], Any]) -> JSON:
    """Median and 95 % of single pictures, evenly spread over those given."""
    took = []
    for i in np.linspace(0, len(pictures) - 1, min(SINGLES, len(pictures))).astype(int):
        began = time.perf_counter()
        score(pictures[i])
        took.append(1000 * (time.perf_counter() - began))
    return {"single_milliseconds": float(np.median(took)), "single_milliseconds_95": float(np.quantile(took, 0.95))}


def per_picture(seconds: float, count: int) -> JSON:
    """Milliseconds of each of so many in a row."""
    return {"folder_milliseconds": 1000 * seconds / count, "pictures": count}


def main(text: str) -> JSON:
    """What is asked for."""
    asked = json.loads(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if asked["name"] == MEMORY:
            return memory(asked)
        settings = Settings.from_dict(asked["settings"])
        case = case_of(settings)
        if asked["name"] == OURS:
            return ours(case, asked["seed"], settings)
        return rival(asked["name"], case, asked["seed"], settings)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1])) + "\n")
