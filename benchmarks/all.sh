#!/usr/bin/env bash
# Every recorded run, in the order of docs/benchmarks.md; each goes on where it was cut off. JOBS is the number of processes.
set -euo pipefail
cd "$(dirname "$0")/.."
record() { anodiff bench --protocol "$1" --seeds 5 --jobs "${JOBS:-2}" -o "benchmarks/results/$1" "${@:2}"; }

record published
record shuffled
record unsupervised
record contaminated --rivals knn,knn50,knn-mean,iforest,pca
record small
record missing --rivals knn,knn-mean,iforest,pca
record mixed
record fresh
record examples --rivals knn-mean
record anytime --rivals knn,knn-mean,iforest
python benchmarks/speed.py
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
for protocol in univariate multivariate own-train ucr ablation missing rates cost; do
  python benchmarks/series.py "$protocol" --seeds 3 >/dev/null
done
for protocol in mtd mtd-grouped; do python benchmarks/images.py "$protocol" --seeds 3 --rotated >/dev/null; done
for protocol in examples examples-grouped pcb cost; do python benchmarks/images.py "$protocol" --seeds 3 >/dev/null; done
for what in images tables series; do python benchmarks/generation.py "$what" --seeds 3 >/dev/null; done
python benchmarks/orders.py >/dev/null
for what in ped2 memory; do python benchmarks/video.py "$what" >/dev/null; done
for what in photos boards; do python benchmarks/several.py "$what" >/dev/null; done
python benchmarks/page.py
