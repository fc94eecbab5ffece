"""A run: which jobs there are, which are done, and who does the rest. It yields as jobs finish, for who watches."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anodiff.bench import results as files
from anodiff.bench.cells import width
from anodiff.bench.crew import crew, here
from anodiff.bench.machine import describe, versions
from anodiff.bench.named import check
from anodiff.bench.results import Results
from anodiff.bench.sets import Source, sources
from anodiff.bench.settings import Settings
from anodiff.recipes.schema import recipe
from anodiff.types import JSON, Misfit, Unreadable


@dataclass(frozen=True)
class Finished:
    """So many of so many jobs are done; the last was this."""

    done: int
    of: int
    last: str


def prepare(settings: Settings, folder: Path, command: str, overwrite: bool) -> tuple[Results, list[Source]]:
    """Check all that can be checked before any work, and find what is done already.

    Raises:
        Refusal: a set, a rival or a setting is not to be had.
        FileExistsError: the folder holds something else, or results of other settings.
    """
    plan = settings.plan()
    if settings.seeds < 1:
        raise Misfit(f"--seeds is {settings.seeds}; give 1 or more.")
    for name in settings.rivals:
        check(name)
    recipe("table" if settings.recipe == "auto" else settings.recipe, settings.changes or None)
    found = sources(settings.data, plan, settings.label, settings.anomaly, settings.sets, settings.drop)
    sets = {source.name: _facts(source, settings) for source in found}
    fresh = Results(settings, sets, describe(), versions(), command)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return fresh, found
    if not (folder / files.FILE).is_file():
        raise FileExistsError(f"{folder} exists and holds no bench results, so it is left alone; give another -o.")
    if overwrite:
        return fresh, found
    return _resumed(fresh, files.read(folder), folder), found


def _resumed(fresh: Results, old: Results, folder: Path) -> Results:
    differing = old.settings.differs(fresh.settings)
    if differing:
        raise FileExistsError(
            f"{folder} holds results of other settings ({', '.join(differing)}); give --overwrite or another -o."
        )
    before, now = (each.versions["anodiff"] for each in (old, fresh))
    if before != now:
        raise FileExistsError(f"{folder} holds results of anodiff {before}, this is {now}; give --overwrite.")
    changed = [name for name, facts in fresh.sets.items() if old.sets.get(name) != facts]
    if changed:
        raise FileExistsError(f"{folder} holds results of other data ({changed[0]} differs); give --overwrite.")
    return old


def proceed(results: Results, found: list[Source], folder: Path, workers: int, overwrite: bool) -> Iterator[Finished]:
    """Do the jobs that are not done, and write after each. `workers` 0 works in this process."""
    from anodiff.bench.work import Job

    if overwrite and (folder / files.FILE).is_file():
        _clear(folder)
    everything = [Job(source, seed, results.settings) for seed in range(results.settings.seeds) for source in found]
    left = [job for job in everything if job.key not in results.done]
    done = len(everything) - len(left)
    files.write(results, folder)
    yield Finished(done, len(everything), "")
    for finished in crew(left, workers) if workers else here(left):
        done += 1
        results.add(finished.splits, finished.records)
        results.finished = done == len(everything)
        files.write(results, folder)
        yield Finished(done, len(everything), f"{finished.job.source.name}, seed {finished.job.seed}")


def _facts(source: Source, settings: Settings) -> JSON:
    """Fingerprint and size of a set; refuses one that the protocol cannot use."""
    data = source.load()
    labelled = settings.plan().split != "halves"
    if labelled and data.y is None:
        raise Unreadable(f"{source.name} has no labels; name their column with --label, or use --protocol unlabelled.")
    if not labelled and data.y is not None:
        raise Misfit(f"{source.name} has labels; choose a protocol that uses them, such as shuffled.")
    anomalies = None if data.y is None else int(data.y.sum())
    return {"sha256": data.fingerprint, "rows": len(data.X), "columns": width(data.X), "anomalies": anomalies}


def _clear(folder: Path) -> None:
    """Take away what an earlier run wrote, and nothing else."""
    names = (files.FILE, "records.parquet", "summary.md", "ranks.png", "ranks.svg", "curve.png", "curve.svg")
    for name in names:
        (folder / name).unlink(missing_ok=True)


def again(old: Path, new: Path | None) -> tuple[Settings, Path]:
    """Settings of recorded results, and a new folder beside them."""
    place = old if old.is_dir() else old.parent
    return files.read(old).settings, new or place.with_name(f"{place.resolve().name}-again")
