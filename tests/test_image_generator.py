"""The generator of pictures: what it leaves as it was, what it changes, and what it refuses."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from anodiff.detect import Detector
from anodiff.generate import Generator
from anodiff.made import Made
from anodiff.modalities.image import Image
from anodiff.types import BadModel, Misfit, Unreadable

SMALL = {"crop": 16, "width": 8, "depth": 1, "steps": 30, "batch": 8, "lessons": 30, "rank": 2}


def grain(count: int, seed: int, size: tuple[int, int] = (64, 64)) -> np.ndarray:
    """Grey pictures of white grain, which a painter knows before it has learnt anything."""
    draw = np.random.default_rng(seed)
    return np.clip(draw.normal(110, 12, (count, *size)), 0, 255).astype(np.uint8)


def spotted(count: int, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Grain with a white disc, and the discs."""
    found, masks = grain(count, seed), []
    draw = np.random.default_rng(seed)
    for one in found:
        rows, columns = np.mgrid[:64, :64]
        masks.append(np.hypot(rows - draw.uniform(20, 44), columns - draw.uniform(20, 44)) < 7)
        one[masks[-1]] = 240
    return found, masks


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(Image(64), settings=SMALL).fit(grain(14, 0))


@pytest.fixture(scope="module")
def taught() -> Generator:
    examples, masks = spotted(3, 5)
    found = Generator(Image(64), settings={**SMALL, "lessons": 120})
    return found.fit(grain(14, 0), examples=examples, regions=masks, kinds=["disc", "disc", "dot"])


@pytest.fixture(scope="module")
def made(generator: Generator) -> Made:
    return generator.sample(9, where="blob", size=(0.03, 0.06), seed=3)


def test_outside_the_region_every_pixel_stays(made: Made) -> None:
    assert made.data.dtype == np.uint8
    assert made.data.shape == made.region.shape == made.normal.shape == (9, 64, 64)
    assert np.array_equal(made.data[~made.region], made.normal[~made.region])
    assert (made.data != made.normal).reshape(9, -1).any(1).all()


def test_every_kind_has_its_turn_and_every_item_a_verdict(generator: Generator, made: Made) -> None:
    assert set(made.kind) == set(generator.kinds_)
    assert {"scratch", "unlikely"} < set(generator.kinds_)
    assert len(made.verdicts) == 9
    assert all(0 <= v.plausible <= 1 and 0 < v.abnormal <= 1 for v in made.verdicts)
    assert all(v.inside >= 0.5 for v in made.verdicts)


def test_stronger_is_odder(generator: Generator) -> None:
    weak, strong = (
        generator.sample(6, on=grain(6, 7), kind="missing", strength=s, where="box", size=0.05, judged=False)
        for s in (0.1, 0.9)
    )
    assert np.median(strong.score) > np.median(weak.score)
    assert strong.amount.mean() > weak.amount.mean()
    assert np.array_equal(strong.region, weak.region)


def test_the_same_seed_makes_the_same(generator: Generator) -> None:
    one, other, third = (generator.sample(2, kind="unlikely", judged=False, seed=s) for s in (4, 4, 5))
    assert np.array_equal(one.data, other.data)
    assert not np.array_equal(one.data, third.data)


def test_pictures_of_several_sizes_keep_theirs(generator: Generator) -> None:
    pictures = [grain(1, 8, (40, 56))[0], grain(1, 9, (100, 70))[0]]
    made = generator.sample(on=pictures, kind="stain", judged=False)
    assert [one.shape for one in made.data] == [(40, 56), (100, 70)]
    for new, old, region in zip(made.data, pictures, made.region, strict=True):
        assert region.any()
        assert np.array_equal(new[~region], old[~region])
    assert made.source.tolist() == [0, 1]


def test_normal_items_have_no_region(generator: Generator) -> None:
    made = generator.sample(2, kind="normal", on=grain(2, 6))
    assert not made.region.any()
    assert (made.strength == 0).all()
    assert not np.array_equal(made.data, made.normal)


def test_normal_items_from_nothing(generator: Generator) -> None:
    made = generator.sample(2, kind="normal")
    assert made.normal is None
    assert (made.source == -1).all()
    assert made.data.shape == (2, 64, 64)
    assert not made.region.any()


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.zeros((64, 64), bool), "empty"),
        (np.ones((64, 64), bool), "covers all"),
        (np.ones((20, 20), bool), "20 x 20 pixels, its picture is 64 x 64"),
    ],
)
def test_masks_that_cannot_be_are_refused(generator: Generator, mask: np.ndarray, said: str) -> None:
    with pytest.raises(Misfit, match=said):
        generator.sample(1, on=grain(1, 1), where=mask)


def test_a_mask_of_the_users_own_is_the_region(generator: Generator, tmp_path: Path) -> None:
    mask = np.zeros((64, 64), bool)
    mask[30:50, 10:30] = True
    made = generator.sample(on=grain(2, 1), where=mask, kind="missing", judged=False)
    assert np.array_equal(made.region, np.stack([mask, mask]))
    for k, one in enumerate(grain(2, 1)):
        Pillow.fromarray(one).save(tmp_path / f"{k}.png")
    (tmp_path / "masks").mkdir()
    for k in range(2):
        Pillow.fromarray(mask).save(tmp_path / "masks" / f"{k}.png")
    filed = generator.sample(
        2, on=sorted(tmp_path.glob("*.png")), where=str(tmp_path / "masks"), kind="missing", judged=False
    )
    assert np.array_equal(filed.data, made.data)


def test_what_pictures_do_not_have_names_the_choices(generator: Generator) -> None:
    with pytest.raises(Misfit, match="kind is 'trend', which images do not have; choose one of scratch"):
        generator.sample(1, kind="trend")
    with pytest.raises(Misfit, match="where is 'span', which images do not have; choose one of auto, box"):
        generator.sample(1, where="span")
    with pytest.raises(Misfit, match="like is 2; there are 0 examples"):
        generator.sample(1, like=2)
    with pytest.raises(Misfit, match="no setting 'depht'"):
        Generator(Image(64), settings={"depht": 2}).fit(grain(10, 0))
    with pytest.raises(Misfit, match="a multiple of 16"):
        Generator(Image(64), settings={"crop": 40}).fit(grain(10, 0))
    with pytest.raises(Unreadable, match="3 pictures are too few"):
        Generator(Image(64)).fit(grain(3, 0))
    with pytest.raises(Misfit, match="reach is 'examples', and there are none"):
        Generator(Image(64), reach="examples").fit(grain(10, 0))


def test_examples_become_kinds(taught: Generator) -> None:
    assert taught.known_ == ["disc", "dot"]
    assert "examples" in taught.places_
    made = taught.sample(4, seed=1)
    assert made.kind == ["disc", "dot", "disc", "dot"]
    assert made.where == ["examples"] * 4
    assert np.array_equal(made.data[~made.region], made.normal[~made.region])
    assert len(made.verdicts) == 4
    strong = taught.sample(2, kind="disc", strength=1.0, on=grain(2, 3), seed=2, judged=False)
    change = strong.data.astype(float) - strong.normal
    assert change[strong.region].mean() > 5


def test_like_one_of_the_examples(taught: Generator) -> None:
    made = taught.sample(2, like=2, judged=False)
    assert made.kind == ["dot", "dot"]
    with pytest.raises(Misfit, match="like is 3; there are 3 examples"):
        taught.sample(1, like=3)


def test_examples_redrawn() -> None:
    examples, masks = spotted(2, 5)
    found = Generator(Image(32), settings={**SMALL, "fewshot": "redraw"})
    found.fit(grain(14, 0), examples=examples, regions=masks)
    made = found.sample(2, on=grain(2, 3), strength=1.0, judged=False)
    assert made.kind == ["known", "known"]
    assert (made.data.astype(float) - made.normal)[made.region].mean() > 5


def test_examples_without_masks_are_found() -> None:
    examples, masks = spotted(2, 5)
    found = Generator(Image(64), settings={**SMALL, "steps": 2, "lessons": 2}).fit(grain(14, 0), examples=examples)
    region = found.inner_.examples_.region.numpy()
    for one, mask in zip(region, masks, strict=True):
        small = np.asarray(Pillow.fromarray(mask).resize((64, 64)))
        assert (one & small).sum() > 0.3 * small.sum()


def test_examples_that_cannot_be_are_refused() -> None:
    quick = Generator(Image(32), settings={**SMALL, "steps": 2, "lessons": 2})
    pictures = grain(14, 0)
    with pytest.raises(Misfit, match="example 0 is among the normal pictures, as 3"):
        quick.fit(pictures, examples=pictures[3:4])
    with pytest.raises(Misfit, match="there are 2 kinds for 1 examples"):
        quick.fit(pictures, examples=spotted(1, 1)[0], kinds=["a", "b"])
    with pytest.raises(Misfit, match="covers all"):
        quick.fit(pictures, examples=spotted(1, 1)[0], regions=[np.ones((64, 64), bool)])


def test_what_is_kept_makes_the_same(taught: Generator) -> None:
    inner = taught.inner_
    again = type(inner).restore(inner.config(), inner.arrays())
    order = {"kind": "disc", "on": grain(2, 3), "seed": 2}
    held = Generator(Image(64)).hold("image", again)
    one, other = taught.sample(**order), held.sample(**order)
    assert np.abs(one.data.astype(int) - other.data).max() <= 1
    assert again.kinds_ == inner.kinds_
    with pytest.raises(BadModel, match="damaged"):
        type(inner).restore(inner.config(), {})


def test_references_are_bibtex(generator: Generator) -> None:
    assert generator.references().count("@") >= 3


def test_time_is_kept() -> None:
    quick = Generator(Image(32), settings={**SMALL, "steps": 100_000}, max_seconds=3)
    steps = {p.of for p in quick.fitting(grain(10, 0)) if p.stage == "train"}
    assert max(steps) < 10_000


def test_features_are_made_where_pictures_cannot_be() -> None:
    found = Generator(Image(64), settings=SMALL, space="features").fit(grain(14, 0))
    weak, strong = (found.sample(4, on=grain(4, 2), where="box", size=0.1, strength=s) for s in (0.2, 1.0))
    assert strong.data.dtype == np.float32
    assert strong.data.shape[0] == 4
    assert strong.region.shape == (4, *strong.data.shape[2:])
    outside = np.broadcast_to(~strong.region[:, None], strong.data.shape)
    assert np.array_equal(strong.data[outside], strong.normal[outside])
    assert strong.score.mean() > weak.score.mean()
    assert found.kinds_ == ["unlikely"]
    with pytest.raises(Misfit, match="kind is 'scratch', which images do not have; choose one of unlikely"):
        found.sample(1, kind="scratch")
    with pytest.raises(Misfit, match="known anomalies are learnt in space='data'"):
        Generator(Image(64), space="features").fit(grain(14, 0), examples=spotted(1, 1)[0])


def test_codes_of_an_autoencoder_are_filled(tmp_path: Path) -> None:
    diffusers = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    model = diffusers.AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        latent_channels=4,
    )
    model.save_pretrained(tmp_path)
    with pytest.raises(Misfit, match="needs an autoencoder"):
        Generator(Image(32), space="latent", settings=SMALL).fit(grain(14, 0))
    found = Generator(Image(32), space="latent", settings={**SMALL, "vae": str(tmp_path)}).fit(grain(14, 0))
    made = found.sample(2, on=grain(2, 1), where="box", size=0.1, strength=0.9)
    assert np.array_equal(made.data[~made.region], made.normal[~made.region])
    assert (made.data != made.normal).reshape(2, -1).any(1).all()
    inner = found.inner_
    again = type(inner).restore(inner.config(), inner.arrays())
    again.space = "latent"
    other = Generator(Image(64)).hold("image", again).sample(2, on=grain(2, 1), where="box", size=0.1, strength=0.9)
    assert np.abs(made.data.astype(int) - other.data).max() <= 1


def test_a_detector_of_the_users_judges(generator: Generator) -> None:
    detector = Detector(Image(32)).fit(grain(20, 4))
    inner = copy.copy(generator.inner_)
    inner.detector = detector
    asked = Generator(Image(64)).hold("image", inner)
    made = asked.sample(2, on=grain(2, 1), kind="contamination", where="box", size=0.05, judged=False)
    assert np.isfinite(made.score).all()
    inner.detector = object()
    with pytest.raises(Misfit, match="the detector is a object; give one that was fitted on pictures"):
        asked.sample(1, judged=False)
