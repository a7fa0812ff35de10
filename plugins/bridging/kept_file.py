"""A small file beside the broker's data, in which a plugin notes what it has at other brokers: JSON, written whole.

Nothing secret belongs in it.  A file that can't be read or written is logged, and the plugin works without.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import trio

if TYPE_CHECKING:
    import logging
    from pathlib import Path

PLUGINS: Final = "plugins"
"""The folder below the data directory, which has one for each plugin that keeps something."""


class KeptFile:
    """data_directory: None for a broker in memory, which keeps nothing.  rows: what is to be in the file, when asked.

    lost: what is lost with a file that can't be read, for the log.
    """

    def __init__(
        self,
        data_directory: Path | None,
        plugin: str,
        name: str,
        log: logging.Logger,
        rows: Callable[[], Sequence[Any]],
        *,
        lost: str,
    ) -> None:
        self._path = None if data_directory is None else data_directory / PLUGINS / plugin / name
        self._log = log
        self._rows = rows
        self._lost = lost
        self._writing = trio.Lock()
        self._changes = 0
        self._changes_written = 0

    async def load(self, read: Callable[[Any], None]) -> None:
        """Give each row that the last run has left to `read`, which raises for one that is none."""
        if self._path is None:
            return
        try:
            for each in json.loads(await trio.Path(self._path).read_text()):
                read(each)
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, LookupError) as error:
            self._log.warning("%s can't be read; %s: %s", self._path, self._lost, error)

    async def write(self) -> None:
        """The rows have changed; what changes often at a time is written once for all of it."""
        path = self._path
        if path is None:
            return
        self._changes += 1
        change = self._changes
        async with self._writing:
            if self._changes_written >= change:
                return
            self._changes_written = self._changes
            try:
                await trio.to_thread.run_sync(_replace, path, list(self._rows()))
            except OSError as error:
                self._log.warning("%s can't be written: %s", path, error)


def _replace(path: Path, rows: Sequence[Any]) -> None:
    """Write a file as a whole, or leave the one that is there; in a thread, as thousands of rows take a while."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text("[" + ",\n".join(map(json.dumps, rows)) + "]")
    new.replace(path)
