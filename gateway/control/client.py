"""The client's side of the control socket: plain blocking sockets, because a command line does one thing at a
time.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.protocol import DESCRIPTORS, SOCKET_NAME, PathTooLongError, decode, encode, socket_path

_CHUNK_BYTES = 256 * 1024


class CommandFailedError(Exception):
    """A command that did not succeed; `exit_code` is for the process (control.exit_codes)."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def request(
    directory: Path,
    command: str,
    arguments: Sequence[str] = (),
    options: Mapping[str, object] | None = None,
    timeout_s: float | None = None,
    content: bytes | None = None,
    descriptors: str = DESCRIPTORS,
) -> dict[str, object]:
    """Have the broker on data directory `directory` carry out a command; its answer (control.protocol).

    timeout_s: of each step, None waits for ever.  content: of a file, for a word that reads one.
    descriptors: the way to a socket with a long path.  Raises CommandFailedError when the broker refuses, isn't there,
    doesn't answer in time or talks nonsense.
    """
    sent = message(command, arguments, options, content)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            with socket_path(directory, descriptors) as path:
                connection.connect(path)
        except OSError as error:
            raise _no_broker(directory, error) from None
        try:
            connection.sendall(sent)
            answer = decode(_read_line(connection))
        except TimeoutError:
            text = f"the broker on {directory} did not answer within {timeout_s:g} seconds (--timeout)"
            raise CommandFailedError(text, codes.TEMPORARY_FAILURE) from None
        except (OSError, ValueError):
            text = f"the broker on {directory} ended the conversation without an answer"
            raise CommandFailedError(text, codes.UNAVAILABLE) from None
    return successful(answer)


def message(
    command: str, arguments: Sequence[str], options: Mapping[str, object] | None, content: bytes | None
) -> bytes:
    """A request and what follows it, as the broker takes them (control.protocol)."""
    request: dict[str, object] = {"command": command, "arguments": list(arguments), "options": dict(options or {})}
    if content is not None:
        request["content_bytes"] = len(content)
    return encode(request) + (content or b"")


def successful(answer: dict[str, object]) -> dict[str, object]:
    """The answer, unless it says why there is none: CommandFailedError."""
    if answer.get("ok") is not True:
        exit_code = answer.get("exit_code")
        raise CommandFailedError(str(answer.get("error")), exit_code if isinstance(exit_code, int) else codes.SOFTWARE)
    return answer


def _no_broker(directory: Path, error: OSError) -> CommandFailedError:
    if isinstance(error, FileNotFoundError | ConnectionRefusedError | NotADirectoryError):
        text = f"no Warren broker is running on {directory}; start one with: warren serve --data-dir {directory}"
    elif isinstance(error, PermissionError):
        text = f"{directory / SOCKET_NAME} may only be opened by the user that runs the broker (try sudo -u)"
    elif isinstance(error, PathTooLongError):
        text = str(error)
    elif isinstance(error, TimeoutError | BlockingIOError):
        text = f"the broker on {directory} does not accept commands at the moment"
        return CommandFailedError(text, codes.TEMPORARY_FAILURE)
    else:
        text = f"{directory / SOCKET_NAME} can't be opened: {error.strerror or error}"
    return CommandFailedError(text, codes.UNAVAILABLE)


def _read_line(connection: socket.socket) -> bytes:
    """Everything up to the newline; ValueError when the connection ends before it."""
    chunks: list[bytes] = []
    while True:
        chunk = connection.recv(_CHUNK_BYTES)
        if not chunk:
            raise ValueError("ended early")
        chunks.append(chunk)
        if chunk.endswith(b"\n"):
            return b"".join(chunks)
