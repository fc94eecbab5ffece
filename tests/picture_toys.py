"""Small pictures of parts, and a recipe that judges each pixel: what is planted is found where it is, in a second."""

import numpy as np

PLAIN = {
    "name": "plain",
    "about": "Each pixel, by the Gaussian of its place.",
    "planes": {"px": {"space": "pixels"}},
    "denoisers": {"usual": {"use": "positional", "view": "px"}},
    "scores": {"place": {"use": "departure", "of": "usual", "root": True}},
    "blur": 1.0,
}
SIDE = 64


def parts(count: int, seed: int) -> np.ndarray:
    """Normal parts `(count, 64, 64)` uint8: a disc before stripes, with noise."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    disc = 60 * ((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.1)
    noise = np.random.default_rng(seed).normal(0, 8, (count, SIDE, SIDE))
    return np.clip(120 + 40 * np.sin(12 * x) + disc + noise, 0, 255).astype(np.uint8)


def spoilt(seed: int) -> np.ndarray:
    """Eight parts; the second has a spot at the upper right, the fifth a bar at the lower left and a dot."""
    found = parts(8, seed)
    found[1, 10:18, 40:48] = 255
    found[4, 44:50, 4:30] = 0
    found[4, 4:8, 50:54] = 0
    return found
