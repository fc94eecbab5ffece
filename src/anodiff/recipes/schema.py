"""A recipe is a published method as a combination of parts: which denoisers, asked which questions, summed how.

Recipes are yaml files beside this module; users hand in their own as a path or a dict. pydantic guards the border.
"""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, ValidationError, model_validator

from anodiff.diffusion.denoise import WEIGHTS
from anodiff.diffusion.masked import MASKS
from anodiff.diffusion.noise import SCHEDULES
from anodiff.scores import SCORES
from anodiff.types import JSON, Misfit

OWN_NETWORK = {"categorical_time", "inverse_gamma_time"}
OF_THE_PANEL = {"likeness"}
OF_SERIES = {"spectral", "infilling"}


class Spec(BaseModel):
    """A part by name with its settings; unknown settings are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ScheduleSpec(Spec):
    """A schedule and the numbers its constructor takes."""

    use: Literal[tuple(SCHEDULES)] = "ve"  # type: ignore[valid-type]
    settings: dict[str, float] = {}


class TransformSpec(Spec):
    """Coordinates: normal scores through so many knots a column, squashed, or whitened with a ridge in variances."""

    use: Literal["normal_scores", "squashed", "whitening"]
    scale: PositiveFloat = 0.5
    knots: Annotated[int, Field(ge=2, le=100_000)] = 256
    ridge: PositiveFloat = 0.1


Periods = Annotated[str, Field(pattern=r"^(\d+(\.\d+)?|\.\d+)?P$")]


class ViewSpec(Spec):
    """Windows of a series: `length` in instants, or in dominant periods ("2P") kept from `least` to `most`.

    Where there is no period, 125 instants stand for it. A long window is told by at most so many `points`. A view that
    follows sees what is left of a series without its trend, the median of the last so many instants or periods.
    """

    length: Annotated[int, Field(ge=1, le=10_000)] | Periods
    least: Annotated[int, Field(ge=1)] = 6
    most: Annotated[int, Field(ge=1, le=10_000)] = 300
    points: Annotated[int, Field(ge=1)] | None = None
    normalise: Literal["none", "centre", "unit", "soft"] = "none"
    follow: Annotated[int, Field(ge=0, le=10_000)] | Periods = 0


Trim = Annotated[float, Field(ge=0, lt=0.9)] | None
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class EmpiricalSpec(Spec):
    """The training set itself, at most `references` rows of it, in coordinates of its own if `transform` is given.

    Of a series, neighbours are `distinct` where no two of them overlap.
    """

    use: Literal["empirical"]
    neighbours: Annotated[int, Field(ge=1, le=1000)] | None = 5
    references: Annotated[int, Field(ge=10, le=10_000_000)] = 10_000
    transform: TransformSpec | None = None
    trim: Trim = None
    view: Name | None = None
    distinct: bool = False


class GaussianSpec(Spec):
    """The closed form of a normal distribution, of the rows that concentrate if some are to be trimmed."""

    use: Literal["gaussian"]
    trim: Trim = None
    view: Name | None = None


class MixtureSpec(Spec):
    """The closed form of a mixture of normal distributions."""

    use: Literal["mixture"]
    components: Annotated[int, Field(ge=1, le=1000)] = 4
    view: Name | None = None


class NetworkSpec(Spec):
    """A trained network; `steps` and `width` are ceilings, small tables take fewer.

    A spectral one, for series, stands on a Gaussian; with `directions` it sees that many of its leading ones alone.
    An infilling one, for series too, is trained to guess what `masks` hide from the rest, and stands on a Gaussian that
    is told the rest, or on one for each cell alone; any other is so trained if it `knows` the mask.
    """

    use: Literal["network"]
    predict: Literal["edm", "noise", "data", "velocity", "spectral", "infilling"] = "edm"
    base: Literal["given", "cellwise"] = "given"
    masks: Annotated[tuple[Literal[tuple(MASKS)], ...], Field(min_length=1)] = tuple(MASKS)  # type: ignore[valid-type]
    net: Literal["mlp", "unet", "transformer"] = "mlp"
    whitening: Annotated[float, Field(ge=0, le=1)] = 0.25
    directions: Annotated[int, Field(ge=1)] | None = None
    knows: tuple[Literal["entity", "calendar", "mask"], ...] = ()
    weight: Literal[tuple(WEIGHTS)] = "velocity"  # type: ignore[valid-type]
    between: tuple[PositiveFloat, PositiveFloat] = (0.02, 20.0)
    width: Annotated[int, Field(ge=4, le=4096)] = 128
    depth: Annotated[int, Field(ge=1, le=64)] = 2
    steps: Annotated[int, Field(ge=1, le=10_000_000)] = 700
    batch: Annotated[int, Field(ge=1, le=65_536)] = 128
    lr: PositiveFloat = 1e-3
    trim: Trim = None
    view: Name | None = None


class ScoreSpec(Spec):
    """A question, `use`, put to the denoiser named `of`; a score with a network of its own trains it as `net` says.

    Of a series, a window's total (or its `root`, a distance) is read at each of its instants, or its map is.
    A score of weight 0 waits: for known anomalies that speak for it, or as the cheaper stand-in of another.
    """

    use: Literal[tuple(set(SCORES) - {"hybrid"})]  # type: ignore[valid-type]
    of: str | None = None
    net: NetworkSpec | None = None
    weight: NonNegativeFloat = 1.0
    stands_for: str | None = None
    read: Literal["window", "map"] = "window"
    root: bool = False
    settings: dict[str, Any] = {}


AnyDenoiser = Annotated[EmpiricalSpec | GaussianSpec | MixtureSpec | NetworkSpec, Field(discriminator="use")]


class Recipe(Spec):
    """Denoisers by name, scores by name in the order in which a budget buys them, works to cite (keys of the .bib).

    `trim` is the share of rows that a denoiser is not shown where anomalies may be among them: the most suspicious to
    the scores of the `guard`, for a Gaussian the farthest. Without one it is the contamination; 0 shows it everything.
    Of series, scores are smoothed over so many instants or periods, and summed in standard deviations to the `power`.
    `likeness` names the score whose total is a squared distance to normal rows, for known anomalies to be held against.
    """

    name: str
    about: str
    cite: tuple[str, ...] = ()
    schedule: ScheduleSpec = ScheduleSpec()
    views: dict[Name, ViewSpec] = {}
    smooth: Annotated[int, Field(ge=0, le=10_000)] | Periods = 0
    power: Literal[1, 2] = 2
    denoisers: dict[Name, AnyDenoiser] = {}
    scores: Annotated[dict[Name, ScoreSpec], Field(min_length=1)]
    guard: tuple[str, ...] = ()
    likeness: str | None = None

    @model_validator(mode="after")
    def _named(self) -> "Recipe":
        uncited = [key for key in self.cite if key not in _entries()]
        if uncited:
            raise ValueError(f"cites {uncited[0]!r}, which is not a key of references.bib; leave it out")
        for name, score in self.scores.items():
            if score.use in OWN_NETWORK and score.net is None:
                raise ValueError(f"score {name} trains a network of its own; give it a net")
            if score.use not in OWN_NETWORK | OF_THE_PANEL and score.of not in self.denoisers:
                known = ", ".join(self.denoisers) or "none"
                raise ValueError(f"score {name} asks the denoiser {score.of}, which is not among: {known}")
        for named in (*self.guard, *(s.stands_for for s in self.scores.values()), self.likeness):
            if named is not None and named not in self.scores:
                raise ValueError(f"it names the score {named}, which is not among: {', '.join(self.scores)}")
        for name, spec in self.denoisers.items():
            if bool(self.views) != (spec.view is not None) or (spec.view is not None and spec.view not in self.views):
                known = ", ".join(self.views) or "none"
                raise ValueError(f"denoiser {name} looks through the view {spec.view}, which is not among: {known}")
            if isinstance(spec, NetworkSpec) and not self.views and (spec.knows or spec.predict in OF_SERIES):
                raise ValueError(f"denoiser {name} is a network of windows; give the recipe views, or predict edm")
        for name, score in self.scores.items():
            if score.net is not None and bool(self.views) != (score.net.view in self.views):
                known = ", ".join(self.views) or "none"
                raise ValueError(f"the net of {name} looks through the view {score.net.view}, not among: {known}")
            if _is_told(score) and not _takes_known(self.denoisers.get(str(score.of))):
                raise ValueError(f"score {name} tells {score.of} what is known, which it cannot take; fill otherwise")
        if not any(score.weight for score in self.scores.values() if score.use not in OF_THE_PANEL):
            raise ValueError("all scores weigh 0; give one of them a weight")
        return self

    def only(self, names: Iterable[str]) -> "Recipe":
        """The recipe of these scores and the denoisers that they ask; names of other scores are forgotten."""
        wanted = set(names) & self.scores.keys()
        scores = {
            name: asked if asked.stands_for in wanted else asked.model_copy(update={"stands_for": None})
            for name, asked in self.scores.items()
            if name in wanted
        }
        asked = {score.of for score in scores.values()}
        asked |= {score.settings.get(key) for score in scores.values() for key in ("normal", "known")}
        denoisers = {name: spec for name, spec in self.denoisers.items() if name in asked}
        guard = tuple(name for name in self.guard if name in wanted)
        likeness = self.likeness if self.likeness in wanted else None
        return self.model_copy(update={"scores": scores, "denoisers": denoisers, "guard": guard, "likeness": likeness})

    @property
    def voters(self) -> tuple[str, ...]:
        """The scores that are summed where no anomaly is known."""
        return tuple(name for name, score in self.scores.items() if score.weight)

    @property
    def reserve(self) -> tuple[str, ...]:
        """The scores that known anomalies may call in."""
        waiting = (name for name, score in self.scores.items() if not score.weight and score.stands_for is None)
        return tuple(name for name in waiting if name not in self.guard)

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """The cheaper forms of other scores."""
        return tuple(name for name, score in self.scores.items() if score.stands_for is not None)


def available(series: bool | None = None) -> list[str]:
    """Names of the recipes that come with the package: all, or those for series (True) or for tables (False)."""
    files = sorted(p.name for p in _folder().iterdir() if p.name.endswith(".yaml"))
    return [f.removesuffix(".yaml") for f in files if series is None or _has_views(f) == series]


def recipe(given: "str | Path | JSON | Recipe", changes: JSON | None = None) -> Recipe:
    """Find and check a recipe: a name, the path of a yaml file, a dict or a `Recipe`, with `{"a.b": value}` changes.

    Raises:
        Misfit: there is no such recipe, or it says something that does not exist.

    >>> recipe("table", {"denoisers.learnt.steps": 50}).denoisers["learnt"].steps
    50
    >>> recipe("tabel")
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: no recipe is called 'tabel'; there are: ...
    """
    if isinstance(given, Recipe):
        content = given.model_dump(mode="json")
    else:
        content = given if isinstance(given, dict) else _read(str(given))
    if not isinstance(changes or {}, dict):
        raise Misfit(f"changes are {changes!r}; give a dict such as {{'denoisers.learnt.steps': 200}}.")
    for path, value in (changes or {}).items():
        content = _changed(content, str(path).split("."), value, str(path))
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "recipe"
        raise Misfit(f"recipe {content.get('name', given)!r}: {place}: {first['msg']}.") from None


def bibtex(keys: tuple[str, ...]) -> str:
    """The entries of the given keys, as BibTeX, in their order."""
    return "\n\n".join(_entries()[key].replace("@@", "@") for key in keys)


def _is_told(score: ScoreSpec) -> bool:
    fill = score.settings.get("fill")
    return isinstance(fill, dict) and fill.get("use") == "told"


def _takes_known(spec: AnyDenoiser | None) -> bool:
    if isinstance(spec, NetworkSpec):
        return spec.predict == "infilling" or "mask" in spec.knows
    return isinstance(spec, GaussianSpec)


@cache
def _entries() -> dict[str, str]:
    text = (_folder() / "references.bib").read_text(encoding="utf-8")
    return {e.split("{", 1)[1].split(",", 1)[0]: "@" + e.strip() for e in text.split("\n@") if "{" in e}


@cache
def _has_views(file: str) -> bool:
    return "\nviews:" in (_folder() / file).read_text(encoding="utf-8")


def _folder() -> Any:
    return resources.files("anodiff.recipes")


def _read(name: str) -> JSON:
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Misfit(f"the recipe {name} cannot be read: {error}.") from None
    elif name in available():
        text = (_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    else:
        raise Misfit(f"no recipe is called {name!r}; there are: {', '.join(available())}, or the path of a yaml file.")
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise Misfit(f"the recipe {name} is not yaml: {str(error).splitlines()[0]}.") from None
    if not isinstance(content, dict):
        raise Misfit(f"the recipe {name} is not a mapping; begin it with name, about, denoisers and scores.")
    return content


def _changed(content: JSON, keys: list[str], value: Any, path: str) -> JSON:
    if len(keys) == 1:
        return {**content, keys[0]: value}
    inner = content.get(keys[0])
    if not isinstance(inner, dict):
        known = ", ".join(k for k, v in content.items() if isinstance(v, dict)) or "nothing"
        raise Misfit(f"{path}: the recipe has no section {keys[0]!r} here; it has: {known}.")
    return {**content, keys[0]: _changed(inner, keys[1:], value, path)}
