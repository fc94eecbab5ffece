"""What series cost, on one thread: seconds per 100,000 instants, seconds per machine, memory, milliseconds live.

Each measurement runs in a process of its own, which works on a small series first, so that imports are not counted.
Seconds are given by the clock and of the processor: on a machine that others use, believe the second.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import numpy as np
from scipy.signal import lfilter

from anodiff.bench.crew import THREADS
from anodiff.bench.series.settings import Settings
from anodiff.bench.series.tasks import Source
from anodiff.bench.series.timed import Record, attempt
from anodiff.data.labelled import Labelled
from anodiff.types import JSON, Unreadable

PERIOD, DAY = 100, 288
SIZES = {"univariate": (100_000, 1), "machine": (28_000, 38), "million": (1_000_000, 1), "live": (20_000, 1)}
KINDS = {
    "closed-form members": ("gaussian", "mixture"),
    "nearest windows": ("empirical",),
    "networks": ("network",),
}
METHODS = {
    "univariate": ("fit", "default score", *KINDS, "a Gaussian alone: fit", "a Gaussian alone: score"),
    "machine": ("fit", "default score"),
    "million": ("memory",),
    "live": ("live",),
}
ABOUT = {
    "univariate": "one channel of period 100; seconds per 100,000 instants",
    "machine": "38 channels, 28,000 instants with a day of 288; fit, then score as many",
    "million": "a model of 20,000 instants scores a million; megabytes above the imports",
    "live": "a stream of 20,000 instants; milliseconds per instant",
}


def sources() -> list[Source]:
    """The measurements, as series that are made."""
    return [Source(name, "made", partial(_labelled, name)) for name in SIZES]


def facts(source: Source) -> JSON:
    """What is measured."""
    instants, channels = SIZES[source.name]
    return {"family": "made", "instants": instants, "channels": channels, "about": ABOUT[source.name]}


def act(source: Source, seed: int, settings: Settings) -> Iterator[Record]:
    """One process, a record of each thing that it measured."""
    asked = {"name": source.name, "seed": seed, "recipe": settings.recipe, "changes": settings.changes}
    first, *others = METHODS[source.name]
    kept: dict[str, JSON] = {}

    def measure() -> JSON:
        kept.update(alone(asked))
        return kept[first]

    yield attempt(first, measure)
    for name in others if kept else ():
        yield Record(name, facts=kept[name]) if name in kept else Record(name, "skipped", "the recipe has none.")


def alone(asked: JSON) -> dict[str, JSON]:
    """Measure in a fresh process with one thread.

    Raises:
        Unreadable: it failed; the message has its last words.
    """
    command = [sys.executable, "-m", "anodiff.bench.series.weigh", json.dumps(asked)]
    environment = os.environ | dict.fromkeys(THREADS, "1")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise Unreadable(f"{asked['name']}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    found: dict[str, JSON] = json.loads(done.stdout.splitlines()[-1])
    return found


def made(instants: int, channels: int, seed: int = 0) -> np.ndarray:
    """`(instants, channels)`: periods that drift a little, shared by the channels, and noise that remembers."""
    draw = np.random.default_rng(seed)
    t = np.arange(instants) / (PERIOD if channels == 1 else DAY)
    basis = np.stack([np.sin(2 * np.pi * k * t + draw.uniform(0, 6)) / k for k in (1, 2, 3)], 1)
    noise = draw.normal(size=(instants, channels))
    return np.asarray(basis @ draw.normal(size=(3, channels)) + 0.2 * lfilter([1], [1, -0.7], noise, axis=0))


def _labelled(name: str) -> Labelled:
    instants, channels = SIZES[name]
    X = made(instants, channels)
    return Labelled(name, "made", X, np.zeros(instants, np.int64), None, None, [f"x{i}" for i in range(channels)])
