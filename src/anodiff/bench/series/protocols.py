"""The questions that are put to series: which of them, what is learnt, how the answers are judged."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from anodiff.bench.series import ablation, cost, missing, rates, tasks
from anodiff.bench.series.detect import contest
from anodiff.bench.series.gaussianity import of_source
from anodiff.bench.series.judge import RAW, Judge, hit, volumes
from anodiff.bench.series.rivals import RIVALS
from anodiff.bench.series.settings import Settings
from anodiff.bench.series.tasks import Source, Task
from anodiff.bench.series.timed import Record
from anodiff.types import JSON, Misfit

Act = Callable[[Source, int, Settings], Iterator[Record]]


@dataclass(frozen=True)
class Protocol:
    """A question.

    Attributes:
        about: In a sentence.
        sources: Where the series come from.
        act: What is done with a series and a seed.
        rivals: Who is judged beside anodiff unless others are named.
        metrics: Numbers that a verdict is drawn from, the first one first; none where events or seconds are counted.
        differences: What is subtracted from what, beside anodiff less each other method: in words, one and the other.
        published: The collection whose published table stands beside.
        facts: More that is told of each series.
    """

    about: str
    sources: Callable[[], list[Source]]
    act: Act
    rivals: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ("vus_pr", "vus_pr" + RAW, "vus_roc", "vus_roc" + RAW)
    differences: tuple[tuple[str, str, str], ...] = ()
    published: str | None = None
    facts: Callable[[Source], JSON] = Source.facts


def _contest(task: Callable[[Source], Task], judge: Judge, source: Source, seed: int, s: Settings) -> Iterator[Record]:
    usual = {"usual": task, "whole": tasks.whole, "prefix": tasks.prefix}[s.fit]
    return contest(usual(source), seed, s, judge)


def _after_training(source: Source, seed: int, settings: Settings) -> Iterator[Record]:
    task = tasks.prefix(source) if settings.fit == "prefix" else tasks.whole(source)
    return contest(replace(task, begin=source.load().train_end or 0), seed, settings, hit)


def _of_tsb() -> list[Source]:
    rows = tasks.listed("multivariate")
    return tasks.sources(["multivariate"], lambda name: bool(rows.get(name, {}).get("tsb_file")))


def _with_training() -> list[Source]:
    rows = tasks.listed("multivariate")
    return tasks.sources(["multivariate"], lambda name: rows[name]["n_train"] != "0" or name.startswith("SKAB"))


def _with_gaussianity(source: Source) -> JSON:
    return source.facts() | {"gaussianity": of_source(source)}


UNIVARIATE = partial(tasks.sources, ("univariate",))
PROTOCOLS: dict[str, Protocol] = {
    "univariate": Protocol(
        "TSB-AD's univariate protocol: fit on the whole series, each instant judged as if its neighbourhood had been "
        "left out; VUS-PR with the period as slack",
        UNIVARIATE,
        partial(_contest, tasks.whole, volumes),
        ("near100+2P", "near100", "near1-100+2P", "sub-pca", "iforest", "profile"),
        published="univariate",
    ),
    "multivariate": Protocol(
        "TSB-AD's multivariate protocol: fit on the beginning that the set gives for training, judge the whole series",
        _of_tsb,
        partial(_contest, tasks.prefix, volumes),
        ("near8", "pca", "iforest8"),
        published="multivariate",
    ),
    "own-train": Protocol(
        "fit on the set's own training part (SKAB: its first 400 instants), judge the series; not TSB-AD's protocol",
        _with_training,
        partial(_contest, tasks.own_train, volumes),
        ("near8", "pca", "iforest8"),
    ),
    "ucr": Protocol(
        "fit on the whole series without labels (--fit prefix: on its training part); whether the highest score after "
        "the training part lies within 100 instants of the anomaly",
        partial(tasks.sources, ("ucr",)),
        _after_training,
        ("profile", "profile100", "near100+2P", "near100"),
        metrics=("hit", "hit" + RAW),
    ),
    "ablation": Protocol(
        "what the learnt denoiser is worth, and what four times the training costs, on the univariate series, all of "
        "which hold anomalies where they are learnt",
        UNIVARIATE,
        ablation.act,
        metrics=("vus_pr",),
        differences=ablation.DIFFERENCES,
        facts=_with_gaussianity,
    ),
    "missing": Protocol(
        "20 % of the instants deleted at random, as empty rows and as rows that are gone from a clock; every instant "
        "of the series is judged",
        UNIVARIATE,
        missing.act,
        ("near100+2P",),
        metrics=("vus_pr",),
        differences=missing.DIFFERENCES,
    ),
    "rates": Protocol(
        "the normal part cut in time: fit on the first 60 %, count events on the rest at the stated rates",
        partial(tasks.sources, ("univariate", "multivariate", "ucr")),
        rates.act,
        metrics=(),
    ),
    "cost": Protocol(
        "seconds and memory on one thread, each measurement in a process of its own",
        cost.sources,
        cost.act,
        metrics=(),
        facts=cost.facts,
    ),
}


def protocol(name: str) -> Protocol:
    """A protocol by name.

    Raises:
        Misfit: there is none of that name.
    """
    if name not in PROTOCOLS:
        raise Misfit(f"there is no protocol {name!r} of series; choose one of {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]


def complete(settings: Settings, rivals: str | None) -> Settings:
    """The settings with rivals: those of the protocol, or the ones that are named; checked.

    >>> complete(Settings("ucr"), "profile").rivals
    ('profile',)
    """
    settings.check()
    plan = protocol(settings.protocol)
    named = {None: plan.rivals, "all": plan.rivals, "none": ()}.get(rivals)
    chosen = tuple(named if named is not None else (word.strip() for word in str(rivals).split(",") if word.strip()))
    unknown = next((name for name in chosen if name not in RIVALS), None)
    if unknown is not None:
        raise Misfit(f"there is no rival {unknown!r} of series; choose of {', '.join(RIVALS)}.")
    return replace(settings, rivals=chosen)
