"""Anomalies made on purpose: where they lie, and what is put there."""

from anodiff.anomalies.paste import Blend, CutPaste, Pasting, Seamless
from anodiff.anomalies.where import PLACES, Blobs, Boxes, Strokes, Where

SCARS = Boxes(share=(0.002, 0.02), aspect=(5.0, 25.0), turn=90.0)

ANOMALIES: dict[str, Pasting] = {
    "blend": Blend(),
    "cutpaste": CutPaste(),
    "scar": CutPaste(SCARS),
    "seamless": Seamless(Blend(opacity=(1.0, 1.0))),
}

__all__ = [
    "ANOMALIES",
    "PLACES",
    "SCARS",
    "Blend",
    "Blobs",
    "Boxes",
    "CutPaste",
    "Pasting",
    "Seamless",
    "Strokes",
    "Where",
]
