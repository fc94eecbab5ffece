"""The parts of a recipe as pydantic schemas: unknown settings are refused, numbers stand in their ranges.

Rows of tables need neither views nor planes; a series is seen through views, pictures through planes, video through
cubes.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat

from anodiff.diffusion.denoise import WEIGHTS
from anodiff.diffusion.masked import MASKS
from anodiff.diffusion.noise import SCHEDULES
from anodiff.scores import SCORES

OWN_NETWORK = {"categorical_time", "inverse_gamma_time", "segmented"}
OWN_AND_ASKED = {"segmented"}
OF_THE_PANEL = {"likeness", "leaning"}
OF_SERIES = {"spectral", "infilling"}
OF_PICTURES = {"restored"}


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


Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
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


class PlaneSpec(Spec):
    """What pictures are judged by: `features` of a frozen backbone, `pixels`, or the `latent` code of a VAE.

    Features are `layers` of the backbone, by their names or places, on a grid of one cell per `stride` pixels, each
    averaged over `pool` x `pool` cells of its own layer; beside them how much they vary within windows of so many
    pixels (`spread`); of all that the `directions` along which places vary most between pictures. Pixels are the
    picture at `size`, else as it is read; networks are trained on crops of `crop` pixels, and judge the whole. A plane
    `against` the reference, of pairs, is what differs from the nearest of it within `slack` cells.
    A latent code is that of `vae`, an autoencoder of diffusers in a folder or of a name on the hub.
    """

    space: Literal["features", "pixels", "latent"] = "features"
    layers: Annotated[tuple[str | int, ...], Field(min_length=1)] | None = None
    stride: Annotated[int, Field(ge=1, le=64)] = 8
    pool: Annotated[int, Field(ge=1, le=15)] = 3
    spread: tuple[Annotated[int, Field(ge=3, le=512)], ...] = ()
    directions: Annotated[int, Field(ge=1, le=4096)] | None = None
    size: Annotated[int, Field(ge=8, le=2048)] | None = None
    crop: Annotated[int, Field(ge=8, le=1024)] | None = None
    against: Literal["reference"] | None = None
    vae: str | None = None
    slack: Annotated[int, Field(ge=0, le=8)] = 0


class CubeSpec(Spec):
    """What video is judged by, cell by cell of a frame: its motion or its `appearance`, over so many last frames.

    Frames are taken `every` so many, one behind the other, or their `mean`. Of motion some `channels` are seen, over
    windows of so many cells; of what both are made of, the leading `directions`, each of variance 1. What is usual at a
    place is taken away if `centred`. Cells that move by fewer than `moving` pixels a frame are not looked at. Of a cube
    that is `given` something, what that leads to expect is taken away: the frames before, as many as the `past`, the
    motion of the moment, or the time of day.
    """

    sees: Literal["motion", "appearance"] = "motion"
    frames: Annotated[int, Field(ge=1, le=64)] = 1
    every: Annotated[int, Field(ge=1, le=16)] = 1
    mean: bool = False
    channels: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    windows: Annotated[tuple[Annotated[int, Field(ge=1, le=31)], ...], Field(min_length=1)] = (1,)
    directions: Annotated[int, Field(ge=1, le=4096)] | None = None
    centred: bool = False
    moving: NonNegativeFloat = 0.0
    given: tuple[Literal["past", "motion", "calendar"], ...] = ()
    past: Annotated[int, Field(ge=1, le=16)] = 3


class PosesSpec(Spec):
    """Windows of poses: of `future` ones, given the `past` ones before; where `joints` are, and the body's `motion`."""

    past: Annotated[int, Field(ge=0, le=1000)] = 0
    future: Annotated[int, Field(ge=1, le=1000)] = 3
    sees: Annotated[tuple[Literal["joints", "motion"], ...], Field(min_length=1)] = ("joints", "motion")


class MovedSpec(Spec):
    """Normal pictures are shown again, turned by up to so many `degrees` and shifted by up to a share of the side.

    Gaussians of places then know parts that do not lie straight; what is wrong only because it lies so is not found.
    """

    degrees: Annotated[float, Field(ge=0, le=180)] = 15.0
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    copies: Annotated[int, Field(ge=0, le=16)] = 1


class PoolSpec(Spec):
    """How a map becomes the score of a picture: its highest cell, the mean of the `top` share of cells, or of all."""

    use: Literal["max", "top", "mean"] = "top"
    share: Annotated[float, Field(gt=0, le=1)] = 0.01


class FusionSpec(Spec):
    """Parts of several kinds, each whitened to the directions that hold a `share` of its variance, `most` at most.

    What is said of parts alone, of parts given the rest and of all together is told as one score in the way `use`.
    A Gaussian shrinks what two parts share by `apart`.
    """

    use: Literal["auto", "early", "late", "dynamic"] = "auto"
    share: Annotated[float, Field(gt=0, le=1)] = 0.99
    most: Annotated[int, Field(ge=1, le=4096)] = 128
    apart: Annotated[float, Field(ge=0, le=1)] = 0.5


Trim = Annotated[float, Field(ge=0, lt=0.9)] | None


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


class PositionalSpec(Spec):
    """Of pictures, a Gaussian for each cell of a plane, of the patches that lie within `reach` cells of it.

    Its covariance is shrunk towards that of all cells by `pooled`, then to its diagonal by `shrinkage`. It is given
    what the picture is like as a whole, by so many numbers of `context`.
    """

    use: Literal["positional"]
    reach: Annotated[int, Field(ge=0, le=16)] = 0
    pooled: Annotated[float, Field(ge=0, le=1)] = 0.0
    shrinkage: Annotated[float, Field(ge=0, le=1)] = 0.1
    context: Annotated[int, Field(ge=0, le=1024)] = 0
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
    One of pictures sees `noise` of this kind; a restored one undoes synthetic anomalies instead. One that knows the
    label of pictures, the folder that each lies in, is asked with `guidance` of this weight towards it.
    """

    use: Literal["network"]
    predict: Literal["edm", "noise", "data", "velocity", "spectral", "infilling", "restored"] = "edm"
    base: Literal["given", "cellwise"] = "given"
    masks: Annotated[tuple[Literal[tuple(MASKS)], ...], Field(min_length=1)] = tuple(MASKS)  # type: ignore[valid-type]
    net: Literal["mlp", "unet", "transformer", "unet2d"] = "mlp"
    whitening: Annotated[float, Field(ge=0, le=1)] = 0.25
    directions: Annotated[int, Field(ge=1)] | None = None
    knows: tuple[Literal["entity", "calendar", "mask", "label"], ...] = ()
    noise: Literal["white", "octaves"] = "white"
    guidance: NonNegativeFloat = 0.0
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
    Of pictures, its map is heard for the score and shown; or for the score of the `picture`, or the `map`, alone.
    Of several kinds of data, it is asked of each `part` alone, of each `given` the rest, or of all `together`; by
    `rivals` it is told how many other records' parts would fit the rest better.
    A score of weight 0 waits: for known anomalies that speak for it, or as the cheaper stand-in of another.
    """

    use: Literal[tuple(set(SCORES) - {"hybrid"})]  # type: ignore[valid-type]
    of: str | None = None
    net: NetworkSpec | None = None
    weight: NonNegativeFloat = 1.0
    stands_for: str | None = None
    read: Literal["window", "map", "picture", "part", "given", "rivals", "together"] = "window"
    root: bool = False
    settings: dict[str, Any] = {}


DenoiserSpec = EmpiricalSpec | GaussianSpec | MixtureSpec | PositionalSpec | NetworkSpec
AnyDenoiser = Annotated[DenoiserSpec, Field(discriminator="use")]
