"""Anomaly detection and generation with diffusion models: normal data in, calibrated alarm out."""

from anodiff.detect import Detector
from anodiff.saving import load
from anodiff.version import __version__

__all__ = ["Detector", "__version__", "load"]
