"""How `warren ctl` and the broker talk: one connection to a local socket, one line each way.

    request  {"command": "list_queues", "arguments": ["name"], "options": {"vhost": "/"}}

    answer   {"ok": true, "columns": ["name"], "rows": [{"name": "tasks"}]}   a table
             {"ok": true, "value": {...}, "text": "..."}                      facts, and how to tell people
             {"ok": true, "value": {...}, "text": "...", "exit_code": 1}      the same, with something wrong in them
             {"ok": true, "text": "..."}                                      done ("": nothing is to be said)
             {"ok": false, "error": "...", "exit_code": 65}

A word that reads a file says how long it is, and the file's bytes follow the request's line:

    {"command": "import_definitions", "arguments": [], "options": {}, "content_bytes": 1234}

Lines are UTF-8 JSON.  The socket is DIR/control.sock, mode 0600 in a directory of mode 0700: who can open it
may do everything, so only the owner can.

The path of a Unix socket fits into about 100 bytes (unix(7), sun_path), the path of a data directory may not:
`socket_path` then goes through an open descriptor of the directory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

SOCKET_NAME = "control.sock"

REQUEST_BYTES_MAX = 256 * 1024
"""Linux limits an argument of a command line to 128 KiB; real requests are short."""

CONTENT_BYTES_MAX = 64 * 1024 * 1024
"""A file that follows a request; as much as `core.administration.definitions_json` takes."""

ROWS_AT_ONCE = 200
"""Rows encoded in one go: a millisecond or two, with all columns of a queue."""

_PATH_BYTES_MAX = 100
"""sun_path is 104 bytes on the BSDs and macOS, 108 on Linux, with the final NUL."""

DESCRIPTORS = "/proc/self/fd"
"""Where a process finds its open files; not every system has that."""


class PathTooLongError(OSError):
    """The data directory's path is too long for a socket in it, and this system offers no way around."""


@contextmanager
def socket_path(directory: Path, descriptors: str = DESCRIPTORS) -> Iterator[str]:
    """The path to bind or connect to while in the context.  Raises OSError when there is no directory."""
    path = str(directory / SOCKET_NAME)
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        yield path
        return
    if not os.path.isdir(descriptors):
        raise PathTooLongError(
            f"the path {path} is too long for a Unix socket; use a data directory with a shorter path"
        )
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"{descriptors}/{descriptor}/{SOCKET_NAME}"
    finally:
        os.close(descriptor)


def encode(value: Mapping[str, object]) -> bytes:
    """One line.  Byte strings, decimals and the like become strings: the listings show them, nothing
    computes.
    """
    return _dump(value) + b"\n"


def encode_slices(value: Mapping[str, object]) -> Iterator[bytes]:
    """The same line in pieces, so that others have their turn between two of them: long lists in it by rows.

    The rows are used up: letting go of a hundred thousand at once would take long, too.
    """
    if not _has_long(value):
        yield encode(value)
        return
    yield from _slices(value)
    yield b"\n"


def _slices(value: object) -> Iterator[bytes]:
    if isinstance(value, list) and len(value) > ROWS_AT_ONCE:
        separator = b"["
        while value:
            piece = _dump(value[:ROWS_AT_ONCE])
            del value[:ROWS_AT_ONCE]
            yield separator + piece[1:-1]
            separator = b", "
        yield b"]"
    elif isinstance(value, dict) and _has_long(value):
        separator = b"{"
        for name, each in value.items():
            yield separator + _dump(name) + b": "
            yield from _slices(each)
            separator = b", "
        yield b"}"
    else:
        yield _dump(value)


def _has_long(value: Mapping[str, object]) -> bool:
    """Whether there is a long list in it, or in what is in it."""
    return any(
        len(each) > ROWS_AT_ONCE if isinstance(each, list) else isinstance(each, dict) and _has_long(each)
        for each in value.values()
    )


def _dump(value: object) -> bytes:
    return json.dumps(value, default=_plain).encode("ascii")


def decode(line: bytes) -> dict[str, object]:
    """The object on a line; ValueError when there is none."""
    try:
        value = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return cast("dict[str, object]", value)


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)
