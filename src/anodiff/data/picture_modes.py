r"""What pixels mean: every kind of picture as one grey or three colour planes in 0..1,

.. math:: c = a\, v / v_{\max},

of values v that are declared to reach :math:`v_{\max}` and whose opacity is a: transparent parts lie on black. 8 bits
reach 255; 16 bits 65,535, a picture of 12 bits 4,095; in files, whole numbers of 32 bits are taken for 16 bits. Floats
must lie in 0..1, since nothing says what they reach. No picture is stretched to its own range: one bright spot would
change all the rest of it. Pillow reads colours of 16 bits as colours of 8.
"""

import numpy as np
from PIL import Image

from anodiff.data.frames import Planes, planes_of
from anodiff.types import Unreadable

SLACK = 1e-6
"""By which floats may leave 0..1, by rounding."""
BITS_PER_SAMPLE = 258
CHANNELS = (1, 3, 4)


def image_planes(image: Image.Image) -> Planes:
    """A decoded picture of whatever mode as one plane (grey, 8-bit colour, float).

    Raises:
        Unreadable: its values have no known range.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        return planes_of(_unit(np.asarray(image), _bits(image))[..., None])
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return [_on_black(image)]
    if image.mode in ("L", "RGB"):
        return [image]
    if image.mode == "1" or (image.mode == "P" and _grey_palette(image)):
        return [image.convert("L")]
    return [image.convert("RGB")]


def array_planes(array: np.ndarray) -> Planes:
    """One picture `(H, W)` or `(H, W, 1|3|4)` of uint8, uint16, bool or floats in 0..1 as planes.

    Raises:
        Unreadable: its shape, its type or its values are none of those.
    """
    pixels = array[..., None] if array.ndim == 2 else array
    if pixels.ndim != 3 or pixels.shape[2] not in CHANNELS:
        raise Unreadable(
            f"an array of shape {array.shape} is no picture; give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)."
        )
    if not pixels.size:
        raise Unreadable(f"an array of shape {array.shape} holds no pixel; leave it out.")
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype == np.uint8:
        flat = np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        return image_planes(Image.fromarray(flat))
    if pixels.dtype.kind != "f" and (pixels.dtype.kind, pixels.dtype.itemsize) != ("u", 2):
        raise Unreadable(f"pixels are {pixels.dtype}; give uint8, uint16, bool, or floats from 0 to 1.")
    unit = _unit(pixels)
    return planes_of(unit[..., :3] * unit[..., 3:] if unit.shape[2] == 4 else unit)


def _unit(values: np.ndarray, bits: int = 16) -> np.ndarray:
    """Values in 0..1, float32."""
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f":
        if not np.isfinite([low, high]).all():
            raise Unreadable("pixels are NaN or infinite; fill them, or leave the picture out.")
        if low < -SLACK or high > 1 + SLACK:
            raise Unreadable(f"pixels are floats from {low:g} to {high:g}; scale all pictures alike into 0 to 1.")
        return values.astype(np.float32)
    top = 2**bits - 1
    if low < 0 or high > top:
        raise Unreadable(f"pixels go from {low:,.0f} to {high:,.0f}, beyond 0 to {top:,}; save the picture in 16 bits.")
    return values.astype(np.float32) / np.float32(top)


def _bits(image: Image.Image) -> int:
    """Bits that a picture of whole numbers declares, at most 16."""
    declared = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, 16)
    first = declared[0] if isinstance(declared, tuple) else declared
    return min(int(first), 16)


def _on_black(image: Image.Image) -> Image.Image:
    grey = image.mode in ("LA", "La", "L", "1")
    whole = image.convert("LA" if grey else "RGBA")
    colours, opacity = whole.convert("L" if grey else "RGB"), whole.getchannel("A")
    if opacity.getextrema() == (255, 255):
        return colours
    black = Image.new(colours.mode, colours.size)
    black.paste(colours, mask=opacity)
    return black


def _grey_palette(image: Image.Image) -> bool:
    colours = np.array(image.getpalette("RGB") or [0], np.uint8)
    return len(colours) % 3 == 0 and bool((colours.reshape(-1, 3) == colours[::3, None]).all())
