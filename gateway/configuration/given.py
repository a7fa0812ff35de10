"""What a source of the configuration says about one key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Given:
    """A key as one source gives it, not checked yet.

    source, written: the source and the key as people know them.  key: its name; what may be a plugin's, or a mistake,
    with `_` for dots.  base: where relative paths start.
    """

    source: str
    written: str
    key: str
    value: object
    base: Path
