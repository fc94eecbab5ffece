r"""Templates of log lines: what lines say alike, and where they differ,

.. math:: \text{"job 17 done in 3 s"} \to \text{"job <num> done in <num> s"} .

What looks like a parameter is masked (addresses, paths, hex, identifiers, numbers). Masked lines of one length and one
first word are then gathered by the share of their words that agree, in a tree of fixed depth: He, Zhu, Zheng and Lyu,
"Drain: An online log parsing approach with fixed depth tree", 2017. Unlike there, the order of the lines makes no
difference, and a place where few words take turns ("opened", "closed") is no parameter: a group is parted by it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from anodiff.types import JSON, BadModel

WILD = "<*>"
MASKS = (
    ("<url>", r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+"),
    ("<mail>", r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b"),
    ("<id>", r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"),
    ("<time>", r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b"),
    ("<ip>", r"(?<![\w.])/?\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w.])"),
    ("<ip>", r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}(?![\w:])"),
    ("<time>", r"\b\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?\b"),
    ("<path>", r"(?<![\w<])(?:[A-Za-z]:)?(?:[\\/][\w.+@%~-]+){2,}[\\/]?"),
    ("<hex>", r"\b0[xX][0-9a-fA-F]+\b"),
    ("<hex>", r"\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b"),
    ("<num>", r"(?<![\w<])[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?(?![\w>])"),
    ("<id>", r"(?<![<\w])(?=[\w-]*\d)\w[\w-]*(?![\w>])"),
)
PATTERNS = tuple((mask, re.compile(pattern)) for mask, pattern in MASKS)
LONGEST = 200
"""Words of a line that are looked at."""
ALIKE = 0.5
"""Share of words that agree from which on two lines are of one group."""
TURNS = 5
"""Words that may take turns at a place which is none the less no parameter."""


@dataclass(frozen=True)
class Match:
    """The template nearest to a line.

    Attributes:
        words: of the masked line.
        place: of the template, None where none is as long.
        agreement: the share of words that agree, 0..1.
    """

    words: tuple[str, ...]
    place: int | None = None
    agreement: float = 0.0

    @property
    def seen(self) -> bool:
        """Whether the line is one of the template."""
        return self.place is not None and self.agreement == 1.0


class Templates:
    """Templates of lines.

    >>> templates = Templates().fit([f"job {i} done in {i + 2} s" for i in range(9)])
    >>> templates.texts, templates.match("job 70 done in 1 s").seen, templates.match("job 70 failed in 1 s").seen
    (['job <num> done in <num> s'], True, False)
    """

    def fit(self, lines: Iterable[str]) -> Self:
        """Learn the templates of `lines`, in whatever order they come."""
        counts = Counter(words_of(line) for line in lines)
        ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        groups = [part for group in _gathered(ordered) for part in _parted(group)]
        merged: Counter[tuple[str, ...]] = Counter()
        for group in groups:
            merged[_common(words for words, _ in group)] += sum(count for _, count in group)
        found = sorted(merged.items(), key=lambda each: (-each[1], each[0]))
        self._store([words for words, _ in found], [count for _, count in found])
        return self

    @property
    def texts(self) -> list[str]:
        """The templates, the most common first."""
        return [" ".join(words) for words in self.templates_]

    def match(self, line: str) -> Match:
        """The template that agrees best with a line; of several the one that says most, then the most common."""
        words = words_of(line)
        found = self._lengths.get(len(words))
        if found is None:
            return Match(words)
        shared = found.shared(words)
        wild = {place: len(words) - self._said[place] for place in {*shared, found.loosest}}
        best = max(wild, key=lambda place: (shared[place] + wild[place], self._said[place], -place))
        return Match(words, best, (shared[best] + wild[best]) / len(words) if words else 1.0)

    def template_of(self, line: str) -> str | None:
        """The template that a line is one of, None where fit saw none."""
        found = self.match(line)
        return " ".join(self.templates_[found.place]) if found.seen and found.place is not None else None

    def config(self) -> JSON:
        """What was learnt, as JSON."""
        return {"templates": [list(words) for words in self.templates_], "counts": list(self.counts_)}

    @classmethod
    def restore(cls, config: JSON) -> Self:
        """The fitted one of which this is the `config`."""
        templates, counts = config.get("templates"), config.get("counts")
        if not (isinstance(templates, list) and isinstance(counts, list)) or len(templates) != len(counts):
            raise BadModel("the templates of log lines are damaged; save the model again.")
        if not all(isinstance(words, list) and all(isinstance(word, str) for word in words) for words in templates):
            raise BadModel("the templates of log lines are damaged; save the model again.")
        found = cls()
        found._store([tuple(words) for words in templates], [int(count) for count in counts])
        return found

    def _store(self, templates: list[tuple[str, ...]], counts: list[int]) -> None:
        self.templates_, self.counts_ = templates, counts
        self._said = [len(words) - words.count(WILD) for words in templates]
        self._lengths: dict[int, Postings] = {}
        for place, words in enumerate(templates):
            postings = self._lengths.setdefault(len(words), Postings(place))
            postings.add(place, words)
            if self._said[place] < self._said[postings.loosest]:
                postings.loosest = place


class Postings:
    """Where each word stands in lines of one length, by which those are found that share words with another.

    Args:
        loosest: the template with the fewest words of its own, which is near when nothing is shared.
    """

    def __init__(self, loosest: int = 0) -> None:
        self.loosest = loosest
        self.places: dict[tuple[int, str], list[int]] = {}

    def add(self, place: int, words: Sequence[str]) -> None:
        """Enter a line."""
        for at in enumerate(words):
            if at[1] != WILD:
                self.places.setdefault(at, []).append(place)

    def shared(self, words: Sequence[str]) -> Counter[int]:
        """How many words the lines that share any have in common with this one."""
        return Counter(place for at in enumerate(words) for place in self.places.get(at, ()))


def masked(line: str) -> str:
    """A line, of which what looks like a parameter is masked.

    >>> masked("10.0.0.1:80 wrote blk_1608 (512 bytes) to /var/log/x.log at 0x7f")
    '<ip> wrote <id> (<num> bytes) to <path> at <hex>'
    """
    for mask, pattern in PATTERNS:
        line = pattern.sub(mask, line)
    return line


def words_of(line: str) -> tuple[str, ...]:
    """The words of a masked line, at most `LONGEST`."""
    return tuple(masked(line[: 20 * LONGEST]).split()[:LONGEST])


Group = list[tuple[tuple[str, ...], int]]
"""Masked lines, and how often each was seen."""


def _gathered(lines: Sequence[tuple[tuple[str, ...], int]]) -> Iterator[Group]:
    """Groups of lines that are like the first of the group."""
    tree: dict[tuple[int, tuple[str, ...]], tuple[Postings, list[Group]]] = {}
    for words, count in lines:
        postings, groups = tree.setdefault((len(words), words[:1]), (Postings(), []))
        shared = postings.shared(words[1:])
        best = max(shared, key=lambda place: (shared[place], -place), default=None)
        if best is None or shared[best] + 1 < ALIKE * len(words):
            postings.add(len(groups), words[1:])
            groups.append([(words, count)])
        else:
            groups[best].append((words, count))
    for _, groups in tree.values():
        yield from groups


def _parted(group: Group) -> Iterator[Group]:
    """A group, parted wherever few words take turns."""
    for place in range(len(group[0][0])):
        turns = sorted({words[place] for words, _ in group})
        if 1 < len(turns) <= TURNS:
            for word in turns:
                yield from _parted([each for each in group if each[0][place] == word])
            return
    yield group


def _common(lines: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(words[0] if len(set(words)) == 1 else WILD for words in zip(*lines, strict=True))
