r"""Video as cells: every frame on a grid, each cell by its motion and its appearance, and by those a few frames before.

.. math:: \text{frame}_t \mapsto \{ x^{(k)}_t(p) \}_{k, p}, \qquad x^{(k)}_t = T_k(f_t, f_{t-1}, \dots) ,

k the cubes that a recipe asks for. Nothing here looks ahead: a frame is told by itself and those before it alone, so
that what is causal stays so, and what is said of a frame does not depend on how a clip is cut up to be read.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from PIL import Image as Pillow
from sklearn.base import BaseEstimator
from torch import Tensor

from anodiff.conditions.calendar import Calendar
from anodiff.data.reels import Clip, Frame
from anodiff.modalities.appearance import Appearance
from anodiff.modalities.cubes import Before, Cells, Cube, span, windowed
from anodiff.modalities.motion import CHANNELS, LENGTHS, PLAIN, Motion, opencv
from anodiff.types import JSON, BadModel, Misfit, Refusal

if TYPE_CHECKING:
    from anodiff.recipes.specs import CubeSpec

Planes = Mapping[str, np.ndarray]
ASPECT = 0.05
"""By how much the shape of a frame may differ from that of fit, unsaid."""
LARGEST = 4096
"""The longest side of frames as they are looked at, at most: beyond it one frame is gigabytes of cells."""
PACE = 0.25
"""By how much the rate of a clip may differ from that of fit, unsaid."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
MICRO = 1_000_000


@dataclass(frozen=True)
class Look:
    """A frame as it is judged.

    Attributes:
        index: The frame's number in its source.
        time: Seconds since the clip began.
        size: Height and width of the frame.
        cells: By cube.
        frame: The frame at the working size, `(H, W[, 3])` uint8.
    """

    index: int
    time: float
    size: tuple[int, int]
    cells: Mapping[str, Cells]
    frame: np.ndarray


class Video(BaseEstimator):
    """Clips of one camera or several; constructors only store.

    Args:
        size: The longest side of frames as they are looked at, in pixels; all frames are scaled to it.
        cell: Side of a cell, in pixels of frames so scaled.
        stride: Every so many frames are looked at.
        rate: Frames per second, where a clip does not say.
        causal: Whether a frame's score may depend on frames before it only, where that is not said at the call.
        appearance: Whether the frozen backbone looks at frames.
        motion: Whether optical flow is computed, by OpenCV.
        perspective: How far motion is told in units of how fast what moves usually is at its place, from 0 to 1: for
            cameras that look along a way, where what is far moves by fewer pixels.
        per_hour: False alarms per hour that are acceptable, in place of a share of frames.
        cameras: Clip names to camera names; one model of all, with what is usual for each.
    """

    kind = "video"

    def __init__(
        self,
        size: int = 360,
        cell: int = 8,
        stride: int = 1,
        rate: float | None = None,
        causal: bool = False,
        appearance: bool = True,
        motion: bool = True,
        perspective: float = 0.0,
        per_hour: float | None = None,
        cameras: Mapping[str, str] | None = None,
    ) -> None:
        self.size = size
        self.cell = cell
        self.stride = stride
        self.rate = rate
        self.causal = causal
        self.appearance = appearance
        self.motion = motion
        self.perspective = perspective
        self.per_hour = per_hour
        self.cameras = cameras

    def check(self) -> None:
        """Refuse settings out of range, and motion without OpenCV.

        Raises:
            Misfit: the first that is.
        """
        for name, least in (("size", 32), ("cell", 4), ("stride", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
                raise Misfit(f"{name} is {value!r}; give a whole number from {least}.")
        if self.size > LARGEST:
            raise Misfit(f"size is {self.size}; give at most {LARGEST:,} pixels, such as 360.")
        if 2 * self.cell > self.size:
            raise Misfit(f"cell is {self.cell}, more than half of the size {self.size}; give a smaller one, such as 8.")
        for name in ("rate", "per_hour"):
            value = getattr(self, name)
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < np.inf
            ):
                raise Misfit(f"{name} is {value!r}; give a number above 0, or None.")
        if isinstance(self.perspective, bool) or not isinstance(self.perspective, Real):
            raise Misfit(f"perspective is {self.perspective!r}; give a number from 0 to 1.")
        if not 0 <= float(self.perspective) <= 1:
            raise Misfit(f"perspective is {self.perspective}; give a number from 0 to 1.")
        if not (self.appearance or self.motion):
            raise Misfit("appearance and motion are both False; leave one of them True, or nothing is seen.")
        if self.motion:
            opencv()

    def begin(self, size: tuple[int, int], frames: Sequence[np.ndarray], times: np.ndarray, ways: bool = True) -> Self:
        """Settle the grid, the look along which features are seen, and the cycles of the calendar.

        Args:
            size: Height and width of most frames of fit.
            frames: Some of them, at any size.
            times: When clips were filmed, where that is known, microseconds since 1970 `(n,)`.
            ways: Whether directions of motion are noted.
        """
        scale = self.size / max(size)
        rows, columns = (max(2, round(side * scale / self.cell)) for side in size)
        self.grid_, self.aspect_ = (rows, columns), size[1] / size[0]
        self.moves_ = (CHANNELS if ways else PLAIN) if self.motion else ()
        self.colour_ = any(each.ndim == 3 for each in frames)
        self.cycles_ = [str(cycle) for cycle in Calendar.fit(times).cycles]
        self.look_ = Appearance.fit(map(self.scaled, frames), self.grid_) if self.appearance else None
        return self

    def settle(self, cameras: Sequence[str], scales: np.ndarray, rate: float | None) -> Self:
        """Note the cameras, how fast what moves is at each place `(1 + cameras, h, w)`, and frames per second."""
        self.cameras_, self.rate_ = list(cameras), rate
        self.scales_ = np.asarray(scales, np.float32)
        self.specs_: dict[str, CubeSpec] = {}
        self.cubes_: dict[str, Cube] = {}
        return self

    def hold(self, name: str, spec: "CubeSpec", frames: Sequence[Before]) -> Self:
        """Fit one cube."""
        self.specs_[name], self.cubes_[name] = spec, Cube.fit(spec, frames, len(self.cameras_))
        return self

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width of frames as they are looked at."""
        return self.grid_[0] * self.cell, self.grid_[1] * self.cell

    @property
    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """Of what is seen of a frame, `(c, h, w)` each."""
        found = {"motion": (len(self.moves_), *self.grid_)} if self.motion else {}
        return found | ({} if self.look_ is None else {"appearance": (self.look_.basis.shape[1], *self.grid_)})

    @property
    def reach(self) -> int:
        """Frames that are remembered."""
        return max((span(spec) for spec in self.specs_.values()), default=1)

    def scaled(self, pixels: np.ndarray) -> np.ndarray:
        """A frame at the working size, `(H, W)` or, where any frame of fit had colour, `(H, W, 3)`, uint8."""
        height, width = self.canvas
        if pixels.ndim == 3 and not self.colour_:
            pixels = grey(pixels)
        if pixels.ndim == 2 and self.colour_:
            pixels = np.repeat(pixels[..., None], 3, 2)
        if pixels.shape[:2] == (height, width):
            return pixels
        return np.asarray(Pillow.fromarray(pixels).resize((width, height), Pillow.Resampling.BICUBIC))

    def eye(self, clip: Clip) -> "Eye":
        """What looks at one clip, frame by frame."""
        return Eye(self, self.camera(clip), clip.began)

    def camera(self, clip: Clip) -> int:
        """The number of a clip's camera, 0 where it is not one of those of fit."""
        named = self.named(clip)
        return self.cameras_.index(named) + 1 if named in self.cameras_ else 0

    def named(self, clip: Clip) -> str | None:
        """The name of a clip's camera."""
        return clip.camera if clip.camera is not None else (self.cameras or {}).get(clip.name)

    def looks(self, clip: Clip) -> Iterator[Look]:
        """Pass through a clip, in bounded memory."""
        eye = self.eye(clip)
        for frame in clip.frames(self.stride):
            yield eye.look(frame)

    def blank(self, frame: np.ndarray) -> Look:
        """A frame as if it were the first of a clip of no known camera."""
        return Eye(self, 0).look(Frame(0, 0.0, frame))

    def doubts(self, clip: Clip, size: tuple[int, int]) -> list[str]:
        """What is to be said of a clip of frames of that size, beside those of fit."""
        notes = []
        aspect = size[1] / size[0] / self.aspect_
        if not 1 / (1 + ASPECT) <= aspect <= 1 + ASPECT:
            notes.append(
                f"clip {clip.name}: frames are {size[1]} x {size[0]} pixels, of another shape than those of fit; they "
                f"are stretched to it."
            )
        rate = clip.rate or self.rate
        if rate and self.rate_ and not 1 / (1 + PACE) <= rate / self.rate_ <= 1 + PACE:
            notes.append(
                f"clip {clip.name}: {rate:.3g} frames a second, {self.rate_:.3g} in fit, so that all seems "
                f"{'slower' if rate > self.rate_ else 'faster'}; give it a stride, or fit on such clips."
            )
        named = self.named(clip)
        if self.cameras_ and named not in self.cameras_:
            said = "its camera is not named" if named is None else f"camera {named} was not there in fit"
            notes.append(f"clip {clip.name}: {said}; it is judged by what is usual for all of them together.")
        return notes

    def plain(self, planes: Planes, camera: int) -> dict[str, Tensor]:
        """What was seen of a frame, in units of what moves at each place, as tensors."""
        found = {name: torch.from_numpy(np.float32(plane)) for name, plane in planes.items()}
        if "motion" in found:
            scale = torch.from_numpy(self.scales_[camera])
            powers = torch.tensor([LENGTHS.get(name, 0) for name in self.moves_])
            found["motion"] = found["motion"] / scale ** powers[:, None, None]
        return found

    def channels(self, spec: "CubeSpec", plain: Mapping[str, Tensor]) -> Tensor:
        """The channels of a frame that a cube is made of, `(c, h, w)`.

        Raises:
            Misfit: there is no such channel.
        """
        plane = plain[spec.sees]
        if spec.channels is not None and spec.sees == "motion":
            unknown = [name for name in spec.channels if name not in self.moves_]
            if unknown:
                raise Misfit(f"there is no channel {unknown[0]!r} of motion; choose of {', '.join(CHANNELS)}.")
            plane = plane[[self.moves_.index(name) for name in spec.channels]]
        return windowed(plane, spec.windows)

    def before(self, spec: "CubeSpec", plains: Sequence[Mapping[str, Tensor]], moment: Tensor, camera: int) -> Before:
        """What a cube is made of, from what was seen of the last frames, the latest last."""
        motion = plains[-1].get("motion")
        speed = None if motion is None else motion[self.moves_.index("speed")]
        return Before([self.channels(spec, each) for each in plains[-span(spec) :]], motion, speed, moment, camera)

    def moment(self, began: float | None, time: float) -> Tensor:
        """Coordinates of the time of day `(k,)`; zero where it is not known, empty where it was never known."""
        calendar = Calendar(self.cycles_)
        if not self.cycles_:
            return torch.zeros(0)
        if began is None:
            return calendar.null(1)["calendar"][0]
        return calendar.encode(np.array([int((began + time) * MICRO)]))["calendar"][0]

    def config(self) -> JSON:
        """What was set and learnt, as JSON."""
        return {
            "settings": {
                **self.get_params(deep=False),
                "cameras": None if self.cameras is None else dict(self.cameras),
            },
            "grid": list(self.grid_),
            "aspect": self.aspect_,
            "colour": self.colour_,
            "ways": len(self.moves_) > len(PLAIN),
            "cycles": self.cycles_,
            "cameras": self.cameras_,
            "rate": self.rate_,
            "appearance": None if self.look_ is None else self.look_.config(),
            "cubes": {name: cube.config() for name, cube in self.cubes_.items()},
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt that is large."""
        found = {"scales": self.scales_}
        parts: dict[str, Appearance | Cube] = {f"cube.{name}": cube for name, cube in self.cubes_.items()}
        if self.look_ is not None:
            parts["look"] = self.look_
        return found | {f"{part}.{key}": value for part, of in parts.items() for key, value in of.arrays().items()}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray], specs: Mapping[str, "CubeSpec"]) -> Self:
        """The fitted modality of which these are `config` and `arrays`.

        Raises:
            BadModel: they are of none.
        """

        def group(name: str) -> dict[str, np.ndarray]:
            return {key[len(name) + 1 :]: value for key, value in arrays.items() if key.startswith(f"{name}.")}

        try:
            video = cls(**config["settings"])
            video.check()
            rows, columns = (int(each) for each in config["grid"])
            video.grid_, video.aspect_, video.colour_ = (rows, columns), float(config["aspect"]), bool(config["colour"])
            video.moves_ = (CHANNELS if config["ways"] else PLAIN) if video.motion else ()
            video.cycles_ = [str(each) for each in Calendar(config["cycles"]).cycles]
            look = config["appearance"]
            video.look_ = None if look is None else Appearance.restore(look, group("look"))
            rate = config["rate"]
            video.settle([str(each) for each in config["cameras"]], arrays["scales"], None if rate is None else rate)
            if video.scales_.shape != (1 + len(video.cameras_), rows, columns) or not (video.scales_ > 0).all():
                raise ValueError("scales do not fit to the grid")
            for name, told in config["cubes"].items():
                video.specs_[name] = specs[name]
                video.cubes_[name] = Cube.restore(specs[name], told, group(f"cube.{name}"))
        except Refusal:
            raise
        except (LookupError, TypeError, ValueError) as error:
            raise BadModel(f"the video part is damaged ({type(error).__name__}: {error}); save it again.") from None
        return video

    def describe(self) -> list[JSON]:
        """What was learnt, for people."""
        height, width = self.canvas
        return [
            {
                "name": "video",
                "size": [height, width],
                "grid": f"{self.grid_[0]} x {self.grid_[1]}",
                "colour": self.colour_,
                "rate": self.rate_,
                "stride": self.stride,
                "cameras": list(self.cameras_),
                "cycles": list(self.cycles_),
                "sees": list(self.shapes),
            }
        ]


class Glance:
    """Sees frames that come one after the other, before anything is known of what is usual.

    Args:
        video: Begun.
    """

    def __init__(self, video: Video) -> None:
        self.video = video
        self._motion = Motion(video.cell, video.grid_, len(video.moves_) > len(PLAIN)) if video.motion else None

    def __call__(self, frame: np.ndarray) -> dict[str, np.ndarray]:
        """What is seen of the next frame at the working size, `(c, h, w)` each; rounded to half precision."""
        found = {}
        if self._motion is not None:
            found["motion"] = self._motion(grey(frame) if frame.ndim == 3 else frame)
        if self.video.look_ is not None:
            found["appearance"] = self.video.look_(frame)
        return {name: plane.astype(np.float16).astype(np.float32) for name, plane in found.items()}


class Eye:
    """Looks at one clip as its frames come, and remembers as many as cubes are made of.

    Args:
        video: Fitted.
        camera: Number of the clip's camera.
        began: When it was filmed, in seconds since 1970 UTC; None where that is not known.
    """

    def __init__(self, video: Video, camera: int, began: float | None = None) -> None:
        self.video = video
        self.camera = camera
        self.began = began
        self._glance = Glance(video)
        self._plains: deque[dict[str, Tensor]] = deque(maxlen=video.reach)

    def look(self, frame: Frame) -> Look:
        """The next frame."""
        video = self.video
        scaled = video.scaled(frame.pixels)
        self._plains.append(video.plain(self._glance(scaled), self.camera))
        plains, moment = list(self._plains), video.moment(self.began, frame.time)
        cells = {
            name: video.cubes_[name](video.before(spec, plains, moment, self.camera))
            for name, spec in video.specs_.items()
        }
        height, width = frame.pixels.shape[:2]
        return Look(frame.index, frame.time, (height, width), cells, scaled)


def grey(pixels: np.ndarray) -> np.ndarray:
    """Colour `(H, W, 3)` uint8 weighed into grey `(H, W)` uint8."""
    return np.asarray((pixels @ LUMA + 0.5).astype(np.uint8))
