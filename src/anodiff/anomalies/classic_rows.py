r"""The makers of abnormal rows that cost no model: a generator has to beat them.

.. math:: \text{SMOTE-like:}\; e_i + w \, (e_j - e_i), \qquad \text{Gaussian:}\; e_i + s \, \sigma \odot z, \qquad
          \text{swap:}\; x_j \leftarrow x'_j \;\text{ of another row.}

Rows are numbers: numeric ones as they are, others encoded (`modalities.Tabular`).
"""

import numpy as np

from anodiff.types import Misfit

JITTER = 0.1
"""The spread around the only example there is, in standard deviations of the normals."""


def smote(
    examples: np.ndarray,
    normals: np.ndarray,
    n: int,
    seed: int = 0,
    neighbours: int = 5,
    region: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """n rows between known anomalies `(k, d)` and their neighbours among these; around the only one, a little apart.

    Chawla, Bowyer, Hall and Kegelmeyer, "SMOTE: Synthetic Minority Over-sampling Technique", 2002.

    Args:
        examples: Known anomalies.
        normals: Normal rows `(m, d)`, for their spread.
        n: How many.
        seed: Of the draw.
        neighbours: How many of the nearest may be the other end.
        region: Where examples are abnormal, `(k, d)`; everywhere by default.

    Returns:
        Rows `(n, d)`, and where they are abnormal `(n, d)`: where either end is.

    Raises:
        Misfit: there is no example, or columns differ.
    """
    examples, normals = checked(examples, normals)
    rng, spread = np.random.default_rng(seed), spread_of(normals)
    where = np.ones(examples.shape, bool) if region is None else np.asarray(region, bool)
    first = np.resize(rng.permutation(len(examples)), n)
    if len(examples) == 1:
        return examples[first] + JITTER * spread * rng.normal(size=(n, examples.shape[1])) * where[first], where[first]
    scaled = examples / spread
    distance = np.linalg.norm(scaled[:, None] - scaled, axis=2)
    np.fill_diagonal(distance, np.inf)
    near = distance.argsort(1)[:, : min(neighbours, len(examples) - 1)]
    second = near[first, rng.integers(near.shape[1], size=n)]
    return (
        examples[first] + rng.uniform(size=(n, 1)) * (examples[second] - examples[first]),
        where[first] | where[second],
    )


def between(
    examples: np.ndarray, normals: np.ndarray, n: int, strength: float = 0.5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """n rows at a share of the way from the nearest normal row to a known anomaly `(k, d)`, and which cells differ.

    At strength 1 they are the anomalies, at 0 normal rows.

    Raises:
        Misfit: there is no example, columns differ, or the strength is not between 0 and 1.
    """
    examples, normals = checked(examples, normals)
    if not 0 <= strength <= 1:
        raise Misfit(f"strength is {strength:g}; give a share of the way, from 0 to 1.")
    rng, spread = np.random.default_rng(seed), spread_of(normals)
    first = np.resize(rng.permutation(len(examples)), n)
    near = np.stack([np.linalg.norm((normals - one) / spread, axis=1).argsort()[:5] for one in examples])
    ground = normals[near[first, rng.integers(near.shape[1], size=n)]]
    made = ground + strength * (examples[first] - ground)
    return made, made != ground


def gaussian(
    centres: np.ndarray,
    normals: np.ndarray,
    n: int,
    spread: float = 0.5,
    seed: int = 0,
    region: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """n rows around centres `(k, d)`, examples or normal rows, by noise in standard deviations of the normals.

    Raises:
        Misfit: there is no centre, columns differ, or the spread is not above 0.
    """
    centres, normals = checked(centres, normals)
    if not spread > 0:
        raise Misfit(f"spread is {spread:g}; give standard deviations above 0, such as 0.5.")
    rng = np.random.default_rng(seed)
    which = np.resize(rng.permutation(len(centres)), n)
    where = np.ones((n, centres.shape[1]), bool) if region is None else np.asarray(region, bool)[which]
    noise = spread * spread_of(normals) * rng.normal(size=where.shape)
    return centres[which] + np.where(where, noise, 0.0), where


def swapped(normals: np.ndarray, n: int, share: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """n normal rows of which a share of cells, at least one, are those of other rows, each of another.

    Raises:
        Misfit: there are fewer than two normal rows, or the share is not above 0 up to 1.
    """
    if len(normals) < 2:
        raise Misfit(f"cells are swapped between rows, and there is {len(normals)}; give at least 2 normal rows.")
    if not 0 < share <= 1:
        raise Misfit(f"share is {share:g}; give the share of a row's cells, above 0 up to 1.")
    normals, rng = np.asarray(normals), np.random.default_rng(seed)
    d = normals.shape[1]
    which = np.resize(rng.permutation(len(normals)), n)
    where = rng.uniform(size=(n, d)).argsort(1).argsort(1) < max(1, round(share * d))
    other = (which[:, None] + rng.integers(1, len(normals), size=(n, d))) % len(normals)
    return np.where(where, normals[other, np.arange(d)], normals[which]), where


def checked(examples: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as numbers of the same columns.

    Raises:
        Misfit: they are not, or one is empty.
    """
    examples, normals = np.atleast_2d(np.asarray(examples, float)), np.asarray(normals, float)
    if normals.ndim != 2 or not len(normals):
        raise Misfit(f"normals have the shape {normals.shape}; give at least one row of numbers.")
    if examples.ndim != 2 or not examples.size:
        raise Misfit("there is no example to start from; give at least one row.")
    if examples.shape[1] != normals.shape[1]:
        raise Misfit(f"examples have {examples.shape[1]} columns, normals {normals.shape[1]}; give the same columns.")
    return examples, normals


def spread_of(normals: np.ndarray) -> np.ndarray:
    """Standard deviations `(d,)`; 1 where nothing varies."""
    spread = np.nanstd(normals, 0)
    return np.asarray(np.where(spread > 0, spread, 1.0))


CLASSIC = {"smote": smote, "between": between, "gaussian": gaussian, "swap": swapped}
