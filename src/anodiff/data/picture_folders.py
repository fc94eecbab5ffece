"""Which pictures a folder holds, at any depth, in the order of their names.

Hidden files and folders are passed over. Links to files are followed wherever they lead. Links to folders are never
followed, so that loops end and nothing counts twice: one that leads elsewhere is listed as unread, and one that leads
back into the folder is passed over, since what it shows is read in its own place.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from anodiff.data.picture_files import SUFFIXES


@dataclass(frozen=True)
class Listing:
    """What a folder holds: for each name a path, or a sentence why there is none; and other files by suffix."""

    found: dict[str, Path | str] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)


def listing(root: Path) -> Listing:
    """The pictures in `root` by their posix names relative to it, sorted.

    Raises:
        OSError: the folder itself cannot be listed.
    """
    found: dict[str, Path | str] = {}
    others: Counter[str] = Counter()
    todo = [(root, "")]
    while todo:
        folder, prefix = todo.pop()
        try:
            with os.scandir(folder) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            if not prefix:
                raise
            found[prefix.rstrip("/")] = (
                f"it is a folder that cannot be listed ({error.strerror}); check its owner and mode."
            )
            continue
        for entry in visible:
            name = prefix + spelt(entry.name)
            suffix = Path(entry.name).suffix.lower()
            if _leads_to_folder(entry):
                if entry.is_symlink():
                    found.update(_link(root, Path(entry.path), name))
                elif suffix in SUFFIXES:
                    found[name] = "it is a folder with the name of a picture; rename it."
                else:
                    todo.append((Path(entry.path), f"{name}/"))
            elif suffix in SUFFIXES:
                found[name] = Path(entry.path)
            else:
                others[suffix or "without suffix"] += 1
    return Listing(dict(sorted(found.items())), others)


def spelt(name: str) -> str:
    r"""A file's name as text that can be written; bytes that are no text are spelt out.

    >>> spelt("caf\udce9.png")
    'caf\\udce9.png'
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link that leads to itself; reading it will say so.
        return False


def _link(root: Path, path: Path, name: str) -> Iterator[tuple[str, str]]:
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(os.path.realpath(root)):
        yield name, f"it is a link to the folder {spelt(str(target))}, which is not followed; give that folder itself."
