"""The properties of a message, kept as the bytes that came in (AMQP 0-9-1 1.8.3, content header 4.2.6.1).

A property list is a u16 of flags, the highest bit for the first property, followed by the values of those
that are present, in the order of `_LAYOUT`.  A message is routed, stored and delivered with these bytes as
they are; `Properties.parse` only walks their lengths once and notes what the publish path asks
(`persistent`, `special`).  A property is decoded when somebody reads it.

Changing a property copies the list with that one value replaced: the others, and header entries that aren't
touched, stay byte-identical, so that their types survive.  A Properties never changes itself and may be
shared by messages.  Other protocols' adapters make theirs with `encode_properties`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final, TypedDict, Unpack

from warren.core.errors import MalformedField
from warren.core.messages.field_table import (
    SHORT_STRING_BYTES_MAX,
    Encodable,
    FieldTable,
    decode_table,
    encode_table,
    encode_value,
    join_entries,
    raw_entries,
    typed_table,
)


class PropertyChanges(TypedDict, total=False):
    """The properties by name; timestamp in seconds since 1970, expiration in decimal milliseconds.

    None stands for absent.
    """

    content_type: str | None
    content_encoding: str | None
    headers: Mapping[str, Encodable] | None
    delivery_mode: int | None
    priority: int | None
    correlation_id: str | None
    reply_to: str | None
    expiration: str | None
    message_id: str | None
    timestamp: int | None
    type: str | None
    user_id: str | None
    app_id: str | None
    cluster_id: str | None


_SHORT_STRING: Final = 0
_TABLE: Final = 1
_DELIVERY_MODE: Final = 2
_OCTET: Final = 3
_LONG_LONG: Final = 4

_CONTENT_TYPE: Final = 1 << 15
_CONTENT_ENCODING: Final = 1 << 14
_HEADERS: Final = 1 << 13
_DELIVERY: Final = 1 << 12
_PRIORITY: Final = 1 << 11
_CORRELATION_ID: Final = 1 << 10
_REPLY_TO: Final = 1 << 9
_EXPIRATION: Final = 1 << 8
_MESSAGE_ID: Final = 1 << 7
_TIMESTAMP: Final = 1 << 6
_TYPE: Final = 1 << 5
_USER_ID: Final = 1 << 4
_APP_ID: Final = 1 << 3
_CLUSTER_ID: Final = 1 << 2

_CONTINUATION: Final = 1
"""Announces another u16 of flags; class basic has no fifteenth property, so it is never right."""

_SPECIAL: Final = _HEADERS | _PRIORITY | _EXPIRATION | _REPLY_TO | _USER_ID
"""Properties that the broker itself acts on when a message is published."""

_PERSISTENT: Final = 2
"""The delivery mode that asks for the message to be on disk; any other value is transient."""

_LAYOUT: Final[tuple[tuple[str, int, int], ...]] = (
    ("content_type", _CONTENT_TYPE, _SHORT_STRING),
    ("content_encoding", _CONTENT_ENCODING, _SHORT_STRING),
    ("headers", _HEADERS, _TABLE),
    ("delivery_mode", _DELIVERY, _DELIVERY_MODE),
    ("priority", _PRIORITY, _OCTET),
    ("correlation_id", _CORRELATION_ID, _SHORT_STRING),
    ("reply_to", _REPLY_TO, _SHORT_STRING),
    ("expiration", _EXPIRATION, _SHORT_STRING),
    ("message_id", _MESSAGE_ID, _SHORT_STRING),
    ("timestamp", _TIMESTAMP, _LONG_LONG),
    ("type", _TYPE, _SHORT_STRING),
    ("user_id", _USER_ID, _SHORT_STRING),
    ("app_id", _APP_ID, _SHORT_STRING),
    ("cluster_id", _CLUSTER_ID, _SHORT_STRING),
)

_LAYOUT_BY_NAME: Final[dict[str, tuple[int, int]]] = {name: (flag, kind) for name, flag, kind in _LAYOUT}


class Properties:
    """A message's property list.

    raw: the flags and the values, as on the wire behind the body size of a content header.
    persistent: delivery_mode is 2.
    has_headers: a headers table is present (it may be empty).
    special: any of headers, priority, expiration, reply_to, user_id is present, on which the broker acts.
    """

    __slots__ = ("_headers", "has_headers", "persistent", "raw", "special")

    def __init__(self, raw: bytes, flags: int, persistent: bool, headers: FieldTable | None) -> None:
        self.raw = raw
        self.persistent = persistent
        self.has_headers = flags & _HEADERS != 0
        self.special = flags & _SPECIAL != 0
        self._headers = headers

    @classmethod
    def parse(cls, raw: bytes) -> Properties:
        """Check a property list and wrap it.

        Raises MalformedField when it is cut short, has bytes left over, continues its flags or holds an
        invalid headers table.
        """
        if len(raw) < 2:
            raise MalformedField("content header ends before the property flags")
        flags = raw[0] << 8 | raw[1]
        at = 2
        persistent = False
        headers: FieldTable | None = None
        try:
            for kind in _kinds(flags):
                if kind == _SHORT_STRING:
                    at += 1 + raw[at]
                elif kind == _DELIVERY_MODE:
                    persistent = raw[at] == _PERSISTENT
                    at += 1
                elif kind == _TABLE:
                    headers, at = decode_table(raw, at)
                elif kind == _OCTET:
                    at += 1
                else:
                    at += 8
        except IndexError:
            raise MalformedField("property list is cut short") from None
        if at != len(raw):
            raise MalformedField("property list is cut short" if at > len(raw) else "bytes behind the property list")
        return cls(raw, flags, persistent, headers)

    @property
    def content_type(self) -> str | None:
        return self._short_string(_CONTENT_TYPE)

    @property
    def content_encoding(self) -> str | None:
        return self._short_string(_CONTENT_ENCODING)

    @property
    def headers(self) -> FieldTable | None:
        """The headers table, decoded once and shared: not to be changed by who reads it."""
        if self._headers is None and self.has_headers:
            self._headers = decode_table(self.raw, self._offset(_HEADERS))[0]
        return self._headers

    @property
    def delivery_mode(self) -> int | None:
        return self._octet(_DELIVERY)

    @property
    def priority(self) -> int | None:
        return self._octet(_PRIORITY)

    @property
    def correlation_id(self) -> str | None:
        return self._short_string(_CORRELATION_ID)

    @property
    def reply_to(self) -> str | None:
        return self._short_string(_REPLY_TO)

    @property
    def expiration(self) -> str | None:
        """As published: a string that should hold decimal milliseconds."""
        return self._short_string(_EXPIRATION)

    @property
    def message_id(self) -> str | None:
        return self._short_string(_MESSAGE_ID)

    @property
    def timestamp(self) -> int | None:
        """Seconds since 1970, by the publisher's clock."""
        at = self._offset(_TIMESTAMP)
        return int.from_bytes(self.raw[at : at + 8], "big") if at else None

    @property
    def type(self) -> str | None:
        return self._short_string(_TYPE)

    @property
    def user_id(self) -> str | None:
        return self._short_string(_USER_ID)

    @property
    def app_id(self) -> str | None:
        return self._short_string(_APP_ID)

    @property
    def cluster_id(self) -> str | None:
        return self._short_string(_CLUSTER_ID)

    def drop_decoded(self) -> None:
        """Forget the decoded headers until somebody asks again.

        They take several times their bytes, so this is for messages that go to wait in a queue.
        """
        self._headers = None

    def with_changes(self, **changes: Unpack[PropertyChanges]) -> Properties:
        """A copy with some properties set, or removed where None is given; the others stay byte-identical.

        Raises ValueError, naming the property, for a value that it can't hold.
        """
        values = _split(self.raw)
        for name, value in changes.items():
            flag, kind = _flag_and_kind(name)
            if value is None:
                values.pop(flag, None)
            else:
                values[flag] = _encode(name, kind, value)
        return _join(values)

    def typed_headers(self) -> dict[str, Encodable]:
        """The headers with each number as `Typed`; none where there are no headers."""
        return typed_table(_split(self.raw)[_HEADERS], 0) if self.has_headers else {}

    def with_header_entries(self, set: Mapping[str, Encodable], remove: Collection[str] = ()) -> Properties:
        """A copy with header entries removed, then set; the others stay byte-identical and in order.

        A headers table is added when there is none and something is set; it stays when its last entry is
        removed, as in RabbitMQ.  Raises ValueError for values that a table can't hold.
        """
        if not self.has_headers and not set:
            return self
        values = _split(self.raw)
        entries = raw_entries(values[_HEADERS], 0) if self.has_headers else {}
        for key in remove:
            entries.pop(key, None)
        for key, value in set.items():
            entries[key] = encode_value(value, key)
        values[_HEADERS] = join_entries(entries)
        return _join(values)

    def with_number_last(self, name: str) -> tuple[Properties, int]:
        """A copy whose last header is the number 0 of 64 bits, and where in its `raw` that stands, to be replaced.

        The other headers stay byte-identical and in order.
        """
        changed = self.with_header_entries({name: 0}, (name,))
        return changed, changed._offset(_HEADERS) + _size(changed.raw, changed._offset(_HEADERS), _TABLE) - 8

    @property
    def flags(self) -> int:
        """Which properties are present, as the constructor wants it."""
        return self.raw[0] << 8 | self.raw[1]

    def fields(self) -> dict[str, object]:
        """The properties that are present, decoded, by name."""
        return {name: getattr(self, name) for name in self.names}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the properties that are present."""
        return _names(self.raw[0] << 8 | self.raw[1])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Properties) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"Properties({', '.join(f'{name}={value!r}' for name, value in self.fields().items())})"

    def _offset(self, flag: int) -> int:
        """Where the value of this property starts, or 0 when it is absent."""
        raw = self.raw
        flags = raw[0] << 8 | raw[1]
        if not flags & flag:
            return 0
        at = 2
        for kind in _kinds(flags & ~((flag << 1) - 1)):
            at += _size(raw, at, kind)
        return at

    def _short_string(self, flag: int) -> str | None:
        at = self._offset(flag)
        if not at:
            return None
        return self.raw[at + 1 : at + 1 + self.raw[at]].decode("utf-8", "surrogateescape")

    def _octet(self, flag: int) -> int | None:
        at = self._offset(flag)
        return self.raw[at] if at else None


def encode_properties(**fields: Unpack[PropertyChanges]) -> Properties:
    """A property list made of these values; ValueError, naming the property, for one that it can't hold."""
    return EMPTY.with_changes(**fields)


@lru_cache(maxsize=1024)
def _kinds(flags: int) -> tuple[int, ...]:
    """The kinds of the values that these flags announce, in order; cached, as few combinations are in use."""
    if flags & _CONTINUATION:
        raise MalformedField("property flags continue beyond the properties of class basic")
    return tuple(kind for _, flag, kind in _LAYOUT if flags & flag)


@lru_cache(maxsize=1024)
def _names(flags: int) -> tuple[str, ...]:
    """The names of the properties that these flags announce, in order."""
    return tuple(name for name, flag, _ in _LAYOUT if flags & flag)


def _size(raw: bytes, at: int, kind: int) -> int:
    """Bytes that the value at `at` takes, in a list that has been checked."""
    if kind == _SHORT_STRING:
        return 1 + raw[at]
    if kind == _TABLE:
        return 4 + int.from_bytes(raw[at : at + 4], "big")
    return 8 if kind == _LONG_LONG else 1


def _split(raw: bytes) -> dict[int, bytes]:
    """The values of a checked list, by flag, as they stand there."""
    flags = raw[0] << 8 | raw[1]
    values: dict[int, bytes] = {}
    at = 2
    for _, flag, kind in _LAYOUT:
        if flags & flag:
            size = _size(raw, at, kind)
            values[flag] = raw[at : at + size]
            at += size
    return values


def _join(values: dict[int, bytes]) -> Properties:
    """The list of these values; the order of the properties is that of their flags, highest first."""
    flags = sum(values)
    body = b"".join([values[flag] for flag in sorted(values, reverse=True)])
    return Properties(flags.to_bytes(2, "big") + body, flags, values.get(_DELIVERY) == b"\x02", None)


def _flag_and_kind(name: str) -> tuple[int, int]:
    try:
        return _LAYOUT_BY_NAME[name]
    except KeyError:
        raise ValueError(f"there is no property {name!r}") from None


def _encode(name: str, kind: int, value: object) -> bytes:
    if kind == _SHORT_STRING and isinstance(value, str):
        data = value.encode("utf-8", "surrogateescape")
        if len(data) > SHORT_STRING_BYTES_MAX:
            raise ValueError(f"property {name} is longer than {SHORT_STRING_BYTES_MAX} bytes")
        return bytes((len(data),)) + data
    if kind == _TABLE and isinstance(value, Mapping):
        return encode_table(value)
    if isinstance(value, int) and kind >= _DELIVERY_MODE:
        try:
            return value.to_bytes(8 if kind == _LONG_LONG else 1, "big")
        except OverflowError:
            pass
    raise ValueError(f"property {name} can't be {value!r}")


EMPTY: Final = Properties.parse(b"\0\0")
"""No properties at all."""
