"""Items of any kind of data: cut in two, put together, counted. What a caller hands over stays in its own layout."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np

from anodiff.data.albums import Album
from anodiff.data.masks import masks_of
from anodiff.data.pictures import Picture, album
from anodiff.data.readers import read
from anodiff.detect_images import normal_album
from anodiff.made import Made, taken
from anodiff.prepare import Kind
from anodiff.types import Misfit, Unreadable

LEAST = 10
"""Items, or instants, in each part."""


def plain(kind: Kind, X: Any) -> Any:
    """The same data as something that can be cut: an array or a frame, a list of series, an album."""
    if kind == "image":
        return normal_album(X)[0]
    if kind == "series":
        return list(X.values()) if isinstance(X, dict) else list(X) if isinstance(X, list | tuple) else [X]
    return X if isinstance(X, np.ndarray) or hasattr(X, "columns") else read(X).arrow


def halves(kind: Kind, X: Any, share: float, seed: int) -> tuple[Any, Any]:
    """What is learnt from, and a share of the data that is held out; series are cut in time, each for itself.

    Raises:
        Unreadable: one of the parts would be nearly empty.
    """
    items = plain(kind, X)
    if kind == "series":
        pairs = [cut(each, share) for each in items]
        least = min(sum(len(part) for part in side) for side in zip(*pairs, strict=True))
        _enough(least, "instants")
        return [a for a, _ in pairs], [b for _, b in pairs]
    order = np.random.default_rng(seed).permutation(len(items))
    held = round(share * len(items))
    _enough(min(held, len(items) - held), "items")
    return part(items, np.sort(order[held:])), part(items, np.sort(order[:held]))


def part(items: Any, at: np.ndarray) -> Any:
    """Some of the items, by their numbers."""
    return items.part(at) if isinstance(items, Album) else taken(items, at)


def cut(series: Any, share: float) -> tuple[Any, Any]:
    """One series as its beginning, and the share at its end."""
    if isinstance(series, str | Path):
        series = read(series).arrow
    at = len(series) - round(share * len(series))
    if isinstance(series, np.ndarray):
        return series[:at], series[at:]
    if not hasattr(series, "columns"):
        return np.asarray(series)[:at], np.asarray(series)[at:]
    frame = nw.from_native(series, eager_only=True)
    return frame[:at].to_native(), frame[at:].to_native()


def joined(kind: Kind, parts: Iterable[Any]) -> Any:
    """Items of several sources, one after the other, in the layout of the first."""
    found = [each for each in parts if each is not None and len(each)]
    if not found:
        return None
    if kind != "tabular":
        return [item for each in found for item in each]
    if all(isinstance(each, np.ndarray) for each in found):
        return np.concatenate(found)
    first = nw.from_native(found[0], eager_only=True)
    others = [nw.from_native(each, eager_only=True).select(first.columns).cast(first.schema) for each in found[1:]]
    return nw.concat([first, *others]).to_native()


def together(kind: Kind, parts: Sequence[Made]) -> Made:
    """What was made by several orders, as if by one."""
    first = parts[0]
    data, region = (joined(kind, (getattr(each, name) for each in parts)) for name in ("data", "region"))
    return replace(
        first,
        data=data,
        region=np.asarray(region) if kind == "tabular" else region,
        normal=None if any(p.normal is None for p in parts) else joined(kind, (p.normal for p in parts)),
        kind=[name for p in parts for name in p.kind],
        where=[name for p in parts for name in p.where],
        verdicts=[verdict for p in parts for verdict in p.verdicts],
        facts={"orders": [p.facts for p in parts]},
        **{n: np.concatenate([getattr(p, n) for p in parts]) for n in ("strength", "amount", "score", "source")},
    )


def shown(kind: Kind, examples: Any, regions: Any) -> tuple[Any, Any] | None:
    """Known anomalies as they are put beside made ones: pictures as arrays with a mask each, series as a list.

    Raises:
        Unreadable: there are none, or one cannot be read.
        Misfit: there are more or fewer regions than examples.
    """
    if examples is None:
        return None
    if kind == "image":
        return pictures(examples, regions)
    items = plain(kind, examples)
    if not len(items):
        raise Unreadable("there are no examples; leave them out, or give at least one.")
    if regions is None:
        return items, None if kind == "tabular" else [None] * len(items)
    if len(regions) != len(items):
        raise Misfit(f"there are {len(regions)} regions for {len(items)} examples; give one for each.")
    return items, np.asarray(regions, dtype=bool) if kind == "tabular" else list(regions)


def pictures(source: Any, regions: Any = None) -> tuple[list[np.ndarray], list[Any]]:
    """Pictures as uint8 arrays of their own size, and their masks."""
    found = [each for each in album(source).pictures() if isinstance(each, Picture)]
    if not found:
        raise Unreadable("not one of the examples can be read; give at least one picture.")
    names = [each.name if each.path is None else each.path.as_posix() for each in found]
    masks: Sequence[Any] = masks_of(regions, names, [each.size for each in found])
    return [np.rint(each.pixels * 255).astype(np.uint8).squeeze() for each in found], list(masks)


def _enough(least: int, what: str) -> None:
    if least < LEAST:
        raise Unreadable(f"a part of the data has {least} {what}; give more, so that each part has at least {LEAST}.")
