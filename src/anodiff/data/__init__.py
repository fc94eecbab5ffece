"""Data from outside: tables from arrays, frames, files and streams. Knows no tensors."""

from anodiff.data.readers import chunks, read, sample
from anodiff.data.table import Table, native

__all__ = ["Table", "chunks", "native", "read", "sample"]
