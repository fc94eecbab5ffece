"""Workers: processes of their own, one job each at a time, so that a rival that does not end can be ended.

Each is started afresh ("spawn"), with one thread where there are several. What a worker held when it was ended or died
is recorded as a failure of the method at work, and another worker goes on with the rest of the job.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from anodiff.bench.contestants import OURS
from anodiff.bench.protocols import Level
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
    for job in jobs:
        done = Done(job)
        for told in perform(job):
            if isinstance(told, Found):
                done.add(told)
        yield done


def crew(jobs: Iterable[Job], workers: int) -> Iterator[Done]:
    """Do the jobs in so many processes; finished ones come as they finish."""
    waiting = list(jobs)
    busy: list[_Worker] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < workers:
                busy.append(_Worker(Done(waiting.pop(0)), workers))
            wait([worker.pipe for worker in busy], TICK)
            for worker in list(busy):
                if worker.turn():
                    busy.remove(worker)
                    yield worker.done
    finally:
        for worker in busy:
            worker.stop()


class _Worker:
    """A process and the job that it does."""

    def __init__(self, done: Done, workers: int) -> None:
        self.done, self.workers = done, workers
        self.start()

    def start(self) -> None:
        self.pipe, self.process = _spawned(self.done, self.workers)
        self.at: Begun | None = None
        self.since = time.monotonic()

    def turn(self) -> bool:
        """Take what the process has told; whether the job is done."""
        try:
            while self.pipe.poll():
                told = self.pipe.recv()
                if told is None or isinstance(told, Exception):
                    self.stop()
                    return _ended(told)
                self.at, self.since = (told if isinstance(told, Begun) else None), time.monotonic()
                if isinstance(told, Found):
                    self.done.add(told)
        except (EOFError, OSError):
            return self.failed("its process died, perhaps for want of memory")
        limit = self.done.job.settings.rival_seconds
        if self.at and self.at.method != OURS and time.monotonic() - self.since > limit:
            return self.failed(f"stopped after {limit:g} seconds (--rival-seconds)")
        return False

    def failed(self, sentence: str) -> bool:
        """Record it, and let another process go on; a process that dies before any method began ends the run."""
        self.stop()
        if self.at is None:
            raise Refusal(f"the process for {self.done.job.source.name} died at its start; is there memory left?")
        name, seed = self.done.job.key
        at = {"set": name, "seed": seed, "level": self.at.level, "method": self.at.method}
        self.done.add(Found("record", {**at, **failure(sentence)}))
        self.start()
        return False

    def stop(self) -> None:
        """End the process, and wait for it."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _ended(told: Exception | None) -> bool:
    if told is not None:
        raise told
    return True


def _spawned(done: Done, workers: int) -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    skip: frozenset[tuple[Level, str]] = frozenset((r["level"], r["method"]) for r in done.records)
    process: Any = context.Process(target=_work, args=(theirs, done.job, skip, workers > 1), daemon=True)
    with _quiet(workers > 1):
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


def _work(pipe: Connection, job: Job, skip: frozenset[tuple[Level, str]], single: bool) -> None:
    """In the process: do the job and tell of it."""
    import torch

    if single:
        torch.set_num_threads(1)
    try:
        for told in perform(job, skip):
            pipe.send(told)
        pipe.send(None)
    except BrokenPipeError:
        return
    except Refusal as refusal:
        pipe.send(refusal)
