"""Classical makers of rows: points between known anomalies, noise around them, cells of other rows.

Tables that are no plain numbers are encoded first, and come back as tables of their kind.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from anodiff.anomalies.classic_rows import gaussian, smote, swapped
from anodiff.modalities.tabular import Tabular
from anodiff.rounds.makers import Ground, Maker

Hand = Callable[[np.ndarray, np.ndarray, int, int], tuple[np.ndarray, np.ndarray]]
"""`(known (k, D), normals (m, D), n, seed) -> (rows (n, D), where they are abnormal (n, D))`."""


def made_by(hand: Hand, ground: Ground, n: int, seed: int) -> tuple[Any, np.ndarray]:
    """Rows laid out like the normals, and where they are abnormal `(n, columns)`."""
    modality = Tabular().fit(ground.normals)
    normals = modality.encode(ground.normals).x.double().numpy()
    known = normals[:1] if ground.known is None else modality.encode(ground.known).x.double().numpy()
    rows, where = hand(known, normals, n, seed)
    owners = modality.owners
    inside = np.stack([where[:, owners == i].any(1) for i in range(len(modality.columns))], 1)
    return modality.decode(torch.from_numpy(rows)), inside


def around_known(known: np.ndarray, normals: np.ndarray, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points between known anomalies."""
    return smote(known, normals, n, seed)


def noised(known: np.ndarray, normals: np.ndarray, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Known anomalies with noise of half a standard deviation."""
    return gaussian(known, normals, n, seed=seed)


def shaken(known: np.ndarray, normals: np.ndarray, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG001
    """Normal rows with noise of two standard deviations."""
    return gaussian(normals, normals, n, spread=2.0, seed=seed)


def mixed(known: np.ndarray, normals: np.ndarray, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG001
    """Normal rows with a fifth of their cells from others."""
    return swapped(normals, n, seed=seed)


def _of(hand: Hand) -> Any:
    return lambda ground, n, seed: made_by(hand, ground, n, seed)


TABLE_MAKERS = {
    "swap": Maker(_of(mixed)),
    "noise": Maker(_of(shaken)),
    "gaussian": Maker(_of(noised), of_examples=True),
    "smote": Maker(_of(around_known), of_examples=True),
}
