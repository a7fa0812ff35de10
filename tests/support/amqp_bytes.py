"""AMQP 0-9-1 frames written and read byte by byte, for tests that must say things no client library will say.

It shares no code with the broker's codec or with a client library, so that a mistake in either shows.
Nothing here checks what it writes: sizes, end bytes, channel numbers and arguments may all be wrong when a
test wants them wrong. Reading is strict instead: a frame or argument that is not as the specification has it
raises `NotAMQPError`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_END = 0xCE
FRAME_OVERHEAD_BYTES = 8
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"

METHOD_IDS: dict[str, tuple[int, int]] = {
    "connection.start": (10, 10),
    "connection.start-ok": (10, 11),
    "connection.secure": (10, 20),
    "connection.secure-ok": (10, 21),
    "connection.tune": (10, 30),
    "connection.tune-ok": (10, 31),
    "connection.open": (10, 40),
    "connection.open-ok": (10, 41),
    "connection.close": (10, 50),
    "connection.close-ok": (10, 51),
    "connection.blocked": (10, 60),
    "connection.unblocked": (10, 61),
    "connection.update-secret": (10, 70),
    "connection.update-secret-ok": (10, 71),
    "channel.open": (20, 10),
    "channel.open-ok": (20, 11),
    "channel.flow": (20, 20),
    "channel.flow-ok": (20, 21),
    "channel.close": (20, 40),
    "channel.close-ok": (20, 41),
    "access.request": (30, 10),
    "access.request-ok": (30, 11),
    "exchange.declare": (40, 10),
    "exchange.declare-ok": (40, 11),
    "exchange.delete": (40, 20),
    "exchange.delete-ok": (40, 21),
    "exchange.bind": (40, 30),
    "exchange.bind-ok": (40, 31),
    "exchange.unbind": (40, 40),
    "exchange.unbind-ok": (40, 51),
    "queue.declare": (50, 10),
    "queue.declare-ok": (50, 11),
    "queue.bind": (50, 20),
    "queue.bind-ok": (50, 21),
    "queue.purge": (50, 30),
    "queue.purge-ok": (50, 31),
    "queue.delete": (50, 40),
    "queue.delete-ok": (50, 41),
    "queue.unbind": (50, 50),
    "queue.unbind-ok": (50, 51),
    "basic.qos": (60, 10),
    "basic.qos-ok": (60, 11),
    "basic.consume": (60, 20),
    "basic.consume-ok": (60, 21),
    "basic.cancel": (60, 30),
    "basic.cancel-ok": (60, 31),
    "basic.publish": (60, 40),
    "basic.return": (60, 50),
    "basic.deliver": (60, 60),
    "basic.get": (60, 70),
    "basic.get-ok": (60, 71),
    "basic.get-empty": (60, 72),
    "basic.ack": (60, 80),
    "basic.reject": (60, 90),
    "basic.recover-async": (60, 100),
    "basic.recover": (60, 110),
    "basic.recover-ok": (60, 111),
    "basic.nack": (60, 120),
    "confirm.select": (85, 10),
    "confirm.select-ok": (85, 11),
    "tx.select": (90, 10),
    "tx.select-ok": (90, 11),
    "tx.commit": (90, 20),
    "tx.commit-ok": (90, 21),
    "tx.rollback": (90, 30),
    "tx.rollback-ok": (90, 31),
}
"""Ids of every method by name (A.2)."""

METHOD_NAMES = {ids: name for name, ids in METHOD_IDS.items()}

Value = object
"""What `field` takes: str, bytes, bool, int, None, float, list, dict, or `Tagged` for any other type."""


class NotAMQPError(AssertionError):
    """The broker sent bytes that are not AMQP 0-9-1."""


@dataclass(frozen=True)
class Tagged:
    """A field value with its type's letter.  Written: `value` is its raw bytes.  Read: `value` is decoded."""

    tag: str
    value: object


def octet(value: int) -> bytes:
    return struct.pack(">B", value)


def short(value: int) -> bytes:
    return struct.pack(">H", value)


def long(value: int) -> bytes:
    return struct.pack(">I", value)


def longlong(value: int) -> bytes:
    return struct.pack(">Q", value)


def bits(*flags: bool) -> bytes:
    """Up to eight flags in one octet, first flag lowest."""
    return octet(sum(1 << position for position, flag in enumerate(flags) if flag))


def shortstr(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return octet(len(raw)) + raw


def longstr(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return long(len(raw)) + raw


def field(value: Value) -> bytes:
    """A field value behind its type's letter."""
    match value:
        case Tagged(tag, bytes() as raw):
            return tag.encode() + raw
        case bool():
            return b"t" + bits(value)
        case int() if -(2**31) <= value < 2**31:
            return b"I" + struct.pack(">i", value)
        case int():
            return b"l" + struct.pack(">q", value)
        case float():
            return b"d" + struct.pack(">d", value)
        case str():
            return b"S" + longstr(value)
        case bytes():
            return b"x" + longstr(value)
        case None:
            return b"V"
        case dict():
            return b"F" + table(value)
        case list():
            return b"A" + longstr(b"".join(field(item) for item in value))
    raise TypeError(f"no field type for {value!r}")


def table(entries: Mapping[str, Value] | None = None) -> bytes:
    return longstr(b"".join(shortstr(name) + field(value) for name, value in (entries or {}).items()))


def frame(kind: int, channel: int, payload: bytes, size: int | None = None, end: int = FRAME_END) -> bytes:
    """A frame; `size` and `end` replace what belongs there."""
    declared = len(payload) if size is None else size
    return struct.pack(">BHI", kind, channel, declared) + payload + octet(end)


def method(channel: int, name: str, *arguments: bytes) -> bytes:
    class_id, method_id = METHOD_IDS[name]
    return frame(METHOD, channel, short(class_id) + short(method_id) + b"".join(arguments))


def header(channel: int, body_size: int, properties: bytes = b"\0\0", class_id: int = 60, weight: int = 0) -> bytes:
    """A content header; `properties` are the flags and the property list as raw bytes."""
    return frame(HEADER, channel, short(class_id) + short(weight) + longlong(body_size) + properties)


def body(channel: int, payload: bytes) -> bytes:
    return frame(BODY, channel, payload)


def heartbeat(channel: int = 0) -> bytes:
    return frame(HEARTBEAT, channel, b"")


def publish(
    channel: int,
    exchange: str,
    routing_key: str,
    payload: bytes,
    *,
    properties: bytes = b"\0\0",
    mandatory: bool = False,
) -> bytes:
    """A whole message in as few frames as may be: a body frame only where there is a body."""
    content = header(channel, len(payload), properties) + (body(channel, payload) if payload else b"")
    flags = bits(mandatory, False)
    return method(channel, "basic.publish", short(0), shortstr(exchange), shortstr(routing_key), flags) + content


class ByteReader:
    """Takes arguments off the front of a payload, in the order they are asked for."""

    def __init__(self, raw: bytes) -> None:
        self.rest = raw

    def take(self, count: int) -> bytes:
        if count > len(self.rest):
            raise NotAMQPError(f"{count} octets wanted, {len(self.rest)} left: {self.rest!r}")
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def octet(self) -> int:
        return self.take(1)[0]

    def short(self) -> int:
        return int.from_bytes(self.take(2))

    def long(self) -> int:
        return int.from_bytes(self.take(4))

    def longlong(self) -> int:
        return int.from_bytes(self.take(8))

    def shortstr(self) -> str:
        return self.take(self.octet()).decode(errors="surrogateescape")

    def longstr(self) -> str:
        return self.take(self.long()).decode(errors="surrogateescape")

    def table(self) -> dict[str, Tagged]:
        inside = ByteReader(self.take(self.long()))
        entries: dict[str, Tagged] = {}
        while inside.rest:
            name = inside.shortstr()
            if name in entries:
                raise NotAMQPError(f"the table has {name!r} twice")
            entries[name] = inside.field()
        return entries

    def field(self) -> Tagged:
        tag = chr(self.octet())
        return Tagged(tag, self._field_value(tag))

    def _field_value(self, tag: str) -> object:
        if tag in _INTEGERS:
            return struct.unpack(">" + _INTEGERS[tag], self.take(struct.calcsize(_INTEGERS[tag])))[0]
        match tag:
            case "t":
                return bool(self.octet())
            case "S":
                return self.longstr()
            case "x":
                return self.take(self.long())
            case "T":
                return self.longlong()
            case "D":
                return self.octet(), self.long()
            case "F":
                return self.table()
            case "A":
                inside = ByteReader(self.take(self.long()))
                items: Sequence[Tagged] = []
                while inside.rest:
                    items = [*items, inside.field()]
                return items
            case "V":
                return None
        raise NotAMQPError(f"unknown field type {tag!r}")


_INTEGERS = {"b": "b", "B": "B", "s": "h", "u": "H", "I": "i", "i": "I", "l": "q", "d": "d", "f": "f"}
"""Fixed-width field types of the dialect and their `struct` letters (A.1)."""
