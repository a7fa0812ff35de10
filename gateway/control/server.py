"""The broker's side of the control socket: one Trio task per request, which are few.

A request that is slow to come, too long or not understood is answered with an error; a bug in a command is
logged with its traceback and answered; neither harms the broker.  Answers are encoded on the broker's thread, long
tables in slices.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
from functools import partial
from pathlib import Path

import trio

from warren.core.errors import StorageError
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.protocol import (
    CONTENT_BYTES_MAX,
    DESCRIPTORS,
    REQUEST_BYTES_MAX,
    SOCKET_NAME,
    decode,
    encode_slices,
    socket_path,
)
from warren.gateway.control.target import Control, failure

_log = logging.getLogger("warren.control")

REQUEST_TIMEOUT_S = 10.0
"""For a request to arrive as a whole; the client sends it at once."""

ANSWER_TIMEOUT_S = 60.0
"""For an answer to be taken; a client that was stopped (Ctrl-Z) must not keep its task for ever."""

CHUNK_BYTES = 1024 * 1024
"""Of a file that follows a request, at once."""

BACKLOG = 64
"""Requests waiting to be accepted; scripts may run a few commands at a time."""


async def serve_control(
    control: Control,
    directory: Path,
    *,
    task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer commands on DIR/control.sock until cancelled; `directory` is locked by this process.

    Raises StorageError when the socket can't be made.
    """
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening_socket(directory)))
    try:
        await trio.serve_listeners(partial(_serve, control), [listener], task_status=task_status)
    finally:
        listener.socket.close()
        (directory / SOCKET_NAME).unlink(missing_ok=True)


async def _serve(control: Control, stream: trio.SocketStream) -> None:
    """One request and its answer; the catch-all of this connection."""
    try:
        line = beginning = b""
        with trio.move_on_after(REQUEST_TIMEOUT_S):
            line, beginning = await _read_line(stream)
        if line:
            answer = await _answer(control, stream, line, beginning)
            with trio.move_on_after(ANSWER_TIMEOUT_S):
                for piece in encode_slices(answer):
                    await stream.send_all(piece)
    except trio.BrokenResourceError:
        _log.debug("a control client went away before its answer")
    except Exception:
        _log.exception("a control connection failed")
    if control.stop_requested:
        control.server.request_stop()


async def _answer(control: Control, stream: trio.SocketStream, line: bytes, beginning: bytes) -> dict[str, object]:
    """Carry out the request on `line`; `beginning` came behind it."""
    try:
        if not line.endswith(b"\n"):
            raise ValueError(f"no newline within {REQUEST_BYTES_MAX} bytes")
        request = decode(line)
        content = await _read_content(stream, request.get("content_bytes"), beginning)
    except ValueError as error:
        return failure(f"the request is not understood: {error}", codes.USAGE)
    from warren.gateway.control.commands import run_command

    return await run_command(control, request, content)


async def _read_line(stream: trio.SocketStream) -> tuple[bytes, bytes]:
    """The first line and what came with it; without its newline when the client ends early or it is too long."""
    received = bytearray()
    while len(received) <= REQUEST_BYTES_MAX:
        chunk = await stream.receive_some()
        received += chunk
        if not chunk or b"\n" in chunk:
            break
    line, newline, rest = bytes(received).partition(b"\n")
    return line + newline, rest


async def _read_content(stream: trio.SocketStream, size: object, beginning: bytes) -> bytes | None:
    """The file that follows a request which says how long it is; ValueError when it doesn't come."""
    if size is None:
        if beginning:
            raise ValueError("something follows its line, and content_bytes doesn't say what")
        return None
    if not isinstance(size, int) or not 0 <= size <= CONTENT_BYTES_MAX:
        raise ValueError(f"content_bytes must be a number from 0 to {CONTENT_BYTES_MAX}, not {size!r}")
    received = bytearray(beginning)
    with trio.move_on_after(REQUEST_TIMEOUT_S):
        while len(received) < size:
            chunk = await stream.receive_some(CHUNK_BYTES)
            if not chunk:
                break
            received += chunk
    if len(received) != size:
        raise ValueError(f"{len(received)} bytes of content came instead of {size}")
    return bytes(received)


def listening_socket(directory: Path, descriptors: str = DESCRIPTORS) -> socket.socket:
    """The control socket; one that an earlier process left is replaced (the lock says it is dead).

    Raises StorageError when it can't be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(directory / SOCKET_NAME)
        with socket_path(directory, descriptors) as path:
            _bind_private(listener, path)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StorageError(
            f"the control socket {directory / SOCKET_NAME} can't be made: {error.strerror or error}; "
            "name another directory with --data-dir"
        ) from None
    return listener


def _bind_private(listener: socket.socket, path: str) -> None:
    """Made with mode 0600 from the first moment; what other threads make meanwhile gets no more either."""
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)


def _remove_stale(path: Path) -> None:
    try:
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    except FileNotFoundError:
        pass
