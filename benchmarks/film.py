"""Film a network of pixels as it learns: what it makes of crops that it has not seen, from its first step to its last.

    python benchmarks/film.py --seconds 600 --pictures $ANODIFF_DATA/image/mtd/train/good
    python benchmarks/film.py --seconds 120 --film docs/film

The pictures are those of a folder, else walls of brick that are drawn here. Of each tenth one is held out. Twice they
are repaired: from noise of level 0.3 by one evaluation, and from level 0.7 by a walk of six steps. PSNR is for a span
of 2, from -1 to 1, the mean over 128 crops. The run is written to benchmarks/results/film.json under the name of its
pictures; `--film NAME` draws NAME.png, a strip, and NAME.gif. Public sets whose licence forbids it are only measured.
One thread; seconds are of the processor.
"""

import argparse
import json
import os
import shlex
import sys
import time
from itertools import islice
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from PIL import Image as Pillow
from PIL import ImageDraw

from anodiff.bench.machine import describe, versions
from anodiff.data.crops import crops
from anodiff.data.pictures import Picture, album
from anodiff.modalities.image import Image
from anodiff.recipes.build import schedule
from anodiff.recipes.pixelnets import learning, whole
from anodiff.recipes.schema import recipe
from anodiff.scores.levels import ask_noisy
from anodiff.scores.planes import blurred
from anodiff.scores.reconstruction import Reconstruction
from anodiff.training import train

RESULTS = Path(__file__).parent / "results" / "film.json"
SIDE, CROP, HELD, SHOWN, ZOOM = 256, 64, 128, 4, 2
LEVEL, START, STEPS = 0.3, 0.7, 6
SHARES = (0, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
IN_TIME = (0, 2, 4)
"""Of the crops that are shown, those in the gif."""
STRIP = {0: "untrained", 1 / 16: "n/16", 1 / 8: "n/8", 1 / 4: "n/4", 1 / 2: "n/2", 1: "n"}
CHANGES = {"width": 48, "batch": 32}


def parser():
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--recipe", default="ddpm-ood", help="whose network [ddpm-ood]")
    found.add_argument("--seconds", type=float, default=600, help="of training on one core [600]")
    found.add_argument("--pictures", type=Path, help="a folder of normal pictures [bricks, drawn]")
    found.add_argument("--film", type=Path, help="write NAME.png and NAME.gif", metavar="NAME")
    found.add_argument("-o", "--output", type=Path, default=RESULTS, help="json file")
    return found


def bricks(count, seed, side=SIDE):
    """Walls `(count, 1, side, side)` in -1..1: courses of brick, each its own grey, grain, mortar; any shift."""
    draw = np.random.default_rng(seed)
    walls = np.empty((count, 1, side, side), np.float32)
    for wall in walls:
        down, along = draw.uniform(0, 24), draw.uniform(0, 48)
        row = (np.arange(side) + down) / 24
        column = (np.arange(side)[None] + along) / 48 + (row.astype(int) % 2)[:, None] / 2
        shade = draw.normal(0, 0.18, (16, 16))[row.astype(int)[:, None], column.astype(int)]
        edge = np.minimum(np.minimum(row % 1, 1 - row % 1)[:, None] * 24, np.minimum(column % 1, 1 - column % 1) * 48)
        face = np.clip(edge - 1, 0, 1) * (0.85 + 0.15 * np.clip((edge - 1) / 4, 0, 1))
        grain = torch.from_numpy(draw.normal(size=(1, 1, side, side)))
        fine, coarse = (blurred(grain, sigma)[0, 0].numpy() * sigma for sigma in (1.0, 4.0))
        wall[0] = -0.55 + face * (0.75 + shade + 0.12 * fine + 0.2 * coarse)
    return walls.clip(-1, 1)


def read(folder):
    """The pictures of a folder `(n, 1, 256, 256)`, those that can be read."""
    image = Image(SIDE, grey=True).fit(folder)
    found = [p for p in album(folder).pictures(image.square) if isinstance(p, Picture)]
    return np.concatenate([image.encode([p]).x.numpy() for p in found])


def repaired(denoiser, x):
    """What is made of crops `(n, 1, 64, 64)` by one evaluation, and by a walk."""
    kept = []

    def note(x, y):
        kept.append(y)
        return (x - y) ** 2

    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(5))
    once = ask_noisy(denoiser, x, LEVEL, noise).mean
    Reconstruction((START,), STEPS, draws=1, distance=note)(denoiser, x)
    return {"once": once, "walked": kept[0], "disturbed": x + LEVEL * noise}


def psnr(x, y):
    """Decibels of a span of 2, the mean over crops."""
    return round(float((10 * torch.log10(4 / ((x - y) ** 2).mean((1, 2, 3)))).mean()), 2)


def spoilt(x):
    """Crops with a dark streak, which no training saw."""
    x = x.clone()
    for k in range(24):
        x[:, :, 20 + k, 18 + k : 22 + k] = -0.9
    return x


def steps_within(seconds, spec, made, pool):
    """How many steps there is time for: of ten, the first is not counted."""
    net, took = made(), []
    began = time.process_time()
    for _ in train(net, learning(spec, net), batches(spec, pool, 10), 10, torch.Generator().manual_seed(1), spec.lr):
        took.append(time.process_time() - began)
    return int(seconds / ((took[-1] - took[0]) / 9))


def batches(spec, pool, steps):
    return map(torch.from_numpy, islice(crops(lambda: pool, CROP, spec.batch, held=len(pool)), steps))


def trained(spec, made, pool, test, seconds):
    """Train, and look at the crops at each share of the steps: records, and what was seen."""
    steps = steps_within(seconds, spec, made, pool)
    stops = {max(1, round(share * steps)): share for share in SHARES if share}
    denoiser, spent, records, seen = made(), 0.0, [], {}
    shown = torch.cat([test[:SHOWN], spoilt(test[SHOWN : SHOWN + 1])])

    def look(number, share):
        denoiser.eval()
        found = repaired(denoiser, test)
        seen[share] = repaired(denoiser, shown)
        records.append(
            {"step": number, "seconds": round(spent, 1), **{k: psnr(test, found[k]) for k in ("once", "walked")}}
        )
        print(records[-1], file=sys.stderr, flush=True)
        denoiser.train()

    look(0, 0)
    generator, began = torch.Generator().manual_seed(0), time.process_time()
    for step in train(denoiser, learning(spec, denoiser), batches(spec, pool, steps), steps, generator, spec.lr):
        spent += time.process_time() - began
        if step.number in stops and step.number < steps:
            look(step.number, stops[step.number])
        began = time.process_time()
    spent += time.process_time() - began
    look(steps, 1)
    return records, seen, shown


def grey(x):
    """A crop `(1, 64, 64)` as a picture, twice as large, in 18 greys, which make a small file."""
    levels = ((x[0] + 1) * 8.5).round().clamp(0, 17).mul(15).byte().numpy()
    return Pillow.fromarray(levels).resize((CROP * ZOOM, CROP * ZOOM), Pillow.Resampling.NEAREST)


def sheet(columns):
    """A sheet of columns, each a title and crops."""
    step, top = CROP * ZOOM + 4, 18
    rows = max(len(crops) for _, crops in columns)
    canvas = Pillow.new("L", (step * len(columns) - 4, top + step * rows - 4), 255)
    pen = ImageDraw.Draw(canvas)
    for k, (title, shown) in enumerate(columns):
        pen.text((k * step + 2, 3), title, fill=0)
        for row, x in enumerate(shown):
            canvas.paste(grey(x), (k * step, top + row * step))
    return canvas


def draw(path, seen, shown, steps):
    """NAME.png, for each kind of repair a block of rows; NAME.gif, the same in time."""
    blocks = []
    for kind, given in (("once", "noise of 0.3"), ("walked", None)):
        columns = [("photo", shown), (given, seen[0]["disturbed"])] if given else [("photo", shown), ("", shown[:0])]
        columns += [(f"{STRIP[share]} = {round(share * steps)}", seen[share][kind]) for share in STRIP]
        blocks.append(sheet(columns))
    strip = Pillow.new("L", (blocks[0].width, sum(b.height for b in blocks) + 12), 255)
    for k, block in enumerate(blocks):
        strip.paste(block, (0, k * (blocks[0].height + 12)))
    ImageDraw.Draw(strip).text((CROP * ZOOM + 6, blocks[0].height + 90), "walked back\nfrom noise\nof 0.7", fill=0)
    strip.save(path.with_suffix(".png"), optimize=True)
    frames = [
        sheet(
            [
                ("photo", shown[[*IN_TIME]]),
                (f"noise of {LEVEL}", seen[0]["disturbed"][[*IN_TIME]]),
                (f"once, {round(share * steps)}", seen[share]["once"][[*IN_TIME]]),
                (f"walked, {round(share * steps)}", seen[share]["walked"][[*IN_TIME]]),
            ]
        )
        for share in seen
    ]
    durations = [700] * (len(frames) - 1) + [3000]
    frames[0].save(path.with_suffix(".gif"), save_all=True, append_images=frames[1:], duration=durations, loop=0)


def main(words):
    asked = parser().parse_args(words)
    torch.set_num_threads(1)
    changes = {f"denoisers.learnt.{name}": value for name, value in CHANGES.items()}
    chosen = recipe(asked.recipe, changes)
    spec, process = chosen.denoisers["learnt"], schedule(chosen)
    pictures = bricks(400, 0) if asked.pictures is None else read(asked.pictures)
    name = "bricks" if asked.pictures is None else "/".join(asked.pictures.resolve().parts[-3:])
    order = np.random.default_rng(0).permutation(len(pictures))
    out, rest = np.split(order, [len(pictures) // 10])
    test = torch.from_numpy(next(crops(lambda: pictures[out], CROP, HELD, seed=9, flips=False)))
    records, seen, shown = trained(spec, lambda: whole(spec, 1, process, 0), list(pictures[rest]), test, asked.seconds)
    noise = repaired(whole(spec, 1, process, 0), test)["disturbed"]
    run = {
        "command": shlex.join(["python", "benchmarks/film.py", *words]),
        "machine": describe(),
        "versions": versions(),
        "recipe": chosen.model_dump(mode="json"),
        "pictures": {"learnt": len(rest), "held out": len(out)},
        "disturbed": psnr(test, noise),
        "best blur": max(psnr(test, blurred(noise, sigma / 4)) for sigma in range(2, 12)),
        "records": records,
    }
    told = json.loads(asked.output.read_text()) if asked.output.exists() else {}
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_text(json.dumps(told | {name: run}, indent=1) + "\n")
    if asked.film is not None:
        draw(asked.film, seen, shown, records[-1]["step"])


if __name__ == "__main__":
    main(sys.argv[1:])
