"""The stores of a run: opened together, closed together whatever goes wrong with one."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import StorageError
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore
from warren.core.storage.definitions.store import DefinitionStore
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.engine import StorageEngine
from warren.core.storage.memory import MemoryEngine
from warren.gateway.process.settings import ProcessSettings

if TYPE_CHECKING:
    from warren.gateway.configuration.config import Config

_log = logging.getLogger("warren.broker")

DEFINITIONS_NAME: Final = "definitions.sqlite"
MESSAGES_NAME: Final = "messages"

LINKS_NAME: Final = "backup-links"
"""Of hard links, while a backup is made (gateway.store_tools.backing_up)."""

COMPACTION_PAUSE_S: Final = 0.001
"""Compaction rests as long as it works, so that the broker's thread gets the interpreter."""


def remove_links(directory: Path) -> None:
    """Those of a backup that is done, or was cut off by the broker's end; they would keep room of what is deleted."""
    links = directory / LINKS_NAME
    if links.exists():
        shutil.rmtree(links, ignore_errors=True)


class Closable(Protocol):
    """What has files open."""

    def close(self) -> None:
        """Close them.  Raises OSError or StorageError."""


def open_stores(config: Config) -> tuple[StorageEngine, DefinitionStore]:
    """Those of this configuration.  Raises StorageError."""
    process = config.section(ProcessSettings)
    directory = process.data_directory
    if process.in_memory or directory is None:
        return MemoryEngine(), MemoryDefinitionStore()
    remove_links(Path(directory))
    definitions = SqliteDefinitionStore(Path(directory) / DEFINITIONS_NAME, checkpointing=threading.Lock())
    try:
        return DiskEngine(
            Path(directory), pause=partial(time.sleep, COMPACTION_PAUSE_S), clock_ns=time.monotonic_ns
        ), definitions
    except BaseException:
        definitions.close()
        raise


def close_stores(store: Closable, definitions: Closable, *, failed: bool) -> None:
    """Close both, whatever comes of the first; failed: the run has an error to end with, which says more than these."""
    errors: list[OSError | StorageError] = []
    for each in (store, definitions):
        try:
            each.close()
        except (OSError, StorageError) as error:
            _log.error("closing the data failed, too: %s", error)
            errors.append(error)
    if errors and not failed:
        raise StorageError(f"the data can't be closed in good order: {errors[0]}") from errors[0]
