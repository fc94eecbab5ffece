"""Where in a picture something lies, and how large it is, in words: ninths of the picture, per cents of its area."""

from anodiff.types import Misfit

ROWS = (("upper left", "top", "upper right"), ("left", "centre", "right"), ("lower left", "bottom", "lower right"))
EDGES = {"top": "top edge", "left": "left edge", "right": "right edge", "bottom": "bottom edge"}
LONG = 2 / 3
"""A box that spans more than this share of the height or width lies nowhere in particular along it."""


def where(box: tuple[int, int, int, int], size: tuple[int, int]) -> str:
    """The ninth of the picture in which the middle of a box lies, or the edge that the box touches there.

    Args:
        box: Top, left, bottom and right in pixels; the last two are just outside.
        size: Height and width of the picture in pixels.

    Raises:
        Misfit: The box is empty or leaves the picture.

    >>> where((10, 10, 30, 30), (100, 100)), where((40, 90, 60, 100), (100, 100)), where((0, 0, 100, 100), (100, 100))
    ('upper left', 'right edge', 'centre')
    >>> where((70, 40, 80, 60), (100, 100)), where((0, 90, 10, 100), (100, 100))
    ('bottom', 'upper right corner')
    """
    (top, left, bottom, right), (height, width) = _inside(box, size), size
    down, across = (3 * (top + bottom) // (2 * height), 3 * (left + right) // (2 * width))
    name = ROWS[down][across]
    at_row = (down == 0 and top == 0) or (down == 2 and bottom == height)
    at_column = (across == 0 and left == 0) or (across == 2 and right == width)
    if down != 1 and across != 1:
        return f"{name} corner" if at_row and at_column else name
    return EDGES[name] if at_row or at_column else name


def of_picture(share: float) -> str:
    """A share of the picture's area.

    >>> [of_picture(share) for share in (0.00002, 0.0042, 0.023)]
    ['less than 0.1 % of the picture', '0.4 % of the picture', '2 % of the picture']
    >>> of_picture(0.999), of_picture(1.0)
    ('99 % of the picture', 'the whole picture')
    """
    if share >= 1:
        return "the whole picture"
    per_cent = 100 * share
    if per_cent < 0.1:
        return "less than 0.1 % of the picture"
    return f"{per_cent:.1f} % of the picture" if per_cent < 0.95 else f"{min(99, round(per_cent))} % of the picture"


def placed(box: tuple[int, int, int, int], size: tuple[int, int], area: int | None = None) -> str:
    """Size and place, to be put after "a spot of" or "a region of"; `area` in pixels is by default the box's.

    >>> placed((10, 10, 30, 30), (100, 100), 200), placed((0, 40, 100, 50), (100, 100))
    ('2 % of the picture at the upper left', '10 % of the picture from top to bottom at the centre')
    >>> placed((5, 5, 90, 90), (100, 100), 3000), placed((0, 0, 4, 4), (4, 4))
    ('30 % of the picture spread over all of it', 'the whole picture')
    """
    (top, left, bottom, right), (height, width) = _inside(box, size), size
    area = (bottom - top) * (right - left) if area is None else area
    how_large = of_picture(area / (height * width))
    if area >= height * width:
        return how_large
    tall, wide = bottom - top > LONG * height, right - left > LONG * width
    if tall and wide:
        return f"{how_large} spread over all of it"
    if tall:
        return f"{how_large} from top to bottom at the {where((0, left, height, right), size)}"
    if wide:
        return f"{how_large} from left to right at the {where((top, 0, bottom, width), size)}"
    return f"{how_large} at the {where(box, size)}"


def _inside(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box, or a refusal.

    >>> where((0, 0, 0, 5), (10, 10))
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: box (0, 0, 0, 5) is not within a picture of (10, 10) pixels; give top, left, bottom, right.
    """
    top, left, bottom, right = box
    if not (0 <= top < bottom <= size[0] and 0 <= left < right <= size[1]):
        raise Misfit(f"box {box} is not within a picture of {size} pixels; give top, left, bottom, right.")
    return box
