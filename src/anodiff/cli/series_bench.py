"""`anodiff bench --protocol series-...`: the bench of series, into one json file and one of markdown."""

import shlex
import sys
from pathlib import Path
from typing import Any

import typer

from anodiff.cli.terminal import Terminal

PREFIX = "series-"
INTERRUPTED = 130


def check_public(given: dict[str, Any]) -> None:
    """Refuse what the bench of series does not take.

    >>> check_public({"--label": "state", "--budget": None})
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: protocols of series judge public sets under ANODIFF_DATA and take no --label; leave it out.
    """
    from anodiff.types import Misfit

    unused = [name for name, value in given.items() if value is not None]
    if unused:
        raise Misfit(f"protocols of series judge public sets under ANODIFF_DATA and take no {unused[0]}; leave it out.")


def judged(
    protocol: str,
    folder: Path,
    asked: dict[str, Any],
    rivals: str,
    jobs: int,
    overwrite: bool,
    terminal: Terminal,
) -> None:
    """Run it, and tell what was found; what is done is kept when somebody interrupts.

    Args:
        protocol: Its name, with or without the prefix.
        folder: Where `series_<protocol>.json` and `.md` are written.
        asked: Further settings by name.
        rivals: As typed.
        jobs: Processes, at most 2.
        overwrite: Whether to begin anew.
        terminal: Where words go.
    """
    from anodiff.bench.series.page import conclude
    from anodiff.bench.series.protocols import complete
    from anodiff.bench.series.run import prepare, proceed
    from anodiff.bench.series.settings import Settings
    from anodiff.cli.bench import follow

    name = protocol.removeprefix(PREFIX)
    settings = complete(Settings(name, **asked), rivals)
    path = folder / f"series_{name}.json"
    command = shlex.join(["anodiff", *sys.argv[1:]])
    results, jobs_left = prepare(settings, path, command, overwrite)
    try:
        follow(proceed(results, jobs_left, path, max(jobs, 1)), terminal)
    except KeyboardInterrupt:
        kept = f"{len(results.done)} jobs are kept in {path}; the same command goes on from there"
        sys.stderr.write(f"anodiff: interrupted; {kept}.\n")
        raise typer.Exit(INTERRUPTED) from None
    text = conclude(results, path)
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    terminal.give({"file": str(path), "command": results.command, **results.summary})
    if not (terminal.quiet or terminal.json):
        sys.stdout.write(f"{text}\nWritten to {path} and {path.with_suffix('.md').name}\n")
