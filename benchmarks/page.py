"""Write docs/benchmarks.md from the recorded runs.

python benchmarks/page.py
"""

from pathlib import Path

from anodiff.bench.conclude import show
from anodiff.bench.generation.page import show as show_generation
from anodiff.bench.images.page import show as show_images
from anodiff.bench.images.results import recorded as recorded_images
from anodiff.bench.series.page import show as show_series
from anodiff.bench.series.results import recorded
from anodiff.bench.several.page import show as show_more

HERE = Path(__file__).parent
HEAD = """# Benchmarks

Recorded runs of `anodiff bench`, with their losses. This page is written by `python benchmarks/page.py` from the
files in `benchmarks/results/`, and by nobody's hand; [the bench](bench.md) says how to run each of them again, what the
words mean, and how to judge your own table. [Honest numbers](honest-numbers.md) has the rules.
"""
ORDER = (
    "published",
    "shuffled",
    "unsupervised",
    "contaminated",
    "small",
    "missing",
    "mixed",
    "fresh",
    "examples",
    "anytime",
)


def main():
    found = [HERE / "results" / name for name in ORDER if (HERE / "results" / name / "results.json").is_file()]
    told = show(found) if found else "No run of tables of this version has been recorded yet.\n"
    told += show_series(recorded(HERE / "results"))
    told += show_images(recorded_images(HERE / "results"))
    told += show_generation(HERE / "results")
    told += show_more(HERE / "results")
    (HERE.parent / "docs" / "benchmarks.md").write_text(f"{HEAD}\n{told}", encoding="utf-8")


if __name__ == "__main__":
    main()
