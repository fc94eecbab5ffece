"""Where tables of scores go: a csv or parquet file that is whole or not there, stdout, or nowhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from anodiff.data.atomic import check_free, replacing
from anodiff.types import Misfit

Write = Callable[[pa.Table], None]
SUFFIXES = (".csv", ".parquet")


def check_output(output: str | None, overwrite: bool) -> None:
    """Refuse an output that cannot be written, before any work is done."""
    if output in (None, "-"):
        return
    path = Path(str(output))
    if path.suffix.lower() not in SUFFIXES:
        raise Misfit(f"cannot write {path.name!r}; give a name that ends in .csv or .parquet, or - for stdout.")
    check_free(path, overwrite)


@contextmanager
def sink(output: str | None, overwrite: bool) -> Iterator[Write]:
    """A function that takes tables of one schema, piece by piece."""
    with ExitStack() as stack:
        if output is None:
            yield lambda _: None
            return
        place = sys.stdout.buffer if output == "-" else stack.enter_context(replacing(Path(output), overwrite))
        maker = pq.ParquetWriter if output.lower().endswith(".parquet") else _csv
        yield _Pieces(maker, place, stack).write


class _Pieces:
    """Opens its writer with the schema of the first table."""

    def __init__(self, maker: Callable[..., Any], place: Any, stack: ExitStack) -> None:
        self.maker, self.place, self.stack = maker, place, stack
        self.writer: Any = None

    def write(self, table: pa.Table) -> None:
        table = _decoded(table)
        if self.writer is None:
            self.writer = self.stack.enter_context(self.maker(self.place, table.schema))
        self.writer.write_table(table)


def _csv(place: Any, schema: pa.Schema) -> pacsv.CSVWriter:
    return pacsv.CSVWriter(place, schema, write_options=pacsv.WriteOptions(quoting_style="needed"))


def _decoded(table: pa.Table) -> pa.Table:
    """Dictionaries as their values: the codes may differ from piece to piece."""
    types = [pa.field(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in table.schema]
    return table.cast(pa.schema(types))
