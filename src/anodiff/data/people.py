"""Poses of people from anywhere, as tracks: one person each, `(T, joints, 2 or 3)`, NaN where a joint was not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from anodiff.types import Misfit, Unreadable

HOW = "give poses (T, joints, 2 or 3) of one person, or a list or dict of them"


@dataclass(frozen=True, eq=False)
class People:
    """Tracks, and how they were given.

    Attributes:
        tracks: of each person `(T, J, D)` float64.
        names: of each person: the key of a dict, else its number, counted from 0.
        layout: whether "one" track was given, a "list" or a "dict".
    """

    tracks: list[np.ndarray]
    names: list[str]
    layout: Literal["one", "list", "dict"]

    def lay_out(self, per_track: Sequence[Any]) -> Any:
        """One thing per track, as the tracks were given."""
        if self.layout == "one":
            return per_track[0]
        return list(per_track) if self.layout == "list" else dict(zip(self.names, per_track, strict=True))


def read_people(X: Any, confident: float | None = None) -> People:
    """Tracks from `X`.

    Args:
        X: an array `(T, J, 2 or 3)` of one person; a list of them, or an array `(persons, T, J, 2 or 3)`; a dict by
            person; the path of a .npy file of one, or of a .npz file of several.
        confident: where given, the last coordinate is a confidence, and joints below this one were not seen.

    Raises:
        Unreadable: it is none of these, a number is infinite, or persons differ in their joints.

    >>> people = read_people({"Ann": np.zeros((5, 15, 2)), "Bob": np.zeros((9, 15, 2))})
    >>> [len(track) for track in people.tracks], people.layout
    ([5, 9], 'dict')
    """
    if isinstance(X, People):
        return X
    if isinstance(X, str | Path):
        X = _loaded(Path(X))
    if isinstance(X, Mapping):
        names, given, layout = [str(key) for key in X], list(X.values()), "dict"
        called = [f"the track of {name!r}" for name in names]
    elif _is_one(X):
        names, given, layout, called = ["0"], [X], "one", ["the track"]
    else:
        given, layout = list(X), "list"
        names, called = [str(i) for i in range(len(given))], [f"track {i}" for i in range(len(given))]
    if not given:
        raise Unreadable(f"there is no track; {HOW}.")
    if len(set(names)) < len(names):
        raise Unreadable(f"two persons are called {_twice(names)!r}; name each person once.")
    tracks = [_track(each, who, confident) for each, who in zip(given, called, strict=True)]
    _check_alike(tracks, called)
    return People(tracks, names, layout)  # type: ignore[arg-type]


def _loaded(path: Path) -> Any:
    if path.suffix not in (".npy", ".npz"):
        raise Unreadable(f"{path} holds no poses that can be read; give a .npy of one person, or a .npz of several.")
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise Unreadable(f"{path} cannot be read ({error}); {HOW}.") from None
    return found if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}


def _is_one(X: Any) -> bool:
    """Whether it is one track: an array of three axes, or frames in a list."""
    if isinstance(X, np.ndarray) and X.dtype != object:
        return X.ndim != 4
    if not isinstance(X, Sequence):
        return True
    return len(X) > 0 and not any(_axes(each) == 3 for each in X)


def _axes(given: Any) -> int:
    if hasattr(given, "ndim"):
        return int(given.ndim)
    return 1 + _axes(given[0]) if isinstance(given, Sequence) and not isinstance(given, str) and len(given) else 0


def _track(given: Any, who: str, confident: float | None) -> np.ndarray:
    try:
        track = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise Unreadable(f"{who} holds no numbers of one shape; {HOW}, NaN where a joint was not seen.") from None
    if track.ndim != 3:
        raise Unreadable(f"{who} has shape {track.shape}; {HOW}.")
    if confident is not None:
        sure = track[..., -1:] >= confident
        track = np.where(sure, track[..., :-1], np.nan)
    if track.shape[2] not in (2, 3) or not track.shape[1]:
        told = " besides its confidence" if confident is not None else ""
        raise Unreadable(f"{who} has {track.shape[1]} joints of {track.shape[2]} coordinates{told}; {HOW}.")
    infinite = np.argwhere(np.isinf(track))
    if len(infinite):
        frame, joint, _ = infinite[0]
        raise Unreadable(f"{who} is infinite at frame {frame}, joint {joint}; give NaN where a joint was not seen.")
    track[np.isnan(track).any(2)] = np.nan
    return track


def _check_alike(tracks: Sequence[np.ndarray], called: Sequence[str]) -> None:
    for track, who in zip(tracks, called, strict=True):
        if track.shape[1:] != tracks[0].shape[1:]:
            (j, d), (first, deep) = track.shape[1:], tracks[0].shape[1:]
            raise Unreadable(
                f"{who} has {j} joints in {d} dimensions, {called[0]} has {first} in {deep}; give the same of all."
            )


def _twice(names: Sequence[str]) -> str:
    return next(name for i, name in enumerate(names) if name in names[:i])


def check_starts(starts: Any, people: People) -> list[int]:
    """The frame of the scene in which each track begins: 0 where nothing is said.

    Args:
        starts: One whole number per track, in a list, or in a dict by person.
        people: The tracks.

    Raises:
        Misfit: they are not one for each, or no whole numbers from 0.
    """
    if starts is None:
        return [0] * len(people.tracks)
    by_name = isinstance(starts, Mapping)
    given = [starts.get(name) for name in people.names] if by_name else np.atleast_1d(starts).tolist()
    whole = all(isinstance(s, int | np.integer) and not isinstance(s, bool) and s >= 0 for s in given)
    if len(given) != len(people.tracks) or not whole:
        raise Misfit(f"starts is {starts!r}; give the first frame of each of {len(people.tracks)} tracks, from 0.")
    return [int(s) for s in given]
