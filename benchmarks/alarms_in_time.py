"""Is the stated rate of events kept, is drift found, and what would ignoring autocorrelation do?

    OMP_NUM_THREADS=1 python benchmarks/alarms_in_time.py

Writes benchmarks/results/alarms-in-time.md. Needs ANODIFF_DATA for the part on real series (../shared/data). The scores
of real series are squared residuals of a linear forecast, fitted to the first third of the normal part: a stand-in for
a detector, which makes this a test of the calibration alone. Takes about two minutes.
"""

import os
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from anodiff.alarms import Blocks, Follower
from anodiff.alarms.events import spans
from anodiff.types import Misfit

RESULTS = Path(__file__).parent / "results"
HOLD_OFF = 10


def ar(random, n, memory, noise=None):
    noise = random.normal(size=n + 500) if noise is None else noise
    return lfilter([np.sqrt(1 - memory**2)], [1, -memory], noise)[500:]


def seasonal(random, n):
    return np.abs(ar(random, n, 0.7)) * (1.5 + np.sin(2 * np.pi * (np.arange(n) + random.integers(200)) / 200))


MADE = {
    "independent": lambda random, n: random.exponential(size=n),
    "AR(1), 0.95": lambda random, n: np.exp(ar(random, n, 0.95) / 2),
    "AR(1), 0.9, squared": lambda random, n: ar(random, n, 0.9) ** 2,
    "heavy-tailed, AR 0.8 of t(3)": lambda random, n: np.abs(ar(random, n, 0.8, random.standard_t(3, n + 500))),
    "seasonal, period 200": seasonal,
    "squares smoothed over 30": lambda random, n: np.convolve(
        random.normal(size=n + 29) ** 2, np.ones(30) / 30, "valid"
    ),
    "modulated over 500": lambda random, n: np.abs(ar(random, n, 0.8)) * np.exp(0.4 * ar(random, n, 0.998)),
}


def events_of(stretches, threshold):
    return sum(len(spans(each, threshold, HOLD_OFF)[0]) for each in stretches)


def kept(shares):
    shares = np.array(shares)
    within = np.mean((shares <= 1.5) & (shares >= 1 / 1.5))
    return f"{shares.mean():.2f} | {np.mean(shares <= 1.5):.0%} | {within:.0%}"


def rates_on_made_scores(seeds=60, n=20_000, fresh=100_000, rates=(2, 5, 10, 20)):
    yield (
        f"\nFitted on {n:,} instants, counted on {fresh:,} fresh ones, {seeds} seeds; events found over events stated: "
        "mean, seeds with at most 1.5, seeds within 1/1.5 to 1.5.\n"
    )
    yield "| scores | rate | mean | <= 1.5 | within | naive mean | <= 1.5 | within |\n|---|---|---|---|---|---|---|---|"
    for name, draw in MADE.items():
        found = {rate: [] for rate in rates}
        for seed in range(seeds):
            random = np.random.default_rng(seed)
            alarm, new = Blocks().fit([draw(random, n)], HOLD_OFF), [draw(random, fresh)]
            for rate in rates:
                both = alarm.threshold(rate), alarm.naive_threshold(rate)
                found[rate].append([events_of(new, t) * 1e4 / fresh / rate for t in both])
        for rate in rates:
            ours, naive = np.array(found[rate]).T
            yield f"| {name} | {rate} | {kept(ours)} | {kept(naive)} |"


def residuals(table, lags=10):
    n = len(table)
    first, total = n // 3, np.zeros(n)
    for x in table.T.astype(float):
        past = np.stack([x[lags - i - 1 : n - i - 1] for i in range(lags)] + [np.ones(n - lags)], 1)
        known, small = past[:first], 1e-9 + 1e-5 * (past[:first] ** 2).sum() / (lags + 1)
        weights = np.linalg.solve(known.T @ known + small * np.eye(lags + 1), known.T @ x[lags : lags + first])
        error = x[lags:] - past @ weights
        if error[:first].std() > 1e-9:
            total[lags:] += np.minimum((error / error[:first].std()) ** 2, 1e6)
    return total[first:]


def normal_parts():
    """Name of the set and scores of every series that has 600 of them before its first anomaly, or a training part."""
    folder = Path(os.environ.get("ANODIFF_DATA", "../shared/data")) / "series"
    for file in sorted(folder.glob("univariate/*.npz")) + sorted(folder.glob("multivariate/*.npz")):
        with np.load(file) as held:
            name = file.stem.split("_")[1 if file.parent.name == "univariate" else 0]
            normal = held["X_train"] if "X_train" in held else held["X"]
            if "X_train" not in held and "y" in held:
                normal = normal[: int(np.flatnonzero(held["y"])[0])]
        scores = residuals(normal)
        if len(scores) >= 600:
            yield f"{name} ({file.parent.name})", scores


def rates_on_real_scores(expected=10):
    yield (
        f"\nReal series: pooled over a set, events found over events stated, at the rate that makes {expected} per "
        "series. Held out: the first half, counted on the second; or every other twentieth, counted on the others.\n"
    )
    found, constant = {}, 0
    for name, scores in normal_parts():
        half, turns = len(scores) // 2, np.array_split(scores, 20)
        cuts = ([scores[:half]], [scores[half:]]), (turns[::2], turns[1::2])
        try:
            alarms = [Blocks().fit(known, HOLD_OFF) for known, _ in cuts]
        except Misfit:
            constant += 1
            continue
        row = []
        for alarm, (_, new) in zip(alarms, cuts, strict=True):
            rate = 1e4 * expected / sum(map(len, new))
            row += [events_of(new, t) / expected for t in (alarm.threshold(rate), alarm.naive_threshold(rate))]
        found.setdefault(name, []).append(row)
        found.setdefault("all", []).append(row)
    yield "| set | series | halves | naive | in turns | naive |\n|---|---|---|---|---|---|"
    for name, rows in sorted(found.items(), key=lambda item: (item[0] == "all", item[0])):
        yield f"| {name} | {len(rows)} | " + " | ".join(f"{share:.2f}" for share in np.mean(rows, 0)) + " |"
    yield f"\n{constant} series were refused: all held-out scores are equal."


def drift(seeds=30, n=10_000):
    yield (
        f"\nDrift: calibrated on {n:,} instants, {seeds} seeds. False: declared per 100,000 instants without one "
        "(stated: 1), without and with 10 anomalies of 100 to 400 instants per 20,000. Delay in instants, median and "
        "90th percentile. Kept: events over stated 25,000 instants after the change, by the alarm that follows, and "
        "by one that does not.\n"
    )
    yield (
        "| scores | false | with anomalies | x1.5: delay | missed | kept | not followed | x3: delay | missed | kept |"
        "\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for name, draw in MADE.items():
        quiet, odd, cells = 0, 0, []
        for seed in range(seeds):
            random = np.random.default_rng(seed)
            blocks, scores = Blocks().fit([draw(random, n)], HOLD_OFF), draw(random, 20_000)
            quiet += sum(not each.settled for each in Follower(blocks, 10).push(scores))
            for place in range(1000, 20_000, 2000):
                scores[place : place + random.integers(100, 400)] += 5 * blocks.threshold(10)
            odd += sum(not each.settled for each in Follower(blocks, 10).push(scores))
        for factor in (1.5, 3):
            delays, follows, stays = [], [], []
            for seed in range(seeds):
                random = np.random.default_rng(100 + seed)
                follower, new = Follower(Blocks().fit([draw(random, n)], HOLD_OFF), 10), factor * draw(random, 60_000)
                before = follower.threshold
                if follower.push(draw(random, 3000)):
                    continue
                found = follower.push(new[:25_000])
                delays.append(found[0].at - 3000 if found else np.inf)
                follows.append(events_of([new[25_000:]], follower.threshold) / 35)
                stays.append(events_of([new[25_000:]], before) / 35)
            middle, late = np.quantile(delays, [0.5, 0.9], method="lower")
            cells.append(f"{middle:.0f}, {late:.0f} | {np.mean(np.isinf(delays)):.0%} | {np.mean(follows):.2f}")
            cells += [f"{np.mean(stays):.1f}"] if factor == 1.5 else []
        yield f"| {name} | {quiet / seeds * 5:.2f} | {odd / seeds * 5:.2f} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    lines = []
    for part in (rates_on_made_scores, rates_on_real_scores, drift):
        for line in part():
            print(line, flush=True)
            lines.append(line)
    (RESULTS / "alarms-in-time.md").write_text("# Alarms in time\n" + "\n".join(lines) + "\n")
