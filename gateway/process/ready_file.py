"""The ready file: how a program that starts a broker learns that, and where, it accepts connections.

One JSON object, protocol -> [host, port].  Further listeners of a protocol follow as `amqp.2`, `amqp.3`, so
that every value has the same shape.  The file appears whole (written beside its place, then renamed) and is
removed when the broker starts and stops, so that one from an earlier run is never taken for this one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from warren.core.errors import StorageError


def write_ready_file(path: Path, listening: Mapping[str, Sequence[tuple[str, int]]]) -> None:
    """Say where connections are accepted.  Raises StorageError when the file can't be written."""
    addresses = {
        protocol if index == 0 else f"{protocol}.{index + 1}": list(address)
        for protocol, of_protocol in listening.items()
        for index, address in enumerate(of_protocol)
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(addresses) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(f"the ready file {path} can't be written: {error.strerror or error}") from None


def remove_ready_file(path: Path) -> None:
    """Take it away, if it is there.  Raises StorageError when that is not possible."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"the ready file {path} can't be removed: {error.strerror or error}") from None
