"""The generator: normal data in, anomalies made to order out, each with its region and a verdict. No maths of its own.

Each kind of data has a generator of its own: `generate_tables`, `generate_series`, `generate_images`, `generate_video`,
`generate_multimodal`. The kind is decided by the data when it is fitted, and that generator is asked from then on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from anodiff.made import NORMAL, Made, Order
from anodiff.prepare import Kind, kind_of
from anodiff.recipes.grow import Progress
from anodiff.settings import GeneratorSettings
from anodiff.types import Misfit

SPACES = ("data", "latent", "features")
DEFAULT_N = 16


class Generator(GeneratorSettings):
    """Makes anomalies that the normal data could have had, and normal data that it could have been.

    A model of normal data fills a region anew, pushed away from normal as far as `strength` says: towards 0 a draw of
    what is normal there, at 1 as abnormal as `reach` says. What is outside the region stays as it was.

    Args:
        modality: What kind of data: "auto", "tabular", "series", "image", "video", "multimodal", or a `Modality` with
            settings of its own.
        reach: How far strength 1 is: a p-value, how rarely normal items are as abnormal; "examples" is as far as the
            median of the known anomalies; "auto" is that where there are some, else 0.0001.
        p_value: An item is abnormal enough where normal ones are as odd in its region this rarely, or as rarely as its
            strength asks for, if that is more often.
        space: What is edited: "data"; of images also "features" and "latent".
        detector: A fitted `Detector` of such data, to be the judge; by default one of the generator's own.
        settings: Of the model, by name; what there is, each kind of data says.
        max_seconds: About how long `fit` may take.
        seed: Of every random choice.

    Attributes:
        kind_: What was fitted: "tabular", "series", "image", "video" or "multimodal".
        inner_: The fitted generator of that kind.
        kinds_: Kinds of anomalies that it makes, by name; those of the examples among them.
        places_: Kinds of places that it knows, by name.

    >>> normal = np.random.default_rng(0).normal(size=(300, 3))
    >>> made = Generator("tabular").fit(normal).sample(4, on=normal, strength=0.9)
    >>> made.data.shape, made.region.shape
    ((4, 3), (4, 3))
    """

    kind_: Kind
    inner_: Any

    def fit(self, X: Any, y: Any = None, *, examples: Any = None, regions: Any = None, kinds: Any = None) -> Self:
        """Learn normal data `X`, and from 1 to about 10 known anomalies what they look like and where they sit.

        Args:
            X: Normal items, anything that `Detector.fit` takes.
            y: Ignored.
            examples: Known anomalies, not in X: rows; a list of series; pictures, or a folder of them, with a folder
                for each kind where there are several.
            regions: True where they are abnormal: `(k, columns)`; a list of `(T,)` or `(T, channels)`; masks of
                pictures, or a folder of them. Where they are missing, they are found by the judge.
            kinds: What kind each example is, names `(k,)`.

        Raises:
            Unreadable: X or the examples are not data of such a kind, or the examples are all among the normals.
            Misfit: a setting is out of range.
        """
        for _ in self.fitting(X, examples=examples, regions=regions, kinds=kinds):
            pass
        return self

    def fitting(self, X: Any, *, examples: Any = None, regions: Any = None, kinds: Any = None) -> Iterator[Progress]:
        """Fit, yielding progress; the generator is fitted when the last record has been taken, and unchanged before."""
        check_settings(self)
        if examples is None and (regions is not None or kinds is not None):
            raise Misfit("regions and kinds are those of examples; give examples= too, or leave them out.")
        kind = kind_of(self.modality, X)
        if kind not in GENERATORS:
            raise Misfit(f"nothing is made of {kind}; choose one of {', '.join(GENERATORS)}.")
        if kind != "image" and self.space != "data":
            raise Misfit(f"space is {self.space!r}, which is for images; the data is judged as {kind}: leave it out.")
        inner = GENERATORS[kind]()(**self.get_params(deep=False))
        yield from inner.fitting(X, examples=examples, regions=regions, kinds=kinds)
        self.hold(kind, inner)

    def hold(self, kind: Kind, inner: Any) -> Self:
        """Ask `inner`, a fitted generator of that kind, from now on."""
        self.kind_, self.inner_ = kind, inner
        return self

    def sample(
        self,
        n: int | None = None,
        *,
        on: Any = None,
        where: Any = "auto",
        kind: str = "auto",
        strength: float | Sequence[float] | np.ndarray = 0.7,
        size: float | tuple[float, float] | None = None,
        like: int | None = None,
        judged: bool = True,
        seed: int | None = None,
    ) -> Made:
        """Make n items, with their regions and verdicts. None is left out, and none is made twice until it pleases.

        Args:
            n: How many; by default one for each item of `on`, else 16.
            on: Normal items to make them on, in turns; by default those of fit that were kept, or draws of the model.
            where: A place by name (`places_`), or regions of your own: bool, laid out like the items; of clips
                `(T, H, W)` each, of records `(n, parts)`.
            kind: By name (`kinds_`), "auto" for all in turns, or "normal" for normal data.
            strength: Above 0 up to 1; one for all, or one for each.
            size: The share of an item that a region covers: one number, or least and most.
            like: The number of an example to resemble.
            judged: Whether to judge what was made.
            seed: Instead of the generator's own.

        Raises:
            Misfit: something is ordered that cannot be made; the sentence names the choices.
        """
        check_is_fitted(self, "inner_")
        n = counted(on, self.kind_) if n is None else n
        order = ordered(n, on, where, kind, strength, size, like, judged, self.seed if seed is None else seed)
        made: Made = self.inner_.sample(order)
        return made

    @property
    def kinds_(self) -> list[str]:
        """Kinds of anomalies by name."""
        check_is_fitted(self, "inner_")
        return list(self.inner_.kinds_)

    @property
    def known_(self) -> list[str]:
        """Those of them that are kinds of examples."""
        check_is_fitted(self, "inner_")
        return list(self.inner_.known_)

    @property
    def places_(self) -> list[str]:
        """Kinds of places by name."""
        check_is_fitted(self, "inner_")
        return list(self.inner_.places_)

    def references(self) -> str:
        """The works behind the generator, as BibTeX."""
        check_is_fitted(self, "inner_")
        return str(self.inner_.references())

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the generator as a folder, like a detector; `anodiff.load` reads both.

        Raises:
            FileExistsError: there is something at `path` and `overwrite` is False.
        """
        from anodiff.saving_generators import save

        check_is_fitted(self, "inner_")
        return Path(save(self, Path(path), overwrite=overwrite))


def check_settings(given: Generator) -> None:
    """Refuse settings out of range.

    Raises:
        Misfit: the first that is.
    """
    if given.space not in SPACES:
        raise Misfit(f"space is {given.space!r}; choose one of {', '.join(SPACES)}.")
    if not (_number(given.p_value) and 0 < given.p_value < 1):
        raise Misfit(f"p_value is {given.p_value!r}; give a share between 0 and 1, such as 0.01.")
    reach = given.reach
    if reach not in ("auto", "examples") and not (_number(reach) and 0 < float(reach) < 1):
        raise Misfit(f"reach is {reach!r}; give a p-value between 0 and 1, such as 0.0001, 'examples' or 'auto'.")
    if given.max_seconds is not None and not (_number(given.max_seconds) and 0 < given.max_seconds < np.inf):
        raise Misfit(f"max_seconds is {given.max_seconds!r}; give a number of seconds above 0, or None.")
    check_seed(given.seed)


def check_seed(seed: Any) -> None:
    """Refuse what is no seed.

    Raises:
        Misfit: it is none.
    """
    if not isinstance(seed, Integral) or isinstance(seed, bool) or not 0 <= int(seed) < 2**63:
        raise Misfit(f"seed is {seed!r}; give a whole number from 0 to 2**63 - 1.")


def counted(on: Any, kind: Kind) -> int:
    """How many items `on` holds, where it holds several; else 16. One array is one series, one picture, one clip."""
    if on is None or isinstance(on, str | Path) or not hasattr(on, "__len__"):
        return DEFAULT_N
    if kind == "series":
        several = isinstance(on, Mapping) or (isinstance(on, list | tuple) and not any(map(_number, on)))
        return len(on) if several and len(on) else DEFAULT_N
    if kind == "multimodal" and isinstance(on, Mapping):
        return next((len(column) for column in on.values() if hasattr(column, "__len__")), DEFAULT_N) or DEFAULT_N
    one = isinstance(on, np.ndarray) and (kind == "video" or (kind == "image" and on.ndim == 2))
    return DEFAULT_N if one or not len(on) else len(on)


def ordered(
    n: int,
    on: Any,
    where: Any,
    kind: str,
    strength: Any,
    size: Any,
    like: int | None,
    judged: bool,
    seed: int,
) -> Order:
    """What was asked for, as an order.

    Raises:
        Misfit: a number is out of range.
    """
    if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
        raise Misfit(f"n is {n!r}; give a whole number of items, at least 1.")
    if like is not None and (not isinstance(like, Integral) or isinstance(like, bool) or like < 0):
        raise Misfit(f"like is {like!r}; give the number of an example, from 0.")
    check_seed(seed)
    if where is None or isinstance(where, Real):
        raise Misfit(f"where is {where!r}; give a place by name, 'auto', or regions laid out like the items.")
    return Order(int(n), on, where, kind, strengths(strength, int(n), kind), share(size), like, bool(judged), int(seed))


def strengths(given: Any, n: int, kind: str) -> np.ndarray:
    """One strength per item `(n,)`; of normal data 0.

    Raises:
        Misfit: one is not above 0 up to 1, or their number is not that of the items.
    """
    if kind == NORMAL:
        return np.zeros(n)
    if given is None or isinstance(given, bool):
        raise Misfit(f"strength is {given!r}; give a number above 0 up to 1, or one for each item.")
    try:
        each = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise Misfit(f"strength is {given!r}; give a number above 0 up to 1, or one for each item.") from None
    if each.ndim > 1 or (each.ndim == 1 and len(each) != n):
        raise Misfit(f"strength has the shape {each.shape}; give one number, or one for each of the {n} items.")
    bad = each[~((each > 0) & (each <= 1))]
    if bad.size:
        value = float(bad.flat[0])
        if value == 0:
            raise Misfit("strength is 0, which is normal data; give kind='normal', or a strength above 0 up to 1.")
        raise Misfit(
            f"strength is {value:g}; give a number above 0 up to 1. 1 is as far as the generator's reach: "
            "fit with a smaller reach, such as 0.00001, to go farther."
        )
    return np.broadcast_to(each, (n,)).copy()


def share(given: Any) -> tuple[float, float] | None:
    """Least and most share of an item that a region covers.

    Raises:
        Misfit: they are none.
    """
    if given is None:
        return None
    pair = (given, given) if _number(given) else tuple(given) if isinstance(given, Sequence) else ()
    if len(pair) != 2 or not all(_number(v) for v in pair) or not 0 < pair[0] <= pair[1] < 1:
        raise Misfit(f"size is {given!r}; give the share of an item that a region covers, such as 0.05 or (0.01, 0.1).")
    return float(pair[0]), float(pair[1])


def _of_tables() -> Any:
    from anodiff.generate_tables import TableGenerator

    return TableGenerator


def _of_series() -> Any:
    from anodiff.generate_series import SeriesGenerator

    return SeriesGenerator


def _of_images() -> Any:
    from anodiff.generate_images import ImageGenerator

    return ImageGenerator


def _of_video() -> Any:
    from anodiff.generate_video import VideoGenerator

    return VideoGenerator


def _of_several() -> Any:
    from anodiff.generate_multimodal import MultimodalGenerator

    return MultimodalGenerator


GENERATORS: dict[Kind, Callable[[], Any]] = {
    "tabular": _of_tables,
    "series": _of_series,
    "image": _of_images,
    "video": _of_video,
    "multimodal": _of_several,
}


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
