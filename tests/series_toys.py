"""Small series, with what is missing, and a recipe that learns them in a blink."""

from typing import Any

import numpy as np
import pyarrow as pa

SMALL: dict[str, Any] = {
    "name": "small",
    "about": "For tests.",
    "smooth": 15,
    "views": {"raw": {"length": 30}, "told": {"length": 48, "points": 16, "normalise": "centre"}},
    "denoisers": {
        "near": {"use": "empirical", "view": "raw", "neighbours": 3, "references": 300},
        "gauss": {"use": "gaussian", "view": "told"},
    },
    "scores": {
        "near": {"use": "residual", "of": "near", "settings": {"levels": [50.0], "power": 0.0, "spread": True}},
        "gauss": {"use": "residual", "of": "gauss", "read": "map", "settings": {"levels": [0.5]}},
    },
}
KNOWING: dict[str, Any] = {
    "name": "knowing",
    "about": "A trend that is followed, a network that knows the calendar and the entity, masks drawn from noise.",
    "smooth": 4,
    "views": {"left": {"length": 16, "follow": 40}},
    "denoisers": {
        "learnt": {
            "use": "network", "predict": "spectral", "knows": ["calendar", "entity"], "view": "left",
            "steps": 5, "batch": 16, "width": 8,
        }
    },
    "scores": {
        "residual": {"use": "residual", "of": "learnt", "settings": {"levels": [0.3]}},
        "imputation": {
            "use": "imputation", "of": "learnt", "read": "map", "root": True,
            "settings": {
                "patterns": {"use": "gratings", "width": 4},
                "fill": {"use": "sampled", "level": 10.0, "steps": 2, "draws": 1, "sampler": "ddpm"},
            },
        },
    },
}  # fmt: skip
START = np.datetime64("2024-01-01", "us")
MINUTE = np.timedelta64(60_000_000, "us")


def waves(instants: int = 1500, seed: int = 0, channels: int = 2) -> np.ndarray:
    """Channels of one period, 24 instants, each a little later than the one before, with noise."""
    draw, t = np.random.default_rng(seed), np.arange(instants)
    pure = np.stack([np.sin(2 * np.pi * t / 24 + c) for c in range(channels)], 1)
    return pure + 0.1 * draw.normal(size=pure.shape)


def log(
    instants: int = 1500,
    seed: int = 0,
    machines: tuple[str, ...] = (),
    missing: float = 0.0,
    skipped: float = 0.0,
    state: bool = False,
) -> pa.Table:
    """A table of `when`, `flow`, `temp`, if asked for `state` (a word) and `machine`, rows of machines in turns."""
    parts = []
    for k, name in enumerate(machines or ("",)):
        draw = np.random.default_rng(100 * seed + k)
        flow, temp = (waves(instants, 10 * seed + k) * (1 + k) + 3 * k).T
        for values in (flow, temp):
            values[draw.random(instants) < missing] = np.nan
        if missing:
            flow[:20], flow[200:320], temp[250:300] = np.nan, np.nan, np.nan
        columns = {"when": START + np.arange(instants) * MINUTE, "flow": flow, "temp": temp}
        if state:
            columns["state"] = np.where(np.arange(instants) % 24 < 12, "on", "off")
        if machines:
            columns["machine"] = np.full(instants, name)
        kept = draw.random(instants) >= skipped
        if skipped:
            kept[400:520] = False
        table = pa.table({key: pa.array(values, from_pandas=True) for key, values in columns.items()})
        parts.append(table.filter(pa.array(kept)))
    return pa.concat_tables(parts).sort_by("when")
