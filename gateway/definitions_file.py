"""`load_definitions`: definitions from files that are imported at every start, as RabbitMQ does."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from core.definitions_json.importing import import_definitions
from core.definitions_json.reading import DEFINITIONS_BYTES_MAX
from core.errors import BrokerError
from gateway.config import ConfigError
from gateway.ctl_definitions import log_import

if TYPE_CHECKING:
    from core.broker import Broker

_log = logging.getLogger("warren.definitions")


def load_definitions(broker: Broker, path: Path) -> None:
    """Import the file, or each `*.json` of the directory in the order of their names.

    ConfigError says which file can't be read or imported; files before it have been.
    """
    for file in _files(path):
        try:
            imported = import_definitions(broker, _read(file))
        except BrokerError as error:
            raise ConfigError(f"load_definitions: {file}: {error.text}") from error
        log_import(imported, str(file))
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
