"""Runs of video and of several kinds as markdown; each knows how its own summary is told, nothing is computed here."""

import json
from collections.abc import Callable
from pathlib import Path

from anodiff.bench.generation.page import machine, nested
from anodiff.bench.several import boards, photos
from anodiff.bench.video import memory
from anodiff.bench.video import run as video
from anodiff.types import JSON

TOLD: dict[str, tuple[str, Callable[[JSON], str]]] = {
    "video_ped2": ("Video: UCSD Ped2, the official split, nothing scaled per clip", video.page),
    "video_memory": ("Video: memory over a long clip", memory.page),
    "several_photos": ("Several kinds: SDLS, photos and what should hold", photos.page),
    "several_boards": ("Several kinds: DeepPCB, a board and its template as two views", boards.page),
}
"""Of each file of results its title, and who tells its summary."""


def show(folder: Path) -> str:
    """All runs that are recorded in a folder, as sections of a page."""
    paths = {name: folder / f"{name}.json" for name in TOLD}
    found = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.is_file()}
    sections = (f"## {TOLD[name][0]}\n\n{told(name, each)}".rstrip() for name, each in found.items())
    return "".join(f"{section}\n\n" for section in sections)


def told(name: str, found: JSON) -> str:
    """One run: how it was made, on what, and its summary."""
    return f"`{found['command']}`\n\n{machine(found)}\n\n{nested(TOLD[name][1](found['summary']))}"
