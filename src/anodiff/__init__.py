"""Anomaly detection and generation with diffusion models: normal data in, calibrated alarm out."""

from typing import TYPE_CHECKING, Any

from anodiff.version import __version__

if TYPE_CHECKING:
    from anodiff.detect import Detector
    from anodiff.generate import Generator
    from anodiff.loop import Loop
    from anodiff.saving import load

__all__ = ["Detector", "Generator", "Loop", "__version__", "load"]
HOMES = {
    "Detector": "anodiff.detect",
    "Generator": "anodiff.generate",
    "Loop": "anodiff.loop",
    "load": "anodiff.saving",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that `anodiff --help` does not wait for torch."""
    if name not in HOMES:
        raise AttributeError(f"module 'anodiff' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(HOMES[name]), name)
