"""The classical makers, as rivals of the generator: what can be made of normal items and known anomalies by hand.

They cost no training: whoever generates has to beat them in what a detector learns from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anodiff.prepare import Kind


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


MAKERS: Mapping[Kind, Mapping[str, Maker]] = {"tabular": {}, "series": {}, "image": {}}
