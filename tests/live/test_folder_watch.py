"""Pictures that arrive: whole ones are judged once, half ones wait, and nothing that a folder does stops the watch."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anodiff.data.albums import Album, Unread
from anodiff.live import folder as folders
from anodiff.live.folder import FolderWatch
from anodiff.types import Misfit, Unreadable
from anodiff.verdict import Verdict


class Glance:
    """Judges a picture by its mean."""

    def judge(self, X: Album, *, maps: bool = True) -> Iterator[Verdict]:
        for seen in X.pictures(4):
            if isinstance(seen, Unread):
                yield Verdict(seen.name, unread=seen.why)
            else:
                yield Verdict(seen.name, seen.path, seen.size, float(seen.pixels.mean()), 0.5, False)


class World:
    """A clock that moves when somebody sleeps, and what happens meanwhile; the end after the last event."""

    def __init__(self, *events: Callable[[], object]) -> None:
        self.time, self.events, self.told = 0.0, list(events), list[str]()

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        if not self.events:
            raise KeyboardInterrupt
        self.events.pop(0)()

    def watch(self, folder: Path, **settings: Any) -> FolderWatch:
        how: Any = {"tell": self.told.append, "sleep": self.sleep, "clock": lambda: self.time, **settings}
        return FolderWatch(Glance(), folder, **how)  # type: ignore[arg-type]

    def seen(self, folder: Path, **settings: Any) -> list[Verdict]:
        """Verdicts until the events have come to their end."""
        found = []
        try:
            for verdict in self.watch(folder, **settings):
                found.append(verdict)
        except KeyboardInterrupt:
            pass
        return found


def nothing() -> None:
    """Time passes."""


def picture(path: Path, level: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), level, np.uint8)).save(path)
    return path


def names(verdicts: list[Verdict]) -> list[str]:
    return [verdict.name for verdict in verdicts]


def test_those_that_are_there_and_those_that_come(tmp_path: Path) -> None:
    picture(tmp_path / "b.png", 50), picture(tmp_path / "sub" / "a.png")
    os.utime(tmp_path / "sub" / "a.png", ns=(0, 0))
    world = World(nothing, lambda: picture(tmp_path / "late.png", 200), nothing, nothing)
    found = world.seen(tmp_path)
    assert names(found) == ["sub/a.png", "b.png", "late.png"]
    assert [round(255 * verdict.score) for verdict in found] == [100, 50, 200]


def test_only_new_ones(tmp_path: Path) -> None:
    picture(tmp_path / "old.png"), picture(tmp_path / "changed.png")
    world = World(
        nothing, lambda: picture(tmp_path / "new.png"), lambda: picture(tmp_path / "changed.png", 7), nothing, nothing
    )
    assert names(world.seen(tmp_path, new=True)) == ["new.png", "changed.png"]


def test_a_file_that_grows_waits_until_it_is_whole(tmp_path: Path) -> None:
    whole = picture(tmp_path / "whole.png").read_bytes()
    (tmp_path / "whole.png").unlink()
    part = tmp_path / "part.png"
    steps = [lambda k=k: part.write_bytes(whole[: len(whole) * k // 4]) for k in (1, 2, 3, 4)]
    found = World(*steps, nothing, nothing).seen(tmp_path)
    assert [(v.name, v.unread) for v in found] == [("part.png", None)]


def test_a_writer_that_pauses_is_given_another_look(tmp_path: Path) -> None:
    whole = picture(tmp_path / "whole.png").read_bytes()
    (tmp_path / "whole.png").write_bytes(whole[: len(whole) // 2])
    world = World(nothing, nothing, lambda: (tmp_path / "whole.png").write_bytes(whole), nothing, nothing)
    assert [(v.name, v.unread) for v in world.seen(tmp_path)] == [("whole.png", None)]


def test_what_is_no_picture_is_said_once_and_again_when_it_changes(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "notes.txt").write_text("no picture")
    change = lambda: (tmp_path / "text.png").write_text("still no picture")  # noqa: E731
    world = World(*[nothing] * 6, change, *[nothing] * 6)
    found = world.seen(tmp_path)
    assert names(found) == ["text.png", "text.png"]
    assert all("holds no" in str(verdict.unread) for verdict in found)
    assert world.told == ["files of other kinds (.txt) are passed over."]


def test_gone_before_it_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, kept = picture(tmp_path / "gone.png"), picture(tmp_path / "kept.png")
    os.utime(gone, ns=(0, 0))
    world = World(nothing, nothing, nothing)
    ready = FolderWatch.ready

    def first_then_gone(self: FolderWatch) -> list[str]:
        found = ready(self)
        if found:
            gone.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(FolderWatch, "ready", first_then_gone)
    assert names(world.seen(tmp_path)) == [kept.name]


def test_gone_and_back(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    world = World(nothing, path.unlink, nothing, lambda: picture(path, 30), nothing, nothing)
    assert names(world.seen(tmp_path)) == ["a.png", "a.png"]


def test_a_name_changes_and_the_picture_does_not(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    (tmp_path / "done").mkdir()
    world = World(nothing, nothing, lambda: path.rename(tmp_path / "done" / "b.png"), nothing, nothing, nothing)
    assert names(world.seen(tmp_path)) == ["a.png"]


def test_written_under_another_name_first(tmp_path: Path) -> None:
    world = World(
        lambda: picture(tmp_path / ".a.png"),
        nothing,
        lambda: (tmp_path / ".a.png").rename(tmp_path / "a.png"),
        nothing,
        nothing,
    )
    assert names(world.seen(tmp_path)) == ["a.png"]


def test_the_same_name_again(tmp_path: Path) -> None:
    path = tmp_path / "latest.png"
    write = [lambda k=k: picture(path, k) for k in (10, 20)]
    found = World(write[0], nothing, write[1], nothing, nothing).seen(tmp_path)
    assert [round(255 * verdict.score) for verdict in found] == [10, 20]


def test_once_ends_and_leaves_what_is_being_written(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "bad.png").write_text("no picture")
    world = World(lambda: picture(tmp_path / "late.png"), nothing, nothing)
    found = world.seen(tmp_path, once=True)
    assert sorted(names(found)) == ["a.png", "bad.png"]
    assert world.told == ["late.png is new, or still being written; it is left for another time."]
    assert len(world.events) == 2


def test_once_with_nothing_there(tmp_path: Path) -> None:
    world = World(nothing)
    assert world.seen(tmp_path, once=True) == []
    assert len(world.events) == 1


def test_idle_ends_it(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    world = World(*[nothing] * 20)
    assert names(world.seen(tmp_path, idle=5.0)) == ["a.png"]
    assert len(world.events) == 20 - 6


def test_many_are_taken_in_turns_and_none_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST", 3)
    for i in range(10):
        picture(tmp_path / f"{i}.png")
        os.utime(tmp_path / f"{i}.png", ns=(i, i))
    late = itertools.count(10)
    watch = World(nothing, nothing).watch(tmp_path)
    looks, look = [], watch.look
    watch.look = lambda: (looks.append(picture(tmp_path / f"{next(late)}.png")), look())  # type: ignore[method-assign]
    found = names(list(itertools.islice(watch, 10)))
    assert found == [f"{i}.png" for i in range(10)]
    assert len(looks) == 5


def test_what_is_remembered_is_what_is_there(tmp_path: Path) -> None:
    events = []
    for i in range(12):
        events += [lambda i=i: picture(tmp_path / f"{i}.png", i), nothing, lambda i=i: (tmp_path / f"{i}.png").unlink()]
    world = World(*events, nothing)
    watch, held = world.watch(tmp_path), []
    with pytest.raises(KeyboardInterrupt):
        held.extend(len(watch.judged) + len(watch.waiting) for _ in watch)
    assert (len(held), max(held)) == (12, 1)


def test_links(tmp_path: Path) -> None:
    watched, other = tmp_path / "watched", tmp_path / "other"
    picture(watched / "a.png"), picture(other / "b.png")
    (watched / "round").symlink_to(watched)
    (watched / "self.png").symlink_to(watched / "self.png")
    (watched / "broken.png").symlink_to(watched / "nothing.png")
    (watched / "b.png").symlink_to(other / "b.png")
    (watched / "away").symlink_to(other)
    found = World(*[nothing] * 8).seen(watched)
    assert sorted(names(found)) == ["a.png", "away", "b.png", "broken.png", "self.png"]
    assert {v.name for v in found if v.unread} == {"away", "broken.png", "self.png"}


def test_a_folder_that_goes_and_comes_back(tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    picture(watched / "a.png")
    world = World(
        nothing,
        lambda: watched.rename(tmp_path / "away"),
        nothing,
        lambda: (tmp_path / "away").rename(watched),
        lambda: picture(watched / "b.png"),
        nothing,
        nothing,
    )
    assert names(world.seen(watched)) == ["a.png", "b.png"]
    assert len(world.told) == 1
    assert "waiting until it is back" in world.told[0]


@pytest.mark.parametrize("place", ["nothing", "a.png"])
def test_what_is_no_folder_is_refused(tmp_path: Path, place: str) -> None:
    picture(tmp_path / "a.png")
    with pytest.raises(Unreadable, match=r"cannot be listed .*; check the path"):
        next(iter(World().watch(tmp_path / place)))


@pytest.mark.parametrize("interval", [0.0, -1.0, float("inf"), float("nan")])
def test_intervals(tmp_path: Path, interval: float) -> None:
    with pytest.raises(Misfit, match="interval is"):
        World().watch(tmp_path, interval=interval)
