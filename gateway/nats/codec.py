"""NATS's protocol between client and server, as octets: no I/O.

Lines end with CR LF, their words are separated by blanks or tabs, and their first word may be in any case:

    INFO {json}                                    the server's first line, and again when something changes
    MSG <subject> <sid> [reply] <size>             then `size` octets and CR LF
    HMSG <subject> <sid> [reply] <headers> <size>  then `size` octets, of which the first are headers, and CR LF
    PING, PONG, +OK, -ERR '<text>'

    CONNECT {json}; PUB <subject> [reply] <size>; HPUB <subject> [reply] <headers> <size>; SUB <subject> [group] <sid>;
    UNSUB <sid> [count]; PING, PONG                are what a client says
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

LINE_BYTES_MAX: Final = 1 << 18
"""An INFO may list thousands of servers; all other lines have a few hundred octets."""

PAYLOAD_BYTES_MAX: Final = 64 << 20
"""The most that a server can be configured to carry in one message."""

NUMBER_DIGITS_MAX: Final = 18
_DIGITS: Final = frozenset(b"0123456789")
_END: Final = b"\r\n"


class Signal(Enum):
    """A line that says no more than its first word."""

    PING = "PING"
    PONG = "PONG"
    OK = "+OK"


@dataclass(frozen=True, slots=True)
class Info:
    """What the server says of itself, as JSON has it."""

    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Message:
    """A message.  sid: of the subscription.  reply: empty for none.  headers: the block as it came, empty for none."""

    subject: str
    sid: int
    reply: str
    headers: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """The server's -ERR, without the quotes."""

    text: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """Nothing can be made of what came, nor of anything behind it.  text: for people."""

    text: str


Event = Info | Message | Signal | Fault | Malformed


class _WrongError(Exception):
    """What is wrong with what came."""


class Parser:
    """What a server sends, as events, however it is cut.

    payload_bytes_max: a message that says that it is longer is malformed.
    """

    def __init__(self, payload_bytes_max: int = PAYLOAD_BYTES_MAX) -> None:
        self._buffer = bytearray()
        self._payload_bytes_max = payload_bytes_max
        self._awaited: tuple[str, int, str, int, int] | None = None
        self._is_malformed = False

    @property
    def has_rest(self) -> bool:
        """Whether something came that isn't whole."""
        return bool(self._buffer) or self._awaited is not None

    def feed(self, data: bytes) -> list[Event]:
        """The events that these octets complete; behind a `Malformed` none come any more."""
        events: list[Event] = []
        if self._is_malformed:
            return events
        buffer = self._buffer
        buffer += data
        at = 0
        try:
            while True:
                if self._awaited is not None:
                    size = self._awaited[4]
                    if len(buffer) < at + size + len(_END):
                        break
                    events.append(self._message(buffer, at, self._awaited))
                    self._awaited = None
                    at += size + len(_END)
                    continue
                end = buffer.find(_END, at, at + LINE_BYTES_MAX)
                if end < 0:
                    if len(buffer) - at >= LINE_BYTES_MAX:
                        raise _WrongError(f"a line of more than {LINE_BYTES_MAX} octets")
                    break
                event = self._line(bytes(buffer[at:end]))
                at = end + len(_END)
                if event is not None:
                    events.append(event)
        except _WrongError as error:
            self._is_malformed = True
            self._awaited = None
            buffer.clear()
            events.append(Malformed(str(error)))
            return events
        del buffer[:at]
        return events

    def _line(self, line: bytes) -> Event | None:
        """One line; None where a payload is to follow."""
        words = line.split(None, 1)
        word = words[0].upper() if words else b""
        rest = words[1] if len(words) > 1 else b""
        if word in (b"MSG", b"HMSG"):
            self._awaited = self._head(rest.split(), has_headers=word == b"HMSG")
            return None
        if word == b"INFO":
            return Info(_json_object(rest))
        if word == b"-ERR":
            return Fault(rest.decode("utf-8", "replace").strip().strip("'"))
        for signal in Signal:
            if word == signal.value.encode():
                return signal
        raise _WrongError(f"a line that begins with {line[:32]!r}")

    def _head(self, words: list[bytes], *, has_headers: bool) -> tuple[str, int, str, int, int]:
        """(subject, sid, reply, size of the headers, whole size) of a message's line."""
        sizes = 2 if has_headers else 1
        if not 2 + sizes <= len(words) <= 3 + sizes:
            raise _WrongError(f"a message's line of {len(words)} words")
        try:
            subject = words[0].decode("utf-8")
            reply = words[2].decode("utf-8") if len(words) == 3 + sizes else ""
        except UnicodeDecodeError:
            raise _WrongError("a subject that isn't UTF-8") from None
        size = _number(words[-1])
        headers_size = _number(words[-2]) if has_headers else 0
        if size > self._payload_bytes_max:
            raise _WrongError(f"a message of {size} octets")
        if headers_size > size:
            raise _WrongError("a message whose headers are longer than itself")
        return subject, _number(words[1]), reply, headers_size, size

    def _message(self, buffer: bytearray, at: int, head: tuple[str, int, str, int, int]) -> Message:
        subject, sid, reply, headers_size, size = head
        if buffer[at + size : at + size + len(_END)] != _END:
            raise _WrongError("a message that doesn't end where it should")
        view = memoryview(buffer)
        try:
            headers, payload = bytes(view[at : at + headers_size]), bytes(view[at + headers_size : at + size])
        finally:
            view.release()
        return Message(subject, sid, reply, headers, payload)


def encode_connect(fields: Mapping[str, object]) -> bytes:
    """CONNECT with these fields."""
    return b"CONNECT " + json.dumps(fields, separators=(",", ":")).encode() + _END


def encode_publish(subject: str, payload: bytes, *, reply: str = "", headers: bytes = b"") -> list[bytes]:
    """PUB or HPUB, in chunks to be sent one after the other.  Raises ValueError for what is no subject."""
    names = f"{checked_subject(subject)} {checked_subject(reply)} " if reply else f"{checked_subject(subject)} "
    if headers:
        line = f"HPUB {names}{len(headers)} {len(headers) + len(payload)}\r\n"
    else:
        line = f"PUB {names}{len(payload)}\r\n"
    return [line.encode() + headers, payload, _END]


def encode_subscribe(subject: str, sid: int, group: str = "") -> bytes:
    """SUB.  group: who of it gets a message is the server's choice.  Raises ValueError for what is no subject."""
    names = f"{checked_subject(subject)} {checked_subject(group)}" if group else checked_subject(subject)
    return f"SUB {names} {sid}\r\n".encode()


def encode_unsubscribe(sid: int) -> bytes:
    """UNSUB."""
    return f"UNSUB {sid}\r\n".encode()


def checked_subject(subject: str) -> str:
    """The same, if it is a subject: words without blanks between dots.  Raises ValueError otherwise."""
    if not subject or any(each.isspace() or not each.isprintable() for each in subject) or "" in subject.split("."):
        raise ValueError(f"{subject!r} is no NATS subject")
    return subject


def _number(word: bytes) -> int:
    if not word or len(word) > NUMBER_DIGITS_MAX or not _DIGITS.issuperset(word):
        raise _WrongError(f"{word[:32]!r} where a number should be")
    return int(word)


def _json_object(text: bytes) -> Mapping[str, object]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise _WrongError("an INFO that isn't JSON") from None
    if not isinstance(fields, dict):
        raise _WrongError("an INFO that is no JSON object")
    return fields
