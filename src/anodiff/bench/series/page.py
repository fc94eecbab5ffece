"""Runs of series as markdown. Facts come from `verdict` and `tallies`; nothing is computed here."""

from pathlib import Path

from anodiff.bench.page import markdown
from anodiff.bench.results import plain
from anodiff.bench.series import results as files
from anodiff.bench.series import sheets
from anodiff.bench.series.detect import OURS
from anodiff.bench.series.protocols import PROTOCOLS, protocol
from anodiff.bench.series.published import PREFIX
from anodiff.bench.series.results import Results
from anodiff.bench.series.tallies import tally
from anodiff.bench.series.verdict import verdict
from anodiff.types import JSON

SAID = {"wins": "wins against", "ties": "ties with", "loses": "loses against", "is not told from": "is not told from"}


def conclude(results: Results, path: Path) -> str:
    """Draw the verdict, write it into the file, and say it."""
    results.summary = plain(verdict(results) if protocol(results.settings.protocol).metrics else tally(results))
    files.write(results, path)
    return page(results)


def show(paths: list[Path]) -> str:
    """Recorded runs as one text of markdown, in the order of the protocols; their verdicts are drawn anew."""
    parts, order = [], list(PROTOCOLS)
    for results in sorted(map(files.read, paths), key=lambda found: order.index(found.settings.protocol)):
        results.summary = plain(verdict(results) if protocol(results.settings.protocol).metrics else tally(results))
        parts.append(page(results))
    return "\n".join(parts)


def page(results: Results) -> str:
    """A run: what was asked, the verdict in a sentence, tables, and what failed."""
    summary, plan = results.summary, protocol(results.settings.protocol)
    fit = "" if results.settings.fit == "usual" else f", fitted on the {results.settings.fit}"
    parts = [f"## Series: {results.settings.protocol}{fit}", f"`{results.command}`", about(results)]
    if plan.metrics:
        parts += [sentence for sentence in [headline(summary)] if sentence]
        told = (sheets.methods(summary), sheets.differences(summary), sheets.groups(summary))
        parts += [markdown(sheet) for sheet in told if sheet.rows]
    elif "rates" in summary:
        parts += [markdown(sheets.rates(summary["rates"], name)) for name in sheets.calibrations(summary["rates"])]
    else:
        parts.append(markdown(sheets.costs(summary["costs"])))
    parts += [troubles(summary, word) for word in ("failed", "skipped") if summary[word]]
    return "\n\n".join(parts) + "\n"


def about(results: Results) -> str:
    """What was asked, of how much, on what."""
    asked = protocol(results.settings.protocol).about
    machine, found = results.machine, results.versions
    state = "" if results.finished else " **Not finished: some series are missing.**"
    changes = "".join(f", {name} = {value}" for name, value in results.settings.changes.items())
    return (
        f"{asked[:1].upper()}{asked[1:]}. {results.summary['sets']} series, {results.summary['seeds']} "
        f"seeds{changes}. anodiff {found['anodiff']}, torch {found['torch']}, on {machine['cores']} cores of "
        f"{machine['cpu'] or 'an unknown processor'}, threads: {machine['threads']}.{state}"
    )


def headline(summary: JSON) -> str:
    """anodiff's mean, and how it stands to the best that was run beside it and the best that is published."""
    every, metric = summary["all"], summary["metrics"][0]
    ours = next((row for row in every["methods"] if row["method"] == OURS), None)
    if ours is None:
        return f"{OURS} has no result; see below."
    spread = "" if ours[f"{metric}_spread"] is None else f", spread of the seeds {ours[f'{metric}_spread']:.4f}"
    told = [f"{OURS}: mean {sheets.NAMES[metric]} {ours[metric]:.3f}{spread}."]
    differences = [each for each in every["differences"] if each["gap"]]
    if differences:
        clauses = [f"{each['words']} {sheets.ahead(each['gap'])}" for each in differences]
        return " ".join([*told, *(f"{clause[:1].upper()}{clause[1:]}." for clause in clauses)])
    run = [each for each in every["against"] if not each["rival"].startswith(PREFIX) and each[metric]]
    known = [each for each in every["against"] if each["rival"].startswith(PREFIX) and each[metric]]
    told += [f"It {against(each, metric)}." for each in (run[:1] + known[:1])]
    return " ".join(told)


def against(each: JSON, metric: str) -> str:
    """A clause on one rival.

    >>> gap = {"verdict": "wins", "value": 0.02, "low": 0.01, "high": 0.03, "sets": 38}
    >>> against({"rival": "near100", "vus_pr": gap}, "vus_pr")
    'wins against near100 at +0.020 VUS-PR (0.010 to 0.030) on 38 series'
    """
    gap = each[metric]
    return (
        f"{SAID[gap['verdict']]} {each['rival']} at {gap['value']:+.3f} {sheets.NAMES[metric]}{sheets.bounds(gap)} "
        f"on {gap['sets']} series"
    )


def troubles(summary: JSON, word: str) -> str:
    """What failed or was skipped, on how many series, and why."""
    lines = [f"- {name}: {len(told['sets'])} series; {told['error']}" for name, told in summary[word].items()]
    return f"**{word.capitalize()}**\n\n" + "\n".join(lines)
