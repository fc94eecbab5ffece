"""Runs of pictures as markdown. Facts come from `verdict`; nothing is computed here."""

from pathlib import Path

from anodiff.bench.images import results as files
from anodiff.bench.images import sheets
from anodiff.bench.images.detect import PLAIN
from anodiff.bench.images.protocols import PROTOCOLS, protocol
from anodiff.bench.images.results import Results
from anodiff.bench.images.verdict import verdict
from anodiff.bench.page import markdown
from anodiff.bench.results import plain
from anodiff.types import JSON

TOLD = ("image_auroc", "aupro")


def conclude(results: Results, path: Path) -> str:
    """Draw the verdict, write it into the file, and say it."""
    results.summary = plain(verdict(results))
    files.write(results, path)
    return page(results)


def show(paths: list[Path]) -> str:
    """Recorded runs as one text of markdown, in the order of the protocols; their verdicts are drawn anew."""
    parts, order = [], list(PROTOCOLS)
    for results in sorted(map(files.read, paths), key=lambda found: order.index(found.settings.protocol)):
        results.summary = plain(verdict(results))
        parts.append(page(results))
    return "\n".join(parts)


def page(results: Results) -> str:
    """A run: what was asked, the verdict in sentences, tables, and what failed."""
    summary = results.summary
    parts = [f"## Images: {results.settings.protocol}", f"`{results.command}`", about(results)]
    if "costs" in summary:
        parts.append(markdown(sheets.costs(summary["costs"])))
    else:
        parts += ["\n".join(f"- {sentence}" for sentence in headline(summary))]
        for copy, block in summary["copies"].items():
            told = (sheets.methods(block, copy, summary["ours"]), sheets.by_kind(block), sheets.alarms(block))
            parts += [markdown(sheet) for sheet in told if sheet.rows]
    parts += [troubles(summary, word) for word in ("failed", "skipped") if summary[word]]
    return "\n\n".join(part for part in parts if part) + "\n"


def about(results: Results) -> str:
    """What was asked, of how much, on what."""
    asked, settings = protocol(results.settings.protocol).about, results.settings
    machine, found = results.machine, results.versions
    sizes = "; ".join(f"{name}: {_counted(told)}" for name, told in results.sets.items())
    few = "" if settings.few is None else f" At most {settings.few} pictures learnt and of each kind judged."
    copies = f", and learn {settings.copies} turned copies of each picture" if settings.copies else ""
    state = "" if results.finished else " **Not finished: some jobs are missing.**"
    changes = "".join(f", {name} = {value}" for name, value in settings.changes.items())
    seen = f"layers {', '.join(settings.layers)} of the embedded backbone on {settings.grid} x {settings.grid} places"
    return (
        f"{asked[:1].upper()}{asked[1:]}. {sizes}; seeds: {results.summary['seeds']}{changes}.{few} Rivals see {seen}"
        f"{copies}. anodiff {found['anodiff']}, torch {found['torch']}, on {machine['cores']} cores of "
        f"{machine['cpu'] or 'an unknown processor'}, threads: {machine['threads']}.{state}"
    )


def headline(summary: JSON) -> list[str]:
    """Ours, and how it stands to each other method."""
    ours, found = summary["ours"], list[str]()
    for copy, block in summary["copies"].items():
        row = next((each for each in block["methods"] if each["method"] == ours), None)
        where = "" if copy == PLAIN else ", turned"
        if row is None:
            found.append(f"{ours}{where} has no result; see below.")
            continue
        numbers = ", ".join(f"{sheets.NAMES[name]} {row[name]:.3f}" for name in sheets.FIRST)
        found.append(f"{ours}{where}: {numbers}.")
        found += [sentence(each, where) for each in block["against"]]
    return found


def sentence(each: JSON, where: str = "") -> str:
    """On one method.

    >>> gap = {"verdict": "wins", "value": 0.02, "low": 0.01, "high": 0.03}
    >>> sentence({"rival": "padim", "image_auroc": gap})
    'Against padim it wins at +0.020 (0.010 to 0.030) image AUROC.'
    """
    told = [
        f"{each[name]['verdict']} at {sheets.ahead(each[name])} {sheets.NAMES[name]}" for name in TOLD if name in each
    ]
    return f"Against {each['rival']}{where} it {', '.join(told)}."


def troubles(summary: JSON, word: str) -> str:
    """What failed or was skipped, how often, and why."""
    lines = [f"- {name}: {told['times']} times; {told['error']}" for name, told in summary[word].items()]
    return f"**{word.capitalize()}**\n\n" + "\n".join(lines)


def _counted(told: JSON) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in told["test"].items())
    return f"{told['train']} learnt, {kinds} judged"
