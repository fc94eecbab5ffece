import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import toys_for_images as toys

from anodiff.bench.images import cost, ours, weigh
from anodiff.bench.images import results as files
from anodiff.bench.images.cases import Case, Truth, squashed
from anodiff.bench.images.detect import learnt
from anodiff.bench.images.judge import Counts, judged, samples, unpacked
from anodiff.bench.images.page import conclude, show
from anodiff.bench.images.pcb import seen
from anodiff.bench.images.protocols import complete
from anodiff.bench.images.results import Results
from anodiff.bench.images.run import prepare, proceed
from anodiff.bench.images.settings import SIZE, Settings
from anodiff.bench.images.turned import again, turned
from anodiff.bench.images.verdict import drawn, verdict
from anodiff.bench.series.timed import Record
from anodiff.data.public_images import picture_set
from anodiff.metrics.localisation import of_pictures, of_pixels
from anodiff.types import Misfit, Unreadable

Run = Callable[..., Results]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANODIFF_DATA", str(tmp_path))
    monkeypatch.setattr(ours, "Detector", toys.Fake)
    return tmp_path


@pytest.fixture
def run(place: Path) -> Run:
    def of(protocol: str, rivals: str = "none", **settings: object) -> Results:
        asked = complete(Settings(protocol, **{"seeds": 1, **settings}), rivals)
        path = place / "out.json"
        results, jobs = prepare(asked, path, "a command")
        for _ in proceed(results, jobs, path):
            pass
        conclude(results, path)
        return results

    return of


def of_method(results: Results, method: str) -> dict:
    record = next(record for record in results.records if record["method"] == method)
    assert record["status"] == "ok", record["error"]
    return record


def scene(n: int = 12, side: int = 48) -> tuple[np.ndarray, Truth]:
    draw = np.random.default_rng(1)
    masks = np.zeros((n, side, side), bool)
    for i in range(n // 2, n):
        masks[i, 5 * (i % 5) : 5 * (i % 5) + 8, 10:22] = True
        masks[i, 40:44, 40:44] = i % 2
    maps = draw.normal(size=masks.shape).astype(np.float32) + 1.5 * masks
    labels = np.repeat([0, 1], n // 2)
    kinds = ["good"] * (n // 2) + ["a", "b"] * (n // 4)
    return maps, Truth(labels, kinds, masks, np.ones(n, bool))


def test_counts_in_bins_agree_with_the_exact_ranking() -> None:
    maps, truth = scene()
    found = Counts.of(maps, truth).measured(np.ones((1, len(maps))))
    exact = of_pixels(maps, truth.masks)
    for name, value in {"pixel_auroc": exact.auroc, "pixel_ap": exact.ap, "aupro": exact.aupro}.items():
        assert abs(float(found[name][0]) - value) < 3e-3, name


def test_numbers_stand_within_their_samples_and_a_sample_repeats_pictures() -> None:
    maps, truth = scene()
    scores = maps.max((1, 2)).astype(float)
    found = judged(maps, scores, truth)
    for name in ("image_auroc", "pixel_auroc", "aupro"):
        low, high = np.quantile(unpacked(found["draws"][name]), [0.01, 0.99])
        assert low <= found[name] <= high
    weights = samples(truth.labels)
    assert (weights[:, :6].sum(1) == 6).all()
    assert (weights[:, 6:].sum(1) == 6).all()
    at = np.repeat(np.arange(12), weights[0].astype(int))
    again = of_pictures(truth.labels[at], scores[at]).auroc
    assert unpacked(found["draws"]["image_auroc"])[0] == pytest.approx(again, abs=1e-5)


def test_an_anomaly_of_unknown_place_counts_for_pictures_alone() -> None:
    maps, truth = scene()
    maps[11], truth.masks[11], truth.known[11] = 99.0, False, False
    found = judged(maps, maps.max((1, 2)).astype(float), truth)
    known = judged(maps[:11], maps[:11].max((1, 2)).astype(float), truth.part(np.arange(11)))
    assert found["aupro"] == known["aupro"]
    assert found["image_auroc"] != known["image_auroc"]


def test_masks_are_squashed_and_never_vanish(place: Path) -> None:
    toys.tiles(place)
    case = Case(picture_set("mtd"))
    truth = case.truth
    assert truth.masks.shape == (12, SIZE, SIZE)
    assert truth.known.sum() == 11
    assert truth.masks[[i for i, kind in enumerate(truth.kinds) if kind == "hole"]].mean((1, 2)) == pytest.approx(
        (12 / 64) ** 2
    )
    thin = np.zeros((999, 999), bool)
    thin[501, 7] = True
    assert squashed(thin).sum() == 1


def test_turning_moves_masks_with_their_pictures(place: Path) -> None:
    toys.tiles(place)
    truth = Case(picture_set("mtd")).truth
    pixels, found = turned(255 * truth.masks.astype(np.uint8), truth, seed=3)
    assert ((pixels > 127) == found.masks).mean() > 0.995
    assert (found.masks != truth.masks).any((1, 2))[truth.masks.any((1, 2))].all()
    assert (turned(pixels, truth, seed=3)[0] == turned(pixels, truth, seed=3)[0]).all()


def test_rivals_may_learn_turned_copies_too(place: Path) -> None:
    toys.tiles(place)
    case = Case(picture_set("mtd"))
    given = learnt(case, Settings("mtd", copies=2), 0)
    assert given[:8] == case.train
    assert len(given) == 24
    assert (given[8] != given[16]).any()


def test_mtd_judges_everyone_on_the_same_pictures_and_tells_it(place: Path, run: Run) -> None:
    toys.tiles(place)
    found = run("mtd", "mean,thumbnail", rotated=True)
    assert [record["method"] for record in found.records] == ["anodiff", "mean", "thumbnail"]
    own, mean = of_method(found, "anodiff"), of_method(found, "mean")
    assert own["plain"]["image_auroc"] == 1.0
    assert own["plain"]["aupro"] > 0.9
    assert own["turned"]["aupro"] < own["plain"]["aupro"]
    assert mean["finish"] == own["finish"] == toys.FINISH
    assert own["plain"]["alarms"]["0.1"] == {"false": 0, "normals": 4, "found": 8, "anomalies": 8}
    assert set(own["plain"]["kinds"]) == {"hole", "crack"}
    gap = next(each for each in found.summary["copies"]["plain"]["against"] if each["rival"] == "mean")
    assert gap["image_auroc"]["low"] <= gap["image_auroc"]["value"] <= gap["image_auroc"]["high"]
    told = show([place / "out.json"])
    for words in ("## Images: mtd", "`a command`", "Against mean it", "turned up to 15 degrees", "False alarms"):
        assert words in told


def test_a_run_goes_on_and_refuses_other_settings(place: Path, run: Run) -> None:
    toys.tiles(place)
    run("mtd-grouped")
    path = place / "out.json"
    results, jobs = prepare(complete(Settings("mtd-grouped", seeds=2), "none"), path, "")
    assert [job.seed for job in jobs if job.key not in results.done] == [1]
    with pytest.raises(FileExistsError, match="rotated"):
        prepare(complete(Settings("mtd-grouped", rotated=True), "none"), path, "")
    path.write_text(json.dumps({"kind": "images", "format": 1}), encoding="utf-8")
    with pytest.raises(Unreadable, match="damaged"):
        files.read(path)


def test_known_defects_are_given_with_their_masks_and_never_judged(place: Path, run: Run) -> None:
    toys.tiles(place)
    found = run("examples", counts=(1, 2))
    assert [record["method"] for record in found.records] == ["anodiff", "anodiff, 1 known", "anodiff, 2 known"]
    kinds = of_method(found, "anodiff, 2 known")["plain"]["kinds"]
    assert of_method(found, "anodiff, 2 known")["known"] == {"crack": 1, "hole": 2}
    assert {kind: told["pictures"] for kind, told in kinds.items()} == {"crack": 3, "hole": 2}
    assert of_method(found, "anodiff")["plain"]["kinds"]["hole"]["pictures"] == 2
    told = show([place / "out.json"])
    assert "anodiff, 2 known: image AUROC" in told
    assert "Against anodiff, 1 known it" in told


def test_pairs_are_judged_beside_differences(place: Path, run: Run) -> None:
    toys.boards(place)
    found = run("pcb", layers=("s8",))
    names = ["anodiff", "anodiff, pairs", "template difference", "template difference, aligned"]
    assert [record["method"] for record in found.records] == [*names, "feature difference, aligned"]
    for name in names[1:]:
        assert of_method(found, name)["plain"]["aupro"] > 0.9, name
    assert "anodiff, pairs: image AUROC" in show([place / "out.json"])


def test_a_reference_taken_again_is_moved_back_and_normal_boards_are_no_copies(place: Path) -> None:
    toys.boards(place)
    case = Case(picture_set("deeppcb")).few(10)
    shown = again(case.held.references, 0)
    apart = [seen(case.test, shown, Settings("pcb"), aligned) for aligned in (False, True)]
    plain, aligned = ((own.grey - other.grey).abs().mean((1, 2)) for own, other in apart)
    assert (aligned < plain).all()
    assert (plain > 0.005).all()


def test_folders_of_ones_own(place: Path, run: Run) -> None:
    toys.tiles(place)
    found = run("folder", "mean", data=str(place / "mtd"))
    assert {record["set"] for record in found.records} == {"mtd"}
    several, _ = prepare(complete(Settings("folder", data=str(place)), "none"), place / "other.json", "")
    assert set(several.sets) == {"mtd"}
    for data, words in ((None, "give --data"), (str(place / "nothing"), "lay it out like MVTec AD's")):
        with pytest.raises((Misfit, Unreadable), match=words):
            prepare(complete(Settings("folder", data=data), "none"), place / "other.json", "")


def test_costs_come_from_processes_of_their_own(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.tiles(place)
    asked = []

    def alone(given: dict) -> dict:
        asked.append(given)
        return {"folder_milliseconds": 10.0 if given["name"] == "anodiff" else 40.0, "image_auroc": 0.9}

    monkeypatch.setattr(cost, "alone", alone)
    found = run("cost", "padim")
    assert [each["name"] for each in asked] == ["anodiff", "padim"]
    assert Settings.from_dict(json.loads(json.dumps(asked[0]["settings"]))) == found.settings
    assert "anodiff over: padim 0.25" in show([place / "out.json"])


def test_what_is_weighed(place: Path) -> None:
    toys.tiles(place)
    asked = {"name": "mean", "seed": 0, "settings": complete(Settings("cost", few=10), "mean").to_dict()}
    found = weigh.main(json.dumps(asked))
    assert found["pictures"] == 12
    assert found["single_milliseconds"] > 0
    assert found["image_auroc"] > 0.5
    assert weigh.peak() > 100


def test_seeds_are_drawn_for_both_alike() -> None:
    one = np.random.default_rng(0).random((3, 400))
    assert (drawn({"a": one}, {"a": one}) == 0).all()
    assert drawn({"a": one}, {"a": one[:1]}).std() > 0.1


def test_a_method_that_fails_is_told(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.tiles(place)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(ours, "Detector", broken)
    found = run("mtd", "mean")
    assert found.summary["failed"]["anodiff"]["error"] == "RuntimeError: no memory"
    assert "anodiff has no result" in show([place / "out.json"])
    found.add("mtd literature", 1, [Record("anodiff", "skipped", "why")])
    assert verdict(found)["skipped"] == {"anodiff": {"times": 1, "error": "why"}}


def test_what_is_not_known_is_refused() -> None:
    for settings, rivals, words in (
        (Settings("tiles"), None, "no protocol"),
        (Settings("mtd"), "nobody", "no rival"),
        (Settings("mtd", layers=("s9",)), None, "--layers"),
        (Settings("mtd", grid=1), None, "--grid"),
        (Settings("mtd", seeds=0), None, "--seeds"),
        (Settings("mtd", few=3), None, "--few"),
        (Settings("mtd", counts=(0,)), None, "--counts"),
    ):
        with pytest.raises(Misfit, match=words):
            complete(settings, rivals)
