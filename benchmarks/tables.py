"""Accuracy and calibration on ADBench's tables, beside cheap rivals on the same splits.

    python benchmarks/tables.py --protocol published --seeds 5 --jobs 2

Writes benchmarks/results/tables_PROTOCOL.json and prints the means. A run that was cut off goes on where it stopped.
"""

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import machine
import numpy as np
import protocols
import torch
from pyod.models.ecod import ECOD
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

import anodiff

RATES = (0.01, 0.05, 0.1)
RESULTS = Path(__file__).parent / "results"


def knn(train, test, _):
    return NearestNeighbors(n_neighbors=5).fit(train).kneighbors(test)[0][:, -1]


def iforest(train, test, seed):
    return -IsolationForest(random_state=seed).fit(train).score_samples(test)


def lof(train, test, _):
    return -LocalOutlierFactor(novelty=True).fit(train).score_samples(test)


def pca(train, test, seed):
    model = PCA(random_state=seed).fit(train)
    return (model.transform(test) ** 2 / np.maximum(model.explained_variance_, 1e-9)).sum(1)


def ecod(train, test, _):
    return ECOD().fit(train).decision_function(test)


RIVALS = {"knn": knn, "iforest": iforest, "lof": lof, "pca": pca, "ecod": ecod}


def run(name, protocol, seed, changes):
    torch.set_num_threads(1)
    cut = protocols.load(name, protocol, seed)
    train, test, y = cut.rivals_train, cut.rivals_test, cut.y
    record = {"set": name, "protocol": protocol, "seed": seed, "train": len(train), "normals": int((y == 0).sum())}
    start = time.perf_counter()
    detector = anodiff.Detector(seed=seed, changes=changes).fit(cut.train)
    fitted = time.perf_counter()
    scores = detector.decision_function(cut.test)
    record["fit_seconds"], record["score_seconds"] = fitted - start, time.perf_counter() - fitted
    p = detector.p_of(scores)
    record["alarms"] = {str(rate): int((p[y == 0] <= rate).sum()) for rate in RATES}
    results = {"anodiff": scores}
    for rival, judge in RIVALS.items():
        start = time.perf_counter()
        results[rival] = judge(train, test, seed)
        record[f"{rival}_seconds"] = time.perf_counter() - start
    record["auroc"] = {k: 100 * roc_auc_score(y, v) for k, v in results.items()}
    record["ap"] = {k: 100 * average_precision_score(y, v) for k, v in results.items()}
    return record


def summary(records):
    methods = list(records[0]["auroc"])
    sets = sorted({r["set"] for r in records})

    def mean(metric, method):
        return float(np.mean([np.mean([r[metric][method] for r in records if r["set"] == s]) for s in sets]))

    table = {m: {metric: round(mean(metric, m), 2) for metric in ("auroc", "ap")} for m in methods}
    seeds = sorted({r["seed"] for r in records})
    return {
        "sets": len(sets),
        "seeds": len(seeds),
        "mean": table,
        "anodiff_against": {m: against(records, sets, seeds, m) for m in methods[1:]},
        "false_alarms": alarms(records),
    }


def against(records, sets, seeds, rival):
    """Mean difference of AUROC to a rival, with a 95 % bootstrap interval over sets and seeds, and in a word."""
    from anodiff.metrics.ranking import paired_interval

    found = {(r["set"], r["seed"]): r["auroc"] for r in records}
    if len(sets) < 2 or len(found) < len(sets) * len(seeds):
        return "not all sets and seeds yet"
    ours, theirs = ([[found[s, k][m] for k in seeds] for s in sets] for m in ("anodiff", rival))
    gap = paired_interval(np.array(ours), np.array(theirs))
    return {"auroc": round(gap.value, 2), "low": round(gap.low, 2), "high": round(gap.high, 2), "verdict": gap.verdict}


def alarms(records):
    """Share of unseen normals that raise an alarm: pooled, and on how many sets and seeds within the 99 % interval."""
    from anodiff.metrics.ranking import acceptance_interval

    found = {}
    for rate in RATES:
        hits = [(r["alarms"][str(rate)], r["normals"]) for r in records]
        within = 0
        for count, normals in hits:
            expected = acceptance_interval(rate, normals, 0.99)
            within += expected.low <= count / normals <= expected.high
        share = sum(c for c, _ in hits) / sum(n for _, n in hits)
        each = float(np.mean([c / n for c, n in hits]))
        found[str(rate)] = {"pooled": round(share, 5), "mean": round(each, 5), "within": within, "of": len(hits)}
    return found


def save(path, records, changes):
    content = {"machine": machine.describe(), "changes": changes, "summary": summary(records), "records": records}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protocol", choices=protocols.PROTOCOLS, default="published")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--set", action="append", default=[], help="a.b=c, a change to the recipe")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    import yaml

    changes = {k: yaml.safe_load(v) for k, v in (item.split("=", 1) for item in given.set)} or None
    path = given.output or RESULTS / f"tables_{given.protocol}.json"
    records = json.loads(path.read_text())["records"] if path.is_file() else []
    done = {(r["set"], r["seed"]) for r in records}
    work = [
        (name, given.protocol, seed, changes)
        for seed in range(given.seeds)
        for name in given.sets or protocols.names(given.protocol)
        if (name, seed) not in done
    ]
    with ProcessPoolExecutor(given.jobs) as pool:
        for record in pool.map(run, *zip(*work, strict=True)) if work else []:
            records.append(record)
            print(record["set"], record["seed"], {k: round(v, 1) for k, v in record["auroc"].items()}, flush=True)
            save(path, records, changes)
    print(json.dumps(summary(records), indent=1))


if __name__ == "__main__":
    main()
