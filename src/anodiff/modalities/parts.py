r"""The parts of a record, each as one vector: a column of one kind in, features `(n, F)` out.

A picture is what a frozen backbone sees of it at several depths, :math:`[\bar f_1, \dots, \bar f_L]`, means over the
picture; a text its sentence's embedding; numbers and categories are the coordinates of tables;
a short series is its shape, its level, its spread and the shares of its power in bands of frequency.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import torch

from anodiff.data.albums import Unread
from anodiff.data.records import Column
from anodiff.modalities.image import Image
from anodiff.modalities.tabular import Tabular
from anodiff.modalities.text import Text
from anodiff.nets.backbones import EMBEDDED, backbone, restored
from anodiff.types import JSON, Unreadable

Lost = dict[int, str]
LAYERS = ("s16", "s32")
POINTS = 16
"""Of a series' shape."""
BANDS = 8
LEAST = 1e-9


class Part(ABC):
    """One column as features. Think twice before adding anything here, every kind of part carries it.

    Args:
        settings: What the modality says of this kind.
    """

    kind: ClassVar[str]

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def fit(self, column: Column) -> Self:
        """Learn from a column, of which some rows are present."""

    @abstractmethod
    def see(self, column: Column) -> tuple[np.ndarray, Lost]:
        """Features `(n, F)` float32, 0 where missing, and which rows could not be read, with a sentence each."""

    @abstractmethod
    def config(self) -> JSON:
        """What was set and learnt, as JSON."""

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt and is too large for JSON."""
        return {}

    @classmethod
    @abstractmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config` and `arrays`."""


class PicturePart(Part):
    """Pictures: settings `backbone` and `size`."""

    kind = "image"

    def fit(self, column: Column) -> Self:
        self.image_ = Image(size=int(self.settings["size"])).fit(column.album().part(np.flatnonzero(column.present)))
        self.backbone_ = backbone(self.settings["backbone"], LAYERS if self.settings["backbone"] == EMBEDDED else None)
        return self

    def see(self, column: Column) -> tuple[np.ndarray, Lost]:
        rows, lost = list[np.ndarray | None](), Lost()
        album = column.album()
        for i in range(len(column)):
            if not column.present[i]:
                rows.append(None)
                continue
            (picture,) = album.pictures(self.image_.square, i, i + 1)
            if isinstance(picture, Unread):
                lost[i] = picture.why
                rows.append(None)
            else:
                rows.append(self._seen(self.image_.encode([picture]).x))
        blank = np.zeros(self.width, np.float32)
        return np.stack([blank if row is None else row for row in rows]) if rows else np.zeros((0, self.width)), lost

    @property
    def width(self) -> int:
        """Features of a picture."""
        if not hasattr(self, "width_"):
            side = self.image_.size
            self.width_ = len(self._seen(torch.zeros(1, self.image_.channels_, side, side)))
        return self.width_

    def _seen(self, x: torch.Tensor) -> np.ndarray:
        return np.asarray(torch.cat([map.mean((2, 3))[0] for map in self.backbone_(x)]).numpy(), np.float32)

    def config(self) -> JSON:
        return {"image": self.image_.config(), "backbone": self.backbone_.config(), "settings": self._plain()}

    def _plain(self) -> JSON:
        return {"size": int(self.settings["size"]), "backbone": self.backbone_.name}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:  # noqa: ARG003
        part = cls(**config["settings"])
        part.image_, part.backbone_ = Image.restore(config["image"], {}), restored(config["backbone"])
        return part


class TextPart(Part):
    """Texts: settings `encoder` and `templates`, as `Text` takes them."""

    kind = "text"

    def fit(self, column: Column) -> Self:
        self.text_ = Text(**self.settings).fit(_there(column))
        return self

    def see(self, column: Column) -> tuple[np.ndarray, Lost]:
        distinct = sorted(set(_there(column)))
        place = {text: i for i, text in enumerate(distinct)}
        found = np.asarray(self.text_.encode(distinct or [""]), np.float32)
        rows = np.zeros((len(column), found.shape[1]), np.float32)
        for i in np.flatnonzero(column.present):
            rows[i] = found[place[column.values[i]]]
        return rows, {}

    def config(self) -> JSON:
        return {"text": self.text_.config()}

    def arrays(self) -> dict[str, np.ndarray]:
        return self.text_.arrays()

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        part = cls()
        part.text_ = Text.restore(config["text"], arrays)
        return part


class TablePart(Part):
    """Numbers or categories, as the columns of a table are."""

    def fit(self, column: Column) -> Self:
        self.table_ = Tabular().fit(self._table(column, np.flatnonzero(column.present)))
        return self

    def see(self, column: Column) -> tuple[np.ndarray, Lost]:
        there = np.flatnonzero(column.present)
        rows = np.zeros((len(column), len(self.table_.owners)), np.float32)
        if len(there):
            rows[there] = self.table_.encode(self._table(column, there)).x.numpy()
        return rows, {}

    @abstractmethod
    def _table(self, column: Column, places: np.ndarray) -> pa.Table:
        """Some rows of a column as a table."""

    def config(self) -> JSON:
        return {"table": self.table_.config()}

    def arrays(self) -> dict[str, np.ndarray]:
        return self.table_.arrays()

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        part = cls()
        part.table_ = Tabular.restore(config["table"], arrays)
        return part


class NumbersPart(TablePart):
    """Rows of numbers `(n, k)`."""

    kind = "numbers"

    def _table(self, column: Column, places: np.ndarray) -> pa.Table:
        values = np.asarray(column.values, float)[places]
        return pa.table({f"n{k}": pa.array(v, from_pandas=True) for k, v in enumerate(values.T)})


class CategoryPart(TablePart):
    """One of several names."""

    kind = "category"

    def _table(self, column: Column, places: np.ndarray) -> pa.Table:
        return pa.table({"c": pa.array([column.values[i] for i in places], pa.string())})


class SeriesPart(Part):
    """A short series per record."""

    kind = "series"

    def fit(self, column: Column) -> Self:
        self.channels_ = int(column.width)
        return self

    def see(self, column: Column) -> tuple[np.ndarray, Lost]:
        rows, lost = np.zeros((len(column), self.channels_ * (POINTS + BANDS + 5)), np.float32), Lost()
        for i in np.flatnonzero(column.present):
            values = np.asarray(column.values[i], float)
            if not len(values) or not np.isfinite(values).any(0).all():
                lost[int(i)] = "it holds no numbers."
            else:
                rows[i] = np.concatenate([shape_of(channel) for channel in values.T])
        return rows, lost

    def config(self) -> JSON:
        return {"channels": self.channels_}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:  # noqa: ARG003
        part = cls()
        part.channels_ = int(config["channels"])
        return part


PARTS: dict[str, type[Part]] = {
    "image": PicturePart,
    "text": TextPart,
    "numbers": NumbersPart,
    "category": CategoryPart,
    "series": SeriesPart,
}


def shape_of(values: np.ndarray) -> np.ndarray:
    """A series `(T,)` as numbers: points of its shape, bands of its spectrum, level, spread, slope, steps, peak.

    Gaps are bridged. Magnitudes are told through asinh, so that even 1e300 stays finite.
    """
    values = np.arcsinh(bridged(values))
    count = len(values)
    mean, std = values.mean(), values.std()
    unit = (values - mean) / max(std, LEAST)
    points = np.interp(np.linspace(0, count - 1, POINTS), np.arange(count), unit if std > LEAST else np.zeros(count))
    power = np.abs(np.fft.rfft(unit))[1:] ** 2
    edges = np.linspace(0, len(power), BANDS + 1).astype(int)
    bands = np.array([power[a:b].sum() for a, b in itertools.pairwise(edges)])
    share = bands / bands.sum() if bands.sum() > LEAST and std > LEAST else np.zeros(BANDS)
    steps = np.abs(np.diff(values)).mean() if count > 1 else 0.0
    slope = np.polyfit(np.linspace(-1, 1, count), values, 1)[0] if count > 1 else 0.0
    return np.concatenate([points, share, [mean, std, slope, steps, np.abs(values - mean).max()]])


def bridged(values: np.ndarray) -> np.ndarray:
    """A series `(T,)` with its gaps filled linearly."""
    there = np.isfinite(values)
    return np.asarray(np.interp(np.arange(len(values)), np.flatnonzero(there), values[there]))


def _there(column: Column) -> list[str]:
    return [text for text, there in zip(column.values, column.present, strict=True) if there]


def part_of(kind: str, **settings: Any) -> Part:
    """A fresh part of a kind.

    Raises:
        Unreadable: there is no such kind.
    """
    if kind not in PARTS:
        raise Unreadable(f"no part is of kind {kind!r}; choose one of {', '.join(PARTS)}.")
    return PARTS[kind](**settings)
