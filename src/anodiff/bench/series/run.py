"""A run: which jobs there are, which are done, and who does the rest. A job is one series with one seed."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from anodiff.bench.crew import THREADS
from anodiff.bench.machine import describe, versions
from anodiff.bench.results import plain
from anodiff.bench.run import Finished
from anodiff.bench.series import results as files
from anodiff.bench.series.protocols import protocol
from anodiff.bench.series.results import Results
from anodiff.bench.series.settings import Settings
from anodiff.bench.series.tasks import Source, chosen
from anodiff.bench.series.timed import Record
from anodiff.recipes.schema import available, recipe
from anodiff.types import JSON, Misfit

MOST_JOBS = 2


@dataclass(frozen=True)
class Job:
    """One series, one seed."""

    source: Source
    seed: int
    settings: Settings

    @property
    def key(self) -> tuple[str, int]:
        """What names it among the jobs of a run."""
        return self.source.name, self.seed


def prepare(
    settings: Settings, path: Path, command: str, overwrite: bool = False, retry: bool = False
) -> tuple[Results, list[Job]]:
    """Check all that can be checked before any work, and find what is done already.

    Args:
        settings: What is asked for.
        path: Of the results.
        command: That was typed.
        overwrite: Whether to forget what is there.
        retry: Whether jobs in which anything failed are done again.

    Raises:
        Refusal: a set or a setting is not to be had.
        FileExistsError: the file holds results of other settings, another recipe, version or data.
    """
    settings.check()
    plan = protocol(settings.protocol)
    found = chosen(plan.sources(), settings.sets)
    sets = {source.name: plan.facts(source) for source in found}
    fresh = Results(settings, sets, describe(), versions() | more_versions(), command, carried(settings))
    jobs = [Job(source, seed, settings) for seed in range(settings.seeds) for source in found]
    if overwrite or not path.exists():
        return fresh, jobs
    kept = resumed(fresh, files.read(path), path)
    if retry:
        again = {(r["set"], r["seed"]) for r in kept.records if r["status"] == "failed"}
        kept.records = [r for r in kept.records if (r["set"], r["seed"]) not in again]
    return kept, jobs


def resumed(fresh: Results, old: Results, path: Path) -> Results:
    """What is there already, with the settings that are asked for now."""
    differing = old.settings.differs(fresh.settings)
    if old.recipe != plain(fresh.recipe) and not differing:
        differing = ["recipes, or of an older form of this one"]
    if old.versions["anodiff"] != fresh.versions["anodiff"]:
        differing.append(f"version {fresh.versions['anodiff']}")
    both = [name for name in fresh.sets if name in old.sets]
    differing += [f"the data of {name}" for name in both if old.sets[name] != plain(fresh.sets[name])][:1]
    if differing:
        raise FileExistsError(f"{path} holds results of other {', '.join(differing)}; give --overwrite or another -o.")
    asked, before = fresh.settings, old.settings
    every = replace(asked, seeds=max(asked.seeds, before.seeds), sets=None if before.sets is None else asked.sets)
    return replace(fresh, settings=every, records=old.records, sets={**fresh.sets, **old.sets}, machine=old.machine)


def proceed(results: Results, jobs: list[Job], path: Path, workers: int = 1) -> Iterator[Finished]:
    """Do the jobs that are not done, and write after each."""
    left = [job for job in jobs if job.key not in results.done]
    done = len(jobs) - len(left)
    results.finished = not left
    files.write(results, path)
    yield Finished(done, len(jobs), "")
    for job, records in crew(left, workers) if workers > 1 else here(left):
        done += 1
        results.add(*job.key, records)
        results.finished = done == len(jobs)
        files.write(results, path)
        yield Finished(done, len(jobs), f"{job.source.name}, seed {job.seed}")


def perform(job: Job) -> list[Record]:
    """Do a job."""
    return list(protocol(job.settings.protocol).act(job.source, job.seed, job.settings))


def here(jobs: list[Job]) -> Iterator[tuple[Job, list[Record]]]:
    """In this process, in order."""
    for job in jobs:
        yield job, perform(job)


def crew(jobs: list[Job], workers: int) -> Iterator[tuple[Job, list[Record]]]:
    """In processes of one thread each, as they finish."""
    os.environ.update(dict.fromkeys(THREADS, "1"))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, MOST_JOBS), context, torch.set_num_threads, (1,)) as pool:
        waiting = {pool.submit(perform, job): job for job in jobs}
        try:
            for each in as_completed(waiting):
                yield waiting[each], each.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def carried(settings: Settings) -> JSON:
    """The recipe that is asked for, with its changes, or those among which the default is chosen; by name.

    Raises:
        Misfit: there is no such recipe, or the changes fit none.
    """
    named = [settings.recipe]
    if settings.recipe == "auto":
        named = [name for name in available("series") if name.startswith("series")]
    found, refusals = dict[str, JSON](), list[Misfit]()
    for name in named:
        try:
            found[name] = recipe(name, settings.changes or None).model_dump(mode="json")
        except Misfit as refusal:
            refusals.append(refusal)
    if not found:
        raise refusals[0]
    return found


def more_versions() -> JSON:
    """Of what only the bench of series uses; None where it is not there."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return {"stumpy": version("stumpy")}
    except PackageNotFoundError:
        return {"stumpy": None}
