"""What is odd about a picture, in a sentence: how odd it is as a whole, where, and how large that is."""

from collections.abc import Sequence
from math import floor

from anodiff.alarms.regions import Region
from anodiff.explain.moment_words import chance
from anodiff.explain.place import placed

PLAIN = 0.1
"""From this p-value on a picture looks normal; below it merely raises no alarm."""
SPOT = 0.05
"""Up to this share of the picture a region is a spot."""
LARGE = 0.25
"""From this share on its place says little, and its oddest place is told too."""


def told(
    name: str, p_value: float, alarm: bool, regions: Sequence[Region], more: int, size: tuple[int, int], oddest: str
) -> str:
    """The sentence.

    Args:
        name: As the album names the picture.
        p_value: Of the picture.
        alarm: Whether it raises one.
        regions: Those to tell of, the strongest first.
        more: How many there are besides.
        size: Height and width of the original in pixels.
        oddest: Where the map is highest, for a picture without regions.

    >>> told("a.png", 0.43, False, [], 0, (9, 9), "centre")
    'a.png looks normal (p = 0.4).'
    >>> told("a.png", 0.06, False, [], 0, (9, 9), "top")
    'a.png raises no alarm (p = 0.06); few normal pictures look as odd, most at the top.'
    >>> told("a.png", 0.004, True, [], 0, (9, 9), "centre")
    'a.png raises an alarm (p = 0.004): it is odd as a whole, most at the centre; no region by itself is.'
    """
    who, p = called(name), f"(p {chance(p_value)})"
    found = regions_in_words(regions, more, size, oddest)
    if alarm:
        reason = found or f"it is odd as a whole, most at the {oddest}; no region by itself is"
        return f"{who} raises an alarm {p}: {reason}."
    if found:
        return f"{who} raises no alarm {p}, but {found}."
    if p_value >= PLAIN:
        return f"{who} looks normal {p}."
    return f"{who} raises no alarm {p}; few normal pictures look as odd, most at the {oddest}."


def regions_in_words(regions: Sequence[Region], more: int, size: tuple[int, int], oddest: str) -> str:
    """The strongest region at length, with its `oddest` place if it is large, the others by size and place."""
    if not regions:
        return ""
    first, *others = regions
    most = f", most at the {oddest}," if first.share >= LARGE else ""
    head = f"{sized(first)}{pixels(first, size)}{most} is odder than anything in {most_of(first.p_value)}"
    rest = [placed(each.box, each.size, each.area) for each in others] + ([f"{more} more"] if more else [])
    return f"{head}; next: {', '.join(rest)}" if rest else head


def sized(region: Region) -> str:
    """A region by its size and place."""
    words = placed(region.box, region.size, region.area)
    return words if region.share >= 1 else f"a {'spot' if region.share <= SPOT else 'region'} of {words}"


def pixels(region: Region, size: tuple[int, int]) -> str:
    """Width and height of a region's box on a picture of `size`; nothing for the whole of it."""
    if region.share >= 1:
        return ""
    top, left, bottom, right = region.relative_box
    height, width = (max(1, round(each)) for each in ((bottom - top) * size[0], (right - left) * size[1]))
    return f" ({width} x {height} pixels)"


def most_of(p_value: float) -> str:
    """The share of normal pictures that is left, never rounded up to all of them.

    >>> most_of(0.02), most_of(1 / 101), most_of(0.00004)
    ('98 % of normal pictures', '99 % of normal pictures', '99.99 % of normal pictures')
    """
    digits = 0 if p_value >= 0.0095 else 1 if p_value >= 0.001 else 2
    return f"{floor(round(100 * (1 - p_value) * 10**digits, 6)) / 10**digits:.{digits}f} % of normal pictures"


def called(name: str) -> str:
    """What a picture is called in a sentence.

    >>> called("3"), called("line/3.png")
    ('picture 3', 'line/3.png')
    """
    return f"picture {name}" if name.isdigit() else name
