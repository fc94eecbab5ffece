"""What the user sees: words and tables for people, or one JSON document for machines."""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from anodiff.cli.errors import printable

if TYPE_CHECKING:
    from anodiff.recipes.grow import Progress


@dataclass(frozen=True)
class Terminal:
    """Where words go: nowhere if quiet or json, to stderr if stdout carries data."""

    quiet: bool = False
    json: bool = False
    data_on_stdout: bool = False

    def show(self, *things: Any) -> None:
        """Print words or tables of rich for people."""
        if not (self.quiet or self.json):
            console = Console(stderr=self.data_on_stdout, highlight=False, soft_wrap=False)
            for thing in things:
                console.print(thing)

    def give(self, facts: dict[str, Any]) -> None:
        """Write the facts as JSON, if asked for."""
        if self.json:
            sys.stdout.write(json.dumps(plain(facts), indent=1, allow_nan=False) + "\n")

    def follow(self, records: Iterable["Progress"]) -> None:
        """Take all records of a fit, with a bar and the time left where somebody watches."""
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        hidden = self.quiet or self.json or not console.is_terminal
        parts = (TextColumn("{task.description:<12}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Bar(*parts, console=console, transient=True, disable=hidden) as bar:
            task = bar.add_task("reading", total=None)
            for record in records:
                bar.update(task, description=record.stage, completed=record.done, total=max(record.of, 1))

    def count(self, chunks: Iterable[Any], size: Any, what: str = "rows") -> Iterator[Any]:
        """Pass chunks through, with a running count where somebody watches; `size(chunk)` counts one."""
        console = Console(stderr=True)
        done = 0
        if self.quiet or self.json or not console.is_terminal:
            yield from chunks
            return
        with console.status("scoring") as status:
            for chunk in chunks:
                yield chunk
                done += size(chunk)
                status.update(f"scoring: {done:,} {what}")


def counted(count: int, what: str) -> str:
    """So many of it.

    >>> counted(1, "event"), counted(2000, "row")
    ('1 event', '2,000 rows')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def inert(text: str) -> str:
    r"""Words of the user's data that neither style nor steer the terminal.

    >>> print(inert("[red]a\x1b[2Jb"))
    \[red]a?[2Jb
    """
    from rich.markup import escape

    return escape(printable(text))


def plain(value: Any) -> Any:
    """JSON has neither infinity nor NaN: they become null; arrays become lists.

    >>> plain({"a": [float("inf"), 1.5]})
    {'a': [None, 1.5]}
    """
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
