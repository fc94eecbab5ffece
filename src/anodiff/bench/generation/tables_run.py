"""The run over tables, and what it comes to: gains over the default, shares of the distance to the best member."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from anodiff.bench.generation.results import Results, resumed, write
from anodiff.bench.generation.tables import BEST, DEFAULT, FEW, Asked, act
from anodiff.bench.protocols import protocol
from anodiff.bench.sets import Source, sources
from anodiff.types import JSON

METRICS = ("auroc", "ap")
MANY, TIE, DRAWS = 100, 0.1, 2_000
"""Anomalies of a table of which much can be said; points that are no difference; bootstrap samples."""
ALONE = (f"{FEW} real", "taught")
MADE = ("SMOTE-like of 5", "Gaussian of 5", "generated of 5")
Numbers = dict[tuple[str, str], dict[str, dict[int, JSON]]]
"""By arm and use, by table, by seed."""


def chosen(collection: str, names: str | None = None) -> list[Source]:
    """The tables of a collection of public sets, small files first; or those named, commas between them.

    Raises:
        Misfit: there is none of that name.
    """
    plan = replace(protocol("examples"), collection=collection)
    found = sources(None, plan, chosen=None if names is None else names.split(","))
    return sorted(found, key=lambda source: Path(source.path).stat().st_size if source.path else 0)


def running(
    found: Sequence[Source],
    seeds: int,
    parts: Sequence[str],
    asked: Asked,
    path: Path,
    command: str,
    cache: Path | None = None,
    overwrite: bool = False,
) -> Iterator[str]:
    """Do what is not done, seed by seed, writing after each table; yields what was done.

    Raises:
        FileExistsError: the file holds results of other settings.
    """
    settings = {**asdict(asked), "counts": list(asked.counts), "changes": [list(each) for each in asked.changes]}
    results = resumed(Results("tabular", settings, command, {}), path, overwrite)
    done = {(each["set"], each["seed"], each["part"]) for each in results.records}
    for part in parts:
        for seed in range(seeds):
            for source in found:
                if (source.name, seed, part) in done:
                    continue
                results.records += act(source.load(), seed, part, asked, cache)
                write(results, path, summary(results.records))
                yield f"{part} {source.name} {seed}"


def summary(records: Sequence[JSON]) -> JSON:
    """Gains of every arm over the default on all tables; and, where anomalies are many, of one arm over another."""
    numbers = sorted_out(records)
    many = {each["set"] for each in records if each["anomalies"] >= MANY}
    arms = [key for key in numbers if key[0] not in (DEFAULT, BEST)]
    rich = {key: {name: of for name, of in numbers[key].items() if name in many} for key in numbers}
    pairs = [(ALONE, (DEFAULT, "weighed"))]
    for name in MADE:
        both = (f"{FEW} real + {name}", "taught")
        pairs += [(both, ALONE), (both, (DEFAULT, "weighed"))]
        pairs += [((f"{FEW} real + generated of 5", "taught"), both)] if name != "generated of 5" else []
    return {
        "members": [line for key in arms if (line := distance(numbers, key)) is not None],
        "many": [line for one, other in pairs if (line := apart(rich, one, other)) is not None],
    }


def sorted_out(records: Sequence[JSON]) -> Numbers:
    """Records by arm and use, table and seed."""
    found: Numbers = {}
    for each in records:
        found.setdefault((each["arm"], each["use"]), {}).setdefault(each["set"], {})[each["seed"]] = each
    return found


def distance(numbers: Numbers, key: tuple[str, str]) -> JSON | None:
    """How much of the way from the default to the best single member an arm goes, on the tables that have it."""
    start, end = (DEFAULT, "weighed"), (BEST, "weighed")
    tables = [name for name in numbers[key] if name in numbers.get(start, {}) and name in numbers.get(end, {})]
    if not tables:
        return None
    line: JSON = {"arm": key[0], "use": key[1], "tables": len(tables)}
    for metric in METRICS:
        gained = gaps(numbers, key, start, metric, tables)
        way = gaps(numbers, end, start, metric, tables)
        drawn = np.random.default_rng(0).integers(len(tables), size=(DRAWS, len(tables)))
        ways = way[drawn].mean(1)
        shares = gained[drawn].mean(1)[ways > 0] / ways[ways > 0]
        sure = len(shares) > 0.975 * DRAWS
        line[metric] = {
            **told(gained),
            "distance": float(way.mean()),
            "share": float(gained.mean() / way.mean()) if way.mean() > 0 else None,
            "share_low": float(np.quantile(shares, 0.025)) if sure else None,
            "share_high": float(np.quantile(shares, 0.975)) if sure else None,
        }
    return line


def apart(numbers: Numbers, one: tuple[str, str], other: tuple[str, str]) -> JSON | None:
    """How far one arm is ahead of another, on the tables that have both."""
    tables = [name for name in numbers.get(one, {}) if name in numbers.get(other, {})]
    if not tables:
        return None
    each = {metric: gaps(numbers, one, other, metric, tables) for metric in METRICS}
    names = {"arm": " ".join(reversed(one)), "over": other[0], "tables": len(tables), "names": tables}
    return {**names, **{metric: told(values) for metric, values in each.items()}}


def gaps(
    numbers: Numbers, one: tuple[str, str], other: tuple[str, str], metric: str, tables: Sequence[str]
) -> np.ndarray:
    """One less the other `(tables,)`, the mean over the seeds that have both."""
    found = []
    for name in tables:
        ours, theirs = numbers[one][name], numbers[other][name]
        found.append(np.mean([ours[seed][metric] - theirs[seed][metric] for seed in ours if seed in theirs]))
    return np.array(found)


def told(values: np.ndarray) -> JSON:
    """The mean with 95 % of bootstrap samples over tables, and wins, ties and losses."""
    drawn = values[np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))].mean(1)
    return {
        "gain": float(values.mean()),
        "low": float(np.quantile(drawn, 0.025)),
        "high": float(np.quantile(drawn, 0.975)),
        "won": int((values > TIE).sum()),
        "tied": int((np.abs(values) <= TIE).sum()),
        "lost": int((values < -TIE).sum()),
    }


def page(found: JSON) -> str:
    """The summary as tables of markdown."""
    head = ["arm", "use", "tables", "AUROC gained", "share of the way", "won : tied : lost", "AUC-PR gained"]
    rows = [
        [
            *(line["arm"], line["use"], str(line["tables"])),
            *(gained(line["auroc"]), shared(line["auroc"]), counts(line["auroc"]), gained(line["ap"])),
        ]
        for line in found["members"]
    ]
    first = grid("Over the default; the way is that to the best single member of each test, an oracle", head, rows)
    head = ["arm", "over", "tables", "AUC-PR gained", "won : tied : lost", "AUROC gained"]
    rows = [
        [line["arm"], line["over"], str(line["tables"]), gained(line["ap"]), counts(line["ap"]), gained(line["auroc"])]
        for line in found["many"]
    ]
    return f"{first}\n\n{grid(f'Tables with at least {MANY} anomalies', head, rows)}"


def grid(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of markdown under a title."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([f"**{title}**", "", *(f"| {' | '.join(line)} |" for line in lines)])


def gained(of: JSON) -> str:
    """A gain with its interval, in points."""
    return f"{of['gain']:+.2f} ({of['low']:+.2f} to {of['high']:+.2f})"


def shared(of: JSON) -> str:
    """A share with its interval."""
    if of["share"] is None:
        return ""
    if of["share_low"] is None:
        return f"{100 * of['share']:.0f} %"
    return f"{100 * of['share']:.0f} % ({100 * of['share_low']:.0f} to {100 * of['share_high']:.0f})"


def counts(of: JSON) -> str:
    """Wins, ties and losses."""
    return f"{of['won']} : {of['tied']} : {of['lost']}"
