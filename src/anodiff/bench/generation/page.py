"""Runs of generation as markdown. Each run knows how its own summary is told; nothing is computed here."""

import json
from collections.abc import Callable
from pathlib import Path

from anodiff.bench.generation import cycle, orders_run, series_run, tables_run
from anodiff.types import JSON

TOLD: dict[str, tuple[str, Callable[[JSON], str]]] = {
    "orders": ("are they what was ordered?", orders_run.page),
    "generation_images": ("magnetic tiles, taught real and made defects", cycle.page),
    "generation_tables": ("what five real anomalies are worth to tables, and made ones besides", tables_run.page),
    "generation_series": ("the same of series", series_run.page),
}
"""Of each file of results its title, and who tells its summary."""


def show(folder: Path) -> str:
    """All runs that are recorded in a folder, as sections of a page."""
    parts = []
    for name, (title, page) in TOLD.items():
        path = folder / f"{name}.json"
        if not path.is_file():
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        told = nested(page(found["summary"]))
        parts.append(f"## Generation: {title}\n\n`{found['command']}`\n\n{machine(found)}\n\n{told}")
    return "".join(f"{part.rstrip()}\n\n" for part in parts)


def machine(found: JSON) -> str:
    """What it ran on, in a line."""
    on = found["machine"]
    return f"anodiff {found['versions']['anodiff']}, {on['cpu']}, {on['cores']} cores, {on['threads']} threads."


def nested(markdown: str) -> str:
    """Headings one step lower."""
    return "\n".join(f"#{line}" if line.startswith("##") else line for line in markdown.splitlines())
