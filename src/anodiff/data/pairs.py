"""Pairs of pictures: each tested picture with the reference that it is to agree with.

In folders the two find each other by their names without the suffix, `a/07.png` and `a/07.jpg`; where names end in
what they are, `07_temp.jpg` and `07_test.jpg`, the endings are named.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, cast

from anodiff.data.albums import Album, Item, Pair, Single, Unread
from anodiff.data.pictures import album
from anodiff.types import Unreadable

TOLD = 3
"""Names that a note tells."""


def pairs(reference: Any, tested: Any, *, endings: tuple[str, str] = ("", "")) -> Album:
    """The album of tested pictures, each with its reference; named as the tested ones are.

    Args:
        reference: A folder; or one picture, that all are to agree with; or whatever `album` reads, in the order of
            the tested pictures.
        tested: A folder, or whatever `album` reads. Files find theirs in a folder of references by name.
        endings: What the names of references and of tested pictures end in, before the suffix, such as
            ("_temp", "_test"); other pictures of the folders are passed over. Both may then be one folder.

    Raises:
        Unreadable: none of the names match, two references have one name, or lists differ in length.

    >>> import numpy as np
    >>> black, white = np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)
    >>> [float(p.reference.pixels.mean()) for p in pairs(white, [black, white]).pictures()]
    [1.0, 1.0]
    """
    references, judged = _of(reference), _of(tested)
    if references.paired or judged.paired:
        raise Unreadable("the pictures are pairs already; give references and tested pictures apart.")
    if not references.strict and (not judged.strict or all(isinstance(item, Path) for item in judged.items)):
        return _named(_ending(references, endings[0]), _ending(judged, endings[1]), endings)
    if len(references) == 1:
        return _joined(judged, [references.items[0]] * len(judged))
    if len(references) != len(judged):
        raise Unreadable(
            f"there are {len(references)} references and {len(judged)} tested pictures; give as many, one for all, "
            "or two folders."
        )
    return _joined(judged, references.items)


def _of(source: Any) -> Album:
    """An album; one array `(H, W)` is one picture."""
    return album([source] if getattr(source, "ndim", 0) == 2 else source)


def _joined(judged: Album, references: Sequence[Item]) -> Album:
    items: list[Item] = [_pair(a, b) for a, b in zip(references, judged.items, strict=True)]
    return replace(judged, items=items)


def _pair(reference: Item, tested: Item) -> Pair:
    return Pair(cast(Single, reference), cast(Single, tested))


def _ending(found: Album, ending: str) -> Album:
    if not ending:
        return found
    kept = [i for i, name in enumerate(found.names) if PurePosixPath(name).stem.endswith(ending)]
    if not kept:
        raise Unreadable(f"none of {len(found)} pictures has a name that ends in {ending}; such is {found.names[0]}.")
    return found.part(kept)


def _named(references: Album, judged: Album, endings: tuple[str, str]) -> Album:
    by_name: dict[str, tuple[str, Item]] = {}
    for name, item in zip(references.names, references.items, strict=True):
        stem = _stem(name, endings[0])
        if stem in by_name:
            raise Unreadable(f"the references {by_name[stem][0]} and {name} have one name; take one of them away.")
        by_name[stem] = name, item
    items, met = list[Item](), set[str]()
    for name, item in zip(judged.names, judged.items, strict=True):
        stem = _stem(PurePosixPath(name).name if judged.strict else name, endings[1])
        if stem in by_name:
            met.add(stem)
            items.append(_pair(by_name[stem][1], item))
        else:
            items.append(_pair(Unread(name, f"there is none named {stem}."), item))
    if not met:
        raise Unreadable(
            f"no tested picture has the name of a reference, such as {judged.names[0]} and {references.names[0]}; "
            "name them alike, or give endings."
        )
    left = [name for stem, (name, _) in by_name.items() if stem not in met]
    return replace(judged, items=items, notes=(*judged.notes, *_left_over(left)))


def _stem(name: str, ending: str) -> str:
    return str(PurePosixPath(name).with_suffix("")).removesuffix(ending)


def _left_over(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    are = "1 reference is" if len(names) == 1 else f"{len(names)} references are"
    return [f"{are} left out, without a tested picture: {', '.join(names[:TOLD])}{more}."]
