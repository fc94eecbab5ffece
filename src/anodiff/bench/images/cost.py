"""What pictures cost, on two threads: seconds to fit, milliseconds per picture, memory.

Each method works in a process of its own, which reads one picture first, so that imports are not counted. Time per
picture is all of it: the file, the backbone, the method. Memory is the highest that a process ever held which loads
a saved model and scores the test pictures, nothing taken off; what the imports alone hold is told beside it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

from anodiff.bench.crew import THREADS
from anodiff.bench.images.cases import Case
from anodiff.bench.images.ours import OURS
from anodiff.bench.images.settings import Settings
from anodiff.bench.series.timed import Record, attempt
from anodiff.types import JSON, Unreadable

USED = "2"
MODULE = "anodiff.bench.images.weigh"


def act(_case: Case, seed: int, settings: Settings) -> Iterator[Record]:
    """A process for each method, which finds the pictures itself."""
    for name in (OURS, *settings.rivals):
        yield attempt(name, lambda name=name: alone({"name": name, "seed": seed, "settings": settings.to_dict()}))  # type: ignore[misc]


def alone(asked: JSON, threads: str = USED) -> JSON:
    """Measure in a fresh process.

    Raises:
        Unreadable: it failed; the message has its last words.
    """
    command = [sys.executable, "-m", MODULE, json.dumps(asked)]
    environment = os.environ | dict.fromkeys(THREADS, threads)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise Unreadable(f"{asked['name']}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    found: JSON = json.loads(done.stdout.splitlines()[-1])
    return found
