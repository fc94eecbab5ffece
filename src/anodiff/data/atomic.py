"""Files and folders are whole or not there: written beside their place, then moved into it in one step."""

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


def check_folder_free(path: Path, overwrite: bool, marker: str) -> None:
    """Refuse a folder that holds anything, but one that has the marker and may be overwritten.

    Args:
        path: Of the folder.
        overwrite: Whether it may.
        marker: The name of the file by which a folder is known as one of ours.

    Raises:
        FileExistsError: it holds what is to be kept, or is a file.
    """
    if not path.exists():
        return
    if not path.is_dir():
        raise FileExistsError(f"{path} is a file; give the path of a folder.")
    held = sum(1 for _ in path.iterdir())
    if held and not overwrite:
        raise FileExistsError(f"{path} holds {held} files or folders; give another path, or overwrite it.")
    if held and not (path / marker).is_file():
        raise FileExistsError(f"{path} holds what anodiff did not write, so it is left alone; give another path.")


@contextmanager
def replacing_folder(path: Path, overwrite: bool, marker: str) -> Iterator[Path]:
    """A folder to write into; when the block ends well it becomes `path`, otherwise nothing has happened.

    Raises:
        FileExistsError: `check_folder_free` says so.
    """
    check_folder_free(path, overwrite, marker)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        fresh, old = Path(folder) / "fresh", Path(folder) / "old"
        fresh.mkdir()
        yield fresh
        (fresh / marker).touch()
        moved = path.exists()
        try:
            if moved:
                os.replace(path, old)
            os.replace(fresh, path)
        except BaseException:
            if moved and not path.exists():
                os.replace(old, path)
            raise
