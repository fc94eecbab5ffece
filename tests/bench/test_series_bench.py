import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import toys_for_series as toys
from typer.testing import CliRunner

from anodiff.bench.series import cost, missing, rates, rivals, tallies, tasks, weigh
from anodiff.bench.series import results as files
from anodiff.bench.series.detect import rivals as judged_rivals
from anodiff.bench.series.gaussianity import of_windows
from anodiff.bench.series.judge import volumes
from anodiff.bench.series.nearest import drawn, nearest, windows
from anodiff.bench.series.ours import Said, fitted
from anodiff.bench.series.page import conclude, show
from anodiff.bench.series.protocols import PROTOCOLS, complete, protocol
from anodiff.bench.series.results import Results
from anodiff.bench.series.run import prepare, proceed
from anodiff.bench.series.settings import Settings
from anodiff.bench.series.tasks import Task
from anodiff.bench.series.timed import Absent, Record
from anodiff.bench.series.verdict import gap
from anodiff.cli.app import app
from anodiff.metrics.vus import period, vus_pr
from anodiff.types import Misfit, Unreadable

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
Run = Callable[..., Results]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANODIFF_DATA", str(tmp_path))
    return toys.folder(tmp_path)


@pytest.fixture
def run(place: Path) -> Run:
    def of(settings: Settings, name: str = "out.json") -> Results:
        path = place / name
        results, jobs = prepare(settings, path, "a command")
        for _ in proceed(results, jobs, path):
            pass
        conclude(results, path)
        return results

    return of


def numbers(results: Results, key: str, method: str = "anodiff") -> list[float]:
    return [record[key] for record in results.records if record["method"] == method]


def test_univariate_is_tsb_ads_protocol_and_rivals_get_the_same_smoothing(place: Path, run: Run) -> None:
    found = run(toys.asked(place, "univariate", "near100,sub-pca,iforest", sets="1", seeds=2))
    X, y = toys.wave()
    detector = fitted(X, 1, str(place / "tiny.yaml"))
    assert numbers(found, "vus_pr")[1] == vus_pr(y, detector.decision_scores_, period(X))
    assert {record["smooth"] for record in found.records} == {detector.whole_.smooth}
    assert [record["method"] for record in found.records if record["seed"] == 1] == ["anodiff", "near100", "iforest"]
    assert all(
        record["status"] == "ok" and record["vus_pr"] > 0.5 for record in found.records if "near" in record["method"]
    )
    every = found.summary["all"]
    assert {row["method"] for row in every["methods"]} >= {"published:Sub-X", "published:CNN", "sub-pca"}
    assert next(row for row in every["methods"] if row["method"] == "anodiff")["vus_pr_spread"] is not None
    told = (show([place / "out.json"]),)
    assert "## Series: univariate" in told[0]
    assert "published:CNN" in told[0]


def test_without_smoothing_is_what_a_recipe_without_smoothing_gives(place: Path) -> None:
    X, _ = toys.wave()
    said = Said.of(fitted(X, 0, str(place / "tiny.yaml")))
    plain = fitted(X, 0, str(place / "tiny.yaml"), {"smooth": 0})
    np.testing.assert_allclose(said.score_unsmoothed(), plain.decision_scores_, rtol=1e-9, atol=1e-9)


def test_of_new_series_it_is_the_decision_function(place: Path) -> None:
    X, _ = toys.wave()
    detector = fitted(X[:200], 0, str(place / "tiny.yaml"))
    said = Said.of(detector, X)
    np.testing.assert_array_equal(said.score(), detector.decision_function(X))
    apart = said.score(["near"]) + said.score(["gauss", "learnt"])
    np.testing.assert_allclose(apart, said.score(), rtol=1e-9, atol=1e-9)


def test_a_run_goes_on_where_it_stopped(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, int]] = []

    def act(source: object, seed: int, settings: Settings) -> list[Record]:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append((source.name, seed))
        return [Record("anodiff", facts={"vus_pr": 0.5})]

    monkeypatch.setitem(PROTOCOLS, "univariate", SimpleNamespace(**{**vars(protocol("univariate")), "act": act}))
    settings, path = toys.asked(place, "univariate", seeds=2), place / "out.json"
    results, jobs = prepare(settings, path, "a command")
    with pytest.raises(KeyboardInterrupt):
        list(proceed(results, jobs, path))
    kept = files.read(path)
    assert (len(kept.records), kept.finished) == (2, False)
    again, jobs = prepare(settings, path, "a command")
    assert [job.key for job in jobs if job.key not in again.done] == [(toys.NAMES[2], 0), *((n, 1) for n in toys.NAMES)]
    with pytest.raises(FileExistsError, match="other rivals"):
        prepare(toys.asked(place, "univariate", "near100"), path, "a command")
    (place / "tiny.yaml").write_text(toys.RECIPE.replace("references: 300", "references: 200"), encoding="utf-8")
    with pytest.raises(FileExistsError, match="older form"):
        prepare(settings, path, "a command")


def test_multivariate_and_own_train_learn_what_the_sets_give(place: Path, run: Run) -> None:
    tsb = run(toys.asked(place, "multivariate", "near8,pca,iforest8"))
    assert {record["set"] for record in tsb.records} == {"SMD_a"}
    own = run(toys.asked(place, "own-train", "pca"), "own.json")
    assert {record["set"] for record in own.records} == {"SMD_a", "SKAB_b"}
    given = {source.name: tasks.own_train(source) for source in protocol("own-train").sources()}
    assert (len(given["SMD_a"].train), len(given["SKAB_b"].train)) == (toys.N, 200)
    assert len(tasks.prefix(protocol("multivariate").sources()[0]).train) == 200
    assert own.summary["groups"].keys() == {"SMD", "SKAB"}
    assert not own.summary["failed"]


def test_ucr_beside_a_matrix_profile(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stump(x: np.ndarray, m: int, T_B: np.ndarray | None = None, ignore_trivial: bool = True) -> np.ndarray:
        return np.stack([nearest(x[:, None], None if T_B is None else T_B[:, None], m, 1, 0)] * 4, 1).astype(object)

    monkeypatch.setattr(rivals, "_stumpy", lambda: SimpleNamespace(stump=stump))
    for fit in ("usual", "prefix"):
        found = run(toys.asked(place, "ucr", "profile", fit=fit), f"{fit}.json")
        assert numbers(found, "hit") == numbers(found, "hit", "profile") == [1.0]
        assert all(toys.START - 100 <= place < toys.END + 100 for place in numbers(found, "highest"))


def test_what_cannot_be_had_is_skipped_and_what_breaks_is_recorded(
    place: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> None:
        raise Absent("no stumpy here.")

    def broken(given: rivals.Given) -> rivals.Parts:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(rivals, "_stumpy", absent)
    monkeypatch.setitem(rivals.RIVALS, "near8", broken)
    found = run(toys.asked(place, "ucr", "profile,near8"))
    assert found.summary["skipped"]["profile"]["error"] == "no stumpy here."
    assert found.summary["failed"]["near8"]["error"] == "ZeroDivisionError: by zero"
    assert "no stumpy here" in show([place / "out.json"])
    settings = toys.asked(place, "ucr", "profile,near8")
    assert not prepare(settings, place / "out.json", "", retry=True)[0].records
    assert len(prepare(settings, place / "out.json", "")[0].records) == 3


def test_ablation_takes_the_learnt_denoiser_away_and_trains_it_longer(place: Path, run: Run) -> None:
    found = run(toys.asked(place, "ablation", sets="2"))
    told = [each["words"] for each in found.summary["all"]["differences"] if each["gap"]]
    assert len(told) == 3
    assert set(found.sets[toys.NAMES[0]]["gaussianity"]) == {"gaussian", "distance", "critical", "kurtosis"}
    X, y = toys.wave()
    four = fitted(X, 0, str(place / "tiny.yaml"), {"denoisers.learnt.steps": 16})
    assert numbers(found, "vus_pr", "anodiff, steps x 4")[0] == vus_pr(y, four.decision_scores_, period(X))
    lone = run(toys.asked(place, "ablation", sets="1", recipe="mahalanobis"), "lone.json")
    assert lone.summary["failed"].keys() == {"anodiff"}


def test_missing_deletes_a_fifth_and_judges_everything(place: Path, run: Run) -> None:
    deleted = missing.gone(toys.N, 3)
    assert deleted.sum() == round(0.2 * toys.N)
    X, _ = toys.wave()
    assert np.abs(missing.filled(X, ~deleted)[~deleted] - X[~deleted]).max() == 0
    found = run(toys.asked(place, "missing", "near100+2P", sets="1"))
    assert [record["method"] for record in found.records] == [
        "anodiff",
        "anodiff, empty rows",
        "anodiff, rows gone",
        "near100+2P",
        "near100+2P, empty rows",
    ]
    assert not found.summary["failed"]
    assert "Empty rows cost" in show([place / "out.json"])


def test_rates_count_events_on_what_was_held_out(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "LEAST", 50)
    found = run(toys.asked(place, "rates", sets="SMD_a,001_NAB"))
    assert {record["method"] for record in found.records} == set(rates.METHODS)
    held = {record["set"]: record["instants_held"] for record in found.records}
    assert held == {"SMD_a": toys.N - int(0.6 * toys.N), toys.NAMES[0]: 200 - 120}
    families = {row["family"] for row in found.summary["rates"]}
    assert families == {"univariate NAB", "multivariate SMD", None}
    assert "found-out" not in show([place / "out.json"])


def test_a_ratio_is_of_events_found_over_events_stated() -> None:
    kept = [
        {"set": "a", "seed": seed, "instants_held": 10_000, "supported_rate": 3.0, "events_10": 20} for seed in (0, 1)
    ]
    found = tallies._ratio("blocks", None, kept, 10.0)
    assert (found["ratio"], found["instants"], found["supported"]) == (2.0, 10_000, 1.0)
    assert found["low"] < 1.5 < found["high"]
    assert found["verdict"] == "too many events, within chance"


def test_cost_in_small(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weigh, "WARM", 200)
    asked = {"seed": 0, "recipe": str(place / "tiny.yaml"), "changes": {}}
    found = {
        name: weigh.main(json.dumps({**asked, "name": name, "sizes": sizes}))
        for name, sizes in {"univariate": (500, 1), "machine": (300, 3), "million": (600, 1), "live": (330, 1)}.items()
    }
    assert found["live"]["live"]["instants"] == 30
    for name, told in found.items():
        assert tuple(told) == cost.METHODS[name]
        assert all(number >= 0 for numbers in told.values() for number in numbers.values())


def test_cost_starts_processes_and_keeps_every_part(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "alone", lambda asked: {"fit": {"seconds": 2.0 + asked["seed"]}})
    found = run(toys.asked(place, "cost", seeds=3, sets="machine"))
    assert [(row["method"], row["runs"]) for row in found.summary["costs"] if row["set"] == "machine"] == [
        ("fit", 3),
        ("default score", 0),
    ]
    assert [row["seconds"] for row in found.summary["costs"] if row["runs"]] == [3.0]
    assert "| machine | fit | 3.00 |" in show([place / "out.json"])


def test_nearest_windows_leave_their_own_zone_out() -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    own = windows(x, 5)
    distance = np.sqrt(((own[:, None] - own[None]) ** 2).sum(2))
    distance[np.abs(np.subtract.outer(np.arange(56), np.arange(56))) < 5] = np.inf
    np.testing.assert_allclose(nearest(x, None, 5, 3, 0), np.sort(distance, 1)[:, :3].mean(1))
    np.testing.assert_allclose(nearest(x, x, 5, 1, 0), 0, atol=1e-6)
    assert len(drawn(1000, 100, 0)) == len(set(drawn(1000, 100, 0).tolist())) == 100


def test_an_oscillation_and_heavy_tails_are_not_gaussian() -> None:
    draw = np.random.default_rng(0)
    sine = np.sin(np.arange(3000) / 7)[:, None] + 0.001 * draw.normal(size=(3000, 1))
    assert of_windows(windows(draw.normal(size=(3000, 1)), 20))["gaussian"]
    assert not of_windows(windows(sine, 50))["gaussian"]
    assert not of_windows(windows(draw.standard_t(2, size=(3000, 1)), 20))["gaussian"]


def test_gaps_are_paired_means_over_seeds() -> None:
    ours = {"a": [0.6, 0.8], "b": [0.5, 0.5], "c": [0.2, 0.4]}
    found = gap(ours, {"a": [0.5], "b": [0.5], "d": [1.0]})
    assert found is not None
    assert (found["value"], found["sets"], found["wins"], found["ties"]) == (pytest.approx(0.1), 2, 1, 1)
    assert found["low"] <= found["value"] <= found["high"]
    assert gap(ours, {"d": [1.0]}) is None


def test_on_the_command_line(place: Path) -> None:
    words = ["bench", "--protocol", "series-univariate", "--recipe", str(place / "tiny.yaml"), "--rivals", "near100"]
    words += ["--seeds", "1", "--sets", "1", "--set", "smooth=5", "-o", str(place / "out")]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    assert "## Series: univariate" in told.output
    assert {record["smooth"] for record in files.read(place / "out" / "series_univariate.json").records} == {5}
    assert (place / "out" / "series_univariate.md").is_file()
    refused = CliRunner().invoke(app, [*words, "--label", "x"])
    assert isinstance(refused.exception, Misfit)


def test_refusals_name_what_there_is(place: Path) -> None:
    with pytest.raises(Misfit, match="choose one of univariate"):
        complete(Settings("univariat"), None)
    with pytest.raises(Misfit, match="no rival 'knn'"):
        complete(Settings("ucr"), "knn")
    with pytest.raises(Misfit, match="no series has 'XYZ'"):
        prepare(toys.asked(place, "univariate", sets="XYZ"), place / "out.json", "")
    with pytest.raises(Unreadable, match="no results"):
        files.read(place / "nothing.json")


def test_a_series_of_which_nothing_can_be_learnt_is_a_failure_not_the_end() -> None:
    task = Task("flat", "toy", np.ones((400, 1)), (np.arange(400) == 300).astype(int))
    found = list(judged_rivals(task, 0, ["near100"], volumes, None))
    assert [record.status for record in found] == ["failed"]
    assert "nothing to learn" in str(found[0].error)
