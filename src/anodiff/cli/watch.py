"""`anodiff watch`: what happens in series, and the pictures that arrive in a folder, one JSON document per line."""

import json
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from anodiff.cli.errors import INTERRUPTED, printable
from anodiff.cli.image_kind import Maps, Raw, refuse_but_of_images, refuse_of_images
from anodiff.cli.options import ModelPath, Overwrite, Quiet
from anodiff.cli.terminal import counted, plain
from anodiff.cli.video_kind import Fps, PerHour, refuse_but_of_video, refuse_of_video, refuse_poses

if TYPE_CHECKING:
    from anodiff.cli.watch_rows import RowsAsLogs
    from anodiff.detect_series import SeriesDetector
    from anodiff.live import Said, Stream

Source = Annotated[
    str,
    typer.Argument(
        metavar="[FILE|FOLDER|-]",
        help="A csv that grows, a folder of pictures or frames, a video; - for lines or video on stdin.",
    ),
]
Follow = Annotated[bool, typer.Option("--follow/--once", help="Go on when all that is there is judged, or stop there.")]
Poll = Annotated[
    float,
    typer.Option("--poll", "--interval", min=0.01, metavar="SECONDS", help="Between looks at what does not grow."),
]
Idle = Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Stop after so long without anything new.")]
New = Annotated[bool, typer.Option("--new", help="Of images and frames: leave those that are there already.")]
Every = Annotated[bool, typer.Option("--every", help="Print the score of each instant or frame too.")]
Rate = Annotated[
    float | None, typer.Option(help="Events per normal instant, such as 0.0001; else as fitted.", show_default=False)
]
PerDay = Annotated[float | None, typer.Option(help="Instead: events per normal day.", show_default=False)]
Recalibrate = Annotated[
    bool | None,
    typer.Option(
        "--recalibrate/--fixed",
        help="Of series: follow scores that drift with the threshold (the default), or not.",
        show_default=False,
    ),
]
Entities = Annotated[
    int | None,
    typer.Option(min=1, help="Of series: how many entities may be followed; else 1,000.", show_default=False),
]
MOST = 512
"""Rows that are taken together, where so many are there already."""
SHOWN = 5
"""Notes of one kind that are shown."""


def watch(
    model: ModelPath,
    source: Source = "-",
    follow: Follow = True,
    poll: Poll = 1.0,
    idle: Idle = None,
    every: Every = False,
    rate: Rate = None,
    per_day: PerDay = None,
    recalibrate: Recalibrate = None,
    entities: Entities = None,
    fps: Fps = None,
    per_hour: PerHour = None,
    new: New = False,
    maps: Maps = None,
    raw: Raw = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Judge series while they are written: one JSON line when an event opens, and one when it is over.

    Of images, judge the pictures in a folder, and those that arrive: one JSON line for each. Of video, judge the frames
    that arrive in a folder, of a file, or as video on stdin: one line when an event opens, and one when it is over.
    """
    from anodiff.cli.series_rate import chosen_rate, series_of
    from anodiff.saving import load_detector

    found = load_detector(model)
    follows = {"recalibrate": recalibrate, "fixed": recalibrate is False}
    if found.kind_ == "video":
        from anodiff.cli.video_watch import Source as Camera
        from anodiff.cli.video_watch import watch_video

        refuse_of_video("watch", per_day=per_day, entities=entities, maps=maps, raw=raw, overwrite=overwrite, **follows)
        footage, notes = found.inner_, Notes(quiet)
        camera = Camera(source, fps, footage.whole_.modality, poll, idle, not follow, new)
        live = footage.stream(false_alarm_rate=rate, per_hour=per_hour, name=camera.name)
        watch_video(live, camera, every, notes.tell, notes.say)
        return
    refuse_but_of_video(found.kind_, fps=fps, per_hour=per_hour)
    refuse_poses(found.kind_)
    if found.kind_ == "image":
        from anodiff.cli.image_maps import map_folder
        from anodiff.cli.image_watch import watch_images
        from anodiff.cli.score import with_asked

        refuse_of_images("watch", every=every, per_day=per_day, entities=entities, **follows)
        drawn, notes = map_folder(maps, raw, overwrite), Notes(quiet)
        inner = with_asked(found.inner_, {"false_alarm_rate": rate})
        watch_images(inner, source, poll, idle, not follow, new, drawn, notes.tell, notes.say)
        return
    refuse_but_of_images(found.kind_, new=new, maps=maps, raw=raw, overwrite=overwrite)
    detector = series_of(found, "watch")
    stream = detector.stream(
        false_alarm_rate=chosen_rate(rate, per_day, detector.whole_.modality.step_),
        recalibrate=recalibrate is not False,
        entities=1000 if entities is None else entities,
    )
    watcher = Watch(stream, detector, every, Notes(quiet))
    try:
        watcher.run(source, poll, idle if follow else 0.0)
    except KeyboardInterrupt:
        watcher.finish()
        raise typer.Exit(INTERRUPTED) from None
    except SystemExit:
        watcher.finish()
        raise
    watcher.finish()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back for a moment: what was begun is either said and counted, or neither."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Notes:
    """Sentences on stderr, of each kind the first few."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.counts: dict[str, int] = {}

    def tell(self, kind: str, text: str) -> None:
        """Say it, unless there were many like it."""
        count = self.counts[kind] = self.counts.get(kind, 0) + 1
        if count <= SHOWN:
            self.say(text + (" More like this are not shown." if count == SHOWN else ""))

    def say(self, text: str) -> None:
        """Say it in any case, but if quiet."""
        if not self.quiet:
            sys.stderr.write(f"anodiff: {printable(text)}\n")
            sys.stderr.flush()


class Watch:
    """Takes rows as they come and writes what is said of them."""

    def __init__(self, stream: "Stream", detector: "SeriesDetector", every: bool, notes: Notes) -> None:
        self.stream, self.detector, self.every, self.notes = stream, detector, every, notes
        self.rows: list[list[str]] = []
        self.logs: RowsAsLogs | None = None
        self.said: deque[Said] = deque()
        self.events = 0

    def run(self, source: str, poll: float, idle: float | None) -> None:
        """Take all rows of a source, until it ends."""
        from anodiff.data.tail import follow

        piped = Piped(self.take) if source == "-" else None
        rows = follow(
            cast(Any, piped) or source, lambda text: self.notes.tell("line", text), poll, idle, sleep=self._rest
        )
        for row in rows:
            if self.logs is None:
                self.logs = self._begin(row, piped.head if piped else first_line(Path(source)))
            else:
                self.rows.append(row)
            if len(self.rows) >= MOST:
                self.take()
        self.take()
        if self.logs is not None:
            self.logs.check()

    def take(self) -> None:
        """Take the rows that wait."""
        rows, self.rows = self.rows, []
        if rows and self.logs is not None:
            self._taken(rows)

    def finish(self) -> None:
        """Say what was not said yet, which events are not over, and how much was seen."""
        self._tell_all()
        for event in self.stream.flush():
            self._write("unfinished", event.to_dict())
        sys.stdout.flush()
        lines = self.stream.state["entities"].values()
        instants, left_out = sum(line["instants"] for line in lines), 0 if self.logs is None else self.logs.left_out
        seen = counted(instants, "instant") + (f" of {len(lines):,} entities" if len(lines) > 1 else "")
        left = f"; {counted(left_out, 'row')} left out" if left_out else ""
        self.notes.say(f"{seen}, {counted(self.events, 'event')}{left}.")

    def _begin(self, names: Sequence[str], head: str) -> "RowsAsLogs":
        from anodiff.cli.watch_rows import RowsAsLogs, has_commas

        dropped = self.detector.whole_.facts.get("dropped", [])
        return RowsAsLogs(names, self.detector.whole_.modality, dropped, has_commas(head), self.notes.tell)

    def _taken(self, rows: list[list[str]]) -> None:
        import numpy as np

        assert self.logs is not None
        for log in self.logs.logs(rows):
            with uninterrupted():
                said = [np.array(each, object) for each in self.stream.feed(log)]
                self.said.extend(log.lay_out(said).tolist())
            self._tell_all()

    def _tell_all(self) -> None:
        while self.said:
            with uninterrupted():
                self._tell(self.said.popleft())
            sys.stdout.flush()

    def _tell(self, said: "Said") -> None:
        for note in said.notes:
            whose = "" if said.entity is None else f"{said.entity}: "
            self.notes.tell("early" if said.instant < 0 else f"said {note[:12]}", whose + note)
        if said.event is not None:
            self.events += said.event.event.open
            self._write("opened" if said.event.event.open else "closed", said.event.to_dict())
        if self.every:
            self._write("instant", {k: v for k, v in said.to_dict().items() if k not in ("event", "notes")})

    def _write(self, kind: str, facts: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(plain({"kind": kind, **facts}), allow_nan=False) + "\n")

    def _rest(self, seconds: float) -> None:
        """Nothing is new: what waits is taken first."""
        self.take()
        time.sleep(seconds)


class Piped:
    """Standard input as it comes; before waiting for more, what is there is taken."""

    def __init__(self, before: Callable[[], object]) -> None:
        self.before, self.head = before, ""
        self.source = getattr(sys.stdin, "buffer", sys.stdin)
        self.some = getattr(self.source, "read1", self.source.read)

    def readline(self, size: int) -> Any:
        """What is there, at most so many bytes; nothing at the end."""
        self.before()
        data = self.some(size)
        if not self.head:
            self.head = first_of(data if isinstance(data, bytes) else data.encode())
        return data


def first_line(path: Path) -> str:
    """The first line of a file, or the beginning of it."""
    with path.open("rb") as file:
        return first_of(file.read(1 << 16))


def first_of(data: bytes) -> str:
    """The first line of some bytes."""
    return data.lstrip().partition(b"\n")[0].decode("utf-8", "replace")
