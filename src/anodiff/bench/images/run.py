"""A run: which jobs there are, and which are done. A job is one set with one seed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from anodiff.bench.images import results as files
from anodiff.bench.images.cases import Source
from anodiff.bench.images.protocols import protocol
from anodiff.bench.images.results import Results
from anodiff.bench.images.settings import Settings
from anodiff.bench.machine import describe, versions
from anodiff.bench.results import plain
from anodiff.bench.run import Finished
from anodiff.recipes.schema import recipe
from anodiff.types import JSON

USUAL = ("image", "image-pair")
"""What "auto" chooses from: for pictures, and for pairs of them."""


@dataclass(frozen=True)
class Job:
    """One set, one seed."""

    source: Source
    seed: int

    @property
    def key(self) -> tuple[str, int]:
        """What names it among the jobs of a run."""
        return self.source.name, self.seed


def prepare(settings: Settings, path: Path, command: str, overwrite: bool = False) -> tuple[Results, list[Job]]:
    """Check all that can be checked before any work, and find what is done already.

    Args:
        settings: What is asked for.
        path: Of the results.
        command: That was typed.
        overwrite: Whether to forget what is there.

    Raises:
        Refusal: a set or a setting is not to be had.
        FileExistsError: the file holds results of other settings, another recipe, version or data.
    """
    settings.check()
    found = protocol(settings.protocol).sources(settings)
    sets = {source.name: source.load().facts() for source in found}
    fresh = Results(settings, sets, describe(), versions(), command, judged_recipe(settings))
    jobs = [Job(source, seed) for seed in range(settings.seeds) for source in found]
    kept = fresh if overwrite or not path.exists() else resumed(fresh, files.read(path), path)
    return kept, jobs


def resumed(fresh: Results, old: Results, path: Path) -> Results:
    """What is there already, with the settings that are asked for now."""
    differing = old.settings.differs(fresh.settings)
    for word, ours, theirs in (
        ("recipe", plain(fresh.recipe), old.recipe),
        ("version", fresh.versions["anodiff"], old.versions["anodiff"]),
        ("data", plain(fresh.sets), old.sets),
    ):
        differing += [word] if ours != theirs and not differing else []
    if differing:
        raise FileExistsError(f"{path} holds results of other {', '.join(differing)}; give --overwrite or another -o.")
    settings = replace(fresh.settings, seeds=max(fresh.settings.seeds, old.settings.seeds))
    return replace(fresh, settings=settings, records=old.records, machine=old.machine)


def proceed(results: Results, jobs: list[Job], path: Path) -> Iterator[Finished]:
    """Do the jobs that are not done, and write after each."""
    left = [job for job in jobs if job.key not in results.done]
    done = len(jobs) - len(left)
    results.finished = not left
    files.write(results, path)
    yield Finished(done, len(jobs), "")
    act = protocol(results.settings.protocol).act
    for job in left:
        results.add(*job.key, list(act(job.source.load(), job.seed, results.settings)))
        done += 1
        results.finished = done == len(jobs)
        files.write(results, path)
        yield Finished(done, len(jobs), f"{job.source.name}, seed {job.seed}")


def judged_recipe(settings: Settings) -> JSON:
    """The recipes of anodiff that are judged, by name.

    Raises:
        Misfit: there is no such recipe, or the changes do not fit it.
    """
    named = USUAL if settings.recipe == "auto" and not settings.changes else (settings.recipe,)
    named = ("image",) if named == ("auto",) else named
    return {name: recipe(name, settings.changes or None).model_dump(mode="json") for name in named}
