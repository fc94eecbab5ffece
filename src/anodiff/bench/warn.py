"""What a reader must know before believing the numbers, in sentences."""

from anodiff.bench.leaks import TOLERATED
from anodiff.bench.values import OURS, Book

FEW = 5


def warnings(book: Book) -> list[str]:
    """Leaks, scores that look at the rest of the test, failures, what was skipped, the worst losses."""
    return [*_leaks(book), *_close(book), *_transductive(book), *_failures(book), *_skipped(book), *_few(book)]


def _leaks(book: Book) -> list[str]:
    leaky = [s for s in book.results.splits if s.get("leaky") and s["copies_near"] > TOLERATED]
    if not leaky:
        return []
    worst = max(leaky, key=lambda s: s["copies_near"])
    sets = sorted({s["set"] for s in leaky})
    why = {
        "whole": "this protocol judges the rows it learnt from, so copies are expected",
        "file": "duplicates stay, and sets of fewer than 1,000 rows are resampled before they are cut: expected here",
    }.get(book.plan.split, "whatever remembers rows looks better than it is")
    return [
        f"leak: on {len(sets)} of {len(book.results.sets)} sets more than 1 % of the test's normals have a copy among "
        f"the training rows (most: {worst['set']}, {100 * worst['copies_near']:.0f} %); {why}."
    ]


def _close(book: Book) -> list[str]:
    close = [s for s in book.results.splits if s.get("leaky") and s["copies_near"] <= TOLERATED]
    if not close:
        return []
    worst = max(close, key=lambda s: s["copies_close"])
    return [
        f"leak: on {len({s['set'] for s in close})} of {len(book.results.sets)} sets more than 5 % of the test's "
        f"normals lie within a hundredth of the usual distance of a training row (most: {worst['set']}, "
        f"{100 * worst['copies_close']:.0f} %); are they near-duplicates, such as neighbours in time?"
    ]


def _few(book: Book) -> list[str]:
    """A bootstrap over a handful of things is narrower than what it stands for."""
    sets = {r["set"] for r in book.results.records}
    seeds = {r["seed"] for r in book.results.records}
    count, what = (len(sets), "sets") if len(sets) > 1 else (len(seeds), "seeds")
    if not 1 < count < FEW or not book.settings.rivals:
        return []
    return [f"intervals over {count} {what} are too narrow: with fewer than {FEW}, chance alone often wins every one."]


def _transductive(book: Book) -> list[str]:
    found: dict[str, set[str]] = {}
    for record in book.results.records:
        if record.get("transductive"):
            found.setdefault(record["method"], set()).add(record["set"])
    return [
        f"{name} scores a row by the other rows of the test (on {len(sets)} of {len(book.results.sets)} sets, a row "
        "scored alone gets another score): its numbers used test data, and one row at a time it would not reach them."
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
    found: dict[object, dict[str, str]] = {}
    for split in book.results.splits:
        if split["skipped"]:
            found.setdefault(split["level"], {})[split["set"]] = split["skipped"]
    told = []
    for level, sets in found.items():
        name, reason = next(iter(sets.items()))
        at = "it" if level is None else f"level {level}"
        told.append(f"{at} cannot be had of {_some(sorted(sets))}; {name}: {reason}")
    return told


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} sets ({', '.join(names[:3])}, ...)"
