"""The questions that are put to pictures: which of them, what is learnt, who is judged beside anodiff."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from anodiff.bench.images import cost, examples, pcb
from anodiff.bench.images.cases import Case, Source
from anodiff.bench.images.detect import contest
from anodiff.bench.images.ours import OURS
from anodiff.bench.images.rivals import RIVALS
from anodiff.bench.images.settings import SIZE, Settings
from anodiff.bench.series.timed import Record
from anodiff.data import image_layouts as layouts
from anodiff.data.image_sets import PictureSet
from anodiff.data.public_images import picture_set
from anodiff.nets.efficientnet import LAYERS
from anodiff.types import Misfit, Unreadable

Act = Callable[[Case, int, Settings], Iterator[Record]]
METRICS = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "aupro")
PAIRED = ("image_auroc", "pixel_auroc", "pixel_ap", "aupro")
"""Those of which there are bootstrap samples."""
USUAL = (
    "patchcore-tenth",
    "patchcore-10k",
    "patchcore-10k+white",
    "patchcore-tenth+place",
    "patchcore-10k+place",
    "padim",
    "padim-shrunk",
    "thumbnail",
    "mean",
)


@dataclass(frozen=True)
class Protocol:
    """A question.

    Attributes:
        about: In a sentence.
        sources: Where the pictures come from.
        act: What is done with a case and a seed.
        rivals: Who is judged beside anodiff unless others are named.
        ours: The method that the others are held against, told the counts of known defects.
        measured: Whether costs are measured, rather than maps judged.
    """

    about: str
    sources: Callable[[Settings], list[Source]]
    act: Act
    rivals: tuple[str, ...] = ()
    ours: Callable[[Sequence[int]], str] = lambda _: OURS
    measured: bool = False


def _mtd(split: str, settings: Settings) -> list[Source]:
    return [Source(f"mtd {split}", lambda: Case(picture_set("mtd", split=split)).few(settings.few))]


def _pcb(settings: Settings) -> list[Source]:
    return [Source("deeppcb", lambda: Case(picture_set("deeppcb")).few(settings.few))]


def _folder(settings: Settings) -> list[Source]:
    if settings.data is None:
        raise Misfit("no folder was given; give --data, a folder laid out like MVTec AD's.")
    at = Path(settings.data)
    found = layouts.alone(at.name, at) or layouts.categories(at.name, at)
    if not found:
        raise Unreadable(f"folder {at} holds no train/good and test, nor folders that do; lay it out like MVTec AD's.")
    return [Source(name or at.name, partial(_read, load, settings.few)) for name, load in found.items()]


def _read(load: Callable[[str], PictureSet], few: int | None) -> Case:
    return Case(load("")).few(few)


SQUARE = f"maps and masks are compared at {SIZE} x {SIZE} pixels, squashed"
PROTOCOLS: dict[str, Protocol] = {
    "mtd": Protocol(
        f"magnetic tiles, the literature's split, whose test normals have near-duplicates among those learnt; {SQUARE}",
        partial(_mtd, "literature"),
        contest,
        USUAL,
    ),
    "mtd-grouped": Protocol(
        f"magnetic tiles, near-duplicates held out together; {SQUARE}", partial(_mtd, "grouped"), contest, USUAL
    ),
    "examples": Protocol(
        "magnetic tiles, the literature's split: some known defects of each kind and their masks are given, and all "
        "counts are judged on those that none was given",
        partial(_mtd, "literature"),
        examples.act,
        ours=examples.told,
    ),
    "examples-grouped": Protocol(
        "magnetic tiles, near-duplicates of normal ones held out together: some known defects of each kind and their "
        "masks are given, and all counts are judged on those that none was given",
        partial(_mtd, "grouped"),
        examples.act,
        ours=examples.told,
    ),
    "pcb": Protocol(
        "circuit boards: templates are normal, tested boards are not; one-class methods see no template, paired ones a "
        "photo of it taken again; boxes are the masks",
        _pcb,
        pcb.act,
        ("patchcore-10k", "patchcore-10k+white", "padim-shrunk", "thumbnail", "mean"),
        ours=lambda _: pcb.PAIRED,
    ),
    "cost": Protocol(
        "seconds and memory on two threads, magnetic tiles, each method in a process of its own",
        partial(_mtd, "literature"),
        cost.act,
        ("patchcore-tenth", "patchcore-10k", "patchcore-10k+place", "padim-shrunk"),
        measured=True,
    ),
    "folder": Protocol(
        f"a folder laid out like MVTec AD's; {SQUARE}",
        _folder,
        contest,
        ("patchcore-10k", "patchcore-10k+place", "padim-shrunk", "thumbnail"),
    ),
}


def protocol(name: str) -> Protocol:
    """A protocol by name.

    Raises:
        Misfit: there is none of that name.
    """
    if name not in PROTOCOLS:
        raise Misfit(f"there is no protocol {name!r} of pictures; choose one of {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]


def case_of(settings: Settings) -> Case:
    """The first case of a protocol."""
    return protocol(settings.protocol).sources(settings)[0].load()


def complete(settings: Settings, rivals: str | None) -> Settings:
    """The settings with rivals: those of the protocol, or the ones that are named; checked.

    >>> complete(Settings("mtd"), "padim,mean").rivals
    ('padim', 'mean')
    """
    settings.check()
    plan = protocol(settings.protocol)
    named = {None: plan.rivals, "all": plan.rivals, "none": ()}.get(rivals)
    chosen = tuple(named if named is not None else (word.strip() for word in str(rivals).split(",") if word.strip()))
    unknown = next((name for name in chosen if name not in RIVALS), None)
    if unknown is not None:
        raise Misfit(f"there is no rival {unknown!r} of pictures; choose of {', '.join(RIVALS)}.")
    odd = next((layer for layer in settings.layers if layer not in LAYERS), None)
    if odd is not None:
        raise Misfit(f"--layers has {odd!r}; choose of {', '.join(LAYERS)}.")
    return replace(settings, rivals=chosen)
