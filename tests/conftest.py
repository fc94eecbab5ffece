"""Shapes are verified in tests: the hook must be laid before anodiff is imported for the first time."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

assert not any(name.startswith("anodiff.") for name in sys.modules), (
    "anodiff was imported before its shapes were watched"
)
install_import_hook(["anodiff.diffusion", "anodiff.scores"], "watched.typechecked")

# Several files are called conftest, which the search for doctests would take for one module.
collect_ignore_glob = ["*conftest.py"]

# Two busy cores miss deadlines without being wrong; what CI runs is the same every time.
settings.register_profile("steady", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the public data sets where they are absent, and say so."""
    folder = os.environ.get("ANODIFF_DATA", "")
    if folder and Path(folder).is_dir():
        return
    skip = pytest.mark.skip(reason=f"ANODIFF_DATA names no folder of public data sets (it is {folder!r})")
    for item in items:
        if item.get_closest_marker("data"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of public data sets."""
    return Path(os.environ["ANODIFF_DATA"])
