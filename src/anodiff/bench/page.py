"""A run as a page of markdown."""

from pathlib import Path

from anodiff.bench import sheets
from anodiff.bench.results import Results
from anodiff.bench.sentences import headline, level_name
from anodiff.bench.sheets import Sheet
from anodiff.types import JSON


def page(results: Results, title: str, pictures: Path | None = None) -> str:
    """All that there is to say about a run; pictures are shown where they lie in the folder `pictures`."""
    summary, plan = results.summary, results.settings.plan()
    parts = [f"## {title}", f"`{results.command}`", _about(results)]
    parts += ["\n".join(f"- {sentence}" for sentence in headline(summary, plan.varies))]
    parts += [markdown(sheet) for sheet in all_sheets(summary, plan.varies)]
    parts += [_ranks(at, plan.varies) for at in summary["levels"] if at["ranks"]]
    if pictures is not None:
        found = [name for name in ("curve.png", "ranks.png") if (pictures / name).is_file()]
        parts += [f"![{name.partition('.')[0]}]({name})" for name in found]
    if summary["warnings"]:
        parts.append("**Warnings**\n\n" + "\n".join(f"- {each}" for each in summary["warnings"]))
    return "\n\n".join(part for part in parts if part) + "\n"


def all_sheets(summary: JSON, varies: str | None) -> list[Sheet]:
    """Every table of a run."""
    metrics, levels = summary["metrics"], summary["levels"]
    found = [sheets.anytime(summary)] if varies == "budget" else []
    if varies is not None and varies != "budget":
        found += [sheets.by_level(summary, varies, metric) for metric in metrics]
    found += [sheets.methods(at, summary, varies) for at in (levels[:1] if varies == "budget" else levels)]
    found += [sheets.losses(summary, varies)] if summary["losses"] and varies and varies != "budget" else []
    found += [sheets.estimates(summary, varies)] if summary["contamination"] else []
    found += [sheets.against(at, metrics, varies) for at in levels if at["against"] and metrics]
    found += [sheets.false_alarms(at) for at in levels[:1]]
    found += [sheets.published(table) for table in summary["published"]]
    return [sheet for sheet in found if sheet.rows]


def markdown(sheet: Sheet) -> str:
    """A sheet as a markdown table."""
    lines = [sheet.heads, ["---", *("---:" for _ in sheet.heads[1:])], *sheet.rows]
    table = "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)
    return f"**{sheet.title}**\n\n{table}" + (f"\n\n{sheet.note}" if sheet.note else "")


def _about(results: Results) -> str:
    machine, versions = results.machine, results.versions
    plan = results.settings.plan()
    state = "" if results.finished else " **Not finished: some jobs are missing.**"
    return (
        f"Protocol {results.settings.protocol}: {plan.about}. {results.summary['sets']} sets, "
        f"{results.summary['seeds']} seeds. anodiff {versions['anodiff']}, torch {versions['torch']}, scikit-learn "
        f"{versions['scikit-learn']}, on {machine['cores']} cores of {machine['cpu'] or 'an unknown processor'}.{state}"
    )


def _ranks(at: JSON, varies: str | None) -> str:
    found = at["ranks"]
    where = level_name(varies, at["level"])
    ranks = ", ".join(f"{name} {rank:.2f}" for name, rank in found["ranks"].items())
    p = "" if found["friedman_p"] is None else f" Friedman p = {found['friedman_p']:.2g}."
    gone = f" Not on enough sets: {', '.join(found['left_out'])}." if found["left_out"] else ""
    return (
        f"Average ranks{' at ' + where if where else ''} on {found['sets']} sets: {ranks}.{p} Closer than "
        f"{found['critical_difference']:.2f} (Nemenyi, 5 %) is not told apart.{gone}"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
