"""One picture file, decoded with care: what it promises is checked before any of it is decoded.

Nothing here trusts a name: the content says which format it is. A file that cannot be had whole is refused, never
filled up; of a file with several frames the first is read.
"""

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from anodiff.data.frames import Frame, framed
from anodiff.data.picture_modes import image_planes
from anodiff.types import Unreadable

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
KINDS = "png, jpg, tiff, bmp or webp"
MOST_PIXELS = 160_000_000
"""Of the largest picture that is decoded; Pillow itself refuses above 178,956,970."""
ORIENTATION = 274
FLIP = Image.Transpose
TURNS = {
    2: FLIP.FLIP_LEFT_RIGHT,
    3: FLIP.ROTATE_180,
    4: FLIP.FLIP_TOP_BOTTOM,
    5: FLIP.TRANSPOSE,
    6: FLIP.ROTATE_270,
    7: FLIP.TRANSVERSE,
    8: FLIP.ROTATE_90,
}


@dataclass(frozen=True)
class Decoded:
    """`pixels` `(h, w, C)` float32 in 0..1, the `size` (height, width) of the upright original, and what to know."""

    pixels: np.ndarray
    size: tuple[int, int]
    notes: tuple[str, ...] = ()


def decoded(path: Path, frame: Frame | None) -> Decoded:
    """The picture in a file.

    Raises:
        Unreadable: with one sentence that does not name the file.
    """
    with in_a_sentence(), opened(path) as image:
        return decoded_image(image, frame)


def size_of(path: Path) -> tuple[int, int]:
    """Height and width of the picture in a file, upright; nothing is decoded unless it was held on its side.

    Raises:
        Unreadable: with one sentence that does not name the file.
    """
    with in_a_sentence(), opened(path) as image:
        if orientation(image) == 1:
            return image.height, image.width
    return decoded(path, Frame(1)).size


def marked(path: Path) -> np.ndarray:
    """Where the picture in a file, a mask, is not black: `(H, W)` bool; of a palette, where its index is not 0.

    Raises:
        Unreadable: with one sentence that does not name the file.
    """
    with in_a_sentence(), opened(path) as image:
        plain = image.mode in ("1", "L", "P", "F") or image.mode.startswith("I")
        values = np.asarray(image if plain else image.convert("RGB"))
        return np.asarray((values.reshape(*values.shape[:2], -1) > 0).any(2))


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """What goes wrong with a file, in one sentence; what Pillow merely doubts is not said."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Unreadable:
            raise
        except Exception as error:  # Damaged bytes make decoders raise nearly anything.
            raise Unreadable(_why(error)) from None


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The file, of which the header alone has been read and checked.

    It goes to Pillow as a stream. A path would be mapped into memory: a file cut off meanwhile would end the process,
    and Pillow 13 confuses height and width of a mapped tiff that lies on its side.
    """
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise Unreadable("it is a folder with the name of a picture; rename it.")
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable("it is no ordinary file; leave it out.")
    if not found.st_size:
        raise Unreadable("it is empty, without a byte; copy it again.")
    with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            raise Unreadable(_too_large(f"{image.width:,} x {image.height:,} pixels"))
        yield image


def decoded_image(image: Image.Image, frame: Frame | None) -> Decoded:
    """An opened picture, upright, in a frame or as it is."""
    width, height = image.size
    drafted = None
    if frame is not None:
        # Twice the pixels that are needed are left, for resampling to smooth.
        spare = max(1, int(frame.shrinks((height, width)) / 2))
        drafted = image.draft(None, (-(-width // spare), -(-height // spare)))
    image.load()
    if drafted is None:
        width, height = image.size
    turn = TURNS.get(orientation(image))
    planes = image_planes(image)
    if turn is not None:
        planes = [plane.transpose(turn) for plane in planes]
    turned = turn in (FLIP.TRANSPOSE, FLIP.TRANSVERSE, FLIP.ROTATE_90, FLIP.ROTATE_270)
    size = (width, height) if turned else (height, width)
    notes = ("it holds several frames, of which the first was read.",) if getattr(image, "is_animated", False) else ()
    return Decoded(framed(planes, size, frame), size, notes)


def orientation(image: Image.Image) -> int:
    """How the camera was held, 1 where that is not said, or said in a way that nobody can read."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # The picture is whole; only what is written beside it is damaged.
        return 1


def _why(error: Exception) -> str:
    detail = next(iter(str(error).strip().splitlines()), type(error).__name__)[:160].rstrip(".")
    if isinstance(error, FileNotFoundError):
        return "it is not there, or is a link to nothing; check the path."
    if isinstance(error, PermissionError):
        return "it cannot be read for want of permission; check its owner and mode."
    if isinstance(error, UnidentifiedImageError):
        return f"it holds no {KINDS} picture, whatever its name says; save it anew."
    if isinstance(error, Image.DecompressionBombError):
        return _too_large("more pixels than Pillow decodes")
    if isinstance(error, MemoryError):
        return "it needs more memory than there is; save it smaller."
    if isinstance(error, OSError) and error.errno is not None:
        return f"it cannot be opened ({error.strerror}); check the path."
    return f"it is damaged or cut off ({detail}); copy it again."


def _too_large(promised: str) -> str:
    return f"it promises {promised}, at most {MOST_PIXELS // 10**6} million are decoded; save it smaller, or in tiles."
