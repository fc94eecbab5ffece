"""Clips from arrays, folders and lists: how they are laid out, in which order, and what is refused or listed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anodiff.data.clip_folders import counted
from anodiff.data.clips import Clip, Reel, clip, looks_filmed, normal_reel, reel
from anodiff.data.walkway import walkway
from anodiff.types import Misfit, Unreadable
from film_toys import shades, video

GREY = shades(12)


def put(folder: Path, frames: np.ndarray = GREY, name: Callable[[int], str] = "{}.png".format) -> Path:
    """A folder of frames, by default with names that are sorted wrongly as text."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / name(i))
    return folder


def pixels(source: Any) -> np.ndarray:
    (one,) = reel(source).clips
    return np.stack([frame.pixels for frame in one.frames()])


def test_arrays_files_and_folders_agree(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GREY)
    film = video(tmp_path / "a.mkv", GREY, codec="ffv1", pixels="gray")
    for source in (GREY, GREY[..., None], put(tmp_path / "frames"), tmp_path / "a.npy", film, str(film), clip(GREY)):
        assert np.array_equal(pixels(source), GREY)
    colour = walkway(5, colour=True).frames
    for source in (colour, put(tmp_path / "colour", colour)):
        assert np.array_equal(pixels(source), colour)


def test_what_numbers_mean() -> None:
    for same in (GREY / 255, (GREY / 255).astype(np.float32), GREY.astype(np.uint16) * 257, GREY.astype(">u2") * 257):
        assert np.array_equal(pixels(same), GREY)
    assert np.array_equal(pixels(GREY > 100), np.where(GREY > 100, 255, 0))
    assert pixels(np.full((1, 4, 5), 1 + 1e-7)).max() == 255


def test_frames_of_a_folder_of_16_bits(tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 257
    assert np.array_equal(pixels(put(tmp_path / "deep", deep)), GREY)


def test_layouts(tmp_path: Path) -> None:
    one, several, named = reel(GREY), reel([GREY, GREY[:3]]), reel({"a": GREY, "b": put(tmp_path / "b")})
    assert (one.layout, several.layout, named.layout) == ("one", "list", "dict")
    assert ([c.name for c in several.clips], [c.name for c in named.clips]) == (["0", "1"], ["a", "b"])
    assert one.lay_out([7]) == 7
    assert several.lay_out([7, 8]) == [7, 8]
    assert named.lay_out([7, 8]) == {"a": 7, "b": 8}
    assert reel(several) is several
    assert reel(several.clips[1]).lay_out([3]) == 3
    assert [len(list(c.frames())) for c in reel(iter([GREY, GREY[:3]])).clips] == [12, 3]
    objects = np.empty(2, object)
    objects[:] = [GREY, GREY[:2]]
    assert len(reel(objects)) == 2


def test_a_folder_of_folders_is_sorted_as_people_count(tmp_path: Path) -> None:
    for name in ("clip10", "clip9", "deep/er/clip1", ".hidden"):
        put(tmp_path / name, GREY[:2])
    video(tmp_path / "clip1.mp4", GREY[:2])
    (tmp_path / "labels.json").write_text("{}")
    found = reel(tmp_path)
    assert [c.name for c in found.clips] == ["clip1.mp4", "clip9", "clip10", "deep/er/clip1"]
    assert found.layout == "dict"
    assert found.notes == ("1 file of other kinds (.json) passed over.",)
    assert found.clips[1].path == tmp_path / "clip9"


def test_natural_order() -> None:
    names = ["a10b2", "a2", "10", "9", "a10b10", "b", "01", "1", "", "a"]
    assert sorted(names, key=counted) == ["", "01", "1", "9", "10", "a", "a2", "a10b2", "a10b10", "b"]


def test_frames_of_a_folder_beside_other_things(tmp_path: Path) -> None:
    put(tmp_path, GREY[:3])
    put(tmp_path / "masks", GREY[:3])
    found = reel(tmp_path)
    assert (found.layout, found.clips[0].length) == ("one", 3)
    assert found.notes == ("1 clip in folders within it passed over, for it holds frames itself.",)
    beside = put(tmp_path / "films", GREY[:3])
    video(beside / "a.mp4")
    assert [c.name for c in reel(beside).clips] == ["a.mp4"]
    assert reel(beside).notes == ("3 files of other kinds (.png) passed over.",)


def test_the_part_to_fit_on(tmp_path: Path) -> None:
    for name in ("train/01", "train/02", "test/01"):
        put(tmp_path / name, GREY[:2])
    found = normal_reel(tmp_path)
    assert [c.name for c in found.clips] == ["01", "02"]
    assert found.notes[0].endswith("has a folder train: its clips were taken, the rest was left alone.")
    assert [c.name for c in reel(tmp_path).clips] == ["test/01", "train/01", "train/02"]
    assert normal_reel(tmp_path / "train").notes == ()
    assert len(normal_reel([GREY, GREY])) == 2
    put(tmp_path / "other" / "Train" / "good" / "x", GREY[:2])
    assert [c.name for c in normal_reel(tmp_path / "other").clips] == ["x"]
    with pytest.raises(Unreadable, match="there is no file or folder"):
        normal_reel(tmp_path / "nothing")


def test_rates_cameras_and_beginnings() -> None:
    timed = reel(GREY, rate=4).clips[0]
    assert (timed.rate, [frame.time for frame in timed.frames(5)]) == (4, [0, 1.25, 2.5])
    untimed = reel(GREY).clips[0]
    assert (untimed.rate, [frame.time for frame in untimed.frames(5)]) == (None, [0, 5, 10])
    told = clip(GREY, name="hall", rate=5, camera="north", began=1.7e9)
    assert (told.name, told.rate, told.camera, told.began) == ("hall", 5, "north", 1.7e9)
    faster = reel([told], rate=10).clips[0]
    assert (faster.rate, faster.camera, list(faster.frames())[3].time) == (10, "north", 0.3)
    found = reel({"a": GREY, "b": told}, cameras={"a": "south"})
    assert [c.camera for c in found.clips] == ["south", "north"]
    with pytest.raises(Misfit, match="cameras names c, of which there is no clip; clips are called a, b"):
        reel({"a": GREY, "b": GREY}, cameras={"c": "north"})
    with pytest.raises(Misfit, match="cameras is 3; give a dict"):
        reel(GREY, cameras=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [0, -1, np.nan, np.inf, "fast", 1e9])
def test_rates_that_are_none(rate: object) -> None:
    with pytest.raises(Misfit, match="give frames a second"):
        reel(GREY, rate=rate)  # type: ignore[arg-type]


@pytest.mark.parametrize("stride", [0, -1, 1.5, "two", True])
def test_strides_that_are_none(stride: object) -> None:
    with pytest.raises(Misfit, match="give a whole number from 1"):
        reel(GREY).clips[0].frames(stride)  # type: ignore[arg-type]


def test_frames_that_cannot_be_read_are_listed_and_the_clip_goes_on(tmp_path: Path) -> None:
    folder = put(tmp_path / "a")
    (folder / "0.png").write_bytes(b"")
    (folder / "5.png").write_bytes((folder / "6.png").read_bytes()[:60])
    (folder / "7.png").unlink()
    (folder / "7.png").mkdir()
    (folder / "8.png").unlink()
    (folder / "8.png").symlink_to("nowhere")
    (one,) = reel(folder).clips
    for _ in range(2):
        assert [frame.index for frame in one.frames()] == [1, 2, 3, 4, 6, 8, 9, 10]
    assert [unread.name for unread in one.unread] == ["a/0.png", "a/5.png", "a/8.png"]
    assert one.unread[0].why == "it is empty, without a byte; copy it again."
    assert (one.length, one.size) == (11, (48, 72))


def test_sizes_may_differ(tmp_path: Path) -> None:
    folder = put(tmp_path / "a", GREY[:3])
    Image.fromarray(GREY[0][:20]).save(folder / "1.png")
    (one,) = reel(folder).clips
    assert [frame.pixels.shape for frame in one.frames()] == [(48, 72), (20, 72), (48, 72)]
    assert one.notes == ["the size of its frames changes, first at frame 1; each is given in its own."]


def test_a_folder_without_a_frame_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("1.png", "2.png"):
        (tmp_path / "a" / name).write_text("no picture")
    with pytest.raises(Unreadable, match=r"^clip a: not one of its 2 frames can be read; 1.png: it holds no png"):
        reel(tmp_path / "a")
    put(tmp_path / "b")
    listed = reel(tmp_path)
    assert ([c.name for c in listed.clips], [u.name for u in listed.unread]) == (["b"], ["a"])


def test_links(tmp_path: Path) -> None:
    outside = put(tmp_path / "outside", GREY[:2])
    inside = tmp_path / "inside"
    put(inside / "a", GREY[:2])
    (inside / "loop").symlink_to(inside)
    (inside / "z").symlink_to(outside)
    found = reel(inside)
    assert [c.name for c in found.clips] == ["a"]
    assert [str(u) for u in found.unread] == [
        "z: it is a link to a folder, which is not followed; give that folder itself."
    ]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((4, 5)), r"an array of shape \(4, 5\) is no clip; give \(T, H, W\)"),
        (np.zeros((2, 4, 5, 6, 3), np.uint8), r"an array of shape \(2, 4, 5, 6, 3\) is no clip"),
        (np.zeros((2, 4, 5, 4), np.uint8), "is no clip; give"),
        (np.zeros((9, 5, 3), np.uint8), "may be one frame or 9; give"),
        (np.zeros((0, 4, 5), np.uint8), "holds no pixel"),
        (np.zeros((2, 4, 5), np.int64), "its pixels are int64; give uint8"),
        (np.full((2, 4, 5), np.nan), "pixels of frame 0 are NaN or infinite"),
        (np.concatenate([np.zeros((3, 4, 5)), np.full((1, 4, 5), np.inf)]), "pixels of frame 3 are NaN or infinite"),
        (np.full((2, 4, 5), 255.0), "pixels of frame 0 are floats from 255 to 255; scale"),
        (np.zeros((2, 4, 5), "datetime64[s]"), "give uint8"),
        (np.broadcast_to(np.uint8(0), (2, 70_000, 70_000)), "70,000 x 70,000 pixels; give smaller"),
    ],
)
def test_bad_arrays_are_refused_alone_and_listed_among_others(bad: np.ndarray, message: str) -> None:
    with pytest.raises(Unreadable, match=f"^clip 0: .*{message}"):
        reel(bad)
    listed = reel([GREY, bad, GREY[:2]])
    assert listed.lay_out(["a", "b"]) == ["a", None, "b"]
    assert [unread.name for unread in listed.unread] == ["1"]
    with pytest.raises(Unreadable, match=r"^none of 2 clips can be read; a: "):
        reel({"a": bad, "b": bad})


@pytest.mark.parametrize("nothing", [[], {}, 5, None, b"a.mp4", "", [5], ["", None]])
def test_what_is_no_clip(nothing: object) -> None:
    with pytest.raises(Unreadable, match=r"; .*(give|check)"):
        reel(nothing)


def test_paths_that_hold_no_clip(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"folder .* holds no clip; give a folder of frames \(.png, "):
        reel(tmp_path)
    Image.fromarray(GREY[0]).save(tmp_path / "a.png")
    with pytest.raises(Unreadable, match="it is one picture; give the folder that holds the frames"):
        reel(tmp_path / "a.png")
    (tmp_path / "a.npy").write_text("no array")
    with pytest.raises(Unreadable, match="it holds no array that can be read"):
        reel(tmp_path / "a.npy")
    for name in ("b/1", "b/2"):
        put(tmp_path / name, GREY[:2])
    (unread,) = reel([tmp_path / "b" / "1", tmp_path / "b"]).unread
    assert unread.why == "it is a folder of 2 clips; give that folder alone, or its clips."
    with pytest.raises(Unreadable, match="two clips are called 1"):
        reel({1: GREY, "1": GREY})
    with pytest.raises(Unreadable, match="holds 2 clips; give one, or call reel"):
        clip(tmp_path / "b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_may_not_be_listed(tmp_path: Path) -> None:
    put(tmp_path / "a")
    tmp_path.joinpath("a").chmod(0)
    with pytest.raises(Unreadable, match="cannot be listed"):
        reel(tmp_path / "a")


def test_video_beyond_doubt(tmp_path: Path) -> None:
    put(tmp_path / "frames")
    for name in ("films/a.mp4", "films/deep/b.MKV", "mixed/a.avi", "mixed/a.txt", "odd.mp4/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    filmed = ["a.mp4", Path("b.Y4M"), ["a.ts", "b.webm"], {"x": "a.mov"}, tmp_path / "films", clip(GREY), [clip(GREY)]]
    assert all(looks_filmed(each) for each in [*filmed, reel(GREY)])
    not_filmed = ["a.gif", "a.csv", "", [], ["a.mp4", "b.csv"], GREY, [GREY], None, 5, tmp_path, tmp_path / "frames"]
    assert not any(looks_filmed(each) for each in [*not_filmed, tmp_path / "mixed", tmp_path / "odd.mp4"])


def test_a_clip_left_early_does_not_know_its_length(tmp_path: Path) -> None:
    (one,) = reel(video(tmp_path / "a.mp4")).clips
    next(one.frames())
    assert one.length is None
    assert isinstance(one, Clip)
    assert isinstance(reel([one]), Reel)
