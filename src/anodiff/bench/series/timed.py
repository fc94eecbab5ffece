"""Seconds by the clock and of the processor (machines are shared), and what a method comes to, or why it does not."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from anodiff.types import JSON, Refusal


class Absent(Refusal):
    """Something that the bench asks for cannot be had here; it is skipped, and the reason recorded."""


@dataclass
class Spent:
    """Seconds of a block, once it has ended."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def told(self, before: str) -> JSON:
        """As numbers of a record, their names begun with `before`."""
        return {f"{before}seconds": self.seconds, f"{before}cpu_seconds": self.cpu_seconds}


@contextmanager
def timed() -> Iterator[Spent]:
    """Measure the block."""
    spent, wall, cpu = Spent(), time.perf_counter(), time.process_time()
    try:
        yield spent
    finally:
        spent.seconds, spent.cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu


@dataclass(frozen=True)
class Record:
    """What was found of a method.

    Attributes:
        method: Its name.
        status: "ok", "failed", or "skipped" where it cannot be had here.
        error: Why, in a sentence.
        facts: Numbers.
    """

    method: str
    status: str = "ok"
    error: str | None = None
    facts: JSON = field(default_factory=dict)

    def to_dict(self) -> JSON:
        """As it is written."""
        return {"method": self.method, "status": self.status, "error": self.error, **self.facts}


def attempt(method: str, act: Callable[[], JSON]) -> Record:
    """A record of what `act` gives; whatever it raises is a finding."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Record(method, facts=act())
        except Absent as reason:
            return Record(method, "skipped", _short(str(reason)))
        except Exception as error:
            return Record(method, "failed", _short(f"{type(error).__name__}: {error}"))


def _short(text: str) -> str:
    return " ".join(text.split())[:300] or "it failed without a word"
