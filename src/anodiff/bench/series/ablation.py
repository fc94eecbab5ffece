"""What the learnt denoiser is worth: the default with it, without it, by it alone, and after longer training."""

from collections.abc import Iterator

from anodiff.bench.series import tasks
from anodiff.bench.series.detect import OURS
from anodiff.bench.series.judge import volumes
from anodiff.bench.series.ours import Said, fitted, members_of
from anodiff.bench.series.settings import Settings
from anodiff.bench.series.tasks import Source, Task
from anodiff.bench.series.timed import Absent, Record, attempt
from anodiff.detect_series import SeriesDetector
from anodiff.recipes.specs import NetworkSpec
from anodiff.types import JSON

LONGER = 4
WITHOUT, ALONE = "without learnt", "learnt alone"
LONG, LONG_ALONE = f"{OURS}, steps x {LONGER}", f"learnt alone, steps x {LONGER}"
DIFFERENCES = (
    ("the learnt denoiser adds", OURS, WITHOUT),
    ("longer training costs", OURS, LONG),
    ("longer training costs the learnt denoiser alone", ALONE, LONG_ALONE),
)


def act(source: Source, seed: int, settings: Settings) -> Iterator[Record]:
    """Two fits: the default, whose members are taken apart, and the one that is trained longer."""
    task = tasks.whole(source)
    held: list[Said] = []

    def usual() -> JSON:
        held.append(Said.of(fitted(task.X, seed, settings.recipe, settings.changes)))
        return volumes(task, held[0].score())

    def longer() -> JSON:
        changes = {**settings.changes, **_longer(held[0].detector)}
        held.append(Said.of(fitted(task.X, seed, settings.recipe, changes)))
        return volumes(task, held[1].score())

    yield attempt(OURS, usual)
    if held:
        yield attempt(WITHOUT, lambda: _some(task, held[0], learnt=False))
        yield attempt(ALONE, lambda: _some(task, held[0], learnt=True))
        yield attempt(LONG, longer)
    if len(held) > 1:
        yield attempt(LONG_ALONE, lambda: _some(task, held[1], learnt=True))


def _some(task: Task, said: Said, learnt: bool) -> JSON:
    """By the members that are learnt, or by the others."""
    own = set(members_of(said.detector, "network"))
    kept = [name for name in said.detector.whole_.members if (name in own) == learnt]
    if not own or not kept:
        what = "learns nothing" if not own else "does nothing but learn"
        raise Absent(f"recipe {said.detector.whole_.recipe.name} {what}, so nothing can be taken away.")
    return volumes(task, said.score(kept))


def _longer(detector: SeriesDetector) -> JSON:
    """The changes that train every network longer."""
    specs = detector.whole_.recipe.denoisers.items()
    changes = {f"denoisers.{name}.steps": LONGER * spec.steps for name, spec in specs if isinstance(spec, NetworkSpec)}
    if not changes:
        raise Absent(f"recipe {detector.whole_.recipe.name} trains no network.")
    return changes
