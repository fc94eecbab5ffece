"""Series while they happen: instants in, scores, alarms and events out, in bounded time and memory."""

from anodiff.live.line import Said
from anodiff.live.stream import Stream

__all__ = ["Said", "Stream"]
