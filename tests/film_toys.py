"""Tiny videos: PyAV writes them, in whatever codec, at whatever times, with sound or on their side."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

UPRIGHT = (65536, 0, 0, 0, 65536, 0, 0, 0, 2**30)
SIDEWAYS = (0, 65536, 0, -65536, 0, 0, 0, 0, 2**30)
"""The matrix of a film that is to be turned clockwise by a quarter before it is shown."""


def shades(count: int = 20, size: tuple[int, int] = (48, 72)) -> np.ndarray:
    """Grey frames `(count, H, W)`, each a little lighter, with a white square that walks along the upper edge."""
    found = np.full((count, *size), 20, np.uint8) + (4 * np.arange(count, dtype=np.uint8) % 160)[:, None, None]
    for i, frame in enumerate(found):
        at = 3 * i % (size[1] - 16)
        frame[4:20, at : at + 16] = 250
    return found


def video(
    path: Path,
    frames: np.ndarray | None = None,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: int = 10,
    form: str | None = None,
    at: Sequence[int] | None = None,
    sound: bool = False,
    said: dict[str, str] | None = None,
    how: dict[str, str] | None = None,
) -> Path:
    """A video file of `frames`; `at` is when each is shown, in milliseconds."""
    frames = shades() if frames is None else frames
    with av.open(str(path), "w", format=form, options=how or {}) as container:
        container.metadata.update(said or {})
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        voice = container.add_stream("aac", rate=8000, layout="mono") if sound else None
        if at is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i, frame in enumerate(frames):
            kind = "rgb24" if frame.ndim == 3 else "gray16le" if frame.dtype == np.uint16 else "gray"
            shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), kind)
            shown.pts, shown.time_base = (i, Fraction(1, rate)) if at is None else (int(at[i]), Fraction(1, 1000))
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
        if voice is not None:
            _say(container, voice, len(frames) / rate)
    return path


def _say(container: "av.container.OutputContainer", voice: "av.AudioStream", seconds: float) -> None:
    silence = np.zeros((1, int(8000 * seconds)), np.float32)
    heard = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
    heard.sample_rate, heard.pts = 8000, 0
    container.mux(voice.encode(heard))
    container.mux(voice.encode(None))


def sound(path: Path) -> Path:
    """A second of silence."""
    with av.open(str(path), "w") as container:
        _say(container, container.add_stream("aac", rate=8000, layout="mono"), 1.0)
    return path


def covered(path: Path) -> Path:
    """A second of silence, with a picture on its cover."""
    with av.open(str(path), "w") as container:
        voice = container.add_stream("aac", rate=8000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.height, cover.width, cover.pix_fmt = 48, 72, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        shown = av.VideoFrame.from_ndarray(shades(1)[0], "gray")
        container.mux([*cover.encode(shown), *cover.encode(None)])
        _say(container, voice, 1.0)
    return path


def sideways(path: Path) -> Path:
    """An mp4 as telephones write it that are held upright: its frames lie on their side, and its header says so."""
    held = video(path).read_bytes()
    upright, turned = (b"".join(v.to_bytes(4, "big", signed=True) for v in m) for m in (UPRIGHT, SIDEWAYS))
    at = held.index(upright, held.index(b"tkhd"))
    path.write_bytes(held[:at] + turned + held[at + len(turned) :])
    return path


def cut(path: Path, share: float) -> Path:
    """The same file without its end."""
    held = path.read_bytes()
    path.write_bytes(held[: int(share * len(held))])
    return path
