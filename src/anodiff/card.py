"""The model card: what a saved model is, for the person who finds the folder."""

from anodiff.footage import Footage
from anodiff.gallery import Gallery
from anodiff.model import Model
from anodiff.recipes.schema import bibtex
from anodiff.recipes.specs import OF_THE_PANEL
from anodiff.timeline import Timeline
from anodiff.version import __version__


def card(model: Model, statement: str) -> str:
    """Markdown: what was learnt, how alarms are calibrated, what it is not for, whom to cite."""
    facts, recipe = model.facts, model.recipe
    parts = "\n".join(
        f"- {name}: {score.use} of {score.of or _own(score.use)}, weight {score.weight:.3g}"
        for name, score in recipe.scores.items()
        if score.weight
    )
    return f"""# An anodiff detector of {len(facts["columns"])} columns

{recipe.about}

- recipe: {recipe.name}, anodiff {__version__}
- learnt from {facts["rows_fitted"]:,} of {facts["rows_seen"]:,} rows in {facts["seconds"]:.1f} s
- higher scores are more anomalous
- evaluations per row: {model.score.nfe}
- known anomalies that it was shown: {facts["examples"]}
- anomalies feared among the rows: {100 * facts["contamination"]["value"]:.3g} %

{parts}

## Alarms

{statement}
They hold for rows that come from where the training rows came from. When that changes, fit again.

## Load

```python
import anodiff
detector = anodiff.load("this folder")
```

## References

```bibtex
{bibtex(recipe.cite)}
```
"""


def _own(use: str) -> str:
    return "the known anomalies" if use in OF_THE_PANEL else "its own network"


def series_card(model: Timeline, statement: str) -> str:
    """The card of a model of series."""
    facts, recipe = model.facts, model.recipe
    parts = "\n".join(
        f"- {name}: {score.use} of {score.of}, windows of {model.view(name).length} instants, weight {score.weight:.3g}"
        for name, score in recipe.scores.items()
        if name in model.members
    )
    return f"""# An anodiff detector of series of {len(facts["columns"])} channels

{recipe.about}

- recipe: {recipe.name}, anodiff {__version__}
- learnt from {facts["rows_fitted"]:,} instants of {facts["tracks"]:,} series in {facts["seconds"]:.1f} s
- known anomalies that it was shown: {facts.get("examples", 0)}
- dominant period: {model.modality.period_ or "none"} instants; smoothed over {model.smooth}
- higher scores are more anomalous; one score per instant
- evaluations per instant: {model.nfe}

{parts}

## Alarms

{statement}
They hold for series that come from where the training series came from. When that changes, fit again.

## Load

```python
import anodiff
detector = anodiff.load("this folder")
```

## References

```bibtex
{bibtex(recipe.cite)}
```
"""


def image_card(model: Gallery, statement: str) -> str:
    """The card of a model of images."""
    facts, recipe = model.facts, model.recipe
    parts = "\n".join(
        f"- {name}: {score.use} of {score.of or _own(score.use)}, weight {score.weight:.3g}"
        for name, score in recipe.scores.items()
        if name in model.members
    )
    (seen,) = facts["columns"]
    return f"""# An anodiff detector of pictures

{recipe.about}

- recipe: {recipe.name}, anodiff {__version__}
- learnt from {facts["rows_fitted"]:,} of {facts["rows_seen"]:,} pictures in {facts["seconds"]:.1f} s, read at
  {seen["size"]} x {seen["size"]} pixels; {len(facts["unread"])} could not be read
- backbone: {seen["backbone"]}
- pictures that have a near-duplicate among them: {facts["twins"]}
- higher scores are more anomalous; one score and one map per picture
- evaluations per picture: {model.nfe}
- known defects that it was shown: {facts["examples"]}

{parts}

## Alarms

{statement}
They hold for pictures that come from where the training pictures came from: the same camera, light and parts. When that
changes, fit again.

## Load

```python
import anodiff
detector = anodiff.load("this folder")
```

## References

```bibtex
{bibtex(recipe.cite)}
```
"""


def video_card(model: Footage, statement: str) -> str:
    """The card of a model of video."""
    facts, recipe = model.facts, model.recipe
    parts = "\n".join(
        f"- {name}: {score.use} of {score.of or _own(score.use)}, weight {score.weight:.3g}"
        for name, score in recipe.scores.items()
        if name in model.members
    )
    (seen,) = facts["columns"]
    height, width = seen["size"]
    rate = "an unknown number of" if seen["rate"] is None else f"{seen['rate']:.3g}"
    return f"""# An anodiff detector of video

{recipe.about}

- recipe: {recipe.name}, anodiff {__version__}
- learnt from {facts["rows_fitted"]:,} of {facts["rows_seen"]:,} frames of {facts["clips"]:,} clips in
  {facts["seconds"]:.1f} s; {len(facts["unread"])} clips could not be read
- frames are looked at in {width} x {height} pixels, {seen["grid"]} cells, every {seen["stride"]}; there were
  {rate} a second
- seen: {", ".join(seen["sees"])}; cameras: {", ".join(seen["cameras"]) or "not told apart"}
- higher scores are more anomalous; one score and one map per frame
- evaluations per cell: {model.nfe}

{parts}

## Alarms

{statement}
They hold for video that comes from where the training clips came from: the same camera, light and time. When that
changes, fit again.

## Load

```python
import anodiff
detector = anodiff.load("this folder")
```

## References

```bibtex
{bibtex(recipe.cite)}
```
"""
