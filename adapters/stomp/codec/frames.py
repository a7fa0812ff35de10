"""A frame, and how one is written (STOMP 1.2, "STOMP Frames").

    COMMAND LF
    name:value LF       any number of times
    LF
    body NUL [LF]

`content-length` is written when there is a body, as the last header.  The line feed behind the NUL, which the
specification allows and RabbitMQ sends, keeps a terminal readable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from warren.adapters.stomp.codec.escaping import ESCAPES, V1_2

SEND: Final = "SEND"
SUBSCRIBE: Final = "SUBSCRIBE"
UNSUBSCRIBE: Final = "UNSUBSCRIBE"
ACK: Final = "ACK"
NACK: Final = "NACK"
BEGIN: Final = "BEGIN"
COMMIT: Final = "COMMIT"
ABORT: Final = "ABORT"
CONNECT: Final = "CONNECT"
STOMP: Final = "STOMP"
DISCONNECT: Final = "DISCONNECT"
HELP: Final = "HELP"
QUIT: Final = "QUIT"
"""Not STOMP: words that a person types (see friendly.py)."""

SMALL_LETTERS: Final = "\nsmall letters"
NO_COLON: Final = "\nno colon"
"""Not STOMP, and no command that could come: what a person has typed is to be explained.  The header `line` has it."""

ANSWERED_AT_ONCE: Final = (HELP, SMALL_LETTERS, NO_COLON)
"""Not STOMP: nothing of the session's state depends on it."""

CLIENT_COMMANDS: Final = (
    CONNECT,
    STOMP,
    SEND,
    SUBSCRIBE,
    UNSUBSCRIBE,
    ACK,
    NACK,
    BEGIN,
    COMMIT,
    ABORT,
    DISCONNECT,
)
"""What a client may send."""

END: Final = b"\0"
END_WITH_LINE_FEED: Final = b"\0\n"

HEARTBEAT: Final = b"\n"


class Frame:
    """One frame that came in.

    headers: unescaped; of repeated ones the first.  body_at: where the body stood in the bytes that were parsed last,
    -1 when the frame did not come in one piece.
    """

    __slots__ = ("body", "body_at", "command", "headers")

    def __init__(self, command: str, headers: Mapping[str, str], body: bytes = b"", body_at: int = -1) -> None:
        self.command = command
        self.headers = headers
        self.body = body
        self.body_at = body_at

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and (self.command, self.headers, self.body) == (
            other.command,
            other.headers,
            other.body,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Frame({self.command!r}, {dict(self.headers)!r}, {self.body!r})"

    @property
    def receipt(self) -> str | None:
        """The receipt that is asked for."""
        return self.headers.get("receipt")


def encode_headers(headers: Iterable[tuple[str, str]], version: str) -> bytes:
    """Header lines."""
    name_bytes, value_bytes = ESCAPES[version]
    return b"".join([b"%b:%b\n" % (name_bytes(name), value_bytes(value)) for name, value in headers])


def encode_frame(
    command: str,
    headers: Iterable[tuple[str, str]],
    body: bytes = b"",
    version: str = V1_2,
    end: bytes = END_WITH_LINE_FEED,
) -> bytes:
    """A whole frame; `end` is END or END_WITH_LINE_FEED."""
    length = b"content-length:%d\n" % len(body) if body else b""
    return b"%b\n%b%b\n%b%b" % (command.encode(), encode_headers(headers, version), length, body, end)
