"""AMQP 0-9-1 field tables: the typed key/value maps of method arguments and message headers.

A table is a u32 length and, within it, entries of a shortstr key, a one-byte type tag and a value.  The tags
are those of the RabbitMQ dialect, not the letters of the specification (AMQP 0-9-1 4.2.5.5 and its errata):

    S long string   I i32   i u32   l i64 (L is read too)   s i16   u u16   b i8   B u8   t bool
    d f64   f f32   D decimal (scale u8, i32)   T timestamp (u64 s)   F table   A array   V void   x bytes

Strings and keys are UTF-8 by convention only, so they are decoded with `surrogateescape`: any bytes survive a
round trip.  Decoding forgets which integer type a value had; who has to keep the types of entries it doesn't
touch works with `raw_entries` and `join_entries`.

Everything here reads bytes of strangers.  Every length is checked against the end of what encloses it before
a byte is read or copied, so nothing is allocated for a length that is only declared; nesting is bounded; what
is wrong is always reported as MalformedField.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from struct import Struct, error
from typing import Final, TypeAlias

from warren.core.errors import MalformedField
from warren.core.limit_hits import limited
from warren.core.messages.timestamp import Timestamp as Timestamp

NESTING_MAX: Final = 32
"""Levels of tables and arrays within each other.  Applications use four or five; Python takes hundreds."""

EMPTY_TABLE_RAW: Final = b"\0\0\0\0"
"""An empty field table as it stands on the wire: a u32 length of 0."""

SHORT_STRING_BYTES_MAX: Final = 255
"""A shortstr's length is one byte (AMQP 0-9-1 4.2.5.3)."""


class Typed:
    """A number to be written with the given tag instead of the default one: `Typed("I", 5)`."""

    __slots__ = ("tag", "value")

    def __init__(self, tag: str, value: int | float) -> None:
        self.tag = tag
        self.value = value


FieldValue: TypeAlias = "str | int | float | Decimal | bytes | dict[str, FieldValue] | list[FieldValue] | None"
"""What decoding gives (bool and Timestamp are ints)."""

FieldTable: TypeAlias = dict[str, FieldValue]

Encodable: TypeAlias = (
    "str | int | float | Decimal | bytes | Typed | Mapping[str, Encodable] | Sequence[Encodable] | None"
)
"""What encoding takes: every FieldValue, and `Typed` numbers anywhere in it."""

_NUMBERS: Final[dict[int, Struct]] = {
    ord("I"): Struct(">i"),
    ord("i"): Struct(">I"),
    ord("l"): Struct(">q"),
    ord("L"): Struct(">q"),
    ord("s"): Struct(">h"),
    ord("u"): Struct(">H"),
    ord("b"): Struct(">b"),
    ord("B"): Struct(">B"),
    ord("d"): Struct(">d"),
    ord("f"): Struct(">f"),
}

_TYPE_NAMES: Final[dict[str, str]] = {
    "S": "longstr",
    "I": "signedint",
    "i": "unsignedint",
    "l": "long",
    "L": "long",
    "s": "short",
    "u": "unsignedshort",
    "b": "byte",
    "B": "unsignedbyte",
    "t": "bool",
    "d": "double",
    "f": "float",
    "D": "decimal",
    "T": "timestamp",
    "F": "table",
    "A": "array",
    "V": "void",
    "x": "binary",
}
"""RabbitMQ's own names, which its error texts use ("received the value '5' of type 'signedint'")."""

_STRING: Final = ord("S")
_BOOL: Final = ord("t")
_TIMESTAMP: Final = ord("T")
_TABLE: Final = ord("F")
_ARRAY: Final = ord("A")
_VOID: Final = ord("V")
_BINARY: Final = ord("x")
_DECIMAL: Final = ord("D")

_DECIMAL_VALUE: Final = Struct(">Bi")


def decode_table(data: bytes, offset: int) -> tuple[FieldTable, int]:
    """Decode the table whose u32 length stands at `offset`.

    Returns the table and the offset behind it.  Of duplicate keys the first wins, as in RabbitMQ.
    Raises MalformedField for anything that isn't a whole, valid table within `data`.
    """
    start, end = _extent(data, offset, len(data), "")
    return _decode_entries(data, start, end, 1), end


def decode_table_body(data: bytes) -> FieldTable:
    """Decode a table that comes without its length, as in an AMQPLAIN response."""
    return _decode_entries(data, 0, len(data), 1)


def raw_entries(data: bytes, offset: int) -> dict[str, bytes]:
    """The entries of the table at `offset`, in order: key to tag and value as they stand there.

    Raises MalformedField as `decode_table` does.
    """
    position, end = _extent(data, offset, len(data), "")
    entries: dict[str, bytes] = {}
    while position < end:
        key, value_at = _decode_key(data, position, end)
        _, position = _decode_value(data, value_at, end, 1, key)
        if key not in entries:
            entries[key] = data[value_at:position]
    return entries


def typed_table(data: bytes, offset: int) -> dict[str, Encodable]:
    """The table at `offset` with each number as `Typed`, so that its type isn't forgotten."""
    return {key: _typed(value, 0) for key, value in raw_entries(data, offset).items()}


def _typed(data: bytes, at: int) -> Encodable:
    """The value whose tag stands at `at`; it was decoded once, and is valid."""
    tag = data[at]
    if tag in _NUMBERS:
        return Typed(chr(tag), _NUMBERS[tag].unpack_from(data, at + 1)[0])
    if tag == _TABLE:
        return typed_table(data, at + 1)
    value, end = _decode_value(data, at, len(data), 1, "")
    if tag != _ARRAY:
        return value
    items: list[Encodable] = []
    at += 5
    while at < end:
        items.append(_typed(data, at))
        _, at = _decode_value(data, at, end, 1, "")
    return items


def field_types(data: bytes, offset: int) -> dict[str, str]:
    """The name of each entry's type, as RabbitMQ calls it, of the table at `offset`."""
    return {key: type_name(chr(value[0])) for key, value in raw_entries(data, offset).items()}


def type_name(tag: str) -> str:
    """RabbitMQ's name of the type with this one-letter tag; MalformedField when there is none."""
    name = _TYPE_NAMES.get(tag)
    if name is None:
        raise MalformedField(f"unknown field type {tag!r}")
    return name


def encode_table(table: Mapping[str, Encodable]) -> bytes:
    """Encode a table with its u32 length.

    Integers are written as `l` (i64) and floats as `d` unless they are given as `Typed`.
    Raises ValueError, naming the key, for what a table can't hold.
    """
    return join_entries({key: encode_value(value, key) for key, value in table.items()})


def join_entries(entries: Mapping[str, bytes]) -> bytes:
    """A table, with its length, of entries as `raw_entries` and `encode_value` give them."""
    parts = []
    for key, raw_value in entries.items():
        key_bytes = key.encode("utf-8", "surrogateescape")
        if len(key_bytes) > SHORT_STRING_BYTES_MAX:
            raise ValueError(f"field table key is longer than {SHORT_STRING_BYTES_MAX} bytes: {key[:40]!r}...")
        parts.append(bytes((len(key_bytes),)))
        parts.append(key_bytes)
        parts.append(raw_value)
    return _with_length(b"".join(parts))


def encode_value(value: Encodable, key: str = "") -> bytes:
    """The tag and the bytes of one value; `key` is only named in the ValueError for what can't be encoded."""
    if isinstance(value, str):
        return b"S" + _with_length(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, bool):
        return b"t\x01" if value else b"t\x00"
    if isinstance(value, Timestamp):
        return b"T" + _encode_integer(value, 8, key)
    if isinstance(value, int):
        return _encode_number(ord("l"), value, key)
    if isinstance(value, float):
        return _encode_number(ord("d"), value, key)
    if value is None:
        return b"V"
    if isinstance(value, bytes):
        return b"x" + _with_length(value)
    if isinstance(value, Typed):
        return _encode_number(ord(value.tag), value.value, key)
    if isinstance(value, Decimal):
        return _encode_decimal(value, key)
    if isinstance(value, Mapping):
        return b"F" + encode_table(value)
    if isinstance(value, Sequence):
        return b"A" + _with_length(b"".join([encode_value(item, key) for item in value]))
    raise ValueError(f"field {key!r}: a table can't hold a {type(value).__name__}")


def _extent(data: bytes, at: int, end: int, key: str) -> tuple[int, int]:
    """Start and end of what the u32 length at `at` announces, which has to lie before `end`."""
    start = at + 4
    stop = start + int.from_bytes(data[at:start], "big")
    if stop > end:
        what = f"field {key!r}" if key else "field table"
        raise MalformedField(f"{what} is longer than the {max(end - start, 0)} bytes left for it")
    return start, stop


def _decode_entries(data: bytes, position: int, end: int, level: int) -> FieldTable:
    table: FieldTable = {}
    while position < end:
        key, position = _decode_key(data, position, end)
        value, position = _decode_value(data, position, end, level, key)
        if key not in table:
            table[key] = value
    return table


def _decode_items(data: bytes, position: int, end: int, level: int, key: str) -> list[FieldValue]:
    items: list[FieldValue] = []
    while position < end:
        item, position = _decode_value(data, position, end, level, key)
        items.append(item)
    return items


def _decode_key(data: bytes, at: int, end: int) -> tuple[str, int]:
    """The key at `at`, which lies before `end`, and the offset of its value's tag, which does too."""
    start = at + 1
    stop = start + data[at]
    if stop >= end:
        raise MalformedField("field table ends within an entry")
    return data[start:stop].decode("utf-8", "surrogateescape"), stop


def _decode_value(data: bytes, at: int, end: int, level: int, key: str) -> tuple[FieldValue, int]:
    """The value whose tag stands at `at`, which lies before `end`, and the offset behind it."""
    tag = data[at]
    at += 1
    if tag == _STRING:
        start, stop = _extent(data, at, end, key)
        return data[start:stop].decode("utf-8", "surrogateescape"), stop
    number = _NUMBERS.get(tag)
    if number is not None:
        stop = _stop(at, number.size, end, key)
        decoded: int | float = number.unpack_from(data, at)[0]
        return decoded, stop
    if tag == _BOOL:
        stop = _stop(at, 1, end, key)
        return data[at] != 0, stop
    if tag == _TABLE:
        start, stop = _extent(data, at, end, key)
        return _decode_entries(data, start, stop, _deeper(level, key)), stop
    if tag == _ARRAY:
        start, stop = _extent(data, at, end, key)
        return _decode_items(data, start, stop, _deeper(level, key), key), stop
    if tag == _TIMESTAMP:
        stop = _stop(at, 8, end, key)
        return Timestamp(int.from_bytes(data[at:stop], "big")), stop
    if tag == _VOID:
        return None, at
    if tag == _BINARY:
        start, stop = _extent(data, at, end, key)
        return data[start:stop], stop
    if tag == _DECIMAL:
        stop = _stop(at, _DECIMAL_VALUE.size, end, key)
        scale, unscaled = _DECIMAL_VALUE.unpack_from(data, at)
        return Decimal(unscaled).scaleb(-scale), stop
    raise MalformedField(f"field {key!r} has the unknown type {chr(tag)!r}")


def _stop(at: int, size: int, end: int, key: str) -> int:
    """The offset behind a value of fixed size."""
    stop = at + size
    if stop > end:
        raise MalformedField(f"field {key!r} is cut short")
    return stop


def _deeper(level: int, key: str) -> int:
    if level >= NESTING_MAX:
        text = f"field {key!r} nests tables and arrays more than {NESTING_MAX} levels deep"
        raise limited(MalformedField(text), "nesting of values")
    return level + 1


def _with_length(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _encode_number(tag: int, value: int | float, key: str) -> bytes:
    layout = _NUMBERS.get(tag)
    if layout is None:
        raise ValueError(f"field {key!r}: {chr(tag)!r} isn't a numeric type")
    try:
        return bytes((tag,)) + layout.pack(value)
    except (error, OverflowError):
        raise ValueError(f"field {key!r}: {value!r} doesn't fit type {chr(tag)!r}") from None


def _encode_integer(value: int, size: int, key: str) -> bytes:
    try:
        return value.to_bytes(size, "big")
    except OverflowError:
        raise ValueError(f"field {key!r}: {value} doesn't fit {size} unsigned bytes") from None


def _encode_decimal(value: Decimal, key: str) -> bytes:
    """Scale and unscaled value; a positive exponent is multiplied out, since a scale can't be negative."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -255 <= exponent <= 9:
        scale = max(-exponent, 0)
        unscaled = int(value.scaleb(scale))
        if -(2**31) <= unscaled < 2**31:
            return b"D" + _DECIMAL_VALUE.pack(scale, unscaled)
    raise ValueError(f"field {key!r}: {value} doesn't fit a decimal of 32 bits and a scale up to 255")
