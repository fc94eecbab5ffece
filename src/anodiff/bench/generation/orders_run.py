"""The run over orders: sets by seeds, resumed where it stopped, and what it comes to."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from anodiff.bench.generation.order_sets import sets
from anodiff.bench.generation.orders import STRENGTHS, Fitted, orders
from anodiff.bench.generation.orders_known import known, normal
from anodiff.bench.generation.results import Results, resumed, write
from anodiff.bench.generation.walks import walks
from anodiff.types import JSON

PARTS = {"orders": orders, "known": known, "normal": normal, "walks": walks}


def running(
    names: Sequence[str], parts: Sequence[str], seeds: int, path: Path, command: str, overwrite: bool = False
) -> Iterator[str]:
    """Do what is not done, writing after each set; yields what was done.

    Raises:
        FileExistsError: the file holds results of other settings.
    """
    results = resumed(Results("orders", {"strengths": list(STRENGTHS)}, command, {}), path, overwrite)
    done = {(each["set"], each["seed"], each["part"]) for each in results.records}
    for seed in range(seeds):
        for held in sets():
            if names and held.name not in names and held.kind not in names:
                continue
            left = [name for name in parts if (held.name, seed, name) not in done]
            if not left:
                continue
            given = held.parts(seed)
            fitted = Fitted.of(held.kind, given, seed)
            for name in left:
                told = {"set": held.name, "kind": held.kind, "seed": seed, "part": name}
                found = PARTS[name](fitted, given, held.n, seed)
                results.records += [{**told, **record} for record in found] or [{**told, "what": "nothing"}]
                write(results, path, summary(results.records))
                yield f"{held.name} {name} {seed}"


def summary(records: Sequence[JSON]) -> JSON:
    """Means over sets by kind of data and strength, and the seconds."""
    found: JSON = {}
    for kind in dict.fromkeys(each["kind"] for each in records):
        own = [each for each in records if each["kind"] == kind]
        made = [each for each in own if each["what"] == "strength"]
        found[kind] = {
            "sets": len({each["set"] for each in made}),
            **{
                which: {
                    name: {str(s): mean(r[which][name] for r in made if r["strength"] == s) for s in STRENGTHS}
                    for name in (made[0][which] if made else ())
                }
                for which in ("auroc", "auroc_accepted")
            },
            "accepted": {str(s): mean(r["accepted"] for r in made if r["strength"] == s) for s in STRENGTHS},
            "overlap": median(r["overlap"] for r in made),
            "untouched": all(r["untouched"] for r in made),
            "seconds": median(r["seconds"] for r in made),
            "n": made[0]["n"] if made else 0,
            "seconds_of_fit": median(r["seconds"] for r in own if r["what"] == "fit"),
            "distance_to_examples": median(r["distance"][0] for r in own if r["what"] == "known"),
            "walks": [
                {
                    "steps": steps,
                    "milliseconds": median(r["milliseconds"] for r in own if r.get("steps") == steps),
                    "frechet": median(r["frechet"] / r["frechet_of_halves"] for r in own if r.get("steps") == steps),
                }
                for steps in sorted({r["steps"] for r in own if r["what"] == "walk"})
            ],
            "copies": median(r["copies"] for r in own if r["what"] == "known"),
        }
    return found


def page(found: JSON) -> str:
    """The summary as markdown."""
    lines = []
    for kind, own in found.items():
        lines += [
            f"## {kind}: {own['sets']} sets",
            "",
            "| strength | " + " | ".join(f"{s:g}" for s in STRENGTHS) + " |",
        ]
        lines += ["|---" * (len(STRENGTHS) + 1) + "|"]
        kept = [(f"{name}, of accepted ones", values) for name, values in own["auroc_accepted"].items()]
        for name, values in [*own["auroc"].items(), *kept, ("accepted", own["accepted"])]:
            lines.append(f"| {name} | " + " | ".join(written(values[str(s)]) for s in STRENGTHS) + " |")
        lines += [
            "",
            f"Region and visible change agree (IoU, median): {written(own['overlap'])}; nothing else changed: "
            f"{own['untouched']}. {own['n']} items in {written(own['seconds'])} s, learnt in "
            f"{written(own['seconds_of_fit'])} s. Distance to the nearest of five examples, over that of held-out real "
            f"anomalies: {written(own['distance_to_examples'])}; copies {written(own['copies'])}.",
            "",
        ]
        if own["walks"]:
            lines += ["| steps of a walk | ms per item | Frechet distance, over that of halves of real ones |"]
            lines += ["|---|---|---|"]
            lines += [f"| {w['steps']} | {w['milliseconds']:.3g} | {w['frechet']:.3g} |" for w in own["walks"]] + [""]
    return "\n".join(lines)


def written(value: float | None) -> str:
    """A number, or that there is none."""
    return "-" if value is None else f"{value:.3g}"


def mean(values: Iterator[float]) -> float | None:
    """Of what there is."""
    found = list(values)
    return float(np.mean(found)) if found else None


def median(values: Iterator[float]) -> float | None:
    """Of what there is."""
    found = list(values)
    return float(np.median(found)) if found else None
