"""The main job on real data: learn benign tumours, raise alarms on malignant ones, beside two cheap rivals.

Protocol: a seeded half of the benign tumours is learnt; the other half and all malignant ones are judged. Every method
gets the same rows, and its alarm threshold from training rows that the scoring model had not seen: ours from its own
calibration, the rivals' from ten folds.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import KFold
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from anodiff.alarms import Conformal
from anodiff.data.table import Table
from anodiff.data.toys import breast_cancer
from anodiff.detect import Detector
from anodiff.metrics.ranking import auroc, average_precision, proportion
from anodiff.report.findings import findings
from anodiff.report.render import render
from anodiff.types import JSON, Scores

RATE = 0.05
FOLDS = 10
DRAWS = 500
NEIGHBOURS = 5
OURS = "anodiff"

Judge = Callable[[np.ndarray], Scores]
Follow = Callable[[Iterable[Any]], None]


@dataclass(frozen=True)
class Split:
    """Benign rows to learn from, rows to judge, and which of these are malignant."""

    normal: Table
    new: Table
    malignant: np.ndarray


@dataclass(frozen=True)
class Result:
    """Scores of the rows to judge, the alarm threshold, and the seconds for all of it."""

    scores: Scores
    threshold: float
    seconds: float


def run(output: Path, seed: int, overwrite: bool, follow: Follow) -> JSON:
    """Do all of it and write model, data, scores and report into the folder `output`, whole or not at all.

    Raises:
        FileExistsError: `output` exists and `overwrite` is False, or it holds no demo.
    """
    check_free(output, overwrite)
    began = time.perf_counter()
    found = split(seed)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.absolute().parent) as folder:
        fresh = Path(folder) / "demo"
        fresh.mkdir()
        ours = our_result(found, fresh, seed, follow, output)
        results = {OURS: ours} | {name: rival(found, make, seed) for name, make in RIVALS.items()}
        if output.exists():
            os.replace(output, Path(folder) / "old")
        os.replace(fresh, output)
    return {
        **told(results, found.malignant, seed),
        "rate": RATE,
        "learnt": len(found.normal),
        "folder": str(output),
        "seconds": time.perf_counter() - began,
    }


def check_free(output: Path, overwrite: bool) -> None:
    """Refuse a folder that is taken, before any work is done."""
    if output.exists() and not (overwrite and (output / "model" / "config.json").is_file()):
        hint = "it holds no demo of ours, so it is left alone" if overwrite else "give --overwrite, or another folder"
        raise FileExistsError(f"{output} exists; {hint}.")
    if not output.absolute().parent.is_dir():
        raise NotADirectoryError(f"there is no folder {output.parent} to write {output.name} into; create it first.")


def split(seed: int) -> Split:
    """A seeded half of the benign to learn from; the other half and all malignant, in random order, to judge."""
    table, malignant = breast_cancer()
    draw = np.random.default_rng(seed)
    benign = draw.permutation(np.flatnonzero(malignant == 0))
    learnt, kept = np.split(benign, [len(benign) // 2])
    judged = draw.permutation(np.concatenate([kept, np.flatnonzero(malignant == 1)]))
    return Split(table.take(np.sort(learnt)), table.take(judged), malignant[judged])


def our_result(found: Split, folder: Path, seed: int, follow: Follow, final: Path) -> Result:
    """Fit and judge by way of files, as the command line does, and leave them in `folder`."""
    normal, new = folder / "normal.csv", folder / "new.csv"
    pacsv.write_csv(found.normal.arrow, normal)
    pacsv.write_csv(found.new.arrow, new)
    began = time.perf_counter()
    detector = Detector("tabular", false_alarm_rate=RATE, seed=seed)
    follow(detector.fitting(normal))
    scores = detector.decision_function(new)
    seconds = time.perf_counter() - began
    detector.save(folder / "model")
    pacsv.write_csv(_scores(detector, scores, found.malignant), folder / "scores.csv")
    report = render(findings(detector, new, model=str(final / "model"), name=str(final / "new.csv")))
    (folder / "report.html").write_text(report, encoding="utf-8")
    return Result(scores, detector.threshold_, seconds)


def _scores(detector: Detector, scores: Scores, malignant: np.ndarray) -> pa.Table:
    alarm = detector.decide(scores)
    columns = {"row": np.arange(len(scores)), "score": scores, "p_value": detector.p_of(scores), "alarm": alarm}
    return pa.table(columns | {"malignant": malignant})


def nearest(normal: np.ndarray, seed: int) -> Judge:  # noqa: ARG001
    """Mean distance to the nearest training rows, columns standardised."""
    scale = StandardScaler().fit(normal)
    search = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(scale.transform(normal))
    return lambda rows: np.asarray(search.kneighbors(scale.transform(rows))[0].mean(1))


def forest(normal: np.ndarray, seed: int) -> Judge:
    """Isolation forest (Liu, Ting and Zhou, 2008) with scikit-learn's settings."""
    trees = IsolationForest(random_state=seed).fit(normal)
    return lambda rows: np.asarray(-trees.score_samples(rows))


RIVALS: dict[str, Callable[[np.ndarray, int], Judge]] = {"kNN (k = 5)": nearest, "isolation forest": forest}


def rival(found: Split, make: Callable[[np.ndarray, int], Judge], seed: int) -> Result:
    """The same rows; the threshold from training rows scored by models that had not seen them."""
    normal, new = (np.column_stack([c.to_numpy() for c in each.arrow.columns]) for each in (found.normal, found.new))
    began = time.perf_counter()
    folds = KFold(FOLDS, shuffle=True, random_state=seed).split(normal)
    held_out = np.concatenate([make(normal[kept], seed)(normal[left]) for kept, left in folds])
    scores = make(normal, seed)(new)
    return Result(scores, Conformal().fit(held_out).threshold(RATE), time.perf_counter() - began)


def told(results: dict[str, Result], malignant: np.ndarray, seed: int) -> JSON:
    """Numbers of every method, and the difference of each rival to us."""
    return {
        "malignant": int(malignant.sum()),
        "benign": int((malignant == 0).sum()),
        "methods": {name: _numbers(result, malignant) for name, result in results.items()},
        "ahead": {name: _ahead(results[OURS], results[name], malignant, seed) for name in results if name != OURS},
    }


def _numbers(result: Result, malignant: np.ndarray) -> JSON:
    alarms = result.scores > result.threshold
    rates = {name: alarms[malignant == kind] for name, kind in (("found", 1), ("false_alarms", 0))}
    return {
        "auroc": auroc(malignant, result.scores),
        "average_precision": average_precision(malignant, result.scores),
        **{name: vars(proportion(int(hits.sum()), len(hits), 0.95)) for name, hits in rates.items()},
        "alarms": {name: int(hits.sum()) for name, hits in rates.items()},
        "seconds": result.seconds,
    }


def _ahead(ours: Result, theirs: Result, malignant: np.ndarray, seed: int) -> JSON:
    """Our AUROC minus theirs with a 95 % bootstrap interval over the rows judged, and the verdict."""
    draw = np.random.default_rng(seed)
    kinds = [np.flatnonzero(malignant == kind) for kind in (0, 1)]
    differences = np.empty(DRAWS)
    for k in range(DRAWS):
        rows = np.concatenate([draw.choice(kind, len(kind)) for kind in kinds])
        differences[k] = _difference(ours, theirs, malignant, rows)
    low, high = np.quantile(differences, [0.025, 0.975])
    verdict = "wins" if low > 0 else "loses" if high < 0 else "ties"
    value = _difference(ours, theirs, malignant, np.arange(len(malignant)))
    return {"difference": value, "low": float(low), "high": float(high), "verdict": verdict}


def _difference(ours: Result, theirs: Result, malignant: np.ndarray, rows: np.ndarray) -> float:
    return auroc(malignant[rows], ours.scores[rows]) - auroc(malignant[rows], theirs.scores[rows])
