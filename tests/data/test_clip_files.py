"""Video files: every container and depth gives the frames that were put in, damage costs no more than it must."""

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from anodiff.data.clips import Clip, Frame, reel
from anodiff.types import Misfit, Unreadable
from film_toys import covered, cut, shades, sideways, sound, video


def one(path: Path, **settings: object) -> Clip:
    (clip,) = reel(path, **settings).clips
    return clip


def read(path: Path, stride: int = 1) -> tuple[Clip, list[Frame]]:
    clip = one(path)
    return clip, list(clip.frames(stride))


def why(path: Path) -> str:
    """What is said of a bad video; alone it is refused, beside a good one it is listed."""
    good = video(path.parent / "good.mkv", shades(2))
    listed = reel([good, path])
    (unread,) = listed.unread
    assert [clip.path for clip in listed.clips] == [good]
    assert listed.lay_out(["kept"]) == ["kept", None]
    with pytest.raises(Unreadable) as refusal:
        reel(path)
    assert str(refusal.value) == f"clip {path.name}: {unread.why}"
    assert unread.why.endswith(".")
    assert "\n" not in unread.why
    return unread.why


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a.mp4", {}),
        ("a.mov", {}),
        ("a.mkv", {}),
        ("a.webm", {"codec": "libvpx-vp9"}),
        ("a.avi", {"codec": "mpeg4"}),
        ("a.ts", {"form": "mpegts"}),
        ("a.mpg", {"codec": "mpeg2video", "rate": 25}),
        ("a.y4m", {"codec": "rawvideo", "form": "yuv4mpegpipe"}),
        ("parts.mp4", {"how": {"movflags": "frag_keyframe+empty_moov"}}),
        ("heard.mp4", {"sound": True}),
        ("deep.mkv", {"codec": "ffv1", "pixels": "yuv420p10le"}),
    ],
)
def test_every_container_gives_its_frames(tmp_path: Path, name: str, settings: dict) -> None:
    clip, frames = read(video(tmp_path / name, **settings))
    rate = settings.get("rate", 10)
    assert (clip.size, clip.rate, clip.length, clip.notes, clip.unread) == ((48, 72), rate, 20, [], [])
    assert [frame.index for frame in frames] == list(range(20))
    assert np.allclose([frame.time for frame in frames], np.arange(20) / rate, atol=2e-3)
    shown = np.stack([frame.pixels for frame in frames])
    assert (shown.shape, shown.dtype) == ((20, 48, 72, 3), np.uint8)
    assert np.abs(shown.mean(3) - shades()).mean() < 6


def test_what_is_stored_without_loss_is_read_without_loss(tmp_path: Path) -> None:
    for grey in (shades(), shades().astype(np.uint16) * 257):
        pixels = "gray" if grey.dtype == np.uint8 else "gray16le"
        _, frames = read(video(tmp_path / f"{pixels}.mkv", grey, codec="ffv1", pixels=pixels))
        assert np.array_equal([frame.pixels for frame in frames], shades())
    coloured = np.stack([shades(), shades()[::-1], shades()], 3)
    _, frames = read(video(tmp_path / "rgb.mkv", coloured, codec="ffv1", pixels="bgr0"))
    assert np.array_equal([frame.pixels for frame in frames], coloured)


def test_a_stride_gives_every_other_and_a_clip_is_read_again(tmp_path: Path) -> None:
    clip, every = read(video(tmp_path / "a.mp4"))
    third = list(clip.frames(3))
    assert [frame.index for frame in third] == [0, 3, 6, 9, 12, 15, 18]
    assert all(np.array_equal(a.pixels, every[a.index].pixels) for a in third)
    assert [a.time for a in third] == [every[a.index].time for a in third]
    assert clip.length == 20


def test_times_are_those_of_the_file_and_uneven_ones_are_noted(tmp_path: Path) -> None:
    at = np.cumsum([0] + [100] * 9 + [40] * 10)
    clip, frames = read(video(tmp_path / "a.mkv", at=at))
    assert np.allclose([frame.time for frame in frames], at / 1000, atol=2e-3)
    assert clip.notes == ["its frame rate varies (40 to 100 ms between frames); each frame has its own time."]
    given = one(tmp_path / "a.mkv", rate=5)
    assert (given.rate, [frame.time for frame in given.frames(10)]) == (5, [0, 2])
    assert given.notes == []


def test_a_rate_that_is_given_does_not_make_a_whole_file_end_early(tmp_path: Path) -> None:
    at = np.cumsum([0, *np.random.default_rng(0).integers(20, 400, 59)])
    clip = one(video(tmp_path / "a.mkv", shades(60), at=at), rate=10)
    assert [frame.time for frame in clip.frames(20)] == [0, 2, 4]
    assert clip.notes == []


def test_bare_jpegs_say_nothing_of_time(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mjpeg", codec="mjpeg", pixels="yuvj420p", form="mjpeg")
    clip, frames = read(path)
    assert (clip.rate, frames[7].time) == (None, 7)
    timed = one(path, rate=50)
    assert [frame.time for frame in timed.frames(10)] == [0, 0.2]


def test_when_it_began_is_read_where_it_is_said(tmp_path: Path) -> None:
    said = {"creation_time": "2024-02-29T12:00:00.500000Z"}
    assert one(video(tmp_path / "a.mp4", said=said)).began == 1709208000.0
    assert one(video(tmp_path / "b.mp4")).began is None
    assert one(video(tmp_path / "c.mkv", said={"creation_time": "1904-01-01T00:00:00Z"})).began is None
    assert one(video(tmp_path / "d.mkv", said={"creation_time": "yesterday"})).began is None


def test_what_was_held_upright_is_shown_upright(tmp_path: Path) -> None:
    clip, frames = read(sideways(tmp_path / "a.mp4"))
    assert clip.size == (72, 48)
    assert frames[0].pixels[:16, 30:42].mean() > 200
    assert frames[0].pixels[:16, :28].mean() < 60


def test_one_frame_is_a_clip(tmp_path: Path) -> None:
    clip, frames = read(video(tmp_path / "a.mp4", shades(1)))
    assert (len(frames), frames[0].time, clip.length, clip.notes) == (1, 0.0, 1, [])


def test_a_change_of_size_is_passed_on_and_noted_once(tmp_path: Path) -> None:
    small, large = (video(tmp_path / f"{h}.ts", shades(12, (h, 72)), form="mpegts") for h in (48, 96))
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes() + small.read_bytes())
    clip, frames = read(both)
    assert [frame.pixels.shape[0] for frame in frames] == [48] * 12 + [96] * 12 + [48] * 12
    assert clip.notes[0] == "the size of its frames changes, first at frame 12; each is given in its own."
    assert (np.diff([frame.time for frame in frames]) > 0).all()
    assert sum("size" in note for note in clip.notes) == 1
    assert sum("times go back" in note for note in clip.notes) == 1


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a.mp4", {"how": {"movflags": "faststart"}}),
        ("a.mkv", {}),
        ("a.avi", {"codec": "mpeg4"}),
        ("parts.mp4", {"how": {"movflags": "frag_keyframe+empty_moov"}}),
        ("heard.mkv", {"sound": True}),
    ],
)
def test_the_frames_before_the_damage_are_given(tmp_path: Path, name: str, settings: dict) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 72), dtype=np.uint8)
    whole = video(tmp_path / name, noise, **settings)
    complete = [frame.pixels for frame in one(whole).frames()]
    clip, frames = read(cut(whole, 0.6))
    assert 10 < len(frames) < 50
    assert all(np.array_equal(frame.pixels, complete[frame.index]) for frame in frames[:-2])
    assert clip.notes == [f"it ends early, after {clip.length} frames: it is cut off or damaged there."]
    assert one(whole).notes == []


def test_damage_in_the_middle_costs_what_it_hits(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    path = video(tmp_path / "a.mp4", draw.integers(0, 255, (60, 48, 72), dtype=np.uint8))
    held = path.read_bytes()
    path.write_bytes(held[: len(held) // 2] + draw.bytes(4000) + held[len(held) // 2 + 4000 :])
    clip, frames = read(path)
    assert 50 <= len(frames) < 60
    assert frames[-1].time == pytest.approx(5.9)
    assert any("it is damaged in" in note for note in clip.notes) or clip.unread
    assert all(unread.why == "it is damaged; copy the video again." for unread in clip.unread)


def test_what_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    assert why(tmp_path / "empty.mp4") == "it is empty, without a byte; copy it again."
    undecodable = (
        "it holds no video that can be decoded, or is cut off before its index; copy it again, or save it as mp4."
    )
    (tmp_path / "noise.mp4").write_bytes(os.urandom(50_000))
    assert why(tmp_path / "noise.mp4") == undecodable
    assert why(cut(video(tmp_path / "half.mp4"), 0.5)) == undecodable
    (tmp_path / "text.avi").write_text("not a video\n" * 500)
    assert why(tmp_path / "text.avi") == undecodable
    assert "it holds sound but no video" in why(sound(tmp_path / "sound.mp4"))
    assert "it holds sound but no video" in why(covered(tmp_path / "covered.mp4"))
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    assert "it cannot be opened" in why(tmp_path / "loop.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    assert why(tmp_path / "pipe.mp4") == "it is no ordinary file; give a video file or a folder."


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"there is no file or folder .*none\.mp4; check the path\."):
        reel(tmp_path / "none.mp4")
    (unread,) = reel([video(tmp_path / "a.mp4"), tmp_path / "none.mp4"]).unread
    assert unread.why == "there is no such file or folder; check the path."


def test_a_file_opens_no_other_file(tmp_path: Path) -> None:
    secret = video(tmp_path / "secret.ts", form="mpegts")
    (tmp_path / "list.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    )
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile '{secret}'\n")
    for name in ("list.m3u8", "list.mp4"):
        assert "no video that can be decoded" in why(tmp_path / name)


def test_frames_that_are_too_large_are_not_decoded(tmp_path: Path) -> None:
    (tmp_path / "wide.y4m").write_bytes(b"YUV4MPEG2 W9000 H9000 F25:1 C420\nFRAME\n" + bytes(1000))
    assert "9,000 x 9,000 pixels, at most 67 million" in why(tmp_path / "wide.y4m")
    held = video(tmp_path / "wide.mkv", shades(3, (300, 400)), codec="ffv1", pixels="gray").read_bytes()
    width, height = held.index(b"\xb0\x82\x01\x90"), held.index(b"\xba\x82\x01\x2c")
    wide = bytearray(held)
    wide[width + 2 : width + 4] = wide[height + 2 : height + 4] = b"\xff\xff"
    (tmp_path / "wide.mkv").write_bytes(wide)
    assert "more than 67 million pixels" in why(tmp_path / "wide.mkv")


def test_a_file_that_is_gone_when_it_is_read(tmp_path: Path) -> None:
    clip = one(video(tmp_path / "a.mp4"))
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(Unreadable, match=r"it cannot be opened|no video that can be decoded"):
        list(clip.frames())


def test_left_early_it_is_closed(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4")
    held = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        next(one(path).frames())
    assert len(os.listdir("/proc/self/fd")) <= held


def test_bytes_of_a_name_that_is_no_text(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    odd.write_bytes(video(tmp_path / "a.mp4").read_bytes())
    clip, frames = read(odd)
    assert (clip.name, len(frames)) == ("caf\\udce9.mp4", 20)
    assert io.StringIO().write(clip.name)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a.mp4", {"sound": True}),
        ("a.mkv", {}),
        ("a.avi", {"codec": "mpeg4"}),
        ("a.ts", {"form": "mpegts"}),
        ("a.mpg", {"codec": "mpeg2video", "rate": 25}),
        ("a.mjpeg", {"codec": "mjpeg", "pixels": "yuvj420p", "form": "mjpeg"}),
    ],
)
def test_whatever_is_damaged_it_is_frames_or_a_sentence(tmp_path: Path, name: str, settings: dict) -> None:
    draw = np.random.default_rng(0)
    path = video(tmp_path / name, **settings)
    whole, outcomes = path.read_bytes(), set()
    for _ in range(25):
        held = bytearray(whole)
        for _ in range(draw.integers(1, 12)):
            at, many = int(draw.integers(len(held))), int(draw.integers(1, 40))
            held[at : at + many * int(draw.integers(2))] = draw.bytes(many)
        path.write_bytes(held)
        try:
            _, frames = read(path)
        except Unreadable:
            outcomes.add("sentence")
            continue
        outcomes.add("frames")
        assert (np.diff([frame.time for frame in frames]) > 0).all()
        assert all(frame.pixels.dtype == np.uint8 for frame in frames)
    assert "frames" in outcomes


def test_without_pyav_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = video(tmp_path / "a.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(Misfit, match=r"video files need PyAV; pip install 'anodiff\[video\]'\."):
        reel([path, path])
    assert len(reel(shades())) == 1
