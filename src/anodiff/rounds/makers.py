"""The classical makers, as rivals of the generator: what can be made of normal items and known anomalies by hand.

They cost no training: whoever generates has to beat them in what a detector learns from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anodiff.prepare import Kind

WEAKEST = 0.3
"""The least strength of what is made by hand, where the maker has one."""


@dataclass(frozen=True, eq=False)
class Ground:
    """What makers start from.

    Attributes:
        normals: Normal items.
        known: Known anomalies; None where there are none.
        regions: Theirs.
    """

    normals: Any
    known: Any = None
    regions: Any = None


@dataclass(frozen=True)
class Maker:
    """A classical maker.

    Attributes:
        make: `(ground, n, seed) -> (items, regions)`.
        of_examples: Whether it needs known anomalies.
    """

    make: Callable[[Ground, int, int], tuple[Any, Any]]
    of_examples: bool = False


def makers(kind: Kind) -> Mapping[str, Maker]:
    """Those of a kind of data, by name."""
    if kind == "image":
        from anodiff.rounds.image_makers import IMAGE_MAKERS

        return IMAGE_MAKERS
    if kind == "series":
        from anodiff.rounds.series_makers import SERIES_MAKERS

        return SERIES_MAKERS
    from anodiff.rounds.table_makers import TABLE_MAKERS

    return TABLE_MAKERS
