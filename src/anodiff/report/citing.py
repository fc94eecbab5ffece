"""BibTeX as lines to read."""

import re

from anodiff.types import JSON


def works(bibtex: str) -> list[JSON]:
    """Per entry: who, what, when, and where to find it.

    >>> works("@misc{a, author = {Vovk, V. and Wang, R.}, title = {{On} p}, year = {2020}, eprint = {1212.4966}}")
    [{'who': 'Vovk and Wang', 'what': 'On p', 'when': '2020', 'where': 'arXiv:1212.4966'}]
    """
    entries = [entry for entry in re.split(r"\n(?=@)", bibtex.strip()) if entry]
    return [_work(entry) for entry in entries]


def _work(entry: str) -> JSON:
    doi, eprint = _field(entry, "doi"), _field(entry, "eprint")
    return {
        "who": _surnames(_field(entry, "author")),
        "what": _field(entry, "title"),
        "when": _field(entry, "year"),
        "where": f"doi:{doi}" if doi else f"arXiv:{eprint}" if eprint else _field(entry, "booktitle"),
    }


def _surnames(authors: str) -> str:
    names = [name.split(",")[0] for name in authors.split(" and ")]
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)


def _field(entry: str, name: str) -> str:
    found = re.search(rf"\b{name}\s*=\s*\{{((?:[^{{}}]|\{{(?:[^{{}}]|\{{[^{{}}]*\}})*\}})*)\}}", entry)
    return _unescaped(found.group(1)) if found else ""


def _unescaped(text: str) -> str:
    """TeX accents lose their accent marks' syntax, not their letter; braces go."""
    return re.sub(r"\\[\"'`^~=.]", "", text).replace("{", "").replace("}", "")
