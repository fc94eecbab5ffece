"""Numbers of records, by set and seed. Where rivals are judged once, those records stand for every level."""

import numpy as np

from anodiff.bench.protocols import Level
from anodiff.bench.results import Results
from anodiff.types import JSON

OURS = "anodiff"
LABELLED = {"auroc": "AUROC", "ap": "AP"}
MADE = {"made_swapped_auroc": "AUROC, made (swapped)", "made_pushed_auroc": "AUROC, made (pushed)"}
Values = dict[str, dict[int, float]]
"""A number by set, by seed."""


class Book:
    """Records of a run, looked up by method and level."""

    def __init__(self, results: Results) -> None:
        self.results, self.settings = results, results.settings
        self.plan = self.settings.plan()
        self.methods = [OURS, *self.settings.rivals]
        self.metrics = [name for name in (*LABELLED, *MADE) if any(r.get(name) is not None for r in results.records)]
        self._by: dict[tuple[str, Level], list[JSON]] = {}
        for record in results.records:
            self._by.setdefault((record["method"], record["level"]), []).append(record)

    def records(self, method: str, level: Level, status: str = "ok") -> list[JSON]:
        """Of a method at a level; of a rival that is judged once, those of the first level."""
        if self.plan.rivals_once and method != OURS:
            level = self.settings.levels[0]
        return [r for r in self._by.get((method, level), []) if r["status"] == status]

    def values(self, method: str, level: Level, name: str) -> Values:
        """A number of the records, by set and seed."""
        found: Values = {}
        for record in self.records(method, level):
            if record.get(name) is not None:
                found.setdefault(record["set"], {})[record["seed"]] = float(record[name])
        return found

    def levels(self) -> list[Level]:
        """Levels at which anything was recorded."""
        return [level for level in self.settings.levels if (OURS, level) in self._by]


def differences(ours: Values, theirs: Values) -> dict[str, np.ndarray]:
    """Ours minus theirs, one array over seeds per set, where both are there."""
    shared = {name: sorted(set(ours[name]) & set(theirs[name])) for name in ours if name in theirs}
    return {
        name: np.array([ours[name][seed] - theirs[name][seed] for seed in seeds])
        for name, seeds in shared.items()
        if seeds
    }


def mean(values: Values) -> float | None:
    """The mean over sets of the mean over seeds."""
    return float(np.mean([np.mean(list(of.values())) for of in values.values()])) if values else None
