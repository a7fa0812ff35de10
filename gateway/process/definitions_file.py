"""`load_definitions`: definitions from files that are imported at every start, as RabbitMQ does.

What was imported last is remembered by its hash, in a global parameter that is never exported, so that a start can
leave out what hasn't changed (`definitions_skip_if_unchanged`): then what was altered since stays as it is.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from warren.core.administration.definitions_json.importing import import_definitions, log_import
from warren.core.administration.definitions_json.reading import DEFINITIONS_BYTES_MAX
from warren.core.administration.operations.definitions import HASH_PARAMETER, hash_of
from warren.core.errors import BrokerError
from warren.gateway.configuration.config import ConfigError

if TYPE_CHECKING:
    from warren.core.broker import Broker

_log = logging.getLogger("warren.definitions")


def load_definitions(broker: Broker, path: Path, *, skip_if_unchanged: bool = False, commits: bool = True) -> None:
    """Import the file, or each `*.json` of the directory in the order of their names.

    skip_if_unchanged: not if that is what was imported last.  commits: they are kept when this returns; else they are
    with the next commit of a broker that runs.  ConfigError says which file can't be read or imported;
    files before it have been.
    """
    files = _files(path)
    imported_before, found = broker.parameters.get_global(HASH_PARAMETER), hash_of(map(_read, files))
    if skip_if_unchanged and found == imported_before:
        _log.info("%s has not changed since it was imported; not imported again", path)
        return
    if imported_before is not None:
        broker.parameters.clear_global(HASH_PARAMETER)
    for file in files:
        try:
            imported = import_definitions(broker, _read(file))
        except BrokerError as error:
            raise ConfigError(f"load_definitions: {file}: {error.text}") from error
        log_import(imported, str(file))
    broker.parameters.set_global(HASH_PARAMETER, found)
    if commits:
        broker.definitions.commit()
    if not broker.users:
        _log.warning(
            "%s holds no users, and none is made beside it: nobody can log in until one is added (warren ctl add_user)",
            path,
        )


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.json"))
    if not found:
        raise ConfigError(f"load_definitions: there is no *.json file in the directory {path}")
    return found


def _read(file: Path) -> bytes:
    try:
        with open(file, "rb") as opened:
            # One byte more than is allowed tells that it is too large, without reading all of it.
            return opened.read(DEFINITIONS_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"load_definitions: {file}: can't be read: {error.strerror or error}") from None
