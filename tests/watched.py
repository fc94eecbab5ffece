"""The type checker of the tests: beartype, for which a whole number is a number."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))


def typechecked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check `function`, unless it returns `Self`, which beartype knows only when it is given the class."""
    try:
        return checked(function)
    except BeartypeDecorHintPep673Exception:
        return function
