"""Earlier versions of Warren whose data directories are kept here, and what each could hold.

One for each format that there has been of the message log, the definitions and the streams' segments.
`data/NAME.tar.xz` is what that version left when it was killed, `data/NAME-stopped.tar.xz` what it left when it was
stopped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

LOCK: Final = "warren.lock"
"""Says who uses the directory, and is no part of what is kept in it."""

DATA: Final = Path(__file__).parent / "data"


class Release(NamedTuple):
    """A version of which a data directory is kept.

    commit: which one it is.  log, definitions, streams: numbers of its formats; streams are 0 where it had none.
    """

    name: str
    commit: str
    log: int
    definitions: int
    streams: int = 0
    notes_offsets: bool = False

    def archive(self, *, killed: bool) -> Path:
        """Where what it left is kept."""
        return DATA / f"{self.name}{'' if killed else '-stopped'}.tar.xz"


RELEASES: Final = (
    Release("log-1", "f1f9543f", log=1, definitions=1),
    Release("log-2", "fd7165f4", log=2, definitions=1),
    Release("definitions-2", "c6b89cb9", log=2, definitions=2),
    Release("definitions-3", "be175c13", log=2, definitions=3),
    Release("log-3", "f6306066", log=3, definitions=3),
    Release("streams", "fdf8e5d7", log=3, definitions=3, streams=1),
    Release("streams-with-notes", "135842f0", log=3, definitions=3, streams=1, notes_offsets=True),
)
