"""What goes wrong, in one sentence on stderr and an exit code."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

REFUSED, INTERRUPTED = 2, 130


@dataclass
class Outcome:
    """The exit code, once known."""

    code: int = 0


@contextmanager
def guarded() -> Iterator[Outcome]:
    """Refusals, usage errors, the disk and Ctrl-C become one line; a bug of ours keeps its traceback."""
    outcome, told = Outcome(), set[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("default", category=UserWarning, module=r"anodiff\b")
        warnings.showwarning = partial(_warn, told)
        try:
            yield outcome
        except KeyboardInterrupt:
            outcome.code = INTERRUPTED
            _line("interrupted; no file was written.")
        except BrokenPipeError:
            _silence_stdout()
        except Exception as error:
            outcome.code, message = _told(error)
            if message:
                _line(message)


def _told(error: Exception) -> tuple[int, str]:
    if hasattr(error, "exit_code") and not hasattr(error, "format_message"):
        return int(error.exit_code), ""
    if hasattr(error, "format_message"):
        return REFUSED, f"{_sentence(error.format_message())} See: {_path_of(error)} --help."
    if isinstance(error, OSError):
        return REFUSED, _of_the_disk(error)
    if isinstance(error, MemoryError):
        return REFUSED, "out of memory; give fewer rows or columns."
    from anodiff.types import Refusal

    if isinstance(error, Refusal):
        return REFUSED, _sentence(str(error))
    raise error


def _of_the_disk(error: OSError) -> str:
    if error.strerror is None:
        return _sentence(str(error))
    return _sentence(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)


def _path_of(error: Any) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "anodiff"


def _sentence(text: str) -> str:
    line = " ".join(text.split())
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _warn(told: set[str], message: Warning | str, *_: Any, **__: Any) -> None:
    """Say it, once."""
    if str(message) not in told:
        told.add(str(message))
        _line(f"warning: {_sentence(str(message))}")


def printable(text: str) -> str:
    r"""The text without what would steer a terminal.

    >>> printable("a\x1b[2Jb")
    'a?[2Jb'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _line(text: str) -> None:
    sys.stderr.write(f"anodiff: {printable(text)}\n")


def _silence_stdout() -> None:
    """Whoever read our output has left; the interpreter's last flush must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
