"""`anodiff fit --generator`: normal data in, a folder out that makes anomalies to order."""

import time
from pathlib import Path
from typing import Any

from anodiff.cli.terminal import Terminal, inert


def fit_generator(
    data: str,
    output: Path,
    modality: Any,
    examples: str | None,
    regions: str | None,
    settings: dict[str, Any],
    overwrite: bool,
    terminal: Terminal,
) -> None:
    """Learn normal data, and known anomalies if there are any, and save what makes more of them."""
    from anodiff.generate import Generator

    began = time.perf_counter()
    generator = Generator(modality, max_seconds=settings["max_seconds"], seed=settings["seed"])
    terminal.follow(generator.fitting(data, examples=examples, regions=regions))
    generator.save(output, overwrite=overwrite)
    facts = {"generator": str(output), **of_generator(generator), "seconds": round(time.perf_counter() - began, 3)}
    terminal.give(facts)
    terminal.show(
        f"[bold]Learnt to make anomalies[/] of {inert(facts['modality'])} data in {facts['seconds']:.1f} s.",
        *in_words(facts),
        f"Next:  anodiff generate {inert(facts['generator'])} --n 40 --on {inert(data)} -o made",
    )


def of_generator(generator: Any) -> dict[str, Any]:
    """What there is to say about a generator."""
    return {
        "modality": generator.kind_,
        "kinds": generator.kinds_,
        "known_kinds": generator.known_,
        "places": generator.places_,
        "references": generator.references(),
    }


def in_words(facts: dict[str, Any]) -> list[str]:
    """Kinds and places, for people."""
    known = f", of them learnt from examples: {inert(', '.join(facts['known_kinds']))}" if facts["known_kinds"] else ""
    return [f"Kinds: {inert(', '.join(facts['kinds']))}{known}.", f"Places: {inert(', '.join(facts['places']))}."]
