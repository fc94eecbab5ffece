"""What remains of a run: facts drawn from its records, a page and pictures beside them."""

import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

from anodiff.bench import results as files
from anodiff.bench.page import page
from anodiff.bench.pictures import draw
from anodiff.bench.protocols import protocol
from anodiff.bench.results import Results
from anodiff.bench.settings import Settings
from anodiff.bench.verdict import verdict
from anodiff.data.atomic import replacing


def conclude(results: Results, folder: Path) -> list[str]:
    """Draw the verdict and write all files of the run; returns their names."""
    results.summary = files.plain(verdict(results))
    files.write(results, folder)
    pictures = draw(results.summary, results.settings.plan().varies, folder)
    text = page(results, f"anodiff bench: {results.settings.protocol}", folder)
    with replacing(folder / "summary.md", overwrite=True) as path:
        path.write_text("# " + text[3:], encoding="utf-8")
    return ["summary.md", files.FILE, "records.parquet", *pictures]


OPTIONS = {
    "rivals": "rivals",
    "seeds": "seeds",
    "label": "label",
    "anomaly": "anomaly",
    "sets": "sets",
    "split": "split",
    "recipe": "recipe",
    "budget": "budget",
    "rival_seconds": "rival-seconds",
}


def command(settings: Settings, folder: Path, jobs: int) -> str:
    """The command that does this run.

    >>> command(Settings("shuffled", rivals=("knn",), data="mine.csv"), Path("out"), 1)
    'anodiff bench mine.csv --protocol shuffled --rivals knn -o out'
    """
    usual = {each.name: each.default for each in fields(Settings)}
    words = ["anodiff", "bench", *([settings.data] if settings.data else []), "--protocol", settings.protocol]
    if settings.levels != protocol(settings.protocol).levels:
        words += ["--levels", ",".join("default" if level is None else f"{level:g}" for level in settings.levels)]
    for name, option in OPTIONS.items():
        value: Any = getattr(settings, name)
        if value != usual[name] or name == "rivals":
            words += [f"--{option}", (",".join(value) or "none") if isinstance(value, tuple) else str(value)]
    words += [word for name in settings.drop for word in ("--drop", name)]
    for name, value in settings.changes.items():
        words += ["--set", f"{name}={value}"]
    words += ["--jobs", str(jobs)] if jobs != 1 else []
    return shlex.join([*words, "-o", str(folder)])


def show(folders: list[Path]) -> str:
    """Recorded runs as one text of markdown, their tables and their losses."""
    parts = []
    for folder in folders:
        results = files.read(folder)
        results.summary = files.plain(verdict(results))
        parts.append(page(results, f"{folder.resolve().name}: {results.settings.protocol}"))
    return "\n".join(parts)
