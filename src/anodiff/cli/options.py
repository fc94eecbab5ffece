"""Options that several commands share, and how their texts become values."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

ModelPath = Annotated[Path, typer.Argument(help="The folder that fit wrote.", show_default=False)]
Data = Annotated[
    str,
    typer.Argument(help="csv, tsv, parquet, npy, npz, - for csv on stdin, or pictures.", show_default=False),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is at the output path.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors and warnings.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout, and nothing else there.")]
Rule = Literal["auto", "conformal", "tail"]
Seed = Annotated[int, typer.Option(help="Of every random choice.")]


def pairs(given: list[str] | None, option: str) -> dict[str, str]:
    """`["a=b"]` as `{"a": "b"}`.

    >>> pairs(["a.b=c=d"], "--set")
    {'a.b': 'c=d'}
    """
    from anodiff.types import Misfit

    for text in given or []:
        if not text.partition("=")[0] or "=" not in text:
            raise Misfit(f"{option} {text!r} is not of the form name=value.")
    return {name: value for name, _, value in (text.partition("=") for text in given or [])}


def scalar(text: str) -> Any:
    """A yaml value; numbers with an exponent are numbers too.

    >>> scalar("1e-3"), scalar("true"), scalar("edm"), scalar("[1, 2]")
    (0.001, True, 'edm', [1, 2])
    """
    import yaml

    from anodiff.types import Misfit

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise Misfit(f"the value {text!r} is not yaml; quote it.") from None
    try:
        return float(value) if isinstance(value, str) and value[:1] in "+-.0123456789" else value
    except ValueError:
        return value


def kind(text: str) -> str | list[str]:
    """A kind of column, or an order of categories from low to high.

    >>> kind("ordinal"), kind("low,mid,high")
    ('ordinal', ['low', 'mid', 'high'])
    """
    return text.split(",") if "," in text else text
