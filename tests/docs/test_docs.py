"""What the README and the docs show runs as written, page by page, and their links lead somewhere."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_breast_cancer
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def having(language: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, language)]


@pytest.mark.parametrize("page", having("python"), ids=lambda page: page.stem)
def test_python_runs_as_written(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = {"__name__": page.stem}
    for number, block in enumerate(blocks(page, "python"), start=1):
        exec(compile(block, f"{page.name}, block {number}", "exec"), space)


def draw_parts(folder: Path) -> None:
    """Good parts and new ones, which commands about images name."""
    noise = np.random.default_rng(0).integers(90, 110, (26, 64, 64), np.uint8)
    noise[25, 20:30, 30:44] = 255
    for k, pixels in enumerate(noise):
        path = folder / ("parts/good" if k < 20 else "line3") / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def film_days(folder: Path) -> None:
    """An ordinary day and another, which commands about video name."""
    from anodiff.data.film import film
    from anodiff.data.walkway import walkway

    film(folder / "ordinary.mp4", walkway(150, seed=1).frames, rate=10)
    film(folder / "today.mp4", walkway(80, ["fast"], seed=2).frames, rate=10)


def write_records(folder: Path) -> None:
    """Photos and what should hold, which commands about several kinds name."""
    noise = np.random.default_rng(1)
    for name, count in (("steps", 60), ("shift", 10)):
        lines = []
        for k in range(count):
            open_ = k % 2
            pixels = np.clip(noise.normal(60 + 120 * open_, 12, (32, 32)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}{k}.png")
            text = "the lid is open" if open_ else "the lid is closed"
            lines.append(json.dumps({"photo": f"{name}{k}.png", "should": text, "grams": noise.normal(20, 1)}))
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("page", having("sh"), ids=lambda page: page.stem)
def test_commands_run_as_written(page, tmp_path, monkeypatch):
    from anodiff.cli.app import app

    monkeypatch.chdir(tmp_path)
    X, benign = load_breast_cancer(return_X_y=True)
    table = {"normal": X[benign == 1][:200, :6], "new": X[250:300, :6]}
    for name, rows in table.items():
        np.savetxt(f"{name}.csv", rows, delimiter=",", header="radius,texture,round,area,smooth,dense", comments="")
    draw_parts(tmp_path)
    if page.stem == "video":
        film_days(tmp_path)
    if page.stem == "several":
        write_records(tmp_path)
    for line in "".join(blocks(page, "sh")).splitlines():
        command, *arguments = shlex.split(line, comments=True) or [""]
        if command == "anodiff":
            result = CliRunner().invoke(app, arguments)
            assert result.exit_code == 0, (line, result.output)
        elif command == "make":
            assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_part_is_on_the_page():
    from anodiff.recipes.schema import available
    from anodiff.scores import SCORES

    page = (ROOT / "docs/choosing-a-score.md").read_text(encoding="utf-8")
    missing = [name for name in [*SCORES, *available()] if f"| `{name}` |" not in page]
    assert not missing
