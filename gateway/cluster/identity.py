"""What tells a node from another one of the same name: a number in its data directory, which one process at a time has.

A node that is back after a crash needn't wait for its own leases to run out: they say that it is the same.  A copy of
the directory says so, too, so it is looked at first whether somebody still renews them.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from warren.core.errors import StorageError

FILE_NAME: Final = "node"
DIRECTORY: Final = "cluster"


def identity_of(data_directory: Path) -> str:
    """The number, made at the first call.  Raises StorageError."""
    directory = data_directory / DIRECTORY
    path = directory / FILE_NAME
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        if path.exists():
            found = path.read_text("ascii").strip()
            if found:
                return found
        made = secrets.token_hex(16)
        new = path.with_suffix(".new")
        new.write_text(made, "ascii")
        os.replace(new, path)
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} can't be used: {error}") from error
    return made
