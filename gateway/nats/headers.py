"""Header blocks of NATS messages: a first line with the version, perhaps a status, then lines as HTTP has them.

    NATS/1.0 503 No Responders\\r\\n
    Nats-Sequence: 2\\r\\n
    \\r\\n

Names are compared as they are written, which is how the server does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from warren.gateway.nats.errors import NatsProtocolError

VERSION: Final = b"NATS/1.0"
_END: Final = b"\r\n\r\n"
_DIGITS: Final = frozenset("0123456789")
STATUS_DIGITS: Final = 3

NO_RESPONDERS: Final = 503
CONTROL: Final = 100
"""Idle heartbeats and flow control of a consumer."""


@dataclass(frozen=True, slots=True)
class Headers:
    """Decoded headers.  status: 0 where there is none.  description: the words behind it.  fields: the last one of a
    name counts.
    """

    status: int = 0
    description: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """A field that holds a number.  Raises NatsProtocolError when it is missing or holds none."""
        text = self.fields.get(name, "")
        if not text or not _DIGITS.issuperset(text):
            raise NatsProtocolError(f"the header {name} should hold a number and holds {text!r}")
        return int(text)


def encode_headers(fields: Mapping[str, str]) -> bytes:
    """A header block.  Raises ValueError for a name or value that would end its line."""
    parts = [VERSION, b"\r\n"]
    for name, value in fields.items():
        if not name or ":" in name or any(each in name + value for each in "\r\n"):
            raise ValueError(f"{name!r}: {value!r} can't be a header")
        parts.append(f"{name}: {value}\r\n".encode())
    parts.append(b"\r\n")
    return b"".join(parts)


def decode_headers(block: bytes) -> Headers:
    """The headers in a block; raises NatsProtocolError."""
    if not block.startswith(VERSION) or not block.endswith(_END):
        raise NatsProtocolError("a header block without its first line or its end")
    try:
        first, *lines = block[: -len(_END)].decode("utf-8").split("\r\n")
    except UnicodeDecodeError as error:
        raise NatsProtocolError("a header block that isn't UTF-8") from error
    status, description = _status(first[len(VERSION) :])
    fields = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name:
            raise NatsProtocolError(f"a header line without a name: {line!r}")
        fields[name] = value.strip(" \t")
    return Headers(status, description, fields)


def _status(text: str) -> tuple[int, str]:
    """What stands behind the version."""
    code, _, description = text.strip(" ").partition(" ")
    if not code:
        return 0, ""
    if len(code) != STATUS_DIGITS or not _DIGITS.issuperset(code):
        raise NatsProtocolError(f"a status that is no number: {code!r}")
    return int(code), description.strip(" ")
