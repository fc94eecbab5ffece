"""A folder of public series, made: small, periodic, with a planted bump."""

from pathlib import Path

import numpy as np

from anodiff.bench.series.protocols import complete
from anodiff.bench.series.settings import Settings

RECIPE = """
name: tiny
about: For tests.
smooth: "1P"
views:
  short: {length: 20}
denoisers:
  near: {use: empirical, view: short, neighbours: 2, references: 300}
  gauss: {use: gaussian, view: short}
  learnt: {use: network, predict: spectral, view: short, between: [0.05, 3.0], steps: 4, width: 8, depth: 1, batch: 16}
scores:
  near: {use: residual, of: near, settings: {levels: [50.0], power: 0.0, spread: true}}
  gauss: {use: residual, of: gauss, settings: {levels: [0.5], power: 2.0}}
  learnt: {use: residual, of: learnt, settings: {levels: [0.2]}}
"""
N, PERIOD, START, END = 420, 20, 300, 320
NAMES = ("001_NAB_id_1", "002_WSD_id_2", "003_WSD_id_3")


def wave(n: int = N, channels: int = 1, seed: int = 0, bump: bool = True) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    phases = draw.uniform(0, 6, channels)
    X = np.sin(2 * np.pi * np.arange(n)[:, None] / PERIOD + phases) + 0.1 * draw.normal(size=(n, channels))
    y = np.zeros(n, np.int64)
    if bump:
        X[START:END] += 1.5
        y[START:END] = 1
    return X, y


def folder(place: Path) -> Path:
    """What ANODIFF_DATA may name."""
    series = place / "series"
    for name in ("univariate", "multivariate", "ucr", "published"):
        (series / name).mkdir(parents=True)
    for i, name in enumerate(NAMES):
        X, y = wave(seed=i)
        np.savez(series / "univariate" / f"{name}.npz", X=X, y=y, train_end=200)
    write(series / "univariate.csv", "tsb_file,n", *(f"{name}.csv,{N}" for name in NAMES))
    write(
        series / "published" / "univariate_vuspr_per_series.csv", "file,Sub-X,CNN,ts_len", f"{NAMES[0]}.csv,0.2,0.9,4"
    )
    X, y = wave(channels=3)
    train = wave(channels=3, seed=5, bump=False)[0]
    np.savez(series / "multivariate" / "SMD_a.npz", X=X, y=y, X_train=train, tsb_train_end=200)
    np.savez(series / "multivariate" / "SKAB_b.npz", X=X, y=y, tsb_train_end=200)
    rows = ("SMD_a,SMD,420,x.csv,200", "SKAB_b,SKAB,0,,200")
    write(series / "multivariate.csv", "name,dataset,n_train,tsb_file,tsb_train_end", *rows)
    np.savez(series / "ucr" / "004_UCR_Anomaly_a.npz", X=wave()[0], anomaly=[START, END], train_end=200)
    write(series / "ucr.csv", "name,n", "004_UCR_Anomaly_a,420")
    (place / "tiny.yaml").write_text(RECIPE, encoding="utf-8")
    return place


def write(path: Path, *lines: str) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def asked(place: Path, protocol: str, rivals: str | None = "none", **more: object) -> Settings:
    settings = {"seeds": 1, "recipe": str(place / "tiny.yaml"), **more}
    return complete(Settings(protocol, **settings), rivals)
