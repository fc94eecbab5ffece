"""A contact sheet of made anomalies: the first forty, none picked, with what they were made on, and real ones.

    python benchmarks/sheet.py -o docs/made.png
    python benchmarks/sheet.py --mtd -o /tmp/made.png

The pictures are walls of brick that are drawn here, and their defects too: cracks, stains and holes, five examples of
each with masks. With --mtd they are the magnetic tiles where ANODIFF_DATA says, whose licence forbids to pass them on.
One thread; some minutes.
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from film import bricks

from anodiff.anomalies.places import image_place
from anodiff.bench.images.protocols import protocol
from anodiff.bench.images.settings import Settings
from anodiff.generate import Generator
from anodiff.report.contact import sheet
from anodiff.rounds.items import pictures
from anodiff.scores.planes import blurred

WALLS, EACH = 160, 5


def walls(seed):
    """Good walls, broken ones with their masks and kinds, and walls to make anomalies on, uint8."""
    drawn = bytes_of(bricks(WALLS + 3 * EACH + 20, seed)[:, 0])
    good, bad, held = drawn[:WALLS], drawn[WALLS:-20].copy(), drawn[-20:]
    kinds = [kind for kind in ("crack", "stain", "hole") for _ in range(EACH)]
    draw = torch.Generator().manual_seed(seed)
    masks = np.zeros(bad.shape, bool)
    for i, kind in enumerate(kinds):
        place = image_place({"crack": "crack", "stain": "blob", "hole": "blob"}[kind], (0.005, 0.02))
        masks[i] = place((1, *bad.shape[1:]), draw)[0].numpy()
        soft = blurred(torch.from_numpy(masks[i][None, None]).double(), 1.0)[0, 0].numpy()
        wall = bad[i].astype(float)
        grain = np.random.default_rng(i).normal(0, 6, wall.shape)
        other = {"crack": 25 + grain, "stain": wall * 0.55, "hole": 50 + 3 * grain}[kind]
        bad[i] = np.clip(wall + np.where(masks[i], soft, 0) * (other - wall), 0, 255)
    return list(good), list(bad), list(masks), kinds, list(held)


def tiles(seed):
    """The same of magnetic tiles, near-duplicates apart."""
    case = protocol("mtd-grouped").sources(Settings(protocol="mtd-grouped"))[0].load()
    draw = np.random.default_rng(seed)
    bad, masks, kinds = [], [], []
    for kind in dict.fromkeys(case.held.kinds):
        places = [i for i, each in enumerate(case.held.kinds) if each == kind and case.held.labels[i]]
        places = [i for i in draw.permutation(places) if case.held.mask(i) is not None][:EACH]
        bad += [case.test[i] for i in places]
        masks += [case.held.mask(i) for i in places]
        kinds += [kind] * len(places)
    good = [path for path, label in zip(case.test, case.held.labels, strict=True) if not label]
    return case.train, pictures(bad)[0], masks, kinds, pictures(good[:20])[0]


def bytes_of(x):
    return ((x + 1) * 127.5).round().astype(np.uint8)


def main(typed):
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--mtd", action="store_true", help="the magnetic tiles")
    found.add_argument("--first", type=int, default=40, help="so many [40]")
    found.add_argument("--strength", type=float, default=0.8, help="of all [0.8]")
    found.add_argument("--max-seconds", type=float, help="of learning")
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("-o", "--output", type=Path, required=True, help="png file")
    asked = found.parse_args(typed)
    good, bad, masks, kinds, held = (tiles if asked.mtd else walls)(asked.seed)
    began = time.process_time()
    generator = Generator("image", max_seconds=asked.max_seconds, seed=asked.seed)
    generator.fit(good, examples=bad, regions=masks, kinds=kinds)
    learnt = time.process_time() - began
    made = generator.sample(asked.first, on=held, strength=asked.strength)
    real = {kind: [(b, m) for b, m, k in zip(bad, masks, kinds, strict=True) if k == kind] for kind in set(kinds)}
    asked.output.write_bytes(sheet(made, examples=real, first=asked.first))
    seconds = time.process_time() - began - learnt
    print(f"{made.summary()} Learnt in {learnt:.0f} s of the processor, made in {seconds:.0f} s.")


if __name__ == "__main__":
    main(sys.argv[1:])
