"""Tables: every column becomes coordinates of about the same weight, and coordinates become columns again.

A row of a table is `x` `(D,)`: the numeric columns first, then the others in their order, then one indicator for each
column whose gaps tell something, and last one coordinate for cells that are missing where fit had none. A missing cell
is 0 and not known, the indicators are always known. Gaps tell something where they, or values, are rare (up to about
5 %: p (1 - p) up to `FLOOR`) or go with another column or its gaps (a correlation from `TOLD` up, four standard errors
at least). Others would weigh as much as a column each, and be noise.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from anodiff.data.channels import check_columns, few
from anodiff.data.readers import read
from anodiff.data.table import KINDS, Table, native
from anodiff.modalities.base import Encoded, Modality
from anodiff.modalities.categories import Categorical, Ordinal, coded, levels_of, ordered, texts
from anodiff.modalities.columns import FAR, FLOOR, Block, Boolean, Empty, is_text, nulls, share_of
from anodiff.modalities.numbers import Numbers
from anodiff.modalities.times import Datetime
from anodiff.types import JSON, BadModel, Misfit, Unreadable

BLOCKS: dict[str, type[Block]] = {
    "numeric": Numbers,
    "categorical": Categorical,
    "boolean": Boolean,
    "ordinal": Ordinal,
    "datetime": Datetime,
    "empty": Empty,
}


TOLD = 0.5


class Tabular(Modality):
    """Rows of a table as vectors.

    Args:
        kinds: for columns whose type misleads, "numeric", "categorical", "boolean", "ordinal" or "datetime" by column
            name; a list of categories from low to high means ordinal in that order.
        missing: "allow", or "refuse" to be told of the first missing cell.

    >>> table = Tabular().fit(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> table.encode(np.array([[2.0, 5.1]])).x
    tensor([[0., 2., 0.]])
    """

    def __init__(self, kinds: Mapping[str, str | Sequence[str]] | None = None, missing: str = "allow") -> None:
        self.kinds = kinds
        self.missing = missing

    def fit(self, X: Any) -> Self:
        """Learn the kind and the scale of every column of `X`, anything that `anodiff.data.read` reads, n ≥ 2 rows."""
        table = read(X)
        self._check_settings(table)
        self._check_missing(table.names, np.stack([nulls(column) for column in table.arrow.columns], 1), table.start)
        self.arrow_schema_, self.kind_, self.dtype_ = table.arrow.schema, table.kind, table.dtype
        self.dictionaries_ = {
            f.name: levels_of(c, f.name)
            for f, c in zip(table.arrow.schema, table.arrow.columns, strict=True)
            if pa.types.is_dictionary(f.type)
        }
        self.shares_ = np.array([nulls(column).mean() for column in table.arrow.columns])
        self.blocks_ = list(self._fitted_blocks(table))
        self.told_ = np.zeros(len(self.shares_), bool)
        self._lay_out()
        self.told_ = self._telling(np.hstack([block.encode(table) for block in self.blocks_]))
        self._lay_out()
        return self

    def encode(self, X: Any) -> Encoded:
        """Rows to `x` and `known`, `(n, D)`; columns are matched by name, those of an array by position.

        Raises:
            Unreadable: the columns or what is in them are not those of fit.
        """
        table = self._matched(read(X, like=self.arrow_schema))
        return self._joined(table, np.hstack([block.encode(table) for block in self.blocks_]), self.shares_ == 0)

    def encode_left_out(self, X: Any) -> Encoded:
        """The rows of `fit`: a category or gap that only one row has is new to a fit without that row."""
        table = self._matched(read(X, like=self.arrow_schema))
        never = np.rint(self.shares_ * len(table)) <= 1
        return self._joined(table, np.hstack([block.encode_left_out(table) for block in self.blocks_]), never)

    def _joined(self, table: Table, x: np.ndarray, never: np.ndarray) -> Encoded:
        """Block coordinates with what is missing told apart; a gap is unexpected where there was `never` one before."""
        known = ~np.isnan(x)
        missing = ~known[:, self._first]
        self._check_missing(self.columns, missing, table.start)
        indicated = share_of((missing & ~never)[:, self._indicated], self.shares_[self._indicated])
        unexpected = FAR * np.sqrt((missing & never).sum(1, keepdims=True))
        x = np.hstack([np.where(known, x, 0.0), indicated, unexpected]).astype(np.float32)
        known = np.hstack([known, np.ones((len(x), indicated.shape[1] + 1), bool)])
        return Encoded(torch.from_numpy(x), torch.from_numpy(known))

    def decode(self, x: Tensor, known: Tensor | None = None, kind: str | None = None, index: Any = None) -> Any:
        """Rows `(n, D)` as a table of the kind and types given to fit.

        Args:
            x: coordinates.
            known: where False for a whole column, its cell comes back missing; without it only indicators say so, and
                no gap comes back in a column where gaps are common.
            kind: another kind of table: numpy, pandas, polars or pyarrow.
            index: for pandas, the index of the rows.
        """
        values = x.detach().cpu().numpy().astype(np.float64)
        missing = self._absent(values, known)
        types = {f.name: f.type.value_type if f.name in self.dictionaries_ else f.type for f in self.arrow_schema_}
        columns: dict[str, pa.Array] = {}
        start = 0
        for block in self.blocks_:
            end = start + len(block.owner)
            decoded = block.decode(values[:, start:end], [types[name] for name in block.names])
            columns.update(zip(block.names, decoded, strict=True))
            start = end
        for name, levels in self.dictionaries_.items():
            columns[name] = coded(columns[name], levels, self.arrow_schema_.field(name).type)
        masked = [_masked(columns[name], missing[:, i]) for i, name in enumerate(self.columns)]
        dtype = self.dtype_ if kind in (None, "numpy") else None
        return native(pa.table(masked, schema=self.arrow_schema_), kind or self.kind_, dtype, index)

    def locate(self, map: Tensor, known: Tensor | None = None) -> np.ndarray:
        """Evidence per coordinate `(n, D)` summed to columns `(n, len(columns))`; rows keep their sum.

        What lies on the last coordinate (unexpectedly missing) goes in equal parts to the columns that are not
        `known` in that row and were never missing in fit, or to all columns where there is none.
        """
        evidence = map.detach().cpu().numpy().astype(np.float64)
        owner = self.owners[:-1]
        by_column = np.argsort(owner, kind="stable")
        starts = np.searchsorted(owner[by_column], np.arange(len(self.columns)))
        located = np.add.reduceat(evidence[:, by_column], starts, axis=1)
        blamed = self._unknown(known, len(evidence)) & (self.shares_ == 0)
        blamed |= ~blamed.any(1, keepdims=True)
        return np.asarray(located + evidence[:, -1:] * blamed / blamed.sum(1, keepdims=True))

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in the order of fit."""
        return list(self.arrow_schema.names)

    @property
    def arrow_schema(self) -> pa.Schema:
        """Columns and types of fit: what `anodiff.data` needs to read a csv as the same types."""
        return self._fitted.arrow_schema_

    @property
    def owners(self) -> np.ndarray:
        """For each of the D coordinates the position of its column, -1 for the last, which all columns share."""
        return np.concatenate([self._fitted._owner, self._indicated, [-1]])

    def describe(self) -> list[JSON]:
        """Facts for a report, one dict per column: name, kind, type, share missing, and its range or categories."""
        facts = {fact["name"]: fact for block in self._fitted.blocks_ for fact in block.describe()}
        return [
            {**facts[field.name], "type": str(field.type), "missing": float(share)}
            for field, share in zip(self.arrow_schema_, self.shares_, strict=True)
        ]

    def config(self) -> JSON:
        return {
            "kinds": None if self.kinds is None else dict(self.kinds),
            "missing": self.missing,
            "schema": base64.b64encode(self.arrow_schema.serialize().to_pybytes()).decode(),
            "kind": self.kind_,
            "dtype": self.dtype_,
            "dictionaries": self.dictionaries_,
            "blocks": [{"kind": block.kind, **block.config()} for block in self.blocks_],
        }

    def arrays(self) -> dict[str, np.ndarray]:
        return {"shares": self._fitted.shares_, "told": self._fitted.told_.astype(np.float64)}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        try:
            table = cls(None if config["kinds"] is None else dict(config["kinds"]), config["missing"])
            table.arrow_schema_ = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(config["schema"])))
            table.kind_, table.dtype_ = config["kind"], config["dtype"]
            table.dictionaries_ = {name: texts(levels) for name, levels in dict(config["dictionaries"]).items()}
            coded_columns = [field.name for field in table.arrow_schema_ if pa.types.is_dictionary(field.type)]
            if sorted(table.dictionaries_) != sorted(coded_columns):
                raise ValueError("columns of categories and their levels do not match")
            table.blocks_ = [BLOCKS[block["kind"]].restore(block) for block in config["blocks"]]
            table.shares_, table.told_ = np.asarray(arrays["shares"], float), np.asarray(arrays["told"], float) > 0.5
            if sorted(name for block in table.blocks_ for name in block.names) != sorted(table.columns):
                raise ValueError("columns and their encodings do not match")
            if table.shares_.shape != (len(table.columns),) or not ((table.shares_ >= 0) & (table.shares_ <= 1)).all():
                raise ValueError("shares of missing cells do not match the columns")
            if table.told_.shape != table.shares_.shape:
                raise ValueError("gaps that tell something do not match the columns")
            if table.kind_ not in KINDS:
                raise ValueError(f"a table of kind {table.kind_!r}")
            table._lay_out()
        except (
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            ArithmeticError,
            pa.ArrowException,
            OSError,
        ) as error:
            raise BadModel(
                f"the table encoding is damaged ({type(error).__name__}: {error}); save the model again."
            ) from None
        return table

    @property
    def _fitted(self) -> Self:
        if not hasattr(self, "blocks_"):
            raise Misfit("this Tabular has not seen data; call fit first.")
        return self

    def _lay_out(self) -> None:
        """Whose each block coordinate is, the first one of each column, and columns of rare gaps or values."""
        place = {name: i for i, name in enumerate(self.columns)}
        self._owner = np.concatenate([np.array([place[n] for n in block.names])[block.owner] for block in self.blocks_])
        self._first = np.unique(self._owner, return_index=True)[1]
        rare = self.shares_ * (1 - self.shares_) <= FLOOR
        self._indicated = np.flatnonzero((self.shares_ > 0) & (rare | self.told_))

    def _telling(self, x: np.ndarray) -> np.ndarray:
        """Columns whose gaps go with another column's values or gaps, `(columns,)`, from block coordinates `(n, D)`."""
        absent = np.isnan(x)
        gaps = absent[:, self._first].astype(np.float64)
        others = np.hstack([np.where(absent, 0.0, x), gaps])
        owner = np.concatenate([self._owner, np.arange(len(self.shares_))])
        linked = np.abs(_standard(gaps).T @ _standard(others)) / len(x)
        linked[np.arange(len(self.shares_))[:, None] == owner] = 0
        return np.asarray(linked.max(1, initial=0) >= max(TOLD, 4 / np.sqrt(len(x))))

    def _check_settings(self, table: Table) -> None:
        if self.missing not in ("allow", "refuse"):
            raise Misfit(f"missing is {self.missing!r}; choose 'allow' or 'refuse'.")
        if not isinstance(self.kinds or {}, Mapping):
            raise Misfit(f"kinds is {self.kinds!r}; give a dict of column names and kinds.")
        unknown = set(self.kinds or {}) - set(table.names)
        if unknown:
            raise Misfit(f"kinds names {', '.join(sorted(unknown))}, which the table lacks; it has {few(table.names)}.")
        kinds = (self.kinds or {}).values()
        wrong = [kind for kind in kinds if not isinstance(kind, list | tuple) and kind not in BLOCKS]
        if wrong:
            raise Misfit(f"no kind of column is called {wrong[0]!r}; choose one of {', '.join(BLOCKS)}.")
        if not table.names:
            raise Unreadable("the table has 0 columns (0 features); give at least one.")
        if len(table) < 2:
            raise Unreadable(f"fit needs at least 2 rows to learn what varies; the table has {len(table)} (n_samples).")

    def _check_missing(self, names: Sequence[str], missing: np.ndarray, start: int) -> None:
        if self.missing == "refuse" and missing.any():
            row, i = (int(k) for k in np.argwhere(missing)[0])
            where = f"column {names[i]} is missing in row {start + row + 1}"
            raise Unreadable(f"{where}; fill it, or allow it with missing='allow'.")

    def _fitted_blocks(self, table: Table) -> Iterator[Block]:
        arrow, kinds = table.arrow, {}
        for i, (field, share) in enumerate(zip(arrow.schema, self.shares_, strict=True)):
            asked = (self.kinds or {}).get(field.name)
            if share == 1:
                kinds[field.name] = "empty"
            elif asked is None or isinstance(asked, str):
                kinds[field.name] = asked or kind_of(field)
            else:
                kinds[field.name] = "ordinal"
                arrow = arrow.set_column(i, field.name, ordered(arrow[field.name], field.name, asked))
        table = replace(table, arrow=arrow)
        numeric = [name for name, kind in kinds.items() if kind == "numeric"]
        if numeric:
            yield Numbers.fit(numeric, table)
        yield from (BLOCKS[kind].fit([name], table) for name, kind in kinds.items() if kind != "numeric")

    def _matched(self, table: Table) -> Table:
        fitted_named = self.columns != [f"x{i}" for i in range(len(self.columns))]
        if table.named and fitted_named:
            check_columns(self.columns, table.names)
            arrow = table.arrow.select(self.columns)
        elif len(table.names) != len(self.columns):
            raise Unreadable(
                f"the table has {len(table.names)} columns, fit had {len(self.columns)}; give the same columns."
            )
        else:
            arrow = table.arrow.rename_columns(self.columns)
        return replace(table, arrow=self._in_units_of_fit(arrow))

    def _in_units_of_fit(self, arrow: pa.Table) -> pa.Table:
        """Durations and times that were numbers in fit count in the same unit now."""
        counted = {name for block in self.blocks_ if block.kind == "numeric" for name in block.names}
        for i, (field, given) in enumerate(zip(self.arrow_schema_, arrow.schema, strict=True)):
            fitted = field.type
            if field.name not in counted or given.type == fitted or not pa.types.is_temporal(given.type):
                continue
            try:
                arrow = arrow.set_column(i, field.name, arrow[field.name].cast(fitted, safe=False))
            except pa.ArrowException:
                fitted = None
            if fitted is None or not pa.types.is_temporal(fitted):
                raise Unreadable(f"column {field.name} holds {given.type}, where {field.type} was; convert it.")
        return arrow

    def _unknown(self, known: Tensor | None, n: int) -> np.ndarray:
        """Columns of which no coordinate is known, `(n, len(columns))`."""
        unknown = np.zeros((n, len(self.columns)), bool)
        if known is not None:
            unknown[:, self._owner] = ~known.detach().cpu().numpy()[:, : len(self._owner)]
        return unknown

    def _absent(self, x: np.ndarray, known: Tensor | None) -> np.ndarray:
        missing = self._unknown(known, len(x))
        indicators = x[:, len(self._owner) : -1]
        missing[:, self._indicated] |= indicators > share_of(np.array(0.5), self.shares_[self._indicated])
        return missing


def kind_of(field: pa.Field) -> str:
    """The kind of a column by its type."""
    type = field.type
    if pa.types.is_boolean(type):
        return "boolean"
    if pa.types.is_dictionary(type):
        enum = any(key.startswith(b"_PL_ENUM") for key in field.metadata or {})
        return "ordinal" if type.ordered and not enum else "categorical"
    if is_text(type):
        return "categorical"
    if pa.types.is_timestamp(type) or pa.types.is_date(type):
        return "datetime"
    if any(
        test(type) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_temporal)
    ):
        return "numeric"
    raise Unreadable(
        f"column {field.name} holds {type}, which is not one value per cell; drop it or split it into columns."
    )


def _masked(values: pa.Array, missing: np.ndarray) -> pa.Array:
    if not missing.any():
        return values
    return pa.chunked_array([values.take(pa.array(np.arange(len(values)), mask=missing))])


def _standard(x: np.ndarray) -> np.ndarray:
    """Columns `(n, d)` of mean 0 and spread 1; constant ones 0."""
    away = x - x.mean(0)
    spread = away.std(0)
    return np.asarray(away / np.where(spread > 1e-12, spread, 1))
