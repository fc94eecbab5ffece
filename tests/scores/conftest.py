"""The fixtures of this folder."""

from score_toys import denoisers, scores, toy

__all__ = ["denoisers", "scores", "toy"]
