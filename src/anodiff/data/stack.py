"""Maps of many pictures on disk, in half precision: they are read again and again while parts are fitted.

Memory holds what is asked for; the file has no name that could be left behind.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor

BATCH = 8
"""Maps that are held at once."""


class Stack:
    """Planes of pictures by name, added one picture at a time.

    Args:
        shapes: Of each plane, `(C, h, w)`.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, int, int]]) -> None:
        self.shapes = dict(shapes)
        self.count = 0
        self._files = {name: tempfile.TemporaryFile(prefix="anodiff-") for name in shapes}  # noqa: SIM115
        self._kept = dict(shapes)
        self._scales: dict[str, tuple[Tensor, Tensor]] = {}
        self._bases: dict[str, Tensor] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def __len__(self) -> int:
        return self.count

    def add(self, planes: Mapping[str, Tensor]) -> None:
        """Keep the planes `(C, h, w)` of one more picture."""
        for name, plane in planes.items():
            self._files[name].write(plane.detach().half().numpy().tobytes())
        self.count += 1

    def cut(self, count: int) -> None:
        """Forget all pictures but the first."""
        self.count = min(self.count, count)

    def scale(self, name: str, mean: Tensor, std: Tensor) -> None:
        """Give a plane from now on less a mean and over a deviation by channel, each `(C,)`."""
        self._scales[name] = mean[:, None, None], std[:, None, None]

    def turn(self, name: str, basis: Tensor) -> None:
        """Give a plane from now on along the directions `(C, d)` of a basis."""
        self._bases[name] = basis
        self.shapes[name] = (basis.shape[1], *self._kept[name][1:])

    def plane(self, name: str, places: Sequence[int] | np.ndarray) -> Tensor:
        """One plane of the pictures at these places `(n, C, h, w)` float32."""
        shape, file = self._kept[name], self._files[name]
        size = 2 * int(np.prod(shape))
        file.flush()
        if len(places) and not 0 <= int(np.min(places)) <= int(np.max(places)) < self.count:
            raise IndexError(f"the stack holds {self.count} pictures; it was asked for place {int(np.max(places))}.")
        found = torch.empty(len(places), *shape)
        for row, place in zip(found, places, strict=True):
            file.seek(int(place) * size)
            row.copy_(torch.frombuffer(bytearray(file.read(size)), dtype=torch.float16).view(shape))
        file.seek(0, 2)
        if name in self._scales:
            mean, std = self._scales[name]
            found.sub_(mean).div_(std)
        return along(found, self._bases[name]) if name in self._bases else found

    def batches(
        self, name: str, places: Sequence[int] | np.ndarray, size: int = BATCH
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Pass through one plane: places and maps, a few at a time."""
        whole = np.asarray(places, dtype=np.int64)
        for start in range(0, len(whole), size):
            part = whole[start : start + size]
            yield part, self.plane(name, part)


def along(x: Tensor, basis: Tensor) -> Tensor:
    """Maps `(n, C, h, w)` along the directions of a basis `(C, d)`, `(n, d, h, w)`."""
    return torch.einsum("nchw,cd->ndhw", x, basis)
