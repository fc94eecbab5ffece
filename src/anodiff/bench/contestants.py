"""anodiff and its rivals, asked the same: learn this cut, score its test, say how unusual a score is."""

from typing import Any, Protocol

import numpy as np

from anodiff.alarms import Conformal
from anodiff.bench.cells import take
from anodiff.bench.cut import Cut
from anodiff.bench.named import recipe_of, rival
from anodiff.bench.protocols import Level
from anodiff.bench.settings import Settings
from anodiff.detect import Detector
from anodiff.types import JSON, Scores

OURS = "anodiff"


class Contestant(Protocol):
    """A method in the bench."""

    def fit(self, cut: Cut) -> None:
        """Learn the training rows of the cut."""

    def score(self, cut: Cut, rows: np.ndarray | None = None) -> Scores:
        """Scores of the test, or of these of its rows alone; higher is more abnormal."""

    def p_of(self, scores: Scores) -> Scores:
        """p-values of scores, by training rows alone."""

    def facts(self) -> JSON:
        """What there is to say once it is fitted."""


class Ours:
    """anodiff; what is None is left to its default. One that was `fitted` already is only given another budget."""

    def __init__(self, settings: dict[str, Any], fitted: Detector | None = None) -> None:
        self.settings = settings
        self.fitted = fitted

    def fit(self, cut: Cut) -> None:
        if self.fitted is not None:
            self.fitted.budget = self.settings.get("budget")
            self.detector: Detector = self.fitted
            return
        self.detector = Detector(**self.settings)
        known: dict[str, Any] = {} if cut.examples is None else {"examples": cut.examples}
        self.detector.fit(cut.train, **known)

    def score(self, cut: Cut, rows: np.ndarray | None = None) -> Scores:
        found: Scores = self.detector.decision_function(cut.test if rows is None else take(cut.test, rows))
        return found

    def p_of(self, scores: Scores) -> Scores:
        return self.detector.p_of(scores)

    def facts(self) -> JSON:
        model = getattr(self.detector, "model_", None)
        nfe = getattr(self.detector, "nfe", None)
        spent = getattr(getattr(model, "score", None), "nfe", None) if nfe is None else nfe
        estimate = getattr(self.detector, "contamination_", None)
        return {"nfe": spent, "contamination_estimate": None if estimate is None else float(estimate)}


class Theirs:
    """A rival; an alarm is a score above a quantile of its scores of training rows."""

    def __init__(self, name: str, seed: int) -> None:
        self.rival = rival(name, seed)

    def fit(self, cut: Cut) -> None:
        scores = self.rival.fit(cut.flat_train)
        self.conformal = Conformal().fit(np.nan_to_num(scores, nan=np.inf))

    def score(self, cut: Cut, rows: np.ndarray | None = None) -> Scores:
        return self.rival.score(cut.flat_test if rows is None else cut.flat_test[rows])

    def p_of(self, scores: Scores) -> Scores:
        return self.conformal.p_value(scores)

    def facts(self) -> JSON:
        return {}


def contestant(name: str, settings: Settings, seed: int, level: Level, fitted: Detector | None = None) -> Contestant:
    """The method of that name: anodiff as it was asked for, another recipe of it, or a rival."""
    plan, other = settings.plan(), recipe_of(name)
    if name != OURS and other is None:
        return Theirs(name, seed)
    budget = level if plan.varies == "budget" else settings.budget
    ours = {
        "recipe": settings.recipe if other is None else other,
        "changes": None if other is not None else settings.changes or None,
        "budget": None if other is not None else budget,
        "contamination": "auto" if plan.auto and other is None else None,
        "seed": seed,
    }
    return Ours({name: value for name, value in ours.items() if value is not None}, fitted)
