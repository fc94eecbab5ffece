"""The command line. Exit codes: 0 fine, 2 refused in one sentence, 130 interrupted. Nothing is left half-written."""

import signal
import sys
from collections.abc import Sequence

from anodiff.cli.app import app
from anodiff.cli.errors import guarded

__all__ = ["app", "main", "run"]


def main() -> None:
    """The entry point `anodiff`."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments ask; returns the exit code.

    >>> run(["--version"])  # doctest: +ELLIPSIS
    anodiff ...
    0
    """
    import typer

    command = typer.main.get_command(app)
    with guarded() as outcome, command.make_context("anodiff", list(arguments) or ["--help"]) as context:
        command.invoke(context)
    return outcome.code
