"""Pictures in the commands: judged as the detector judges, drawn where it is safe to, refused in one sentence."""

import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from cli_calls import Call, Said, snapshot
from PIL import Image
from scipy import ndimage

import anodiff
from anodiff.cli import run
from anodiff.cli.image_kind import AskedOfImages
from anodiff.cli.image_maps import MapFolder, safe
from anodiff.cli.series_kind import AskedOfSeries, kind_of_data
from anodiff.report.overlay import overlay
from anodiff.types import Misfit

FIT = ("fit", "good", "-o", "fresh", "--size", "64")
COLUMNS = ["name", "score", "p_value", "alarm", "regions", "top", "left", "bottom", "right", "region_p_value", "unread"]
PLANTED = (20, 36, 40, 56)
"""Top, left, bottom and right of the defect."""


def pixels(seed: int, defect: bool = False) -> np.ndarray:
    """A cloudy texture, 64 x 80; a defect is a chequered patch."""
    draw = np.random.default_rng(seed)
    found = 110 + draw.normal(0, 12) + draw.normal(0, 12, (64, 80))
    found += 360 * ndimage.gaussian_filter(draw.normal(size=(64, 80)), 3)
    if defect:
        top, left, bottom, right = PLANTED
        rows, columns = np.mgrid[top:bottom, left:right]
        found[top:bottom, left:right] += np.where((rows + columns) // 4 % 2, 70, -70)
    return np.clip(found, 0, 255).astype(np.uint8)


def save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def huge() -> bytes:
    """A png that promises 50,000 x 50,000 pixels."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 99))]
    chunks = [*parts, (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def encoded(array: np.ndarray, mode: str = "L", kind: str = "PNG") -> bytes:
    held = io.BytesIO()
    Image.fromarray(array).convert(mode).save(held, kind)
    return held.getvalue()


HOSTILE = {
    "cut.png": lambda: encoded(pixels(7))[:900],
    "cut.jpg": lambda: encoded(pixels(7), "RGB", "JPEG")[:700],
    "huge.png": huge,
    "text.png": lambda: b"no picture at all\n",
    "empty.png": lambda: b"",
}
ODD = {
    "palette.png": lambda: encoded(pixels(7), "P"),
    "cmyk.jpg": lambda: encoded(pixels(7), "CMYK", "JPEG"),
    "alpha.png": lambda: encoded(pixels(7), "RGBA"),
    "bits.tif": lambda: encoded((pixels(7) > 120), "1", "TIFF"),
    "one pixel.bmp": lambda: encoded(np.full((1, 1), 100, np.uint8), "L", "BMP"),
}


@pytest.fixture(scope="session")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good/, new/ with a defect in new/line 2/bad.png, and a model."""
    folder = tmp_path_factory.mktemp("pictured")
    for i in range(30):
        save(folder / "good" / f"{i:02}.png", pixels(i))
    for i in range(4):
        save(folder / "new" / f"{i}.png", pixels(100 + i))
    save(folder / "new" / "line 2" / "bad.png", pixels(200, defect=True))
    fit = ["fit", str(folder / "good"), "-o", str(folder / "model"), "--size", "64", "--rate", "0.05", "-q"]
    assert run(fit) == 0
    return folder


@pytest.fixture
def place(tmp_path: Path, learnt: Path) -> Path:
    shutil.copytree(learnt, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, place: Path) -> Call:
    monkeypatch.chdir(place)

    def told(*arguments: object) -> Said:
        capsys.readouterr()
        code = run([str(a) for a in arguments])
        return Said(code, *capsys.readouterr())

    return told


def flat(text: str) -> str:
    return " ".join(text.split())


def printed(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def refused(call: Call, place: Path, *arguments: object) -> str:
    before = snapshot(place)
    said = call(*arguments)
    assert (said.code, said.out) == (2, ""), said
    assert len(said.err.splitlines()) == 1, said.err
    assert snapshot(place) == before
    return said.err


class TestKind:
    def test_of_pictures(self, learnt: Path) -> None:
        assert kind_of_data(str(learnt / "good"), "auto", AskedOfSeries()) == "image"
        assert kind_of_data("part.JPG", "auto", AskedOfSeries()) == "image"
        assert kind_of_data("anything", "auto", AskedOfSeries(), AskedOfImages(size=64)) == "image"
        assert kind_of_data("anything", "image", AskedOfSeries()) == "image"
        assert kind_of_data(str(learnt / "model"), "auto", AskedOfSeries()) == "tabular"

    @pytest.mark.parametrize("modality", ["tabular", "series"])
    def test_contradictions(self, modality: str) -> None:
        with pytest.raises(Misfit, match=r"--size is for images, .* give --modality image"):
            kind_of_data("x.csv", modality, AskedOfSeries(), AskedOfImages(size=64))  # type: ignore[arg-type]
        with pytest.raises(Misfit, match="--causal is for series, and the data is taken for images"):
            kind_of_data("x.png", "auto", AskedOfSeries(causal=True))


class TestFit:
    def test_says_what_was_learnt_and_what_to_type_next(self, call: Call, place: Path) -> None:
        (place / "good" / "text.png").write_text("no picture")
        said = call(*FIT)
        text = flat(said.out)
        assert said.code == 0, said.err
        assert "from 30 of 31 pictures (1 could not be read)" in text
        assert "Read at 64 x 64 pixels, grey (usually 80 x 64)" in text
        assert "Alarms above score" in text
        assert "held-out normals" in text
        assert "Next: anodiff score fresh NEW/ -o scores.csv --maps maps" in text
        assert "text.png: it holds no" in said.err
        assert sorted(p.name for p in (place / "fresh").iterdir()) == ["card.md", "config.json", "weights.safetensors"]

    def test_facts(self, call: Call, place: Path) -> None:
        (place / "good" / "text.png").write_text("no picture")
        said = call(*FIT, "--rate", 0.1, "--seed", 3, "--json")
        facts = json.loads(said.out)
        assert (facts["pictures"], facts["size"], facts["grey"], facts["usual_size"]) == (30, 64, True, [64, 80])
        assert (facts["false_alarm_rate"], [each["name"] for each in facts["unread"]]) == (0.1, ["text.png"])
        assert anodiff.load(place / "fresh").kind_ == "image"

    def test_a_root_like_that_of_a_public_set(self, call: Call, place: Path) -> None:
        (place / "good").rename(place / "set")
        for name in ("train", "test"):
            shutil.copytree(place / "set", place / "parts" / name / "good")
        said = call("fit", "parts", "-o", "fresh", "--size", 64, "--json")
        assert json.loads(said.out)["pictures"] == 30
        assert "its pictures were taken, the rest was left alone" in said.err

    def test_known_defects_and_their_masks(self, call: Call, place: Path) -> None:
        top, left, bottom, right = PLANTED
        mask = np.zeros((64, 80), np.uint8)
        mask[top:bottom, left:right] = 255
        for i in range(3):
            save(place / "defects" / f"{i}.png", pixels(300 + i, defect=True))
            save(place / "masks" / f"{i}_mask.png", mask)
        said = call(*FIT, "--examples", "defects", "--regions", "masks", "--json")
        assert said.code == 0, said.err
        assert json.loads(said.out)["examples"] == 3
        assert "3 pictures of known defects" in flat(call("info", "fresh").out)


class TestScore:
    def test_is_that_of_the_detector(self, call: Call, place: Path) -> None:
        assert call("score", "model", "new", "-o", "out.csv").code == 0
        assert call("score", "model", "new", "-o", "out.parquet").code == 0
        detector = anodiff.load(place / "model").inner_
        regions = detector.regions(place / "new")
        for table in (pacsv.read_csv(place / "out.csv"), pq.read_table(place / "out.parquet")):
            assert table.column_names == COLUMNS
            assert table["name"].to_pylist() == detector.names(place / "new") == [*map("{}.png".format, range(4)), BAD]
            np.testing.assert_allclose(table["score"], detector.decision_function(place / "new"), rtol=1e-9)
            np.testing.assert_allclose(table["p_value"], detector.p_value(place / "new"))
            np.testing.assert_array_equal(table["alarm"], detector.predict(place / "new"))
            assert table["regions"].to_pylist() == [len(each) for each in regions]
            last = table.to_pylist()[-1]
            assert tuple(last[edge] for edge in ("top", "left", "bottom", "right")) == regions[-1][0].box
            assert last["region_p_value"] == pytest.approx(regions[-1][0].p_value)

    def test_finds_the_planted_defect(self, call: Call, place: Path) -> None:
        assert call("score", "model", "new", "-o", "out.csv", "--maps", "maps", "--raw").code == 0
        worst = pacsv.read_csv(place / "out.csv").to_pylist()[-1]
        assert (worst["name"], worst["alarm"]) == (BAD, 1)
        numbers = np.asarray(Image.open(place / "maps" / "line 2" / "bad.tiff"))
        top, left, bottom, right = PLANTED
        row, column = np.unravel_index(numbers.argmax(), numbers.shape)
        assert top <= row < bottom
        assert left <= column < right
        assert worst["top"] <= row < worst["bottom"]
        assert worst["left"] <= column < worst["right"]

    def test_says_what_it_found(self, call: Call) -> None:
        text = flat(call("score", "model", "new", "--rate", 0.2).out)
        assert "alarm" in text
        assert "in 5 pictures; about 1 would be expected if every one were normal (20 %)" in text
        assert f"Worst: {BAD} (score" in text
        assert "Next: anodiff explain model new" in text

    def test_stdout_and_quiet(self, call: Call) -> None:
        said = call("score", "model", "new", "-o", "-", "-q")
        assert said.out.splitlines()[0] == ",".join(f'"{name}"' for name in COLUMNS)
        assert (len(said.out.splitlines()), said.err) == (6, "")

    def test_false_discovery_counts_what_was_judged(self, call: Call, place: Path) -> None:
        assert call("score", "model", "new", "-o", "a.csv", "--fdr", 0.3).code == 0
        for i in range(40):
            (place / "new" / f"text{i}.png").write_text("no picture")
        said = call("score", "model", "new", "-o", "b.csv", "--fdr", 0.3, "--json")
        facts = json.loads(said.out)
        assert (facts["pictures"], len(facts["unread"])) == (5, 40)
        rows = [row for row in pacsv.read_csv(place / "b.csv").to_pylist() if not row["unread"]]
        assert [row["alarm"] for row in rows] == pacsv.read_csv(place / "a.csv")["alarm"].to_pylist()
        assert facts["alarms"] == sum(row["alarm"] for row in rows) == 1

    def test_one_file(self, call: Call) -> None:
        said = call("score", "model", f"new/{BAD}", "--json")
        facts = json.loads(said.out)
        assert (facts["pictures"], facts["alarms"], facts["worst"][0]["name"]) == (1, 1, "bad.png")

    def test_what_cannot_be_read_is_listed(self, call: Call, place: Path) -> None:
        for name, made in HOSTILE.items():
            (place / "new" / name).write_bytes(made())
        (place / "new" / "round").symlink_to(place / "new")
        said = call("score", "model", "new", "-o", "out.csv")
        assert said.code == 0
        assert len(said.err.splitlines()) == 1
        assert "warning: 5 pictures could not be read, and all others were judged: cut.jpg: it is damaged" in said.err
        rows = pacsv.read_csv(place / "out.csv").to_pylist()
        assert {row["name"] for row in rows if row["unread"]} == set(HOSTILE)
        assert all((row["score"], row["alarm"]) == (None, None) for row in rows if row["unread"])
        assert len(rows) == 10


BAD = "line 2/bad.png"


class TestMaps:
    def test_a_picture_of_each_and_its_numbers(self, call: Call, place: Path) -> None:
        said = call("score", "model", "new", "--maps", "deep/maps", "--raw")
        assert said.code == 0, said.err
        maps = place / "deep" / "maps"
        found = sorted(str(p.relative_to(maps)) for p in maps.rglob("*") if p.is_file())
        assert found == sorted(f"{n}{end}" for n in ("0", "1", "2", "3", "line 2/bad") for end in (".png", ".tiff"))
        detector = anodiff.load(place / "model").inner_
        (verdict,) = detector.judge([place / "new" / BAD])
        expected = overlay(pixels(200, True), detector.p_map_of(verdict), detector.regions_of(verdict))
        drawn = np.asarray(Image.open(maps / BAD))
        np.testing.assert_allclose(drawn, expected, atol=2)
        numbers = np.asarray(Image.open(maps / "line 2" / "bad.tiff"))
        np.testing.assert_allclose(numbers, detector.laid(verdict), rtol=1e-4, atol=1e-4)
        assert "Maps: 5 in deep/maps" in said.out

    def test_what_is_there_is_left_alone(self, call: Call, place: Path) -> None:
        save(place / "maps" / "3.png", pixels(1))
        assert "maps/3.png exists; give --overwrite" in refused(call, place, "score", "model", "new", "--maps", "maps")
        assert call("score", "model", "new", "--maps", "maps", "--overwrite").code == 0
        assert Image.open(place / "maps" / "3.png").mode == "RGB"

    @pytest.mark.parametrize("maps", ["new", "new/maps", ".", "new/0.png", "model/config.json"])
    def test_folders_that_are_none_of_its_own(self, call: Call, place: Path, maps: str) -> None:
        refused(call, place, "score", "model", "new", "--maps", maps)
        if maps != "model/config.json":
            assert "apart from it" in refused(call, place, "watch", "model", "new", "--once", "--maps", maps)

    def test_beside_the_only_picture(self, call: Call, place: Path) -> None:
        refused(call, place, "score", "model", "new/0.png", "--maps", "new", "--overwrite")
        assert call("score", "model", "new/0.png", "--maps", "maps").code == 0

    def test_no_link_leads_out(self, call: Call, place: Path) -> None:
        (place / "elsewhere").mkdir(), (place / "maps").mkdir()
        (place / "maps" / "line 2").symlink_to(place / "elsewhere")
        said = call("score", "model", "new", "--maps", "maps", "-o", "out.csv")
        assert said.code == 2
        assert "leads out of maps by a link" in said.err
        assert not list((place / "elsewhere").iterdir())
        assert not (place / "out.csv").exists()

    def test_numbers_without_maps(self, call: Call, place: Path) -> None:
        assert "--raw" in refused(call, place, "score", "model", "new", "--raw")

    def test_an_interruption_is_told(self, call: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write = MapFolder.write

        def twice(self: MapFolder, *given: object) -> str:
            if self.written == 2:
                raise KeyboardInterrupt
            return write(self, *given)  # type: ignore[arg-type]

        monkeypatch.setattr(MapFolder, "write", twice)
        said = call("score", "model", "new", "--maps", "maps", "-o", "out.csv")
        assert (said.code, said.out) == (130, "")
        assert said.err == "anodiff: interrupted; 2 maps were drawn, and no scores were written.\n"
        assert sorted(p.name for p in (place / "maps").iterdir()) == ["0.png", "1.png"]
        assert not (place / "out.csv").exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.png", "a/b.png"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("a//./b", "a/b"),
        ("..", "_"),
        (".hidden/.x", "hidden/x"),
        ("C:\\a\\b.png", "C__a_b.png"),
        ("a\x00b\x1b[2J.png", "a_b_[2J.png"),
        ("end. ", "end"),
        ("ä/日本.png", "ä/日本.png"),
    ],
)
def test_safe_names(name: str, expected: str) -> None:
    assert str(safe(name)) == expected


def test_long_names_stay_apart() -> None:
    first, second = (safe("日" * 90 + end) for end in ("a", "b"))
    assert first != second
    assert len(str(first).encode()) < 200


def test_no_two_pictures_share_a_map() -> None:
    maps = MapFolder(Path("maps"))
    names = ["a.png", "a.jpg", "A.PNG", "a.jpg.png", "../a.png", "a", "b.png"]
    found = [str(maps._place(name)) for name in names]
    assert found[0] == "a.png"
    assert found[-1] == "b.png"
    assert len({each.lower() for each in found}) == len(names)
    assert found == [str(maps._place(name)) for name in names]


class TestExplainAndInfo:
    def test_explain_lists_the_worst(self, call: Call) -> None:
        said = call("explain", "model", "new", "--top", 2)
        assert said.code == 0, said.err
        assert BAD in said.out.splitlines()[0]
        facts = json.loads(call("explain", "model", "new", "--top", 2, "--json").out)
        assert facts["pictures"][0]["name"] == BAD
        assert len(facts["pictures"]) == 2
        assert facts["pictures"][0]["sentence"]

    def test_info(self, call: Call) -> None:
        text = flat(call("info", "model").out)
        assert "model: images, recipe" in text
        assert "learnt from 30 pictures" in text
        facts = json.loads(call("info", "model", "--json").out)
        assert (facts["modality"], facts["pictures"], facts["size"]) == ("image", 30, 64)
        assert facts["references"]

    def test_report(self, call: Call, place: Path) -> None:
        (place / "new" / "text.png").write_text("no picture")
        said = call("report", "model", "new", "-o", "report.html")
        assert said.code == 0, said.err
        assert "bad.png" in (place / "report.html").read_text()
        assert call("report", "model", "-o", "alone.html").code == 0


class TestWatch:
    def test_says_what_score_says(self, call: Call, place: Path) -> None:
        (place / "new" / "text.png").write_text("no picture")
        assert call("score", "model", "new", "-o", "out.csv").code == 0
        said = call("watch", "model", "new", "--once", "--interval", 0.05, "--maps", "maps")
        assert said.code == 0
        lines = {each["name"]: each for each in printed(said.out)}
        rows = {row["name"]: row for row in pacsv.read_csv(place / "out.csv").to_pylist()}
        assert lines.keys() == rows.keys()
        assert set(lines["text.png"]) == {"name", "unread"}
        for name in lines.keys() - {"text.png"}:
            assert set(lines[name]) == {"name", "score", "p_value", "alarm", "regions", "map"}
            assert lines[name]["score"] == pytest.approx(rows[name]["score"])
            assert (lines[name]["alarm"], len(lines[name]["regions"])) == (rows[name]["alarm"], rows[name]["regions"])
            assert (place / lines[name]["map"]).is_file()
        assert lines[BAD]["regions"][0]["box"] == [rows[BAD][edge] for edge in ("top", "left", "bottom", "right")]
        assert f"5 pictures, {sum(e.get('alarm', 0) for e in lines.values())} alarm" in said.err
        assert "; 1 could not be read." in said.err

    def test_new_ones_only_and_idle(self, call: Call) -> None:
        said = call("watch", "model", "new", "--new", "--interval", 0.02, "--idle", 0.1)
        assert (said.code, said.out) == (0, "")

    def test_a_map_that_cannot_be_drawn_stops_nothing(self, call: Call, place: Path) -> None:
        save(place / "maps" / "1.png", pixels(1))
        said = call("watch", "model", "new", "--once", "--interval", 0.05, "--maps", "maps")
        assert (said.code, len(said.out.splitlines())) == (0, 5)
        assert [each["name"] for each in printed(said.out) if each["map"] is None] == ["1.png"]
        assert "There is no map of 1.png: maps/1.png exists" in said.err

    @pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_files_arrive_and_a_signal_ends_it(self, place: Path, sign: signal.Signals, code: int) -> None:
        (place / "line").mkdir()
        command = [sys.executable, "-c", "from anodiff.cli import main; main()", "watch", "model", "line"]
        with (place / "out.jsonl").open("wb") as out:
            watching = subprocess.Popen(
                [*command, "--interval", "0.1"],
                cwd=place,
                stdout=out,
                stderr=subprocess.PIPE,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        shutil.copy(place / "new" / BAD, place / "line")
        for _ in range(600):
            if (place / "out.jsonl").read_text().endswith("\n") or watching.poll() is not None:
                break
            time.sleep(0.1)
        watching.send_signal(sign)
        _, err = watching.communicate(timeout=60)
        assert watching.returncode == code, err
        assert b"Traceback" not in err
        (line,) = printed((place / "out.jsonl").read_text())
        assert (line["name"], line["alarm"]) == ("bad.png", True)
        assert b"1 picture, 1 alarm." in err


REFUSED = {
    "--kind": (*FIT, "--kind", "flow=numeric"),
    "--drop": (*FIT, "--drop", "flow"),
    "--window": (*FIT, "--window", "10"),
    "--causal of score": ("score", "model", "new", "--causal"),
    "--per-day of score": ("score", "model", "new", "--per-day", "1"),
    "--keep": ("score", "model", "new", "--keep"),
    "--map of": ("score", "model", "new", "--map"),
    "--row": ("explain", "model", "new", "--row", "1"),
    "--every": ("watch", "model", "new", "--every"),
    "--fixed": ("watch", "model", "new", "--fixed"),
    "--recalibrate": ("watch", "model", "new", "--recalibrate"),
    "--entities": ("watch", "model", "new", "--entities", "3"),
    "size of pictures is 0": ("fit", "good", "-o", "fresh", "--size", "0"),
    "nobody": (*FIT, "--backbone", "nobody"),
    "--regions are the masks of --examples": (*FIT, "--regions", "masks"),
    "no file or folder nothing": ("score", "model", "nothing"),
    "there is no file or folder nowhere": (*FIT, "--examples", "nowhere"),
    "folder empty holds no picture": ("fit", "empty", "-o", "fresh", "--modality", "image"),
    "empty holds no picture": ("score", "model", "empty"),
    "holds no picture; ": ("explain", "model", "empty"),
    "cannot be listed": ("watch", "model", "nothing"),
    "pictures are not read from stdin": ("watch", "model"),
    "there is no file or folder -": ("score", "model", "-"),
    "give either --rate or --fdr": ("score", "model", "new", "--rate", "0.1", "--fdr", "0.1"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused_in_one_sentence(call: Call, place: Path, words: str) -> None:
    (place / "empty").mkdir()
    assert words in refused(call, place, *REFUSED[words])


def test_what_only_images_have(call: Call, place: Path) -> None:
    (place / "table.csv").write_text("amount,hour\n" + "".join(f"{i % 7}.5,{i % 24}\n" for i in range(60)))
    assert "--size is for images" in refused(
        call, place, "fit", "table.csv", "-o", "t", "--size", 9, "--modality", "tabular"
    )
    assert call("fit", "table.csv", "-o", "rows", "--recipe", "mahalanobis", "--rate", 0.1, "-q").code == 0
    assert "--maps is for images" in refused(call, place, "score", "rows", "table.csv", "--maps", "maps")
    assert "watch is for series" in refused(call, place, "watch", "rows", "table.csv")
    assert "--new is for images" in refused(call, place, "watch", "rows", "table.csv", "--new")


@pytest.mark.parametrize("command", ["fit", "score", "explain"])
def test_nothing_that_can_be_read(call: Call, place: Path, command: str) -> None:
    for name, made in HOSTILE.items():
        (place / "bad").mkdir(exist_ok=True)
        (place / "bad" / name).write_bytes(made())
    options = {"fit": ("bad", "-o", "fresh"), "score": ("model", "bad", "-o", "out.csv"), "explain": ("model", "bad")}
    assert "could be read" in refused(call, place, command, *options[command])


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("command", ["fit", "score", "explain"])
def test_one_bad_file(call: Call, place: Path, command: str, name: str) -> None:
    (place / name).write_bytes(HOSTILE[name]())
    options = {"fit": (name, "-o", "fresh"), "score": ("model", name, "-o", "out.csv"), "explain": ("model", name)}
    refused(call, place, command, *options[command])


@pytest.mark.parametrize("name", ODD)
def test_what_only_looks_hostile_is_judged(call: Call, place: Path, name: str) -> None:
    (place / name).write_bytes(ODD[name]())
    said = call("score", "model", name, "-o", "out.csv", "--maps", "maps")
    assert (said.code, said.err) == (0, "")
    assert len(list((place / "maps").iterdir())) == 1


def test_one_picture_is_too_few(call: Call, place: Path) -> None:
    assert "too few" in refused(call, place, "fit", "good/00.png", "-o", "fresh")


def test_pictures_that_are_all_the_same(call: Call, place: Path) -> None:
    for i in range(12):
        save(place / "same" / f"{i}.png", pixels(1))
    refused(call, place, "fit", "same", "-o", "fresh", "--size", 64)


def test_names_cannot_steer_the_terminal(call: Call, place: Path) -> None:
    save(place / "new" / "\x1b[2J[red].png", pixels(1, defect=True))
    (place / "new" / "\x1b[2J[blue].png").write_text("no picture")
    commands = [("score", "model", "new", "--maps", "maps"), ("explain", "model", "new")]
    for command in [*commands, ("watch", "model", "new", "--once", "--interval", 0.05)]:
        said = call(*command)
        assert said.code == 0
        assert "\x1b[2J" not in said.out + said.err
        assert "[red].png" in said.out
