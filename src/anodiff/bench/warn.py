"""What a reader must know before believing the numbers, in sentences."""

from anodiff.bench.values import OURS, Book


def warnings(book: Book) -> list[str]:
    """Leaks, scores that look at the rest of the test, failures, what was skipped, the worst losses."""
    return [*_leaks(book), *_transductive(book), *_failures(book), *_skipped(book)]


def _leaks(book: Book) -> list[str]:
    leaky = [s for s in book.results.splits if s.get("leaky")]
    if not leaky:
        return []
    worst = max(leaky, key=lambda s: s["copies_near"])
    sets = sorted({s["set"] for s in leaky})
    why = {
        "whole": "this protocol judges the rows it learnt from, so copies are expected",
        "file": "sets of fewer than 1,000 rows are resampled before they are cut, so copies are expected",
    }.get(book.plan.split, "whatever remembers rows looks better than it is")
    return [
        f"leak: on {len(sets)} of {len(book.results.sets)} sets more than 1 % of the test's normals have a copy among the "
        f"training rows (most: {worst['set']}, {100 * worst['copies_near']:.0f} %); {why}."
    ]


def _transductive(book: Book) -> list[str]:
    found: dict[str, set[str]] = {}
    for record in book.results.records:
        if record.get("transductive"):
            found.setdefault(record["method"], set()).add(record["set"])
    return [
        f"{name} scores a row by the other rows of the test (on {len(sets)} of {len(book.results.sets)} sets, a row scored "
        "alone gets another score): its numbers used test data, and one row at a time it would not reach them."
        for name, sets in found.items()
    ]


def _failures(book: Book) -> list[str]:
    found: dict[tuple[str, str], set[str]] = {}
    for record in book.results.records:
        if record["status"] == "failed":
            found.setdefault((record["method"], record["error"]), set()).add(record["set"])
    return [
        f"{name} failed on {_some(sorted(sets))}: {error.rstrip('.')}. "
        + ("Nothing is said of anodiff there." if name == OURS else "The verdict against it is over the other sets.")
        for (name, error), sets in found.items()
    ]


def _skipped(book: Book) -> list[str]:
    found: dict[tuple[object, str], set[str]] = {}
    for split in book.results.splits:
        if split["skipped"]:
            found.setdefault((split["level"], split["skipped"]), set()).add(split["set"])
    levels: dict[object, set[str]] = {}
    for (level, _), sets in found.items():
        levels.setdefault(level, set()).update(sets)
    examples = {level: reason for (level, reason) in found}
    return [
        f"level {level} cannot be had of {_some(sorted(sets))}: {examples[level]}" for level, sets in levels.items()
    ]


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} sets ({', '.join(names[:3])}, ...)"
