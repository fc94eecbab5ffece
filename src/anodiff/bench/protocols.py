"""Protocols as data: how a set is cut, and what is varied. A new one is a new line here, not a new class."""

from dataclasses import dataclass

from anodiff.types import Misfit

Level = float | int | None


@dataclass(frozen=True)
class Protocol:
    """How sets are cut and what is varied.

    Attributes:
        about: in a sentence.
        split: "file" (in the order of the file), "shuffled", "whole", or "halves" (a table without labels).
        collection: the public sets that it is meant for.
        varies: what its levels are, None where there is only one: "contamination" (share of anomalies among the
            training rows), "rows" (training rows), "missing" (share of cells deleted), "examples" (known anomalies
            given to fit), "budget" (network evaluations per row, None is the default).
        levels: of what varies; the first is what the others are compared with.
        auto: whether anodiff is told that its training rows may hold anomalies, `contamination="auto"`.
        rivals_once: whether what varies concerns anodiff alone, so that rivals are run at the first level only.
    """

    about: str
    split: str
    collection: str = "adbench"
    varies: str | None = None
    levels: tuple[Level, ...] = (None,)
    auto: bool = False
    rivals_once: bool = False


PROTOCOLS = {
    "published": Protocol(
        "rows in file order, small sets resampled to 1,000 and large ones drawn down to 50,000, the first half of the "
        "normals trains: as Livernoche and others (2024); copies of training rows end up in the test of small sets",
        "file",
    ),
    "shuffled": Protocol(
        "duplicates dropped, rows shuffled by seed, at most 50,000; the first half of the normals trains, the rest and "
        "all anomalies are the test",
        "shuffled",
    ),
    "unsupervised": Protocol(
        "sizes as published; a bootstrap of the whole set without labels trains, the whole set is the test",
        "whole",
        auto=True,
    ),
    "contaminated": Protocol(
        "as shuffled, with anomalies among the training rows; those that any level trains on are in no test, so that "
        "every level has the same test",
        "shuffled",
        varies="contamination",
        levels=(0.0, 0.01, 0.05, 0.1, 0.2),
        auto=True,
    ),
    "small": Protocol("as shuffled, with a few training rows", "shuffled", varies="rows", levels=(20, 50, 100)),
    "missing": Protocol(
        "as shuffled, with cells of train and test deleted at random; rivals get medians and missing-indicators",
        "shuffled",
        varies="missing",
        levels=(0.0, 0.1, 0.2, 0.3),
    ),
    "mixed": Protocol(
        "as shuffled, on tables of numbers, categories and gaps; anodiff sees them as they are, rivals get one-hot "
        "columns, medians, missing-indicators and standard scaling",
        "shuffled",
        "mixed",
        varies="missing",
        levels=(0.0, 0.2),
    ),
    "fresh": Protocol("as shuffled, on embeddings of images and texts and on mixed tables", "shuffled", "fresh"),
    "examples": Protocol(
        "as shuffled, with known anomalies taken out of the test at random and given to fit; every level has the same "
        "test; rivals know none",
        "shuffled",
        varies="examples",
        levels=(0, 1, 5, 10),
        rivals_once=True,
    ),
    "anytime": Protocol(
        "as shuffled, with a budget of evaluations per row; fitted once for all budgets",
        "shuffled",
        varies="budget",
        levels=(None, 1, 2, 3, 6),
        rivals_once=True,
    ),
    "unlabelled": Protocol(
        "a table without labels, at most 50,000 of its rows: a seeded half trains; on the other half alarms are "
        "counted, and anomalies made from its rows are to be found",
        "halves",
    ),
}
BASES = {"shuffled": "shuffled", "published": "file"}
"""What `--split` may be, for protocols that shuffle."""
RANGES: dict[str, tuple[float, float, bool]] = {
    "contamination": (0, 0.5, False),
    "rows": (5, 1e9, True),
    "missing": (0, 0.9, False),
    "examples": (0, 1e9, True),
    "budget": (1, 1e9, True),
}


def protocol(name: str) -> Protocol:
    """The protocol of that name.

    >>> protocol("shufled")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: there is no protocol 'shufled'; choose one of published, shuffled, unsupervised, ...
    """
    if name not in PROTOCOLS:
        raise Misfit(f"there is no protocol {name!r}; choose one of {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]


def levels(chosen: Protocol, text: str | None) -> tuple[Level, ...]:
    """Levels from what the user typed, `"0,0.05"`; `default` is None. The protocol's own without a text.

    >>> levels(PROTOCOLS["anytime"], "default,4")
    (None, 4)
    """
    if text is None:
        return chosen.levels
    if chosen.varies is None:
        raise Misfit(f"--levels {text}: this protocol has no levels; contaminated, small and missing, for example, do.")
    found = tuple(_level(chosen.varies, part.strip()) for part in text.split(",") if part.strip())
    if not found or len(set(found)) < len(found):
        raise Misfit(f"--levels {text!r}: give different levels with commas between, such as 0,0.1.")
    return found


def _level(varies: str, text: str) -> Level:
    if varies == "budget" and text in ("default", "none"):
        return None
    low, high, whole = RANGES[varies]
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        raise Misfit(f"--levels {text!r} is no {'whole ' if whole else ''}number.") from None
    if not low <= value <= high:
        raise Misfit(f"--levels {text}: {varies} goes from {low:g} to {high:g}.")
    return value
