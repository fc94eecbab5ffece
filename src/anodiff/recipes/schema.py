"""A recipe is a published method as a combination of parts: which denoisers, asked which questions, summed how.

Recipes are yaml files beside this module; users hand in their own as a path or a dict. pydantic guards the border.
"""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, NonNegativeFloat, ValidationError, model_validator

from anodiff.recipes.specs import (
    OF_PICTURES,
    OF_SERIES,
    OF_THE_PANEL,
    OWN_AND_ASKED,
    OWN_NETWORK,
    AnyDenoiser,
    CubeSpec,
    FusionSpec,
    GaussianSpec,
    MovedSpec,
    Name,
    NetworkSpec,
    Periods,
    PlaneSpec,
    PoolSpec,
    PosesSpec,
    PositionalSpec,
    ScheduleSpec,
    ScoreSpec,
    Spec,
    ViewSpec,
)
from anodiff.types import JSON, Misfit


class Recipe(Spec):
    """Denoisers by name, scores by name in the order in which a budget buys them, works to cite (keys of the .bib).

    `trim` is the share of rows that a denoiser is not shown where anomalies may be among them: the most suspicious to
    the scores of the `guard`, for a Gaussian the farthest. Without one it is the contamination; 0 shows it everything.
    Of pictures, calibrated maps are summed, blurred by a Gaussian of `blur` pixels of the picture as read, and pooled;
    the map that is shown loses the part `relative` of its own median; normals are judged with one of `folds` left out.
    Of video, calibrated maps are blurred likewise and over `linger` frames, pooled, summed and smoothed over frames.
    Of series, scores are smoothed over so many instants or periods, and summed in standard deviations to the `power`,
    of which 0 is the logarithm.
    `likeness` names the score whose total is a squared distance to normal rows, for known anomalies to be held against.
    """

    name: str
    about: str
    cite: tuple[str, ...] = ()
    schedule: ScheduleSpec = ScheduleSpec()
    views: dict[Name, ViewSpec] = Field(default_factory=dict)
    smooth: Annotated[int, Field(ge=0, le=10_000)] | Periods = 0
    power: Literal[0, 1, 2] = 2
    planes: dict[Name, PlaneSpec] = Field(default_factory=dict)
    cubes: dict[Name, CubeSpec] = Field(default_factory=dict)
    poses: dict[Name, PosesSpec] = Field(default_factory=dict)
    linger: Annotated[float, Field(ge=0, le=50)] = 2.0
    blur: NonNegativeFloat = 4.0
    moved: MovedSpec = MovedSpec(copies=0)
    relative: Annotated[float, Field(ge=0, le=1)] = 0.5
    pool: PoolSpec = PoolSpec()
    folds: Annotated[int, Field(ge=2, le=100)] = 10
    fusion: FusionSpec | None = None
    denoisers: dict[Name, AnyDenoiser] = Field(default_factory=dict)
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
            if score.use not in (OWN_NETWORK - OWN_AND_ASKED) | OF_THE_PANEL and score.of not in self.denoisers:
                known = ", ".join(self.denoisers) or "none"
                raise ValueError(f"score {name} asks the denoiser {score.of}, which is not among: {known}")
        for named in (*self.guard, *(s.stands_for for s in self.scores.values()), self.likeness):
            if named is not None and named not in self.scores:
                raise ValueError(f"it names the score {named}, which is not among: {', '.join(self.scores)}")
        if sum(map(bool, (self.views, self.planes, self.cubes, self.poses))) > 1:
            raise ValueError(
                "it has two of views (series), planes (pictures), cubes (video) and poses; give one of them"
            )
        if self.fusion is not None and (self.views or self.planes or self.cubes or self.poses):
            raise ValueError("it has a fusion, of several kinds of data, which needs no views, planes, cubes or poses")
        fused = {"part", "given", "rivals", "together"}
        odd = [name for name, score in self.scores.items() if (score.read in fused) != (self.fusion is not None)]
        if odd:
            raise ValueError(f"score {odd[0]} reads {self.scores[odd[0]].read}; of a fusion are {sorted(fused)}")
        for name, plane in self.planes.items():
            if (plane.space == "latent") != (plane.vae is not None):
                raise ValueError(f"plane {name}: a latent plane, and no other, needs a vae, a folder or a name")
        through: dict[str, object] = {**self.views, **self.planes, **self.cubes, **self.poses}
        for name, spec in self.denoisers.items():
            if bool(through) != (spec.view is not None) or (spec.view is not None and spec.view not in through):
                known = ", ".join(through) or "none"
                raise ValueError(f"denoiser {name} looks through the view {spec.view}, which is not among: {known}")
            if isinstance(spec, PositionalSpec) and not (self.planes or self.cubes):
                raise ValueError(f"denoiser {name} is of the cells of pictures; give the recipe planes or cubes")
            if isinstance(spec, NetworkSpec) and not self.planes and spec.predict in OF_PICTURES:
                raise ValueError(
                    f"denoiser {name} undoes anomalies of pictures; give the recipe planes, or predict edm"
                )
            alone = bool(self.poses) or (not through and self.fusion is None)
            if isinstance(spec, NetworkSpec) and alone and (spec.knows or spec.predict in OF_SERIES):
                raise ValueError(f"denoiser {name} is a network of windows; give the recipe views, or predict edm")
        for name, score in self.scores.items():
            if score.net is not None and bool(through) != (score.net.view in through):
                known = ", ".join(through) or "none"
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
    def kind(self) -> str:
        """The kind of data that it is for: tabular, series, image, video, poses or multimodal."""
        if self.fusion is not None:
            return "multimodal"
        named = {"series": self.views, "image": self.planes, "video": self.cubes, "poses": self.poses}
        return next((kind for kind, given in named.items() if given), "tabular")

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


def available(kind: str | None = None) -> list[str]:
    """Names of the recipes that come with the package: all, or those of one kind, such as series or multimodal."""
    files = sorted(p.name for p in _folder().iterdir() if p.name.endswith(".yaml"))
    return [f.removesuffix(".yaml") for f in files if kind is None or _kind(f) == kind]


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
def _kind(file: str) -> str:
    text = (_folder() / file).read_text(encoding="utf-8")
    kinds = {
        "series": "\nviews:",
        "image": "\nplanes:",
        "video": "\ncubes:",
        "poses": "\nposes:",
        "multimodal": "\nfusion:",
    }
    return next((kind for kind, section in kinds.items() if section in text), "tabular")


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
