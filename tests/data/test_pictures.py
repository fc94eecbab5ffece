"""Reading pictures: what every mode means, frames and the way back, and hostile files that stop nothing."""

import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anodiff.data import picture_files
from anodiff.data.pictures import Frame, Picture, Unread, album, normal_part
from anodiff.types import Misfit, Unreadable

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)


def put(path: Path, pixels: np.ndarray | Image.Image = COLOUR, **how: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **how)
    return path


def one(source: object, size: int | Frame | None = None) -> Picture:
    (picture,) = album(source).pictures(size)
    assert isinstance(picture, Picture)
    assert picture.pixels.dtype == np.float32
    assert 0 <= picture.pixels.min() <= picture.pixels.max() <= 1
    return picture


def why(folder: Path, name: str) -> str:
    """What is said of the bad file among good ones, which is no more than a sentence."""
    put(folder / "good.png")
    found = list(album(folder).pictures(8))
    assert sum(isinstance(picture, Picture) for picture in found) == 1
    (unread,) = (picture for picture in found if isinstance(picture, Unread))
    assert unread.name == name
    assert unread.why.endswith(".")
    assert "\n" not in str(unread)
    with pytest.raises(Unreadable) as refusal:
        list(album([folder / "good.png", folder / name]).pictures(8))
    assert str(refusal.value) == f"picture {(folder / name).as_posix()}: {unread.why}"
    return unread.why


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A png of these chunks, their checksums right."""
    laid = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(laid)


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name in ("b.png", "a/z.bmp", "a/b/c.TIFF", "a.webp", "B.JPG", ".hidden.png", ".git/x.png"):
        put(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    got = album(tmp_path)
    assert got.names == ["B.JPG", "a.webp", "a/b/c.TIFF", "a/z.bmp", "b.png"]
    assert got.notes == ("1 file of other kinds (.txt) passed over.",)
    assert (len(got), got.strict) == (5, False)
    pictures = [p for p in got.pictures(16) if isinstance(p, Picture)]
    assert [p.name for p in pictures] == got.names
    assert {p.size for p in pictures} == {(20, 30)}
    assert pictures[3].path == tmp_path / "a/z.bmp"
    assert [p.name for p in got.pictures(4, 1, 3)] == ["a.webp", "a/b/c.TIFF"]
    assert [p.name for p in got.part([4, 0]).pictures(4)] == ["b.png", "B.JPG"]
    assert np.array_equal(one(tmp_path / "b.png").pixels, COLOUR / np.float32(255))


def test_arrays_lists_and_files_agree(tmp_path: Path) -> None:
    path = put(tmp_path / "x.png")
    sources = [path, [path], [str(path)], COLOUR[None], [COLOUR], [Image.fromarray(COLOUR)], Image.fromarray(COLOUR)]
    for source in (*sources, iter([path]), album(path)):
        assert np.array_equal(one(source, 9).pixels, one(path, 9).pixels)
    mixed = album([GREY, COLOUR, path, Image.fromarray(GREY)])
    assert (mixed.names, mixed.strict) == (["0", "1", path.as_posix(), "3"], True)
    assert [p.pixels.shape[2] for p in mixed.pictures(9) if isinstance(p, Picture)] == [1, 3, 3, 1]
    assert len(album(np.zeros((4, 5, 6, 1), bool))) == 4
    assert len(album(np.zeros((4, 5, 6), "float64"))) == 4


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (GREY, GREY / 255),
        (GREY > 99, GREY > 99),
        (GREY.astype(np.uint16) * 257, GREY / 255),
        (GREY.astype(">u2") * 257, GREY / 255),
        (GREY / 255, GREY / 255),
        ((GREY / 255).astype(np.float16), (GREY / 255).astype(np.float16)),
    ],
)
def test_types_of_arrays(array: np.ndarray, expected: np.ndarray) -> None:
    assert np.allclose(one(array[None]).pixels[..., 0], expected, atol=1e-6)
    assert one(array[None, ..., None].repeat(3, 3)).pixels.shape == (20, 30, 3)


def test_16_bits_are_resampled_in_single_precision() -> None:
    deep = RNG.integers(20_000, 20_064, (64, 64), dtype=np.uint16)
    expected = deep.reshape(8, 8, 8, 8).mean((1, 3)) / 65535
    got = one(deep[None], 8).pixels[..., 0]
    assert len(np.unique(got)) > 50
    assert np.abs(got - expected).max() < 30 / 65535


@pytest.mark.parametrize("kind", ["rgba", "la", "palette", "float"])
def test_what_is_transparent_lies_on_black(kind: str, tmp_path: Path) -> None:
    opacity = np.full((20, 30), 255, np.uint8)
    opacity[:10] = 0
    colours = np.dstack([COLOUR, opacity])
    if kind == "rgba":
        got, expected = one(put(tmp_path / "x.png", colours)), COLOUR / 255
    elif kind == "la":
        got, expected = one(put(tmp_path / "x.png", np.dstack([GREY, opacity]))), GREY[..., None] / 255
    elif kind == "palette":
        flat = np.where(opacity > 0, 1, 0).astype(np.uint8)
        image = Image.fromarray(flat).convert("P")
        image.putpalette([200, 0, 0, 0, 100, 0])
        got, expected = one(put(tmp_path / "x.png", image, transparency=0)), np.array([0, 100, 0]) / 255
    else:
        got, expected = one((colours / 255)[None]), COLOUR / 255
    assert np.allclose(got.pixels, expected * (opacity[..., None] > 0), atol=1e-6)


def test_opaque_alpha_says_nothing(tmp_path: Path) -> None:
    path = put(tmp_path / "x.png", np.dstack([COLOUR, np.full((20, 30), 255, np.uint8)]))
    assert np.array_equal(one(path).pixels, COLOUR / np.float32(255))


def test_modes(tmp_path: Path) -> None:
    photo = Image.fromarray(COLOUR)
    assert one(put(tmp_path / "cmyk.jpg", photo.convert("CMYK"))).pixels.shape == (20, 30, 3)
    assert one(put(tmp_path / "cmyk.tif", photo.convert("CMYK"))).pixels.shape == (20, 30, 3)
    assert one(put(tmp_path / "p.png", photo.convert("P"))).pixels.shape == (20, 30, 3)
    assert one(put(tmp_path / "bit.png", GREY > 99)).pixels[..., 0].tolist() == (GREY > 99).tolist()
    grey = Image.fromarray(GREY).convert("P")
    assert np.array_equal(one(put(tmp_path / "greyp.png", grey)).pixels[..., 0], GREY / np.float32(255))
    for suffix in ("png", "tif"):
        deep = put(tmp_path / f"deep.{suffix}", GREY.astype(np.uint16) * 257)
        assert np.allclose(one(deep).pixels[..., 0], GREY / 255)
    whole = put(tmp_path / "whole.tif", GREY.astype(np.int32) * 257)
    assert np.allclose(one(whole).pixels[..., 0], GREY / 255)
    assert np.allclose(one(put(tmp_path / "float.tif", (GREY / 255).astype(np.float32))).pixels[..., 0], GREY / 255)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_pictures_are_upright(turn: int, suffix: str, tmp_path: Path) -> None:
    upright = np.zeros((40, 64), np.uint8)
    upright[:20, :32], upright[:20, 32:], upright[20:, :32] = 250, 170, 80
    held = {v: Image.Transpose(v) for v in range(7)}
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    image = Image.fromarray(upright)
    exif = Image.Exif()
    exif[274] = turn
    stored = image if turn == 1 else image.transpose(held[undo[turn]])
    path = put(tmp_path / f"x.{suffix}", stored, exif=exif)
    for fit in ("squash", "pad", "crop"):
        expected = one([upright], Frame(16, fit)).pixels
        assert np.abs(one(path, Frame(16, fit)).pixels - expected).mean() < 0.03
    assert one(path).size == (40, 64)


def test_frames_and_the_way_back() -> None:
    tall = np.zeros((60, 20), np.float32)
    tall[20:40] = np.linspace(0, 1, 20)
    padded = one([tall], Frame(30, "pad")).pixels[..., 0]
    assert np.allclose(padded[:, :10], padded[:, 10:11])
    assert np.abs(padded[11:19, 10:20] - tall[22:38].reshape(8, 2, 10, 2).mean((1, 3))).max() < 0.06
    cropped = one([tall], Frame(20, "crop")).pixels[..., 0]
    assert np.array_equal(cropped, tall[20:40])
    for fit, near in (("squash", 0.06), ("pad", 0.06), ("crop", 1e-6)):
        frame = Frame(20 if fit == "crop" else 60, fit)
        back = frame.back(one([tall], frame).pixels[..., 0], (60, 20), outside=0.0)
        assert (back.shape, back.dtype) == ((60, 20), np.float32)
        assert np.abs(back - tall)[22:38].max() < near, fit
    assert np.isnan(Frame(8, "crop").back(np.ones((4, 4)), (60, 20), np.nan)[:20]).all()


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@pytest.mark.parametrize("size", [(90, 41), (41, 90), (7, 300), (64, 64), (1, 1)])
def test_a_place_stays_where_it_is(fit: str, size: tuple[int, int]) -> None:
    """A coarse map goes back to the picture's own coordinates."""
    height, width = size
    frame = Frame(64, fit)
    rows, columns = (np.arange(n, dtype=np.float32)[:, None] / max(n, 2) for n in size)
    scene = np.stack([np.broadcast_to(rows, size), np.broadcast_to(columns.T, size)], 2)
    left, top, right, bottom = frame.seen(size)
    for axis in range(2):
        square = one([scene[..., axis]], frame).pixels[..., 0]
        coarse = square.reshape(16, 4, 16, 4).mean((1, 3))
        back = frame.back(coarse, size)
        x0, y0, x1, y1 = frame.place(size)
        step = 6 / (x1 - x0 if axis else y1 - y0) + 1 / max(size[axis], 2)
        assert np.abs(back - scene[..., axis])[top:bottom, left:right].max() < step, (height, width)


def test_large_jpegs_shrink_while_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smooth = np.add.outer(np.linspace(0, 120, 1600), np.linspace(0, 120, 2000)).astype(np.uint8)
    path = put(tmp_path / "x.jpg", smooth, quality=95)
    seen: list[tuple[int, int]] = []
    real = picture_files.image_planes
    monkeypatch.setattr(picture_files, "image_planes", lambda image: seen.append(image.size) or real(image))
    for fit in ("squash", "pad", "crop"):
        small = one(path, Frame(100, fit))
        assert small.size == (1600, 2000)
        assert np.abs(small.pixels - one([smooth], Frame(100, fit)).pixels).max() < 0.02
    assert max(seen)[0] <= 500
    one(path, 1000)
    assert seen[-1] == (2000, 1600)


def test_hostile_files_are_listed_and_the_rest_is_read(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    (tmp_path / "1").mkdir()
    (tmp_path / "1/huge.png").write_bytes(png((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")))
    assert "at most 160 million" in why(tmp_path / "1", "huge.png")
    (tmp_path / "2").mkdir()
    (tmp_path / "2/text.png").write_text("this is no picture")
    assert "holds no png, jpg, tiff, bmp or webp picture" in why(tmp_path / "2", "text.png")
    (tmp_path / "3").mkdir()
    (tmp_path / "3/empty.jpg").touch()
    assert "is empty" in why(tmp_path / "3", "empty.jpg")
    (tmp_path / "4/folder.png").mkdir(parents=True)
    put(tmp_path / "4/folder.png/in.png")
    assert "folder with the name of a picture" in why(tmp_path / "4", "folder.png")
    (tmp_path / "5").mkdir()
    (tmp_path / "5/gone.png").symlink_to(tmp_path / "nowhere.png")
    assert "link to nothing" in why(tmp_path / "5", "gone.png")
    (tmp_path / "6").mkdir()
    (tmp_path / "6/self.png").symlink_to(tmp_path / "6/self.png")
    assert "symbolic links" in why(tmp_path / "6", "self.png")
    (tmp_path / "7").mkdir()
    os.mkfifo(tmp_path / "7/pipe.png")
    assert "no ordinary file" in why(tmp_path / "7", "pipe.png")
    (tmp_path / "8").mkdir()
    Image.fromarray(GREY).save(tmp_path / "8/moving.png", "GIF")
    assert "holds no png" in why(tmp_path / "8", "moving.png")


@pytest.mark.parametrize("pixels", [300_000_000, 170_000_000])
def test_a_header_is_checked_before_anything_is_decoded(
    pixels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = struct.pack(">IIBBBBB", 10_000, pixels // 10_000, 8, 0, 0, 0, 0)
    path = tmp_path / "x.png"
    path.write_bytes(png((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")))
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("it was decoded"))
    with pytest.raises(Unreadable, match=r"promises .* at most 160 million"):
        one(path, 8)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_truncated_files_are_refused(suffix: str, kept: float, tmp_path: Path) -> None:
    whole = put(tmp_path / f"x.{suffix}", RNG.integers(0, 256, (90, 120, 3), dtype=np.uint8)).read_bytes()
    (tmp_path / f"x.{suffix}").write_bytes(whole[: int(kept * len(whole))])
    assert any(said in why(tmp_path, f"x.{suffix}") for said in ("damaged or cut off", "holds no png"))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp"])
def test_damaged_files_never_stop_a_folder(suffix: str, tmp_path: Path) -> None:
    whole = put(tmp_path / f"whole.{suffix}").read_bytes()
    for i in range(60):
        bytes_ = bytearray(whole)
        for place in RNG.integers(0, min(len(whole), 200 if i % 2 else len(whole)), 8):
            bytes_[place] = RNG.integers(256)
        (tmp_path / f"{i}.{suffix}").write_bytes(bytes_)
    found = list(album(tmp_path).pictures(16))
    assert len(found) == 61
    assert isinstance(found[-1], Picture)
    assert any(isinstance(picture, Unread) for picture in found)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode of a file means nothing to root, so that the refusal is made."""
    put(tmp_path / "good.png")
    put(tmp_path / "locked.png")
    real = Path.open

    def guarded(path: Path, *how: str) -> object:
        if path.name == "locked.png":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *how)

    monkeypatch.setattr(Path, "open", guarded)
    assert "want of permission" in why(tmp_path, "locked.png")


def test_links(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/e.png")
    put(tmp_path / "parts/good/a.png")
    parts = tmp_path / "parts"
    (parts / "good/loop").symlink_to(parts)
    (parts / "again").symlink_to(parts / "good")
    (parts / "outside").symlink_to(tmp_path / "elsewhere")
    (parts / "file.png").symlink_to(tmp_path / "elsewhere/e.png")
    (tmp_path / "to_parts").symlink_to(parts)
    for root in (parts, tmp_path / "to_parts"):
        got = album(root)
        assert got.names == ["file.png", "good/a.png", "outside"]
        unread = [p for p in got.pictures(8) if isinstance(p, Unread)]
        assert [u.name for u in unread] == ["outside"]
        assert "which is not followed; give that folder itself" in unread[0].why


def test_several_frames(tmp_path: Path) -> None:
    path = put(tmp_path / "x.tif", GREY, save_all=True, append_images=[Image.fromarray(255 - GREY)])
    picture = one(path)
    assert np.array_equal(picture.pixels[..., 0], GREY / np.float32(255))
    assert picture.notes == ("it holds several frames, of which the first was read.",)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(put(tmp_path / "a.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes no such name")
    assert album(tmp_path).names == ["a.png", "caf\\udce9.png"]
    assert all(isinstance(p, Picture) for p in album(tmp_path).pictures(8))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (np.full((1, 4, 5), 255.0), "floats from 255 to 255; scale all pictures alike into 0 to 1"),
        (np.full((1, 4, 5), np.nan), "NaN or infinite"),
        (np.zeros((1, 4, 5), np.int64), "pixels are int64; give uint8"),
        (np.zeros((1, 4, 5), complex), "pixels are complex128"),
        (np.zeros((4, 5)), r"shape \(4, 5\) holds no pictures"),
        (np.zeros((2, 3, 40, 50)), "channels last"),
        (np.zeros((40, 50, 3)), "may be one picture or 40"),
        (np.zeros((0, 4, 5)), "holds no pictures; give at least one"),
        ([np.zeros((4, 5, 2))], r"picture 0: an array of shape \(4, 5, 2\) is no picture"),
        ([np.zeros((0, 5))], "holds no pixel"),
        ([np.zeros(5)], "is no picture"),
        ([], "list of pictures is empty"),
        ([3], "picture 0 of the list is a int"),
        ({"a": 1}, "cannot read pictures from a dict"),
        (7, "cannot read pictures from a int"),
        ("", "path is empty"),
        ("/no/such/place", "there is no file or folder /no/such/place"),
        ("x" * 5000, "there is no file or folder"),
        (["/no/such/place.png"], "picture /no/such/place.png: it is not there"),
    ],
)
def test_refusals(source: object, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        list(album(source).pictures(8))


def test_floats_of_a_file_beyond_their_range(tmp_path: Path) -> None:
    put(tmp_path / "x.tif", GREY.astype(np.float32))
    assert "floats from" in why(tmp_path, "x.tif")
    put(tmp_path / "x.tif", GREY.astype(np.int32) * 10**6)
    assert "beyond 0 to 65,535" in why(tmp_path, "x.tif")


def test_folders_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"holds no picture; files named \.png, \.jpg, .* are read"):
        album(tmp_path)
    (tmp_path / "x.gif").touch()
    with pytest.raises(Unreadable, match="holds no picture"):
        album(tmp_path)


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "8", 10**6])
def test_sizes_out_of_range(size: object) -> None:
    with pytest.raises(Misfit, match="the size of pictures is"):
        list(album(COLOUR[None]).pictures(size))


def test_kinds(tmp_path: Path) -> None:
    for name in ("good/1.png", "scratch/1.png", "scratch/deep/2.png"):
        put(tmp_path / name)
    assert album(tmp_path, labelled=True).kinds == ["good", "scratch", "scratch"]
    assert album(tmp_path, labelled=True).part([2]).kinds == ["scratch"]
    assert album(tmp_path).kinds is None
    put(tmp_path / "stray.png")
    with pytest.raises(Unreadable, match=r"stray\.png lies in no folder of its kind"):
        album(tmp_path, labelled=True)
    with pytest.raises(Unreadable, match="only the pictures of a folder have kinds"):
        album(COLOUR[None], labelled=True)


def test_normal_part(tmp_path: Path) -> None:
    assert normal_part(tmp_path) == (tmp_path, None)
    put(tmp_path / "train/good/1.png")
    part, note = normal_part(str(tmp_path))
    assert part == tmp_path / "train/good"
    assert note is not None
    assert "its pictures were taken" in note


def test_memory_does_not_grow_with_the_pictures(tmp_path: Path) -> None:
    for i in range(60):
        put(tmp_path / f"{i:02}.bmp", RNG.integers(0, 256, (200, 200, 3), dtype=np.uint8))
    got, one_picture = album(tmp_path), 200 * 200 * 3 * 4

    def peak(stop: int) -> int:
        tracemalloc.start()
        assert sum(isinstance(p, Picture) for p in got.pictures(None, 0, stop)) == stop
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(5)
    few, many = peak(5), peak(60)
    assert many < few + one_picture
    assert many < 6 * one_picture
