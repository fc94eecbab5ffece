"""Files are whole or not there: written beside their place, then moved into it in one step."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check_free(path: Path, overwrite: bool) -> None:
    """Refuse a path that is taken or cannot be written, before any work is done.

    Raises:
        FileExistsError: there is a file and `overwrite` is False, or what is there is no plain file.
        NotADirectoryError: its folder does not exist.
    """
    if not path.parent.is_dir():
        raise NotADirectoryError(f"there is no folder {path.parent} to write {path.name} into; create it first.")
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path} is no plain file, so it is left alone; give another path.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; give --overwrite, or another path.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"no permission to write into {path.parent.resolve()}; give another path.")


@contextmanager
def replacing(path: Path, overwrite: bool) -> Iterator[Path]:
    """A path to write to; when the block ends well it becomes `path`, otherwise nothing has happened."""
    check_free(path, overwrite)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        yield fresh
        os.replace(fresh, path)
