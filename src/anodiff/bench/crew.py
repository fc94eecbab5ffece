"""Workers: processes of their own, which take one job after the other, so that a rival that does not end can be ended.

Each is started afresh ("spawn"), with one thread where there are several. What a worker held when it was ended or died
is recorded as a failure of the method at work, and another worker goes on with the rest of the job.
"""

import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from anodiff.bench.contestants import OURS
from anodiff.bench.work import Begun, Found, Job, failure, perform
from anodiff.types import JSON, Refusal

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TICK = 0.2


@dataclass
class Done:
    """A finished job."""

    job: Job
    splits: list[JSON] = field(default_factory=list)
    records: list[JSON] = field(default_factory=list)

    def add(self, found: Found) -> None:
        """Keep what was found; a split that is cut again after an accident is kept once."""
        place = self.splits if found.kind == "split" else self.records
        if found.record not in place:
            place.append(found.record)


def here(jobs: Iterable[Job]) -> Iterator[Done]:
    """Do the jobs in this process, one after the other, without a limit of time."""
    gc.freeze()
    for job in jobs:
        done = Done(job)
        for told in perform(job):
            if isinstance(told, Found):
                done.add(told)
        yield done


def crew(jobs: Iterable[Job], workers: int) -> Iterator[Done]:
    """Do the jobs in so many processes; finished ones come as they finish."""
    waiting = list(jobs)
    team = [_Worker(workers > 1) for _ in range(min(workers, len(waiting)))]
    try:
        while waiting or any(worker.done for worker in team):
            for worker in team:
                if worker.done is None and waiting:
                    worker.take(Done(waiting.pop(0)))
            wait([worker.pipe for worker in team if worker.done], TICK)
            for worker in team:
                if worker.done and worker.turn():
                    done, worker.done = worker.done, None
                    yield done
    finally:
        for worker in team:
            worker.stop()


class _Worker:
    """A process, and the job that it does."""

    def __init__(self, single: bool) -> None:
        self.single = single
        self.done: Done | None = None
        self.pipe, self.process = _spawned(single)

    def take(self, done: Done) -> None:
        """Begin a job, or go on with it where records of it are there."""
        self.done, self.since = done, time.monotonic()
        self.at: Begun | None = None
        self.pipe.send((done.job, frozenset((r["level"], r["method"]) for r in done.records)))

    def turn(self) -> bool:
        """Take what the process has told; whether the job is done."""
        assert self.done is not None
        try:
            while self.pipe.poll():
                told = self.pipe.recv()
                if isinstance(told, Exception):
                    raise told
                if told is None:
                    return True
                self.at, self.since = (told if isinstance(told, Begun) else None), time.monotonic()
                if isinstance(told, Found):
                    self.done.add(told)
        except (EOFError, OSError):
            self.failed(self.done, "its process died, perhaps for want of memory")
        limit = self.done.job.settings.rival_seconds
        if self.at and self.at.method != OURS and time.monotonic() - self.since > limit:
            self.failed(self.done, f"stopped after {limit:g} seconds (--rival-seconds)")
        return False

    def failed(self, done: Done, sentence: str) -> None:
        """Record it, and let another process go on; a process that dies before any method began ends the run."""
        self.stop()
        name, seed = done.job.key
        if self.at is None:
            raise Refusal(f"the process for {name} died before any method began; is there memory left?")
        at = {"set": name, "seed": seed, "level": self.at.level, "method": self.at.method}
        done.add(Found("record", {**at, **failure(sentence)}))
        self.pipe, self.process = _spawned(self.single)
        self.take(done)

    def stop(self) -> None:
        """End the process, and wait for it."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _spawned(single: bool) -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process: Any = context.Process(target=_work, args=(theirs, single), daemon=True)
    with _quiet(single):
        process.start()
    theirs.close()
    return ours, process


@contextmanager
def _quiet(single: bool) -> Iterator[None]:
    """What a process inherits: Ctrl-C is ours to handle, and one thread where there are several workers."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
    kept = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1") if single else {})
    try:
        yield
    finally:
        for name, value in kept.items():
            os.environ.pop(name) if value is None and name in os.environ else os.environ.update({name: value or ""})
        if main:
            signal.signal(signal.SIGINT, before)


def _work(pipe: Connection, single: bool) -> None:
    """In the process: do jobs as they come, and tell of them, until nobody listens."""
    import torch

    gc.freeze()
    if single:
        torch.set_num_threads(1)
    with suppress(EOFError, OSError):
        while True:
            try:
                for told in perform(*pipe.recv()):
                    pipe.send(told)
                pipe.send(None)
            except Refusal as refusal:
                pipe.send(refusal)
