"""The type checker of the tests."""

from collections.abc import Callable
from typing import Any

from beartype import beartype
from beartype.roar import BeartypeDecorHintPep673Exception


def typechecked(function: Callable[..., Any]) -> Callable[..., Any]:
    """`beartype`, but for functions that return `Self`, which it knows only when it is given the class."""
    try:
        return beartype(function)
    except BeartypeDecorHintPep673Exception:
        return function
