"""A directory that is made anew: under another name until it is whole, so that half of one is never taken for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from warren.core.errors import StorageError
from warren.core.storage.disk.files import DIRECTORY_MODE, sync_directory

INCOMPLETE: Final = ".incomplete"


def new_place(target: Path) -> Path:
    """Where to make it: beside it.  Raises StorageError where there is something already, or it can't be made."""
    place = target.with_name(target.name + INCOMPLETE)
    for each in (target, place):
        if each.exists() and not (each.is_dir() and not any(each.iterdir())):
            raise StorageError(f"{each} is there already: name a directory that isn't, or is empty")
    try:
        place.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{place} can't be made: {error.strerror}") from None
    return place


def finished(place: Path, target: Path) -> None:
    """It is whole, and safe from a power failure when this returns.  Raises StorageError."""
    try:
        for folder, _, names in os.walk(place):
            for name in names:
                _sync_file(Path(folder) / name)
            sync_directory(Path(folder))
        if target.exists():
            target.rmdir()
        place.rename(target)
        sync_directory(target.parent)
    except OSError as error:
        raise StorageError(
            f"{target} can't be finished: {error.strerror or error}; what there is is in {place}"
        ) from None


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
