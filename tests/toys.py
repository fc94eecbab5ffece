"""Small data with a known anomaly, for tests of the whole."""

import numpy as np

QUICK = {"denoisers.learnt.steps": 40, "denoisers.learnt.width": 32}


def normals(n: int = 200, seed: int = 0) -> np.ndarray:
    """Four columns of which the last follows the first."""
    X = np.random.default_rng(seed).normal(size=(n, 4))
    X[:, 3] = X[:, 0] + 0.1 * X[:, 3]
    return X


def broken(n: int = 40, seed: int = 1) -> np.ndarray:
    """Rows of which each value is usual and the last does not follow the first."""
    X = normals(n, seed)
    X[:, 3] += np.where(X[:, 3] > 0, -3.0, 3.0)
    return X
